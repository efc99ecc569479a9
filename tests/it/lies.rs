//! A provider that lies gains nothing: whatever it tells, only what the platform stated about this
//! payment settles it, nobody else's payment changes, no secret comes out, and the host goes on.

mod tricks;

use std::time::Duration;

use serde_json::{Value, json};
use walnut_sandbox::alipay::{AnswerFault, Buyer, Fen, Misbehaviour, Notice, NotificationFault};
use walnut_test_guests::LIAR;

use crate::world::{Answer, World};

/// What becomes of a lie.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The call is refused, and the words say why.
    Refused(&'static str),
    /// The provider's instance is ended.
    Ended,
    /// The call is fine, and nothing follows from it.
    Nothing,
}
use End::{Ended, Nothing, Refused};

/// Every lie that can be told wherever there is an attempt, and what becomes of it. `tests/guests/liar`
/// says what each one tries.
const LIES: &[(&str, End)] = &[
    ("other-trade", Refused("another trade than this call")),
    ("by-number", Refused("about another trade")),
    (
        "refund-own",
        Refused("alipay.trade.refund only when the host calls for it"),
    ),
    (
        "refund-other",
        Refused("alipay.trade.refund only when the host calls for it"),
    ),
    ("template-line", Refused("must be one line")),
    (
        "template-set",
        Refused("the host sets the field \"appId\" itself"),
    ),
    (
        "template-more",
        Refused("the template has no field \"total\""),
    ),
    (
        "template-other",
        Refused("there is no template \"gateway\""),
    ),
    (
        "plant",
        Refused("is for signed answers to alipay.open.app.alipaycert.download"),
    ),
    ("secrets", Refused("no such setting")),
    (
        "broken",
        Refused("first level=ERROR forged=line  [2Jsecond"),
    ),
    (
        "unknown-claim",
        Refused("the manifest has no claim \"paid\""),
    ),
    ("other-claim", Refused("verified by the scheme \"notify\"")),
    ("as-refund", Refused("does not settle this refund")),
    (
        "declined-query",
        Refused("not for answers to \"alipay.trade.query\""),
    ),
    ("wrong-scheme", Refused("unknown scheme")),
    ("unsigned", Refused("the answer has no \"sign\"")),
    (
        "set-app-id",
        Refused("the host sets the field \"app_id\" itself"),
    ),
    (
        "set-sign",
        Refused("the host sets the field \"sign\" itself"),
    ),
    ("two-operations", Refused("the form has \"method\" twice")),
    ("reach-host", Refused("does not reach this address")),
    ("reach-path", Refused("does not reach this address")),
    ("reach-port", Refused("does not reach this address")),
    ("reach-plain", Refused("does not reach this address")),
    ("reach-user", Refused("the address has a user")),
    ("reach-method", Refused("does not reach this address")),
    ("reach-operation", Refused("only with method = ")),
    ("secret", Refused("no such setting")),
    ("flood-http", Refused("a call may send 8 requests")),
    ("hoard", Ended),
    ("trap", Ended),
    ("panic", Ended),
    ("loop", Ended),
    ("recurse", Ended),
    ("memory", Ended),
    ("flood-log", Ended),
    ("flood-calls", Ended),
    ("giant-fault", Refused("xxxxxxxx")),
];

/// No answer of the host is longer than this, however much a provider says.
const LONG: usize = 4 * 1024;

/// A world in which the liar is admitted, with what must not change meanwhile.
struct Court {
    world: World,
    /// A payment that is paid, and one that waits.
    others: Vec<(String, Value)>,
    /// All that the host answered.
    said: String,
}

