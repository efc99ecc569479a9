//! Alipay end to end: the real binary, the real component, the simulated platform; what the stories of codes and tills
//! do not tell: pages, certificates, encrypted content.

mod books;
mod crashing;
mod ending;
mod refunds;
mod ways;

use serde_json::{Value, json};
use walnut_sandbox::alipay::{
    Account, Alipay, AlipayOptions, Issuer, Misbehaviour, NotificationFault, RequestView,
    TradeStatus,
};

use crate::world::{Host, Shop};

/// A host with the domain `shop`, whose only target `main` is an account at the simulated Alipay.
struct Counter {
    host: Host,
    alipay: Alipay,
    account: Account,
    shop: Shop,
}

/// The settings of an account, in the mode that it has.
fn settings(alipay: &Alipay, account: &Account) -> Value {
    let mut settings = Shop::target_body(alipay, account)["settings"].clone();
    if let Some(files) = account.certificates() {
        settings
            .as_object_mut()
            .unwrap()
            .remove("alipay_public_key");
        settings["app_certificate"] = json!(files.app());
        settings["alipay_certificate"] = json!(files.alipay());
        settings["alipay_root_certificate"] = json!(files.root());
    }
    settings
}

impl Counter {
    /// In key mode, with these settings on top.
    async fn open(more: Value) -> Counter {
        let alipay = Alipay::start(AlipayOptions::default()).await.unwrap();
        let account = alipay.open_account().await.unwrap();
        Counter::with(alipay, account, more).await
    }

    /// In certificate mode.
    async fn certified(more: Value) -> Counter {
        let alipay = Alipay::start(AlipayOptions::default()).await.unwrap();
        let account = alipay.open_certified_account().await.unwrap();
        Counter::with(alipay, account, more).await
    }

    async fn with(alipay: Alipay, account: Account, more: Value) -> Counter {
        let host = Host::start().await;
        let shop = host.domain("shop").await;
        let mut settings = settings(&alipay, &account);
        for (name, value) in more.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let body = json!({"test": true, "settings": settings});
        shop.put("/pay/target/zfb/main", body).await.data();
        Counter {
            host,
            alipay,
            account,
            shop,
        }
    }

    /// A sent payment of 23.00 yuan: its id, and what the buyer is shown.
    async fn sent(&self, pay_tp: &str, args: &[&str]) -> (String, Value) {
        let id = self.shop.create(json!({})).await;
        let sent = self.send(&id, pay_tp, args).await;
        (id, sent)
    }

    async fn send(&self, id: &str, pay_tp: &str, args: &[&str]) -> Value {
        let body = json!({"id": id, "pay_tp": pay_tp, "args": args});
        self.shop.post("/pay/ajax/send", body).await.data()
    }

    /// The buyer opens the page and pays.
    async fn paid_at(&self, link: &Value) {
        let page = self.alipay.open_page(link.as_str().unwrap()).await.unwrap();
        self.alipay.pay(&page).await.unwrap();
    }

    /// The requests for this operation.
    fn asked(&self, operation: &str) -> Vec<RequestView> {
        let mut requests = self.alipay.requests();
        requests.retain(|request| request.operation.as_deref() == Some(operation));
        requests
    }
}

