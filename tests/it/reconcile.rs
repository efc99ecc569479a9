//! Reconciliation end to end: the real binary, the simulated WeChat Pay, and a bill that is downloaded, unpacked and
//! compared.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, Merchant, Misbehaviour, NotificationFault, Operation, RefundOutcome, RefundStatus,
    WeChat, WeChatOptions,
};

use crate::world::{Host, PastDay, Shop};

/// A host with the domain `shop`, whose target `main` is a merchant at the simulated WeChat Pay.
struct Books {
    host: Host,
    wechat: WeChat,
    merchant: Merchant,
    shop: Shop,
    /// The day that is looked at.
    day: PastDay,
}

impl Books {
    async fn open() -> Books {
        let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
        let merchant = wechat.open_merchant().await.unwrap();
        let host = Host::start().await;
        let shop = host.domain("shop").await;
        let books = Books {
            host,
            wechat,
            merchant,
            shop,
            day: PastDay::yesterday(),
        };
        books.put_target(&books.shop, "main").await;
        books
    }

    async fn put_target(&self, shop: &Shop, name: &str) {
        let settings = json!({
            "appid": self.merchant.appid(),
            "mchid": self.merchant.mchid(),
            "mch_serial_no": self.merchant.serial_no(),
            "mch_private_key": self.merchant.private_key_pem(),
            "api_v3_key": self.merchant.api_v3_key(),
            "gateway": self.wechat.url(),
        });
        let body = json!({"test": true, "settings": settings});
        let path = format!("/pay/target/wx/{name}");
        shop.put(&path, body).await.data();
    }

    /// A payment of 23.00 yuan that the buyer paid.
    async fn bought(&self, shop: &Shop) -> String {
        let id = shop.create(json!({})).await;
        let sent = shop.send_by(&id, "wx.qrcode").await.data();
        self.wechat
            .pay(sent["data"].as_str().unwrap())
            .await
            .unwrap();
        id
    }

    async fn paid(&self) -> String {
        let id = self.bought(&self.shop).await;
        self.shop.until_state(&id, "OK").await;
        id
    }

    async fn refunded(&self, id: &str, fee: u64) -> String {
        let body = json!({"id": id, "fee": fee, "reason": "broken"});
        let refund = self.shop.post("/pay/ajax/refund", body).await.data();
        let number = refund["refund_no"].as_str().unwrap().to_owned();
        let given = |payment: &Value| payment["refunded"].as_u64() >= Some(fee);
        self.shop.until(id, "refunded", given).await;
        number
    }

    /// At the platform it was on that day.
    fn age(&self, id: &str) {
        self.wechat.age(id, self.day.ago()).unwrap();
    }

    /// The host did it on that day, as its store says after a restart.
    async fn age_here(mut self, ids: &[&str]) -> Books {
        let killed = self.host.kill().await;
        self.day.age_store(&killed, ids);
        self.host = killed.restart().await;
        self
    }

    async fn reconcile(&self, shop: &Shop) -> Value {
        let body = json!({"day": self.day.name()});
        let report = shop.post("/pay/ajax/reconcile", body).await.data();
        let targets = report["targets"].as_array().unwrap();
        assert_eq!(targets.len(), 1, "{report}");
        targets[0].clone()
    }
}

fn kinds(report: &Value) -> Vec<&str> {
    let differences = report["differences"].as_array().unwrap();
    let kinds = differences.iter().map(|one| one["kind"].as_str().unwrap());
    kinds.collect()
}