impl Court {
    async fn open() -> Court {
        let world = World::start().await;
        let root = world.host.root();
        let looked_at = root.post_bytes("/pay/provider/inspect", LIAR).await.data();
        let digest = looked_at["digest"].as_str().unwrap();
        let admit = format!("/pay/provider?digest={digest}");
        assert_eq!(root.put_bytes(&admit, LIAR).await.data()["name"], "liar");
        let (shop, alipay) = (&world.shop, &world.alipay);
        shop.put_target("liar", "main", alipay, &world.account)
            .await;

        let (paid, code) = world.sent().await;
        alipay.pay(&code).await.unwrap();
        shop.until_state(&paid, "OK").await;
        let (waiting, _) = world.sent().await;
        let mut others = Vec::new();
        for id in [paid, waiting] {
            let payment = shop.payment(&id).await;
            others.push((id, payment));
        }
        let said = String::new();
        Court {
            world,
            others,
            said,
        }
    }

    /// A payment about which the liar tells this lie in this call.
    async fn lied_about(&self, lie: &str, at: &str) -> String {
        let (other, paid) = &self.others[0];
        let number = &paid["attempts"][0]["transaction_id"];
        assert!(number.is_string(), "{paid}");
        let meta = json!({ "lie": lie, "lie_at": at, "other": other, "other_number": number });
        let id = self.world.shop.create(meta).await;
        let lost = Misbehaviour::always(NotificationFault::Lost);
        self.world.alipay.misbehave(lost.for_trade(&id));
        id
    }

    /// The same, ordered without a lie: its id and its QR code.
    async fn sent(&self, lie: &str, at: &str) -> (String, String) {
        let id = self.lied_about(lie, at).await;
        let sent = self.world.shop.send_by(&id, "liar.qrcode").await.data();
        (id, sent["data"].as_str().unwrap().to_owned())
    }

