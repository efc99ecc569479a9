//! What a test key does is for test payments alone, and takes nothing of the live ones out of service.

use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Host, RECORD_SALE, SCRIPTED, Shop, World};

/// The shop by a test key, and by a live one.
async fn both(host: &Host) -> (Shop, Shop) {
    let test = host.domain("shop").await;
    let live = host.key_of("shop", false).await;
    (test, live)
}

/// What the callback of a payment of nothing answers.
async fn run(shop: &Shop, callback: &str, script: Value) -> Value {
    let body = json!({ "fee": 0, "callback": callback, "script": script });
    let id = shop.create(body).await;
    shop.until_applied(&id).await["apply_re"].take()
}

#[tokio::test]
async fn a_test_key_takes_no_live_target_out_of_service() {
    let world = World::start().await;
    let (test, live) = (&world.shop, world.host.key_of("shop", false).await);
    let mut body = Shop::target_body(&world.alipay, &world.account);
    body["settings"].as_object_mut().unwrap().remove("gateway");
    body["test"] = json!(false);
    live.put("/pay/target/zfb/till", body.clone()).await.data();
    body["test"] = json!(true);
    let refusal = test.put("/pay/target/zfb/till", body).await;
    assert_eq!(refusal.refusal(), (409, "e.pay.exists".to_owned()));
    let kept = live.get("/pay/target/zfb/till").await.data();
    assert_eq!(
        (&kept["version"], &kept["test"], &kept["retired"]),
        (&json!(1), &json!(false), &json!(false))
    );
    let created = live
        .post("/pay/ajax/create", json!({ "brief": "茶", "fee": 1 }))
        .await
        .data();
    assert_eq!(created["pay_types"][0]["pay_target"], "till");
}

#[tokio::test]
async fn live_payments_are_bound_to_what_live_keys_put() {
    let host = Host::start().await;
    let (test, live) = both(&host).await;
    live.put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
        .await;
    // Until there is one for tests, test payments take the live one.
    let answer = run(&test, RECORD_SALE, Value::Null).await;
    assert_eq!(answer["recorded"], true);

    test.put_callback(RECORD_SALE, COMPONENT).await;
    assert_eq!(run(&test, RECORD_SALE, Value::Null).await["try"], 1);
    let answer = run(&live, RECORD_SALE, Value::Null).await;
    assert_eq!(answer["recorded"], true);

    // What is for tests is not there for a live payment.
    test.put_callback("trial", COMPONENT).await;
    let body = json!({ "brief": "茶", "fee": 0, "callback": "trial" });
    let refusal = live.post("/pay/ajax/create", body).await.refusal();
    assert_eq!(refusal, (404, "e.pay.callback.noexists".to_owned()));

    let listed = live.get("/pay/callback").await.data();
    let listed: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["name"].as_str().unwrap(),
                file["test"].as_bool().unwrap(),
            )
        })
        .collect();
    let all = [(RECORD_SALE, false), (RECORD_SALE, true), ("trial", true)];
    assert_eq!(listed, all);
    assert_eq!(
        test.get("/pay/callback?test=false").await.data()[0]["test"],
        false
    );
}

#[tokio::test]
async fn a_test_key_changes_no_live_callback() {
    let host = Host::start().await;
    let (test, live) = both(&host).await;
    live.put_callback("sale", walnut_bundle::RECORD_SALE).await;
    for answer in [
        test.delete("/pay/callback/sale").await,
        test.delete("/pay/callback/sale?test=false").await,
        test.put_bytes("/pay/callback/sale?test=false", COMPONENT)
            .await,
    ] {
        assert_eq!(answer.refusal(), (403, "e.pay.nopvg".to_owned()));
    }
    let kept = live.get("/pay/callback/sale").await;
    assert_eq!(kept.bytes, walnut_bundle::RECORD_SALE);
    // Its own it may delete, and then sees the live one again.
    test.put_callback("sale", COMPONENT).await;
    assert_eq!(test.get("/pay/callback/sale").await.bytes, COMPONENT);
    assert_eq!(
        live.get("/pay/callback/sale?test=true").await.bytes,
        COMPONENT
    );
    assert_eq!(test.delete("/pay/callback/sale").await.data()["test"], true);
    let seen = test.get("/pay/callback/sale").await;
    assert_eq!(seen.bytes, walnut_bundle::RECORD_SALE);
}

#[tokio::test]
async fn test_payments_and_live_ones_see_nothing_of_each_other() {
    let host = Host::start().await;
    let (test, live) = both(&host).await;
    live.put_callback(SCRIPTED, COMPONENT).await;
    let set = |value: &str| json!({ "kv": [{ "op": "set", "key": "stock", "value": value }] });
    run(&live, SCRIPTED, set("live")).await;
    let sold = live.create(json!({})).await;
    let looks = json!({
        "kv": [{ "op": "get", "key": "stock" }],
        "get": sold,
        "query": { "limit": 100 },
    });
    let seen = run(&test, SCRIPTED, looks.clone()).await;
    assert_eq!((&seen["kv"], &seen["get"]), (&json!([null]), &Value::Null));
    assert_eq!(seen["query"].as_array().unwrap().len(), 1, "its own only");
    run(&test, SCRIPTED, set("test")).await;
    let seen = run(&live, SCRIPTED, looks).await;
    assert_eq!(
        (&seen["kv"], &seen["get"]),
        (&json!(["live"]), &json!(sold))
    );
    assert_eq!(seen["query"].as_array().unwrap().len(), 3);
}