/// The difference about this trade.
fn about<'a>(report: &'a Value, trade_no: &str) -> &'a Value {
    let differences = report["differences"].as_array().unwrap();
    let found = differences.iter().find(|one| one["trade_no"] == trade_no);
    found.unwrap_or_else(|| panic!("nothing about {trade_no}: {report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_all_agrees_has_no_difference() {
    let books = Books::open().await;
    let paid = books.paid().await;
    let refunded = books.paid().await;
    books.refunded(&refunded, 500).await;
    for id in [&paid, &refunded] {
        books.age(id);
    }
    let books = books.age_here(&[&paid, &refunded]).await;
    let report = books.reconcile(&books.shop).await;
    assert_eq!(report["status"], "compared", "{report:#}");
    assert_eq!((&report["rows"], &report["agreed"]), (&json!(3), &json!(2)));
    assert_eq!(kinds(&report), [""; 0], "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bill_shows_as_paid_is_asked_about_at_once() {
    let books = Books::open().await;
    let lost = Misbehaviour::always(NotificationFault::Lost);
    let down = Misbehaviour::always(AnswerFault::SystemError { processed: false });
    books.wechat.misbehave(lost);
    books.wechat.misbehave(down.for_operation(Operation::Query));
    let id = books.bought(&books.shop).await;
    books.age(&id);
    assert_eq!(books.shop.payment(&id).await["st"], "WAIT");

    // The bill alone settles nothing.
    let report = books.reconcile(&books.shop).await;
    assert_eq!(kinds(&report), ["state"], "{report:#}");
    assert!(!about(&report, &id)["asked"].as_str().unwrap().is_empty());
    assert_eq!(books.shop.payment(&id).await["st"], "WAIT");
    books.wechat.behave();
    let report = books.reconcile(&books.shop).await;
    if let [kind] = kinds(&report).as_slice() {
        assert_eq!(*kind, "state");
        let told = about(&report, &id);
        assert_eq!((&told["id"], &told["asked"]), (&json!(id), &json!("OK")));
        assert_eq!(
            told["there"],
            json!({"state": "SUCCESS", "fee": 2300, "cur": "RMB"})
        );
    }
    assert_eq!(books.shop.until_state(&id, "OK").await["fee"], 2300);
    assert_eq!(kinds(&books.reconcile(&books.shop).await), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_side_lacks_is_told() {
    let books = Books::open().await;
    let there = books.paid().await;
    books.age(&there);
    // Here it was yesterday, at the platform it is today.
    let here = books.paid().await;
    let refunded = books.paid().await;
    let number = books.refunded(&refunded, 700).await;
    // Another domain has the same account: that is none of the shop's business.
    let other = books.host.domain("other").await;
    books.put_target(&other, "main").await;
    let foreign = books.bought(&other).await;
    other.until_state(&foreign, "OK").await;
    books.age(&foreign);

    let books = books.age_here(&[&there, &here, &refunded]).await;
    let report = books.reconcile(&books.shop).await;
    assert_eq!((&report["rows"], &report["agreed"]), (&json!(2), &json!(1)));
    let missing_here = about(&report, &foreign);
    assert_eq!(missing_here["kind"], "missing_here");
    assert_eq!(
        (&missing_here["id"], &missing_here["here"]),
        (&Value::Null, &Value::Null)
    );
    let missing_there = about(&report, &here);
    assert_eq!(missing_there["kind"], "missing_there");
    assert_eq!(
        missing_there["here"],
        json!({"state": "OK", "fee": 2300, "cur": "RMB"})
    );
    let differences = report["differences"].as_array().unwrap();
    let refund = differences
        .iter()
        .find(|one| one["kind"] == "refund")
        .unwrap();
    assert_eq!(refund["refund_no"], json!(number));
    assert_eq!(differences.len(), 4, "{report:#}");
    // The other domain's own bill has the shop's payments beside its own.
    let report = books.reconcile(&other).await;
    assert_eq!(
        (kinds(&report), about(&report, &there)["id"].clone()),
        (vec!["missing_here"], Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_at_the_platforms_console_is_told_and_recorded() {
    let books = Books::open().await;
    let lost = Misbehaviour::always(NotificationFault::Lost);
    let id = books.paid().await;
    books.wechat.misbehave(lost.for_trade(&id));
    let undecided = RefundOutcome::Undecided;
    books.wechat.decide_refunds(&id, undecided).unwrap();
    let number = books.wechat.refund(&id, 300).unwrap();
    books.age(&id);
    let told = |report: &Value, asked: &str| {
        assert_eq!(kinds(report), ["refund"], "{report:#}");
        let told = about(report, &id);
        assert_eq!(
            (&told["refund_no"], &told["there"]["fee"], &told["asked"]),
            (&json!(number), &json!(300), &json!(asked))
        );
    };
    told(&books.reconcile(&books.shop).await, "refund waiting");
    assert_eq!(books.shop.payment(&id).await["refunded"], 0);
    let made = RefundStatus::Success;
    books.wechat.settle_refund(&number, made).unwrap();
    told(
        &books.reconcile(&books.shop).await,
        "refunded at the platform",
    );
    let payment = books.shop.payment(&id).await;
    assert_eq!(
        (&payment["st"], &payment["refunded"]),
        (&json!("OK"), &json!(300))
    );
    // From now on both sides have it, and no more than what is left can be given back.
    assert_eq!(kinds(&books.reconcile(&books.shop).await), [""; 0]);
    let rest = json!({"id": id});
    let rest = books.shop.post("/pay/ajax/refund", rest).await.data();
    assert_eq!(rest["fee"], 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_tables_and_json_and_says_by_its_code_what_was_found() {
    let books = Books::open().await;
    let id = books.paid().await;
    books.age(&id);
    let (key, day) = (books.shop.key(), books.day.name());
    let args = [
        "reconcile",
        "--day",
        &day,
        "--platform",
        "wx",
        "--target",
        "main",
    ];
    let agreed = books.host.walnut(key, &args).await;
    assert_eq!(agreed.code, 0, "{agreed:?}");
    assert!(agreed.out.contains("about_midnight") && agreed.out.contains("compared"));

    let lost = Misbehaviour::always(NotificationFault::Lost);
    books.wechat.misbehave(lost);
    let undecided = RefundOutcome::Undecided;
    books.wechat.decide_refunds(&id, undecided).unwrap();
    let number = books.wechat.refund(&id, 300).unwrap();
    books.age(&id);
    let differs = books.host.walnut(key, &["reconcile", "--day", &day]).await;
    assert_eq!(differs.code, 2, "{differs:?}");
    assert!(differs.out.contains(&number) && differs.out.contains("wx/main"));
    let json = books
        .host
        .walnut(key, &["reconcile", "--day", &day, "--json"])
        .await;
    let report: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.code, &report["day"], &report["domain"]),
        (2, &json!(day), &json!("shop"))
    );
    assert_eq!(report["targets"][0]["differences"][0]["kind"], "refund");

    let wrong = books
        .host
        .walnut(key, &["reconcile", "--day", "yesterday"])
        .await;
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.err.contains("YYYY-MM-DD"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_business_at_the_platform_is_compared_with_nothing() {
    let mut books = Books::open().await;
    books.day = books.day.days_earlier(9);
    let key = books.shop.key().to_owned();
    let day = books.day.name();
    let args = ["reconcile", "--day", &day];
    let idle = books.host.walnut(&key, &args).await;
    assert_eq!(idle.code, 0, "nothing happened on either side: {idle:?}");
    assert!(idle.out.contains("compared"), "{}", idle.out);

    let paid = books.paid().await;
    let books = books.age_here(&[&paid]).await;
    let report = books.reconcile(&books.shop).await;
    assert_eq!(
        (&report["status"], &report["rows"], &report["agreed"]),
        (&json!("compared"), &json!(0), &json!(0))
    );
    assert_eq!(kinds(&report), ["missing_there"], "{report:#}");
    assert_eq!(about(&report, &paid)["here"]["fee"], 2300);
    let differs = books.host.walnut(&key, &args).await;
    assert_eq!(differs.code, 2, "{differs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_that_came_in_part_or_not_at_all_is_not_compared() {
    let books = Books::open().await;
    let id = books.paid().await;
    books.age(&id);
    for fault in [
        AnswerFault::Truncated,
        AnswerFault::Endless,
        AnswerFault::SystemError { processed: false },
        AnswerFault::Redirect {
            to: books.host.url().to_owned(),
            processed: false,
        },
    ] {
        let broken = Misbehaviour::once(fault.clone()).for_operation(Operation::BillDownload);
        books.wechat.misbehave(broken);
        let report = books.reconcile(&books.shop).await;
        assert_eq!(
            (&report["status"], &report["rows"]),
            (&json!("failed"), &json!(0)),
            "{fault:?}"
        );
        assert!(
            report["error"]
                .as_str()
                .unwrap()
                .starts_with("the bill cannot be"),
            "{report}"
        );
    }
    assert_eq!(books.reconcile(&books.shop).await["status"], "compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_that_cannot_be_is_refused() {
    let books = Books::open().await;
    for (body, code) in [
        (json!({"day": "2026-13-01"}), "e.pay.invalid"),
        (json!({"day": "2999-01-01"}), "e.pay.invalid"),
        (
            json!({"day": "2020-01-01", "platform": "zfb"}),
            "e.pay.notFound",
        ),
        (
            json!({"day": "2020-01-01", "target": "other"}),
            "e.pay.notFound",
        ),
        (
            json!({"day": "2020-01-01", "domain": "other"}),
            "e.pay.nopvg",
        ),
    ] {
        let refused = books
            .shop
            .post("/pay/ajax/reconcile", body.clone())
            .await
            .json();
        assert_eq!(refused["errCode"], code, "{body}");
    }
    let body = json!({"day": "2020-01-01", "domain": "shop"});
    let report = books
        .host
        .root()
        .post("/pay/ajax/reconcile", body)
        .await
        .data();
    let target = &report["targets"][0];
    assert_eq!(
        target["status"], "failed",
        "older than the platform keeps: {target}"
    );
    assert!(!target["error"].as_str().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_whose_platform_does_not_answer_holds_up_itself_alone() {
    let mut books = Books::open().await;
    // Nothing happened on it.
    books.day = books.day.days_earlier(9);
    let rival = books.host.domain("rival").await;
    books.put_target(&rival, "main").await;
    let silent = Misbehaviour::once(AnswerFault::Silent { processed: false });
    books
        .wechat
        .misbehave(silent.for_operation(Operation::TradeBill));
    let body = json!({"day": books.day.name()});
    let (shop, waiting) = (books.shop.clone(), body.clone());
    let waits = tokio::spawn(async move { shop.post("/pay/ajax/reconcile", waiting).await });
    let bill = Some(Operation::TradeBill);
    while !books
        .wechat
        .requests()
        .iter()
        .any(|request| request.operation == bill)
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let again = books.shop.post("/pay/ajax/reconcile", body).await;
    assert_eq!(again.refusal(), (429, "e.pay.busy".to_owned()));
    let says = again.json()["msg"].as_str().unwrap().to_owned();
    assert!(says.contains("of shop runs"), "{says}");
    let report = books.reconcile(&rival).await;
    assert_eq!(report["status"], "compared", "{report:#}");
    waits.abort();
}
