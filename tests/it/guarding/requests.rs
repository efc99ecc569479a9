//! Requests that would harm those who read their answers, and what the operator is told of refusals.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Host, Shop, World};

/// Lists in lists, so many levels.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_breaks_clients_is_refused() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let create = async |note: Value| {
        let body = json!({ "brief": "茶", "fee": 1, "note": note });
        shop.post("/pay/ajax/create", body).await
    };
    let kept = create(nested(32)).await.data();
    assert_eq!(kept["note"], nested(32));
    for levels in [33, 125] {
        let refusal = create(nested(levels)).await.refusal();
        assert_eq!(refusal, (413, "e.pay.meta.tooLarge".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buyers_address_is_an_address() {
    let world = World::start().await;
    let shop = &world.shop;
    let invalid = (400, "e.pay.invalid".to_owned());
    let wrong = "203.0.113.7, 10.0.0.1";
    for more in [json!({}), json!({ "pay_tp": "zfb.qrcode" })] {
        let mut body = json!({ "brief": "茶", "fee": 1, "client_ip": wrong });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refusal = shop.post("/pay/ajax/create", body).await.refusal();
        assert_eq!(refusal, invalid);
    }
    let listed = shop.get("/pay/ajax/query").await.data();
    assert_eq!(listed, json!([]), "nothing was made");
    let id = shop.create(json!({})).await;
    let send = |ip: &str| json!({ "id": id, "pay_tp": "zfb.qrcode", "client_ip": ip });
    let refusal = shop.post("/pay/ajax/send", send(wrong)).await.refusal();
    assert_eq!(refusal, invalid);
    let sent = shop
        .post("/pay/ajax/send", send("203.0.113.7"))
        .await
        .data();
    assert_eq!(sent["status"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_to_the_auditor_and_secrets_are_not() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let ticket = "wt_0190a5b1c2d37e4f8a9b0c1d2e3f4a5b_AAAA";
    shop.get("/pay/domain").await.refusal();
    shop.get("/pay/ajax/get?id=0190a5b1c2d37e4f8a9b0c1d2e3f4a5b")
        .await
        .refusal();
    shop.with_key("wk_test_0123456789abcdef_secret")
        .get("/pay/ajax/query")
        .await
        .refusal();
    let path = format!("/pay/ajax/get?id=0190a5b1c2d37e4f8a9b0c1d2e3f4a5b&ticket={ticket}");
    Shop::answer(shop.keyless(Method::GET, &path))
        .await
        .refusal();
    shop.get("/pay/callback").await.data();
    let log = host.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("refused"))
        .collect();
    for (who, address, code) in [
        ("who=\"shop\"", "/pay/domain", "e.pay.nopvg"),
        ("who=\"shop\"", "/pay/ajax/get", "e.pay.noexists"),
        ("who=\"nobody\"", "/pay/ajax/query", "e.auth.required"),
        ("who=\"nobody\"", "/pay/ajax/get", "e.auth.required"),
    ] {
        let told = lines.iter().any(|line| {
            [who, address, code].iter().all(|part| line.contains(part)) && line.contains("audit")
        });
        assert!(told, "{who} {address} {code}: {log}");
    }
    for secret in [
        shop.key(),
        host.root_key(),
        ticket,
        "0123456789abcdef_secret",
    ] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_which_notifications_did_not_verify() {
    let world = World::start().await;
    let (root, shop) = (world.host.root(), &world.shop);
    assert_eq!(root.get("/pay/refused").await.data(), json!([]));
    let (id, _) = world.sent().await;
    let unknown = "0".repeat(32);
    for trade in [&unknown, &id] {
        let path = format!("/pay/re/{trade}");
        let request = shop.keyless(Method::POST, &path).body("a=b");
        Shop::answer(request).await;
    }
    let op = root.post("/pay/key", json!({ "role": "op" })).await.data();
    let op = root.with_key(op["key"].as_str().unwrap());
    for caller in [&root, &op] {
        let refused = caller.get("/pay/refused").await.data();
        let trades: Vec<&Value> = refused
            .as_array()
            .unwrap()
            .iter()
            .map(|r| &r["trade_no"])
            .collect();
        assert_eq!(trades, [&json!(id), &json!(unknown)], "the last one first");
        assert_eq!(refused[0]["bytes"], 3);
        assert!(refused[0]["why"].as_str().unwrap().len() > 5 && refused[0]["at"].is_u64());
    }
    let refusal = shop.get("/pay/refused").await.refusal();
    assert_eq!(refusal, (403, "e.pay.nopvg".to_owned()));
    let told = world.host.walnut(root.key(), &["pay", "refused"]).await;
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains(&id) && told.out.contains("no such trade"),
        "{told:?}"
    );
}
