//! Secrets are planted everywhere, and then looked for everywhere: in the log at its most talkative, in every answer, page
//! and file, in what plugins are told, and in the memory that the system would give away.

mod environment;
mod marks;
mod memory;

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use walnut_sandbox::alipay::{AnswerFault, Buyer, Misbehaviour, Notice};
use walnut_sandbox::paypal::{PayPal, PayPalOptions};
use walnut_sandbox::wechat::{WeChat, WeChatOptions};
use walnut_test_guests::LIAR;

use crate::world::{
    Answer, RECORD_SALE, SCRIPTED, Shop, World, account_settings, merchant_settings, order_at,
};
use marks::Marks;

/// A callback that tells all that it is told.
const TELLER: &str = "log.info(JSON.stringify([payment, delivery])); return [payment, delivery, Object.keys(globalThis)];";

/// What was answered, by what was asked.
#[derive(Default)]
struct Heard(Vec<(String, Vec<u8>)>);

impl Heard {
    /// Keeps an answer with all its headers.
    fn hear(&mut self, what: &str, answer: &Answer) {
        let mut bytes = format!("{:?}\n", answer.headers).into_bytes();
        bytes.extend_from_slice(&answer.bytes);
        self.0.push((what.to_owned(), bytes));
    }
}

/// The part of a key or ticket that is secret, which may have the separator in it.
fn secret_part(token: &str, parts: usize) -> &[u8] {
    let secret = token.splitn(parts, '_').last().unwrap();
    assert!(secret.len() > 40, "the form of keys has changed");
    secret.as_bytes()
}

/// Everything that can be looked at, by everybody who may.
async fn look_at_everything(world: &World, ids: &[String], callers: &[&Shop], heard: &mut Heard) {
    let mut paths: Vec<String> = [
        "/pay/ajax/query",
        "/pay/ajax/summary",
        "/pay/ajax/deliveries",
        "/pay/callback",
        "/pay/callback/teller",
        "/pay/callback/teller/versions",
        "/pay/target",
        "/pay/target/zfb/main",
        "/pay/target/wx/main",
        "/pay/target/paypal/main",
        "/pay/target/liar/main",
        "/pay/provider",
        "/pay/domain",
        "/pay/domain/shop",
        "/pay/domain/shop/key",
        "/pay/key",
        "/pay/session",
        "/pay/refused",
        "/pay/audit",
        "/pay/till",
        "/pay/console",
        "/pay/pages/host.js",
        "/pay/nothing/here",
        "/openapi.json",
        "/metrics",
        "/healthz",
        "/readyz",
    ]
    .map(str::to_owned)
    .into();
    for id in ids {
        for verb in [
            "get",
            "check",
            "history",
            "evidence",
            "deliveries",
            "content",
            "offers",
            "qrcode",
        ] {
            paths.push(format!("/pay/ajax/{verb}?id={id}"));
        }
        paths.push(format!("/pay/cashier/{id}"));
    }
    for caller in callers {
        for path in &paths {
            // The operator names a domain.
            let named = if caller.key() == world.host.root_key() {
                2
            } else {
                1
            };
            for domain in ["", "domain=shop"].iter().take(named) {
                let more = if path.contains('?') { '&' } else { '?' };
                let answer = caller.get(&format!("{path}{more}{domain}")).await;
                heard.hear(path, &answer);
            }
        }
    }
    let root = world.host.root_key();
    for line in [
        &["pay", "get", &ids[0]][..],
        &["pay", "history", &ids[0]],
        &["obj", "/var/payment"],
        &["pay", "refused", "--json"],
        &["audit"],
        &["key", "list", "--domain", "shop"],
        &["target", "show", "zfb", "main", "--domain", "shop"],
        &["provider", "list"],
        &["callback", "deliveries", "--domain", "shop"],
    ] {
        let ran = world.host.walnut(root, line).await;
        heard
            .0
            .push((line.join(" "), format!("{ran:?}").into_bytes()));
    }
}