    /// Asks until the lie was told: the schedule may be asking at the same time.
    async fn checked(&self, id: &str, end: End) -> Answer {
        loop {
            let answer = self.world.shop.check(id).await;
            let waits = answer.json()["data"]["st"] == "WAIT";
            if !waits || matches!(end, Nothing) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Hears the answer to a call in which a lie was told.
    fn hear(&mut self, lie: &str, end: End, answer: &Answer) {
        assert!(
            answer.bytes.len() < LONG,
            "{lie}: {} bytes",
            answer.bytes.len()
        );
        self.said += &String::from_utf8_lossy(&answer.bytes);
        let json = answer.json();
        let msg = json["msg"].as_str().unwrap_or_default();
        match end {
            Refused(why) => assert!(json["ok"] == false && msg.contains(why), "{lie}: {json}"),
            Ended => {
                assert_eq!(answer.status, 500, "{lie}: {json}");
                assert!(msg.contains("the plugin liar failed"), "{lie}: {json}");
            }
            Nothing => assert_eq!(json["ok"], true, "{lie}: {json}"),
        }
    }

    async fn is_open_still(&self, lie: &str, id: &str) {
        let payment = self.world.shop.payment(id).await;
        let (state, held) = (&payment["st"], &payment["held"]);
        assert_eq!((state, held), (&json!("WAIT"), &Value::Null), "{lie}");
    }

    /// Nothing else happened, and an honest payment goes through.
    async fn goes_on(&self, lie: &str) {
        let shop = &self.world.shop;
        for (id, payment) in &self.others {
            // How often it was asked about is no part of what became of it.
            let mut now = shop.payment(id).await;
            now["attempts"] = payment["attempts"].clone();
            assert_eq!(now, *payment, "{lie}");
        }
        assert_eq!(
            shop.get("/healthz").await.data()["status"],
            "alive",
            "{lie}"
        );
        let (id, code) = self.world.sent().await;
        self.world.alipay.pay(&code).await.unwrap();
        shop.until_state(&id, "OK").await;
    }

    /// What nobody may read is in no answer and not in the log.
    fn adjourn(&self) {
        let host = &self.world.host;
        let log = host.log();
        let key = self.world.account.merchant_private_key();
        let part = &key[key.len() / 2..][..40];
        for secret in [part, host.root_key(), self.world.shop.key()] {
            assert!(!self.said.contains(secret), "a secret in an answer");
            assert!(!log.contains(secret), "a secret in the log");
        }
        for forged in ["\nlevel=ERROR forged", "\u{1b}[2J"] {
            assert!(!log.contains(forged), "a forged line in the log");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_in_answer_to_a_question_settle_nothing() {
    let mut court = Court::open().await;
    for (lie, end) in LIES {
        for paid in [false, true] {
            let (id, code) = court.sent(lie, "check").await;
            if paid {
                court.world.alipay.pay(&code).await.unwrap();
            } else {
                court.world.alipay.scan(&code).await.unwrap();
            }
            let answer = court.checked(&id, *end).await;
            court.hear(lie, *end, &answer);
            court.is_open_still(lie, &id).await;

            // The truth is heard all the same.
            if !paid {
                court.world.alipay.pay(&code).await.unwrap();
            }
            let sent = court.world.alipay.notify(&id, &Notice::genuine()).await;
            assert!(sent.unwrap().taken, "{lie}");
            assert_eq!(court.world.shop.payment(&id).await["st"], "OK", "{lie}");
        }
        court.goes_on(lie).await;
    }
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_a_notification_settle_nothing() {
    let mut court = Court::open().await;
    for (lie, _) in LIES {
        let (id, code) = court.sent(lie, "complete").await;
        let alipay = &court.world.alipay;
        let busy = AnswerFault::Busy { processed: false };
        let silent = Misbehaviour::always(busy).for_operation("alipay.trade.query");
        alipay.misbehave(silent.for_trade(&id));
        alipay.pay(&code).await.unwrap();
        let sent = alipay.notify(&id, &Notice::genuine()).await.unwrap();
        assert!(!sent.taken, "{lie}: {sent:?}");
        court.said += &sent.reply.unwrap_or_default();
        court.is_open_still(lie, &id).await;

        // The platform answers again, and is asked: by hand, or by the schedule in some seconds.
        court.world.alipay.behave();
        court.world.shop.check(&id).await;
        court.world.shop.until_state(&id, "OK").await;
        court.goes_on(lie).await;
    }
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_in_sending_order_nothing_that_counts() {
    let more = [
        (
            "order-as-query",
            Refused("not for answers to \"alipay.trade.precreate\""),
        ),
        ("giant", Ended),
        ("giant-notes", Ended),
        ("script-link", Ended),
    ];
    let mut court = Court::open().await;
    for (lie, end) in LIES.iter().chain(&more) {
        // An order says nothing of refunds: what is pointed at as one is not even read.
        let end = if *lie == "as-refund" { &Nothing } else { end };
        let id = court.lied_about(lie, "send").await;
        let answer = court.world.shop.send_by(&id, "liar.qrcode").await;
        court.hear(lie, *end, &answer);
        court.is_open_still(lie, &id).await;
        let payment = court.world.shop.payment(&id).await;
        assert_eq!(payment["re_obj"], Value::Null, "{lie}: nothing to pay by");
        court.goes_on(lie).await;
    }
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_another_trade_declines_nothing() {
    let mut court = Court::open().await;
    let poor = court.world.alipay.show_code(Buyer::HasTooLittle);
    let meta = json!({ "lie": "declined-other", "lie_at": "send", "code": poor });
    let id = court.world.shop.create(meta).await;
    let answer = court.world.shop.send_by(&id, "liar.qrcode").await;
    let refused = Refused("another trade than this call");
    court.hear("declined-other", refused, &answer);
    let asked = court.world.alipay.requests();
    let mut paying = asked
        .iter()
        .filter(|request| request.operation.as_deref() == Some("alipay.trade.pay"));
    assert!(paying.next().is_none(), "nobody was charged for it");
    court.is_open_still("declined-other", &id).await;
    court.goes_on("declined-other").await;
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_less_is_held_when_it_is_paid() {
    let court = Court::open().await;
    let World { alipay, shop, .. } = &court.world;
    let id = court.lied_about("cheap", "send").await;
    let sent = shop.send_by(&id, "liar.qrcode").await.data();
    assert_eq!(alipay.trade(&id).unwrap().total, Fen::new(1));
    alipay.pay(sent["data"].as_str().unwrap()).await.unwrap();
    let held = shop
        .until(&id, "held", |payment| payment["held"].is_object())
        .await;
    assert_eq!(
        (&held["st"], &held["apply_at"]),
        (&json!("WAIT"), &json!(0))
    );
    assert_eq!(held["held"]["paid_minor"], 1);
    court.goes_on("cheap").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_statement_and_an_invented_one_settle_nothing() {
    let court = Court::open().await;
    let World {
        alipay,
        shop,
        account,
        ..
    } = &court.world;
    let (first, code) = court.sent("", "").await;
    alipay.pay(&code).await.unwrap();
    let genuine = alipay.notify(&first, &Notice::genuine()).await.unwrap();
    assert!(genuine.taken);
    let (second, code) = court.sent("", "").await;
    alipay.scan(&code).await.unwrap();

    let old = genuine.body;
    let claims = [
        ("app_id", account.app_id()),
        ("seller_id", account.seller_id()),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", &second),
        ("total_amount", "23.00"),
        ("trade_no", "2026112522001400000000000001"),
        ("trade_status", "TRADE_SUCCESS"),
    ];
    let invented = |more: &[(&str, &str)]| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(claims).extend_pairs(more).finish()
    };
    // The signature over another trade, and none that fits anything.
    let parsed = form_urlencoded::parse(old.as_bytes());
    let sign = parsed.clone().find(|(name, _)| name == "sign").unwrap().1;
    let answer = json!({ "alipay_trade_query_response": { "code": "10000" }, "sign": sign });
    let bodies = [
        old.clone(),
        old.replace(&first, &second),
        format!("{old}&out_trade_no={second}"),
        format!("out_trade_no={second}&{old}"),
        invented(&[]),
        invented(&[("sign_type", "RSA2"), ("sign", &sign)]),
        invented(&[("sign_type", "none"), ("sign", "")]),
        answer.to_string(),
    ];
    let nobody = shop.with_key("");
    for body in &bodies {
        let path = format!("/pay/re/{second}");
        let reply = nobody.post_bytes(&path, body.as_bytes()).await;
        assert_eq!(reply.bytes, b"fail", "{body}");
        court.is_open_still(body, &second).await;
    }
    let forged = alipay.notify(&second, &Notice::forged()).await.unwrap();
    assert!(!forged.taken);
    court.is_open_still("forged", &second).await;
    assert_eq!(shop.causes(&second).await, ["create", "send", "sent"]);

    // To its own payment the old statement says what is known.
    let path = format!("/pay/re/{first}");
    let reply = nobody.post_bytes(&path, old.as_bytes()).await;
    assert_eq!(reply.bytes, b"success");
    alipay.pay(&code).await.unwrap();
    assert!(
        alipay
            .notify(&second, &Notice::genuine())
            .await
            .unwrap()
            .taken
    );
    assert_eq!(shop.payment(&second).await["st"], "OK");
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_admits_a_provider_and_only_the_one_that_was_looked_at() {
    let world = World::start().await;
    let root = world.host.root();
    let looked_at = root.post_bytes("/pay/provider/inspect", LIAR).await.data();
    assert_eq!(looked_at["pay_types"], json!(["liar.qrcode"]));
    assert!(
        looked_at["words"]
            .to_string()
            .contains("alipay.trade.query"),
        "{looked_at}"
    );
    let admit = format!(
        "/pay/provider?digest={}",
        looked_at["digest"].as_str().unwrap()
    );
    let denied = (403, "e.pay.nopvg".to_owned());
    assert_eq!(world.shop.put_bytes(&admit, LIAR).await.refusal(), denied);
    let inspected = world.shop.post_bytes("/pay/provider/inspect", LIAR).await;
    assert_eq!(inspected.refusal(), denied);
    let refused = (422, "e.pay.provider.refused".to_owned());
    let other = format!("/pay/provider?digest={}", "0".repeat(64));
    assert_eq!(root.put_bytes(&other, LIAR).await.refusal(), refused);
    let callback = walnut_bundle::RECORD_SALE;
    assert_eq!(root.put_bytes(&admit, callback).await.refusal(), refused);
    let listed = root.get("/pay/provider").await.data().to_string();
    assert!(!listed.contains("liar"), "{listed}");
}
