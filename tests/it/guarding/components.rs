//! Components that say more than they may: providers that claim what is not theirs, and a callback that is tried as
//! somebody else's.

use reqwest::Method;
use serde_json::{Value, json};
use walnut_test_guests::{LIAR, SCRIPTED as COMPONENT};

use crate::world::{Answer, Host, SCRIPTED, Shop, World};

/// Approves a provider component.
async fn approve(host: &Host, component: &[u8]) -> Answer {
    let root = host.root();
    let looked_at = root.post_bytes("/pay/provider/inspect", component).await;
    if looked_at.status != 200 {
        return looked_at;
    }
    let digest = looked_at.data()["digest"].as_str().unwrap().to_owned();
    let path = format!("/pay/provider?digest={digest}");
    root.put_bytes(&path, component).await
}

/// A world with the liar, and a payment that was sent by it with this lie about notifications.
async fn lied_about(lie: &str) -> (World, String) {
    let world = World::start().await;
    approve(&world.host, LIAR).await.data();
    let shop = &world.shop;
    shop.put_target("liar", "main", &world.alipay, &world.account)
        .await;
    let id = shop
        .create(json!({ "lie": lie, "lie_at": "complete" }))
        .await;
    shop.send_by(&id, "liar.qrcode").await.data();
    (world, id)
}

/// Posts a notification, and gives what the platform is answered.
async fn notify(shop: &Shop, path: &str, body: &str, says: Option<&str>) -> (u16, String) {
    let mut request = shop
        .keyless(Method::POST, path)
        .header(
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .body(body.to_owned());
    if let Some(trade) = says {
        request = request.header("X-Lie-Trade", trade);
    }
    let answer = Shop::answer(request).await;
    (answer.status, String::from_utf8(answer.bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_claims_every_notification_hides_none_from_the_others() {
    let (world, lied) = lied_about("").await;
    let (id, code) = world.sent().await;
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&id, "OK").await;
    let sent = world.alipay.until(|alipay| {
        let mut all = alipay.notifications().into_iter();
        all.find(|notification| notification.out_trade_no == id)
    });
    let body = sent.await.body;
    // The bare address takes it again, whatever the liar says of it: no trade, none that there is, its own, and one
    // that is another platform's.
    let unknown = "0".repeat(32);
    for says in ["", &unknown, &lied, &id] {
        let answer = notify(&world.shop, "/pay/re", &body, Some(says)).await;
        assert_eq!(answer, (200, "success".to_owned()), "{says:?}");
    }
    assert_eq!(world.shop.payment(&lied).await["st"], "WAIT");
    // What is about nobody's trade is wanted again, or nobody's.
    let forged = body.replace(&id, &lied);
    let answer = notify(&world.shop, "/pay/re", &forged, None).await;
    assert_eq!(answer, (200, "fail".to_owned()));
    let (status, _) = notify(&world.shop, "/pay/re", "a=b", Some(&unknown)).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_verified_is_not_taken() {
    let (world, id) = lied_about("ignored").await;
    let path = format!("/pay/re/{id}");
    let answer = notify(&world.shop, &path, "trade_status=TRADE_SUCCESS", None).await;
    assert_eq!(answer, (200, "fail".to_owned()));
    // Nor has a platform that sends nothing anything to take.
    let free = world.shop.create(json!({ "fee": 0 })).await;
    let path = format!("/pay/re/{free}");
    let answer = notify(&world.shop, &path, "st=OK", None).await;
    assert_eq!(answer, (503, "again".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_logs_is_for_the_operator() {
    let (world, _) = lied_about("").await;
    let id = world
        .shop
        .create(json!({ "lie": "secret", "lie_at": "send" }))
        .await;
    let refused = world.shop.send_by(&id, "liar.qrcode").await;
    assert_eq!(refused.json()["ok"], false);
    let log = world.host.log();
    assert!(log.contains("warn: told a lie: secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_provider_is_called_like_a_field_of_the_payment() {
    let host = Host::start().await;
    // The same component under another name, in its manifest and wherever else the name stands.
    let text = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>()
    };
    for name in ["held", "late", "test"] {
        let renamed = text(LIAR).replace("liar", name);
        let renamed: Vec<u8> = renamed.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let refused = approve(&host, &renamed).await;
        assert_eq!(refused.refusal(), (422, "e.pay.provider.refused".into()));
        let msg = refused.json()["msg"].as_str().unwrap().to_owned();
        assert!(
            msg.contains(&format!("{name:?} is a name of the payment")),
            "{msg}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_tried_as_the_callers_and_nobody_elses() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    host.domain("rival").await;
    shop.put_callback(SCRIPTED, COMPONENT).await;
    let fetch = json!({ "step": "tell", "method": "POST", "url": "https://api.example.com/" });
    let payment = json!({ "seller_nm": "rival", "script": { "web": [fetch] } });
    let path = format!("/pay/callback/{SCRIPTED}/test");
    let run = shop.post(&path, payment).await.data();
    let answer: Value = serde_json::from_str(run["answer"].as_str().unwrap()).unwrap();
    let failure = answer["web"][0]["failure"].as_str().unwrap();
    assert!(
        failure.contains("\"shop\"") && !failure.contains("rival"),
        "{failure}"
    );
}