/// What callers do wrong, with secrets where none belong.
async fn mistakes(shop: &Shop, misplaced: &str, heard: &mut Heard) {
    let wrong = [
        json!({ "fee": misplaced }),
        json!({ "fee": 1, "expi": misplaced }),
        json!({ "fee": 1, "callback": misplaced }),
        json!({ "fee": 1, "pay_tp": misplaced }),
        json!(misplaced),
    ];
    for body in wrong {
        let answer = shop.post("/pay/ajax/create", body).await;
        assert!(answer.status >= 400);
        // What a caller sends itself may stand in what it is answered, and nowhere else.
        let _ = answer;
    }
    let settings = json!({ "test": true, "settings": { "private": misplaced } });
    for body in [settings, json!({ "test": true, "settings": misplaced })] {
        heard.hear("a target", &shop.put("/pay/target/zfb/second", body).await);
    }
    let stranger = shop.with_key(misplaced);
    for path in ["/pay/ajax/query", "/pay/target", "/pay/key"] {
        let path = format!("{path}?ticket={misplaced}&{misplaced}=1");
        heard.hear("a wrong key", &stranger.get(&path).await);
    }
    let wrong_secret = format!(
        "{}_{misplaced}",
        &shop.key()[..shop.key().rfind('_').unwrap()]
    );
    heard.hear(
        "a wrong secret",
        &shop.with_key(&wrong_secret).get("/pay/ajax/query").await,
    );
    let sign_in = shop.keyless(Method::POST, "/pay/session");
    let sign_in = sign_in.header("X-Walnut-Page", "1");
    let answer = Shop::answer(sign_in.json(&json!({ "key": misplaced }))).await;
    heard.hear("a wrong session", &answer);
    for body in [json!({ misplaced: 1 }), json!({ "key": [misplaced] })] {
        let sign_in = shop.keyless(Method::POST, "/pay/session");
        let sign_in = sign_in.header("X-Walnut-Page", "1");
        let answer = Shop::answer(sign_in.json(&body)).await;
        heard.hear("a session of something else", &answer);
    }
    let body = json!({ "id": misplaced, "pay_tp": "zfb.scan", "args": misplaced });
    let answer = shop.post("/pay/ajax/send", body).await;
    heard.hear("a code in a wrong place", &answer);
    let cookie = shop.keyless(Method::GET, "/pay/ajax/query");
    let cookie = cookie.header("Cookie", format!("walnut_session={misplaced}"));
    heard.hear("a wrong cookie", &Shop::answer(cookie).await);
}

