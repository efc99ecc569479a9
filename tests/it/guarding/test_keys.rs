//! What a test key does is for test payments alone, and takes nothing of the live ones out of service.

use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Answer, Host, RECORD_SALE, SCRIPTED, Shop, World};

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
    let seen = test.get("/pay/callback").await.data();
    let seen: Vec<_> = seen.as_array().unwrap().iter().collect();
    assert!(seen.len() == 2 && seen.iter().all(|file| file["test"] == true));
    let none = test.get("/pay/callback?test=false").await.data();
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn a_test_key_changes_no_live_callback() {
    let host = Host::start().await;
    let (test, live) = both(&host).await;
    live.put_callback("sale", walnut_bundle::RECORD_SALE).await;
    let missing = test.delete("/pay/callback/nowhere").await;
    assert_eq!(
        missing.refusal(),
        (404, "e.pay.callback.noexists".to_owned())
    );
    for place in ["", "?test=false"] {
        let deleted = test.delete(&format!("/pay/callback/sale{place}")).await;
        assert_eq!(deleted.bytes, missing.bytes);
    }
    let put = test
        .put_bytes("/pay/callback/sale?test=false", COMPONENT)
        .await;
    assert_eq!(put.refusal(), (403, "e.pay.nopvg".to_owned()));
    let kept = live.get("/pay/callback/sale").await;
    assert_eq!(kept.bytes, walnut_bundle::RECORD_SALE);
    // Its own it may delete, and then there is none for it.
    test.put_callback("sale", COMPONENT).await;
    assert_eq!(test.get("/pay/callback/sale").await.bytes, COMPONENT);
    assert_eq!(
        live.get("/pay/callback/sale?test=true").await.bytes,
        COMPONENT
    );
    assert_eq!(test.delete("/pay/callback/sale").await.data()["test"], true);
    let seen = test.get("/pay/callback/sale").await;
    assert_eq!(seen.bytes, missing.bytes);
}

/// Whether what was asked of a live thing reads as what was asked of none.
fn same(about: &str, of_live: &Answer, of_none: &Answer) {
    assert_eq!(of_live.status, 404, "{about}: {of_live:?}");
    assert_eq!(of_live.bytes, of_none.bytes, "{about}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_live_reads_for_a_test_key_as_what_does_not_exist() {
    let world = World::start().await;
    let (test, live) = (&world.shop, world.host.key_of("shop", false).await);
    let mut body = Shop::target_body(&world.alipay, &world.account);
    body["settings"].as_object_mut().unwrap().remove("gateway");
    body["test"] = json!(false);
    live.put("/pay/target/zfb/till", body).await.data();
    live.put_callback("sale", walnut_bundle::RECORD_SALE).await;
    test.put_callback("trial", COMPONENT).await;

    // Callbacks, also by what tries, lists and rolls them back.
    let post = async |path: String| test.post(&path, json!({})).await;
    for place in ["", "?test=false"] {
        for rest in ["", "/versions"] {
            let get = async |name: &str| {
                let path = format!("/pay/callback/{name}{rest}{place}");
                test.get(&path).await
            };
            same(rest, &get("sale").await, &get("none").await);
        }
        let run = async |name: &str| post(format!("/pay/callback/{name}/test{place}")).await;
        same("a dry run", &run("sale").await, &run("none").await);
    }
    let back = async |name: &str| post(format!("/pay/callback/{name}/roll-back")).await;
    same("a roll-back", &back("sale").await, &back("none").await);

    // Targets.
    let at = |name: &str| format!("/pay/target/zfb/{name}");
    let of = async |name: &str| test.get(&at(name)).await;
    same("a target", &of("till").await, &of("none").await);
    let tried = async |name: &str| post(format!("{}/test", at(name))).await;
    same("a try", &tried("till").await, &tried("none").await);
    let retired = async |name: &str| test.delete(&at(name)).await;
    same("an end", &retired("till").await, &retired("none").await);
    let bill = async |name: &str| {
        let body = json!({ "day": "2026-11-01", "target": name });
        test.post("/pay/ajax/reconcile", body).await
    };
    same("a bill", &bill("till").await, &bill("none").await);
    let names = |listed: Value| {
        let listed = listed.as_array().unwrap().clone();
        let names = listed.iter().map(|one| one["name"].clone());
        names.collect::<Vec<_>>()
    };
    let listed = names(test.get("/pay/target").await.data());
    assert_eq!(listed, [json!("main")]);
    assert!(world.alipay.requests().is_empty());
    let kept = live.get("/pay/target/zfb/till").await.data();
    assert_eq!(kept["retired"], false);
    assert_eq!(names(live.get("/pay/target").await.data()).len(), 2);

    // Keys.
    let key_id = |shop: &Shop| shop.key().split('_').nth(2).unwrap().to_owned();
    let keys = test.get("/pay/domain/shop/key").await.data();
    let ids: Vec<&Value> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["id"])
        .collect();
    assert_eq!(ids, [&json!(key_id(test))]);
    let keys = live.get("/pay/domain/shop/key").await.data();
    assert_eq!(keys.as_array().unwrap().len(), 2);

    // A test payment may be bound to the live callback, and does not show it.
    let bound = async |name: &str| {
        let id = test.create(json!({ "callback": name })).await;
        test.get(&format!("/pay/ajax/content?id={id}")).await
    };
    let refused = bound("sale").await.refusal();
    assert_eq!(refused, (404, "e.pay.callback.noexists".to_owned()));
    assert_eq!(bound("trial").await.bytes, COMPONENT);
    let id = live.create(json!({ "callback": "sale" })).await;
    let content = live.get(&format!("/pay/ajax/content?id={id}")).await;
    assert_eq!(content.bytes, walnut_bundle::RECORD_SALE);

    // What was done by a live key is not in its audit log, and nothing of live payments in its sums.
    let log = test.get("/pay/audit").await.data();
    let log = log.as_array().unwrap();
    assert!(!log.is_empty() && log.iter().all(|line| line["test"] == true));
    let span = "from=0&until=9000000000000000000&step=9000000000000000000";
    let sums = test
        .get(&format!("/pay/ajax/summary?{span}&test=false"))
        .await
        .data();
    let counted = sums.as_array().unwrap().iter();
    let counted: u64 = counted.map(|sum| sum["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 2, "its own");
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