const DOWNLOAD: &str = "alipay.open.app.alipaycert.download";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_paid_in_the_buyers_browser_and_given_back_in_parts() {
    let counter = Counter::open(json!({"return_url": "https://shop.example/paid"})).await;
    let (id, sent) = counter.sent("zfb.page", &[]).await;
    assert_eq!(sent["type"], "LINK");
    assert!(
        counter.alipay.requests().is_empty(),
        "nothing is sent before the buyer comes"
    );
    let again = counter.send(&id, "zfb.page", &[]).await;
    assert_eq!(again["data"], sent["data"]);

    counter.paid_at(&sent["data"]).await;
    let paid = counter.shop.until_state(&id, "OK").await;
    let trade = counter.alipay.trade(&id).unwrap();
    assert_eq!(json!(trade.trade_no), paid["zfb"]["transaction_id"]);
    let back = trade.returned_to.unwrap();
    assert!(back.starts_with("https://shop.example/paid?"), "{back}");
    assert!(
        counter
            .shop
            .causes(&id)
            .await
            .contains(&"notification".to_owned())
    );

    for fee in [500, 1800] {
        let body = json!({"id": id, "fee": fee});
        counter.shop.post("/pay/ajax/refund", body).await.data();
    }
    counter
        .shop
        .until(&id, "given back", |payment| payment["refunded"] == 2300)
        .await;
    assert_eq!(counter.alipay.trade(&id).unwrap().refunds.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_be_a_frame_of_the_shops_own() {
    let counter = Counter::open(json!({})).await;
    let (id, sent) = counter.sent("zfb.page", &["iframe"]).await;
    assert_eq!(sent["type"], "IFRAME");
    counter.paid_at(&sent["data"]).await;
    counter.shop.until_state(&id, "OK").await;
    let opened = counter.asked("alipay.trade.page.pay");
    let order: Value = serde_json::from_str(&opened[0].parameters["biz_content"]).unwrap();
    assert_eq!(order["qr_pay_mode"], "4");

    let other = counter.shop.create(json!({})).await;
    let body = json!({"id": other, "pay_tp": "zfb.page", "args": ["popup"]});
    let refusal = counter.shop.post("/pay/ajax/send", body).await.refusal();
    assert_eq!(refusal, (400, "e.pay.send.invalid".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_a_phone_is_closed_or_heals_by_asking() {
    let counter = Counter::open(json!({})).await;
    let (id, sent) = counter.sent("zfb.wap", &[]).await;
    assert_eq!(sent["type"], "LINK");
    let lost = Misbehaviour::always(NotificationFault::Lost);
    counter.alipay.misbehave(lost.for_trade(&id));
    counter.paid_at(&sent["data"]).await;
    counter.shop.check(&id).await.data();
    counter.shop.until_state(&id, "OK").await;

    let (left, sent) = counter.sent("zfb.wap", &[]).await;
    let page = counter.alipay.open_page(sent["data"].as_str().unwrap());
    counter.alipay.scan(&page.await.unwrap()).await.unwrap();
    let body = json!({ "id": left });
    let closed = counter.shop.post("/pay/ajax/close", body).await.data();
    assert_eq!(
        (&closed["st"], &closed["fail_why"]),
        (&json!("FAIL"), &json!("CLOSED"))
    );
    let trade = counter.alipay.trade(&left).unwrap();
    assert_eq!(trade.status, Some(TradeStatus::TradeClosed));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_verify_rotate_and_survive_a_restart() {
    let mut counter = Counter::certified(json!({})).await;
    let app_id = counter.account.app_id().to_owned();
    let (id, sent) = counter.sent("zfb.page", &[]).await;
    counter.paid_at(&sent["data"]).await;
    counter.shop.until_state(&id, "OK").await;
    counter.sent("zfb.qrcode", &[]).await;
    assert!(counter.asked(DOWNLOAD).is_empty());

    let renewed = counter.alipay.renew_certificate(&app_id, Issuer::Alipay);
    renewed.await.unwrap();
    let (id, sent) = counter.sent("zfb.qrcode", &[]).await;
    assert_eq!(counter.asked(DOWNLOAD).len(), 1);
    let code = sent["data"].as_str().unwrap();
    counter.alipay.pay(code).await.unwrap();
    counter.shop.until_state(&id, "OK").await;

    counter.host = counter.host.kill_and_restart().await;
    counter.sent("zfb.qrcode", &[]).await;
    assert_eq!(counter.asked(DOWNLOAD).len(), 1, "it was kept");

    // What does not come from Alipay's roots is not believed, though it calls itself the same.
    let strange = counter.alipay.renew_certificate(&app_id, Issuer::Stranger);
    strange.await.unwrap();
    let id = counter.shop.create(json!({})).await;
    let refused = counter.shop.send(&id).await;
    assert_eq!(refused.refusal().0, 502);
    assert_eq!(counter.asked(DOWNLOAD).len(), 2);
    assert_eq!(counter.shop.payment(&id).await["st"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_encrypted_where_the_target_has_the_key() {
    let alipay = Alipay::start(AlipayOptions::default()).await.unwrap();
    let account = alipay.open_certified_account().await.unwrap();
    let more = json!({"content_key": account.content_key()});
    let counter = Counter::with(alipay, account, more).await;
    let (id, sent) = counter.sent("zfb.qrcode", &[]).await;
    let code = sent["data"].as_str().unwrap();
    counter.alipay.pay(code).await.unwrap();
    counter.shop.until_state(&id, "OK").await;
    let (page, sent) = counter.sent("zfb.page", &[]).await;
    counter.paid_at(&sent["data"]).await;
    counter.shop.until_state(&page, "OK").await;
    // The certificate comes in an encrypted answer too.
    let app_id = counter.account.app_id();
    let renewed = counter.alipay.renew_certificate(app_id, Issuer::Alipay);
    renewed.await.unwrap();
    counter.sent("zfb.qrcode", &[]).await;
    assert_eq!(counter.asked(DOWNLOAD).len(), 1);
    for request in counter.alipay.requests() {
        assert_eq!(request.parameters["encrypt_type"], "AES");
        let content = &request.parameters["biz_content"];
        assert!(!content.contains('{') && !content.contains(&id));
    }
    let shown = counter.shop.get("/pay/target/zfb/main").await;
    let shown = String::from_utf8(shown.bytes).unwrap();
    assert!(!shown.contains(counter.account.content_key()));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_neither_mode_and_of_another_key_are_refused() {
    let counter = Counter::certified(json!({})).await;
    let good = settings(&counter.alipay, &counter.account);
    let other = counter.alipay.open_certified_account().await.unwrap();
    let other = other.certificates().unwrap();
    for (changes, field) in [
        (json!({"app_certificate": null}), "app_certificate"),
        (
            json!({"alipay_root_certificate": null}),
            "alipay_root_certificate",
        ),
        (json!({"app_certificate": other.app()}), "app_certificate"),
        (
            json!({"alipay_certificate": good["app_certificate"]}),
            "alipay_certificate",
        ),
        (
            json!({"app_certificate": null, "alipay_certificate": null, "alipay_root_certificate": null}),
            "alipay_public_key",
        ),
    ] {
        let mut settings = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(settings.as_object_mut().unwrap().remove(name)),
                value => settings[name] = value.clone(),
            }
        }
        let body = json!({"test": true, "settings": settings});
        let answer = counter.shop.put("/pay/target/zfb/bad", body).await;
        assert!((400..=422).contains(&answer.status), "{changes}");
        let said = String::from_utf8(answer.bytes).unwrap();
        assert!(said.contains(field), "{field}: {said}");
        assert!(!said.contains("BEGIN"), "{said}");
    }
}