/// The engine of scripts is compiled anew by each host, which takes a while: `teller` says whether it has to be.
async fn story(format: &str, teller: bool) {
    let log_format = format!("log.format={format}");
    let options = ["--set", "log.level=trace", "--set", &log_format];
    let world = World::with(1, &options).await;
    let (host, shop, root) = (&world.host, &world.shop, world.host.root());
    let mut marks = Marks::default();
    let mut heard = Heard::default();

    // The host's own, the operator's and the shop's.
    let master = std::fs::read_to_string(host.data_root().join("master.key")).unwrap();
    let master = hex::decode(master.trim()).unwrap();
    marks.plant_in("the master key", &master, Some("master.key"));
    let root_key = secret_part(host.root_key(), 4);
    marks.plant_in("the root key", root_key, Some("root.key"));
    marks.plant("the shop's key", secret_part(shop.key(), 4));
    let till = json!({ "scope": "till", "test": true });
    let till = shop.post("/pay/domain/shop/key", till).await.data();
    let till = shop.with_key(till["key"].as_str().unwrap());
    marks.plant("the till's key", secret_part(till.key(), 4));
    let begin = till.keyless(Method::POST, "/pay/session");
    let begin = begin.header("X-Walnut-Page", "1");
    let begun = Shop::answer(begin.json(&json!({ "key": till.key() }))).await;
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    marks.plant("a session", cookie.rsplit('.').next().unwrap().as_bytes());
    let in_session = till.keyless(Method::GET, "/pay/ajax/query");
    let in_session = Shop::answer(in_session.header("Cookie", &cookie)).await;
    assert_eq!(in_session.status, 200);
    heard.hear("in a session", &in_session);

    // Those of accounts, with a provider that means harm among them.
    marks.plant_key("Alipay: the key", world.account.merchant_private_key());
    let inspected = root.post_bytes("/pay/provider/inspect", LIAR).await.data();
    let admit = format!(
        "/pay/provider?digest={}",
        inspected["digest"].as_str().unwrap()
    );
    root.put_bytes(&admit, LIAR).await.data();
    shop.put_target("liar", "main", &world.alipay, &world.account)
        .await;
    let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
    let merchant = wechat.open_merchant().await.unwrap();
    marks.plant_key("WeChat Pay: the key", merchant.private_key_pem());
    marks.plant("WeChat Pay: APIv3 key", merchant.api_v3_key().as_bytes());
    marks.plant("WeChat Pay: API key", merchant.api_key().as_bytes());
    let settings = merchant_settings(&wechat, &merchant);
    let body = json!({ "test": true, "settings": settings });
    let put = shop.put("/pay/target/wx/main", body).await;
    heard.hear("a target", &put);
    put.data();
    let paypal = PayPal::start(PayPalOptions::default()).await.unwrap();
    let account = paypal.open_account();
    paypal.listen(&account, format!("{}/pay/re", host.url()));
    marks.plant("PayPal: the secret", account.secret().as_bytes());
    let body = json!({ "test": true, "settings": account_settings(&paypal, &account) });
    let put = shop.put("/pay/target/paypal/main", body).await;
    heard.hear("a target", &put);
    put.data();
    shop.put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
        .await;
    let callback = if teller { "teller" } else { SCRIPTED };
    if teller {
        shop.put_callback(callback, TELLER.as_bytes()).await;
    }

    // Payments, by tickets; refusals and wrong signatures on the way.
    let made = json!({ "brief": "tea", "fee": 2300, "callback": callback });
    let made = shop.post("/pay/ajax/create", made).await.data();
    let ticket = made["ticket"].as_str().unwrap();
    marks.plant("a ticket", secret_part(ticket, 3));
    let id = made["id"].as_str().unwrap().to_owned();
    let buyer = shop.with_key(ticket);
    for fault in [AnswerFault::WronglySigned, AnswerFault::Truncated] {
        let fault = Misbehaviour::always(fault).for_operation("alipay.trade.precreate");
        world.alipay.misbehave(fault);
        heard.hear("a send that failed", &buyer.send(&id).await);
        world.alipay.behave();
    }
    let sent = buyer.send(&id).await;
    heard.hear("a send", &sent);
    for notice in [Notice::forged(), Notice::tampered("total_amount", "0.01")] {
        world.alipay.notify(&id, &notice).await.unwrap();
    }
    let code = sent.data()["data"].as_str().unwrap().to_owned();
    world.alipay.pay(&code).await.unwrap();
    let told = shop.until_applied(&id).await;
    assert!(!teller || told["apply_re"][0]["id"] == id, "{told}");
    let signature = world.alipay.requests()[0].parameters["sign"].clone();
    marks.plant("a request's signature", signature.as_bytes());
    let mut ids = vec![id];
    for pay_tp in ["wx.qrcode", "paypal.page"] {
        let cur = if pay_tp == "wx.qrcode" { "RMB" } else { "USD" };
        let id = shop
            .create(json!({ "cur": cur, "callback": RECORD_SALE }))
            .await;
        let order = json!({ "id": id, "pay_tp": pay_tp, "client_ip": "203.0.113.7" });
        let sent = shop.post("/pay/ajax/send", order).await;
        heard.hear(pay_tp, &sent);
        let shown = sent.data();
        match pay_tp {
            "wx.qrcode" => drop(wechat.pay(shown["data"].as_str().unwrap()).await.unwrap()),
            _ => drop(paypal.approve(&order_at(&shown["data"])).await.unwrap()),
        }
        shop.until_state(&id, "OK").await;
        ids.push(id);
    }
    // The buyer's code at the till is of use to whoever has it.
    let code = world.alipay.show_code(Buyer::Pays);
    marks.plant("a buyer's code", code.as_bytes());
    let id = till.create(json!({})).await;
    let order = json!({ "id": id, "pay_tp": "zfb.scan", "args": [code] });
    heard.hear("the till", &till.post("/pay/ajax/send", order).await);
    ids.push(id);

    // Guests that crash, and that tell on whatever they were told.
    for script in [
        json!({ "trap": true }),
        json!({ "panic": true }),
        json!({ "memory": true }),
    ] {
        let body = json!({ "fee": 0, "callback": SCRIPTED, "script": script });
        let id = shop.create(body).await;
        let tried = |delivery: &Value| delivery["tries"].as_u64().unwrap_or(0) > 0;
        shop.until_delivery(&id, "tried", tried).await;
        ids.push(id);
    }
    for lie in ["leak", "secrets", "secret", "trap", "panic", "flood-log"] {
        let id = shop.create(json!({ "lie": lie, "lie_at": "send" })).await;
        heard.hear(lie, &shop.send_by(&id, "liar.qrcode").await);
        ids.push(id);
    }
    let misplaced = "MISPLACEDSECRETthatnobodyelseisshown";
    marks.plant("what stood in a wrong place", misplaced.as_bytes());
    mistakes(shop, misplaced, &mut heard).await;

    look_at_everything(
        &world,
        &ids,
        &[&root, shop, &till, &buyer, &shop.with_key("")],
        &mut heard,
    )
    .await;
    // A rotation, and a new start after a crash.
    let line = [
        "vault",
        "rotate",
        "--data",
        host.data_root().to_str().unwrap(),
    ]
    .map(str::to_owned);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let ran = host.walnut("", &line).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    heard
        .0
        .push(("vault rotate".to_owned(), format!("{ran:?}").into_bytes()));
    let before = host.log();
    assert!(before.contains("notification refused") && before.contains("TRACE"));
    let (shop, data_root) = (shop.clone(), host.data_root());
    let host = world.host.kill_and_restart().await;
    assert_eq!(shop.payment(&ids[0]).await["st"], "OK");

    marks.are_not_in("the log", host.log().as_bytes());
    for (what, bytes) in &heard.0 {
        marks.are_not_in(what, bytes);
    }
    rotated(&mut marks, &data_root);
}

/// The earlier master key lies nowhere any more, the present one in its file.
fn rotated(marks: &mut Marks, root: &Path) {
    let now = std::fs::read_to_string(root.join("master.key")).unwrap();
    let now = hex::decode(now.trim()).unwrap();
    marks.plant_in("the next master key", &now, Some("master.key"));
    marks.move_away("the master key");
    marks.are_not_below(root);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_anywhere_with_a_log_for_people() {
    story("pretty", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_anywhere_with_a_log_for_programs() {
    story("json", false).await;
}
