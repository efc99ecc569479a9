//! What becomes of a callback's runs: told to their owner, tried again, given up, brought back.

use std::path::Path;
use std::slice::from_ref;

use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use super::{begin, failing, kept, run};
use crate::world::{Host, RECORD_SALE, SCRIPTED, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_reads_what_became_of_a_broken_callback() {
    let world = World::scripted().await;
    let shop = &world.shop;
    let listed = shop.get("/pay/callback").await.data();
    let callback = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["name"] == SCRIPTED)
        .unwrap();
    let digest = callback["sha256"].as_str().unwrap();
    // How it breaks, what kind of thing that is, and what happened.
    let table = [
        ("trap", "trap", "wasm `unreachable` instruction executed"),
        ("panic", "trap", "wasm `unreachable` instruction executed"),
        ("loop", "timeout", "used its 3000 ms of CPU time"),
        ("memory", "memory", "wanted a memory or table larger than"),
        ("giant", "memory", "wanted a memory or table larger than"),
    ];
    let mut broken = Vec::new();
    for row in table {
        let script = json!({
            "log": [format!("before the {}", row.0)],
            "kv": [{ "op": "set", "key": row.0, "value": 1 }],
            row.0: true,
        });
        broken.push((begin(shop, script).await, row));
    }
    for (id, (how, kind, what)) in &broken {
        let delivery = shop.until_delivery(id, "failing", failing).await;
        let error = delivery["error"].as_str().unwrap();
        let (first, more) = error.split_once('\n').unwrap();
        let who = format!("plugin {SCRIPTED} ({}): {kind}: {what}", &digest[..12]);
        assert!(first.starts_with(&who), "{error}");
        let (component, more) = more.split_once("\nlog:\n").unwrap();
        assert_eq!(component, format!("component sha256 {digest}"));
        let (log, backtrace) = more.split_once("\nbacktrace:\n").unwrap();
        let logged = format!("info: before the {how}");
        assert!(log.trim_start().starts_with(&logged), "{error}");
        assert_eq!(
            log.contains("the script panics"),
            *how == "panic",
            "{error}"
        );
        assert!(delivery["log"].as_str().unwrap().starts_with(&logged));
        let outermost = backtrace.lines().last().unwrap();
        assert!(outermost.ends_with(": run"), "{error}");

        let payment = shop.payment(id).await;
        assert_eq!(
            (&payment["st"], &payment["apply_at"]),
            (&json!("OK"), &json!(0))
        );
        assert_eq!(kept(shop, how).await, Value::Null);
    }
    let words = begin(shop, json!({ "fail": "no such table" })).await;
    let failed = shop.until_delivery(&words, "failing", failing).await;
    assert_eq!(failed["error"], "guest error: no such table");

    // Nobody else reads it.
    let rival = world.host.domain("rival").await;
    let foreign = rival
        .get(&format!("/pay/ajax/deliveries?id={words}"))
        .await
        .refusal();
    assert_eq!(foreign, (404, "e.pay.noexists".to_owned()));
    assert_eq!(rival.get("/pay/ajax/deliveries").await.data(), json!([]));
}

/// Instead of waiting for them: the pauses between tries are in the store.
fn let_pauses_pass(data_root: &Path) {
    let file = data_root.join("var/payment/payments.db");
    let store = rusqlite::Connection::open(file).unwrap();
    let sql = "UPDATE delivery SET due_ms = created_ms WHERE state = 'DUE'";
    store.execute(sql, []).unwrap();
}

