//! Callbacks: what they do is committed once and whole, each domain's by itself, and what goes
//! wrong in them is told to their owner.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Host, Moment, RECORD_SALE, SCRIPTED, Shop, World};

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
        assert!(outermost.contains(": run +0x"), "{error}");

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
    let alive = replay(&key).await.refusal();
    assert_eq!(alive, (404, "e.pay.notFound".to_owned()), "it is not dead");

    for tries in 2..=10 {
        host = after_the_pauses(host).await;
        shop.until_delivery(&id, "tried again", |delivery| {
            delivery["tries"].as_u64() >= Some(tries) && delivery["state"] != "LEASED"
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
    assert_eq!(unknown, alive);

    let number = json!({ "kv": [{ "op": "set", "key": "stock", "value": 7 }] });
    run(&shop, number).await;
    let replayed = replay(&key).await.data();
    assert_eq!(replayed, json!({ "key": key, "state": "due" }));
    let applied = shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["kv"], json!([6]));
    assert_eq!(
        shop.causes(&id).await,
        ["create", "dead", "replay", "apply"]
    );
    assert_eq!(replay(&key).await.refusal(), alive, "it is done");
    assert_eq!(kept(&shop, "stock").await, 6);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_everything_and_keeps_nothing() {
    let world = World::scripted().await;
    let shop = &world.shop;
    let payment = json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
        "script": {
            "log": ["dry"],
            "kv": [
                { "op": "set", "key": "a", "value": "text" },
                { "op": "increment", "key": "n", "by": 5 },
                { "op": "delete", "key": "b" },
            ],
            "emit": [{ "name": "sale", "data": [1] }],
            "query": { "limit": 10 },
        },
    });
    let uploaded = shop
        .post(&format!("/pay/callback/{SCRIPTED}/test"), payment.clone())
        .await
        .data();
    let upload = json!({ "content_base64": STANDARD.encode(COMPONENT), "payment": payment });
    let given = shop.post("/pay/callback/test", upload).await.data();
    for shown in [&uploaded, &given] {
        let answer: Value = serde_json::from_str(shown["answer"].as_str().unwrap()).unwrap();
        assert_eq!(answer["kv"], json!([null, 5, null]));
        assert_eq!(answer["query"], json!([]), "a domain without data");
        let writes = json!([
            { "key": "a", "value": "\"text\"" },
            { "key": "b", "value": null },
            { "key": "n", "value": "5" },
        ]);
        assert_eq!(shown["kv"], writes);
        assert_eq!(shown["events"], json!([["sale", "[1]"]]));
        assert_eq!(shown["log"], "info: dry\n");
        assert_eq!(shown["error"], Value::Null);
    }
    let moment = Moment::of(&world.host.data_root());
    assert!(moment.kv.is_empty() && moment.left.is_empty(), "{moment:?}");
    assert_eq!(shop.get("/pay/ajax/query").await.data(), json!([]));
    let listed = shop.get("/pay/callback").await.data();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");

    // What goes wrong in it is told as it is for a delivery.
    let dry = |script: Value| {
        let path = format!("/pay/callback/{SCRIPTED}/test");
        async move { shop.post(&path, json!({ "script": script })).await }
    };
    let failed = dry(json!({ "fail": "no" })).await.data();
    assert_eq!(
        (&failed["answer"], &failed["error"]),
        (&Value::Null, &json!("no"))
    );
    let broken = dry(json!({ "log": ["last words"], "trap": true })).await;
    let told = broken.json()["msg"].as_str().unwrap().to_owned();
    assert_eq!(broken.refusal(), (422, "e.pay.callback.refused".to_owned()));
    for part in ["trap: ", "component sha256 ", "last words", "backtrace:"] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_host_that_was_not_granted_is_denied_and_the_callback_goes_on() {
    let world = World::scripted().await;
    let gateway = world.alipay.gateway_url();
    let fetch = |step: &str, url: &str| json!({ "step": step, "method": "POST", "url": url });
    let script = json!({
        "web": [
            fetch("tell", "https://api.example.com/sold"),
            fetch("platform", &gateway),
            fetch("metadata", "http://169.254.169.254/latest"),
            fetch("file", "file:///etc/passwd"),
            fetch("", "https://api.example.com/"),
        ],
        "emit": [{ "name": "sale", "data": 1 }],
    });
    let answer = run(&world.shop, script).await;
    for step in answer["web"].as_array().unwrap() {
        let failure = step["failure"].as_str().unwrap();
        assert!(failure.starts_with("not allowed: "), "{failure}");
    }
    let first = answer["web"][0]["failure"].as_str().unwrap();
    assert!(first.contains("granted no hosts") && first.contains("api.example.com"));
    assert!(world.alipay.requests().is_empty());
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
