//! Callbacks: what they do is committed once and whole, each domain's by itself, and what goes
//! wrong in them is told to their owner.

mod deliveries;
mod receivers;
mod uploads;
mod versions;
mod web;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Moment, SCRIPTED, Shop, World};

/// A payment of nothing, which is OK at once: the shortest way to a callback that follows a script.
async fn begin(shop: &Shop, script: Value) -> String {
    let body = json!({ "fee": 0, "callback": SCRIPTED, "script": script });
    shop.create(body).await
}

/// What a script answers once it was applied.
async fn run(shop: &Shop, script: Value) -> Value {
    let id = begin(shop, script).await;
    shop.until_applied(&id).await["apply_re"].take()
}

/// The value under a key of the domain.
async fn kept(shop: &Shop, key: &str) -> Value {
    let script = json!({ "kv": [{ "op": "get", "key": key }] });
    run(shop, script).await["kv"][0].take()
}

fn failing(delivery: &Value) -> bool {
    delivery["error"].is_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_and_apply_at_commit_together() {
    let world = World::scripted().await;
    let root = world.host.data_root();
    let mut keys = Vec::new();
    for number in 0..16 {
        let key = format!("sale/{number}");
        let script = json!({
            "kv": [{ "op": "set", "key": key, "value": number }],
            "emit": [{ "name": "sale", "data": number }],
        });
        keys.push((begin(&world.shop, script).await, key));
    }
    // Whenever somebody looks, either all of it is there or nothing.
    loop {
        let moment = Moment::of(&root);
        for (id, key) in &keys {
            let left = &moment.left[id];
            let once = u32::from(left.applied);
            assert_eq!(left.done, left.applied, "{left:?}");
            assert_eq!((left.told, left.events), (once, once), "{left:?}");
            assert_eq!(moment.kept(key).is_some(), left.applied, "{left:?}");
        }
        if moment.left.values().all(|left| left.applied) {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_fails_twice_and_then_succeeds_is_applied_once() {
    let world = World::scripted().await;
    let root = world.host.data_root();
    let script = json!({
        "log": ["counts the sale"],
        "kv": [{ "op": "increment", "key": "sold" }],
        "emit": [{ "name": "sale", "data": 1 }],
        "fail_until_try": 3,
    });
    let (id, code) = world
        .sent_with(json!({ "callback": SCRIPTED, "script": script }))
        .await;
    world.alipay.pay(&code).await.unwrap();
    // Paid, whatever its callback does; and of the tries that fail nothing is to be seen.
    world.shop.until_state(&id, "OK").await;
    loop {
        let moment = Moment::of(&root);
        let left = moment.left[&id].clone();
        if left.applied {
            break;
        }
        assert_eq!(moment.kept("sold"), None, "{left:?}");
        assert_eq!((left.told, left.events), (0, 0), "{left:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let moment = Moment::of(&root);
    assert_eq!(moment.kept("sold"), Some("1"));
    let left = &moment.left[&id];
    assert_eq!((left.tries, left.told, left.events), (3, 1, 1), "{left:?}");

    let applied = world.shop.payment(&id).await;
    assert_eq!(applied["apply_re"]["try"], 3);
    assert_eq!(applied["apply_re"]["kv"], json!([1]));
    let done = world.shop.delivery(&id).await;
    assert_eq!(
        (&done["state"], &done["tries"], &done["error"]),
        (&json!("DONE"), &json!(3), &Value::Null)
    );
    assert_eq!(done["log"], "info: counts the sale\n", "of the last try");
    let history = world.shop.history(&id).await;
    let last = history.last().unwrap();
    assert_eq!(
        (&last["cause"], &last["detail"]["tries"]),
        (&json!("apply"), &json!(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_sees_its_own_domain_only() {
    let world = World::scripted().await;
    let rival = world.host.domain("rival").await;
    rival.put_callback(SCRIPTED, COMPONENT).await;
    let set = |value: &str| json!({ "kv": [{ "op": "set", "key": "secret", "value": value }] });
    let id = begin(&world.shop, set("of the shop")).await;
    world.shop.until_applied(&id).await;

    let looks = json!({
        "kv": [{ "op": "get", "key": "secret" }],
        "get": id,
        "query": { "limit": 100 },
    });
    let seen = run(&rival, looks.clone()).await;
    assert_eq!((&seen["kv"], &seen["get"]), (&json!([null]), &Value::Null));
    assert_eq!(seen["query"].as_array().unwrap().len(), 1, "its own only");
    let domain = json!({ "query": { "matching": { "seller_nm": "shop" }, "limit": 100 } });
    let asked = begin(&rival, domain).await;
    let answered = rival
        .until(&asked, "answered", |payment| payment["apply_at"] != 0)
        .await;
    assert_eq!(answered["apply_re"]["query"], json!([]));

    run(&rival, set("of the rival")).await;
    assert_eq!(kept(&rival, "secret").await, "of the rival");
    let own = run(&world.shop, looks).await;
    assert_eq!(own["kv"], json!(["of the shop"]));
    assert_eq!(own["get"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_many_payments_increment_is_exact() {
    const PAYMENTS: u64 = 40;
    let world = World::scripted().await;
    let script = json!({ "kv": [{ "op": "increment", "key": "sold" }] });
    let creating: Vec<_> = (0..PAYMENTS)
        .map(|_| {
            let (shop, script) = (world.shop.clone(), script.clone());
            tokio::spawn(async move { begin(&shop, script).await })
        })
        .collect();
    let mut sums = BTreeSet::new();
    for created in creating {
        let id = created.await.unwrap();
        let applied = world.shop.until_applied(&id).await;
        assert_eq!(
            applied["apply_re"]["try"], 1,
            "a conflict is run again and is no failed try"
        );
        sums.insert(applied["apply_re"]["kv"][0].as_u64().unwrap());
    }
    assert_eq!(sums, (1..=PAYMENTS).collect());
    assert_eq!(kept(&world.shop, "sold").await, PAYMENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_keeps_the_callback_that_it_was_created_with() {
    let world = World::start().await;
    let shop = &world.shop;
    shop.put_callback("books", walnut_bundle::RECORD_SALE).await;
    let bound = json!({ "callback": "books" });
    let (before, code) = world.sent_with(bound.clone()).await;
    shop.put_callback("books", COMPONENT).await;
    let (after, other_code) = world.sent_with(bound).await;
    shop.delete("/pay/callback/books").await.data();
    let gone = json!({ "brief": "tea", "fee": 1, "callback": "books" });
    let refusal = shop.post("/pay/ajax/create", gone).await.refusal();
    assert_eq!(refusal, (404, "e.pay.callback.noexists".to_owned()));

    world.alipay.pay(&code).await.unwrap();
    world.alipay.pay(&other_code).await.unwrap();
    let first = shop.until_applied(&before).await;
    assert_eq!(first["apply_re"]["recorded"], true);
    assert_eq!(first["len"], walnut_bundle::RECORD_SALE.len());
    let second = shop.until_applied(&after).await;
    assert_eq!(second["apply_re"], json!({ "try": 1, "late": false }));
    assert_ne!(first["callback"]["sha256"], second["callback"]["sha256"]);
    for (id, content) in [(before, walnut_bundle::RECORD_SALE), (after, COMPONENT)] {
        let bound = shop.get(&format!("/pay/ajax/content?id={id}")).await;
        assert!(bound.bytes == content, "the content of {id}");
    }
}