async fn after_the_pauses(host: Host) -> Host {
    let killed = host.kill().await;
    let_pauses_pass(&killed.data_root());
    killed.restart().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_delivery_is_replayed() {
    let World { mut host, shop, .. } = World::scripted().await;
    // Text where the callback counts: it fails until its owner sets that right.
    let text = json!({ "kv": [{ "op": "set", "key": "stock", "value": "many" }] });
    run(&shop, text).await;
    let counts = json!({ "kv": [{ "op": "increment", "key": "stock", "by": -1 }] });
    let id = begin(&shop, counts).await;
    let replay = |key: &Value| shop.post("/pay/ajax/replay", json!({ "key": key }));

    let failed = shop.until_delivery(&id, "failing", failing).await;
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("not a 64-bit integer"), "{error}");
    let key = failed["key"].clone();
    // One that waits is tried at once, with the tries that it has had.
    let waiting = replay(&key).await.data();
    assert_eq!(waiting, json!({ "key": key, "state": "WAITING" }));

    for tries in 2..=10 {
        if tries > 2 {
            host = after_the_pauses(host).await;
        }
        shop.until_delivery(&id, "tried again", |delivery| {
            delivery["tries"].as_u64() >= Some(tries) && delivery["state"] != "RUNNING"
        })
        .await;
    }
    let dead = shop.delivery(&id).await;
    assert_eq!(
        (&dead["state"], &dead["tries"], &dead["key"]),
        (&json!("DEAD"), &json!(10), &key)
    );
    let log = host.log();
    assert!(log.contains("ALERT: callback is dead"));
    assert!(!log.contains('\u{1b}'), "a file is no terminal");
    let rival = host.domain("rival").await;
    let foreign = rival.post("/pay/ajax/replay", json!({ "key": key })).await;
    assert_eq!(foreign.refusal().0, 404, "another domain's");
    let unknown = replay(&json!("0".repeat(32))).await.refusal();
    assert_eq!(unknown, (404, "e.pay.notFound".to_owned()));

    let number = json!({ "kv": [{ "op": "set", "key": "stock", "value": 7 }] });
    run(&shop, number).await;
    let replayed = replay(&key).await.data();
    assert_eq!(replayed, json!({ "key": key, "state": "WAITING" }));
    let applied = shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["kv"], json!([6]));
    assert_eq!(
        shop.causes(&id).await,
        ["create", "dead", "replay", "apply"]
    );
    assert_eq!(replay(&key).await.refusal(), unknown, "it is done");
    assert_eq!(kept(&shop, "stock").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn looping_callbacks_of_one_domain_hold_up_no_other() {
    let world = World::scripted().await;
    let rival = world.host.domain("rival").await;
    rival.put_callback(SCRIPTED, COMPONENT).await;
    // More than there are places for callbacks, and each comes back for ten tries.
    let mut looping = Vec::new();
    for _ in 0..24 {
        looping.push(begin(&rival, json!({ "loop": true })).await);
    }
    rival
        .until_delivery(&looping[0], "running", |delivery| {
            delivery["tries"].as_u64() > Some(0)
        })
        .await;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&id, "OK").await;
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["recorded"], true);
    for id in &looping {
        assert_eq!(rival.payment(id).await["apply_at"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_finds_deliveries_and_runs_all_dead_ones_again() {
    let World { mut host, shop, .. } = World::scripted().await;
    let rival = host.domain("rival").await;
    let done = begin(&shop, json!({ "log": ["sold"] })).await;
    shop.until_applied(&done).await;
    let mut dead = Vec::new();
    for number in 0..2 {
        let script = json!({ "log": [format!("try of {number}")], "fail": "no such table" });
        dead.push(begin(&shop, script).await);
    }
    for id in &dead {
        shop.until_delivery(id, "failing", failing).await;
    }
    // The last try is the next one.
    let killed = host.kill().await;
    let store = rusqlite::Connection::open(killed.data_root().join("var/payment/payments.db"));
    let sql = "UPDATE delivery SET tries = 9, due_ms = created_ms WHERE state = 'DUE'";
    assert_eq!(store.unwrap().execute(sql, []).unwrap(), 2);
    host = killed.restart().await;
    for id in &dead {
        shop.until_delivery(id, "dead", |delivery| delivery["state"] == "DEAD")
            .await;
    }

    let list = async |query: &str| {
        let path = format!("/pay/ajax/deliveries?{query}");
        let listed = shop.get(&path).await.data();
        let listed = listed.as_array().unwrap().clone().into_iter();
        listed
            .map(|delivery| delivery["payment"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let [first, second] = [&dead[0], &dead[1]].map(String::clone);
    assert_eq!(list("").await, [&second, &first, &done].map(String::clone));
    assert_eq!(list("state=dead").await, [second.clone(), first.clone()]);
    assert_eq!(list("state=DONE").await, from_ref(&done));
    assert_eq!(list("skip=1&limit=1").await, from_ref(&first));
    assert_eq!(
        list("callback=scripted&state=dead&limit=1").await,
        from_ref(&second)
    );
    assert!(list("callback=other").await.is_empty());
    let refused = shop.get("/pay/ajax/deliveries?state=late").await;
    assert_eq!(refused.refusal(), (400, "e.pay.invalid".to_owned()));
    let foreign = rival.get("/pay/ajax/deliveries?domain=shop").await;
    assert_eq!(foreign.refusal(), (403, "e.pay.nopvg".to_owned()));
    assert_eq!(rival.get("/pay/ajax/deliveries").await.data(), json!([]));

    // The same in a terminal.
    let table = host.walnut(shop.key(), &["callback", "deliveries", "--state", "dead"]);
    let table = table.await.out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("key ") && lines[0].contains("| callback | state | tries |"),
        "{table}"
    );
    assert_eq!(lines.last(), Some(&"total 2 items"));
    let one = ["callback", "deliveries", "--payment", &first];
    let whole = host.walnut(shop.key(), &one).await.out;
    for line in [
        "state: DEAD",
        "tries: 10",
        "error:\n  guest error: no such table",
        "log:\n  info: try of 0",
    ] {
        assert!(whole.contains(line), "{whole}");
    }

    // Only one's own come back, and each is told in its payment's history.
    let none = rival.post("/pay/ajax/replay", json!({ "all_dead": true }));
    assert_eq!(none.await.data(), json!({ "retried": 0 }));
    for body in [json!({}), json!({ "key": "0", "all_dead": true })] {
        let refused = shop.post("/pay/ajax/replay", body).await.refusal();
        assert_eq!(refused, (400, "e.pay.invalid".to_owned()));
    }
    let ran = host.walnut(shop.key(), &["callback", "retry", "--all-dead"]);
    let ran = ran.await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let retried: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(retried, json!({ "retried": 2 }));
    for id in &dead {
        shop.until_delivery(id, "tried again", |delivery| delivery["tries"] == 1)
            .await;
        assert_eq!(shop.causes(id).await, ["create", "dead", "replay"]);
    }
}
