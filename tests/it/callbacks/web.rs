//! Requests of callbacks: to hosts that the operator granted, and to no others.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use super::{begin, failing, run};
use crate::world::{Receiver, SCRIPTED, Shop, World};

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
    assert!(first.contains("has not granted") && first.contains("api.example.com"));
    assert!(world.alipay.requests().is_empty());
}

fn fetch(step: &str, url: &str) -> Value {
    json!({ "step": step, "method": "POST", "url": url, "body": "sold" })
}

async fn grant(world: &World, hosts: &[&str]) -> Value {
    let root = world.host.root();
    let set = root.put("/pay/domain/shop", json!({ "web": hosts })).await;
    set.data()["web"].clone()
}

/// What the requests of a script came to.
async fn fetched(shop: &Shop, steps: Value) -> Vec<Value> {
    let answer = run(shop, json!({ "web": steps })).await;
    answer["web"].as_array().unwrap().clone()
}

fn words(step: &Value) -> &str {
    step["failure"].as_str().unwrap_or_else(|| panic!("{step}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_host_gets_the_request_with_a_key_that_stays_the_same() {
    let world = World::scripted().await;
    let receiver = Receiver::start().await;
    assert_eq!(
        grant(&world, &[receiver.url()]).await,
        json!([receiver.url()])
    );
    let url = format!("{}/sold", receiver.url());
    let script = json!({ "web": [fetch("tell", &url)], "fail_until_try": 2 });
    let id = begin(&world.shop, script).await;
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(
        applied["apply_re"]["web"],
        json!([{ "status": 200, "body": "taken" }])
    );
    let seen = receiver.requests();
    let key = world.shop.delivery(&id).await["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(seen.len(), 2, "once on each try: {seen:?}");
    for request in &seen {
        assert_eq!(request.head, "POST /sold");
        assert_eq!(request.body, "sold");
        assert_eq!(request.headers["idempotency-key"], format!("{key}.tell"));
        assert!(
            request.headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("walnut/")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_from_a_granted_host_to_another() {
    let world = World::scripted().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    grant(&world, &[receiver.url()]).await;
    let to = |path: &str| format!("{}{path}", receiver.url());
    let as_user = receiver.url().replace("http://", "http://user:word@");
    let steps = json!([
        // An answer like any other: where it leads is the callback's to ask for, and the operator's to grant.
        fetch("moved", &to(&format!("/moved?to={}/sold", other.url()))),
        fetch("other", &format!("{}/sold", other.url())),
        fetch("name", &format!("{as_user}/")),
        fetch("moved", &to("/sold")),
        { "step": "tunnel", "method": "CONNECT", "url": to("/") },
    ]);
    let steps = fetched(&world.shop, steps).await;
    assert_eq!(steps[0]["status"], 302);
    assert!(words(&steps[1]).contains("has not granted"), "{steps:?}");
    assert!(
        words(&steps[2]).contains("a name or a password"),
        "{steps:?}"
    );
    assert!(words(&steps[3]).contains("a step of its own"), "{steps:?}");
    assert!(
        words(&steps[4]).contains("the method is one of"),
        "{steps:?}"
    );
    assert!(other.requests().is_empty());
    assert_eq!(receiver.requests().len(), 1);

    // What is taken back is denied from the next request on.
    grant(&world, &[]).await;
    let steps = fetched(&world.shop, json!([fetch("late", &to("/sold"))])).await;
    assert!(words(&steps[0]).contains("has not granted"), "{steps:?}");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_opens_no_way_into_the_operators_network() {
    let world = World::scripted().await;
    // Addresses, names that lead to them, and the ways of writing them that a browser knows.
    let table = [
        ("169.254.169.254", "169.254.169.254"),
        ("169.254.169.254", "2852039166"),
        ("169.254.169.254", "0251.0376.0251.0376"),
        ("169.254.169.254", "0xa9.0xfe.43518"),
        ("10.0.0.1", "10.1"),
        ("127.0.0.1:8443", "127.1:8443"),
        ("0.0.0.0", "0"),
        ("[::1]", "[0:0::1]"),
        ("localhost", "LOCALHOST"),
        ("localhost.", "localhost."),
        ("[::ffff:127.0.0.1]:8443", "[::ffff:7f00:1]:8443"),
        ("[64:ff9b::a00:1]", "[64:ff9b::10.0.0.1]"),
    ];
    let hosts: BTreeSet<&str> = table.iter().map(|(granted, _)| *granted).collect();
    grant(&world, &Vec::from_iter(hosts)).await;
    let steps: Vec<Value> = table
        .iter()
        .enumerate()
        .map(|(number, (_, host))| fetch(&number.to_string(), &format!("https://{host}/")))
        .collect();
    for step in fetched(&world.shop, json!(steps)).await {
        let words = words(&step);
        // Where the machine has no certificates nothing is sent at all.
        assert!(
            words.contains("may be reached from here") || words.starts_with("not sent: "),
            "{words}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_the_operators_and_shown_to_their_owner() {
    let world = World::start().await;
    let (host, shop) = (&world.host, &world.shop);
    let body = json!({ "web": ["api.example.com"] });
    let refused = shop.put("/pay/domain/shop", body.clone()).await.refusal();
    assert_eq!(refused, (403, "e.pay.nopvg".to_owned()));
    let root = host.root();
    let unknown = root.put("/pay/domain/nowhere", body).await.refusal();
    assert_eq!(unknown, (404, "e.pay.notFound".to_owned()));
    for web in [
        "",
        "*",
        "api.example.com/path",
        "http://api.example.com",
        "ftp://x",
    ] {
        let refused = root.put("/pay/domain/shop", json!({ "web": [web] })).await;
        assert_eq!(
            refused.refusal(),
            (400, "e.pay.invalid".to_owned()),
            "{web}"
        );
    }
    let many: Vec<String> = (0..65).map(|number| format!("h{number}.cn")).collect();
    let refused = root.put("/pay/domain/shop", json!({ "web": many })).await;
    assert_eq!(refused.refusal(), (409, "e.pay.tooMany".to_owned()));

    let set = "domain set shop --web API.example.com:443 --web api.example.com:8443 --web api.example.com";
    let words: Vec<&str> = set.split(' ').collect();
    let ran = host.walnut(host.root_key(), &words).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let granted = json!(["api.example.com", "api.example.com:8443"]);
    assert_eq!(shop.get("/pay/domain/shop").await.data()["web"], granted);
    assert_eq!(root.get("/pay/domain").await.data()[0]["web"], granted);
    assert!(host.log().contains("hosts granted to callbacks"));
    let rival = host.domain("rival").await;
    let foreign = rival.get("/pay/domain/shop").await.refusal();
    assert_eq!(foreign, (403, "e.pay.nopvg".to_owned()));

    let none = host
        .walnut(host.root_key(), &["domain", "set", "shop"])
        .await;
    assert_eq!(none.code, 2, "nothing is said: {none:?}");
    let none = ["domain", "set", "shop", "--no-web"];
    assert_eq!(host.walnut(host.root_key(), &none).await.code, 0);
    assert_eq!(shop.get("/pay/domain/shop").await.data()["web"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_and_judges_no_callback_by_that() {
    let world = World::scripted().await;
    let receiver = Receiver::start().await;
    let shop = &world.shop;
    let url = format!("{}/sold", receiver.url());
    let path = format!("/pay/callback/{SCRIPTED}/test");
    let tried = async |script: Value| shop.post(&path, json!({ "script": script })).await.data();
    // Whoever forgot to ask for the grant reads it here already.
    let step = json!([fetch("tell", &url)]);
    let dry = tried(json!({ "web": step })).await;
    let answer: Value = serde_json::from_str(dry["answer"].as_str().unwrap()).unwrap();
    assert!(words(&answer["web"][0]).contains("walnut domain set shop --web"));
    assert_eq!(dry["requests"], json!([]));

    grant(&world, &[receiver.url()]).await;
    let dry = tried(json!({ "web": step })).await;
    let answer: Value = serde_json::from_str(dry["answer"].as_str().unwrap()).unwrap();
    assert_eq!(answer["web"], json!([{ "status": 200, "body": "{}" }]));
    let request = json!([{
        "step": "tell", "method": "POST", "url": url, "headers": [], "len": 4, "body": "sold",
    }]);
    assert_eq!(dry["requests"], request);

    // Its own failure behind an answer that was made up says little.
    let script = json!({ "web": step, "fail": "the answer has no number" });
    let put = super::uploads::put(shop, "", script).await.data();
    assert_eq!(put["dry_run"]["verdict"], "unsure");
    assert_eq!(put["dry_run"]["error"], "the answer has no number");
    assert!(
        put["dry_run"]["why"]
            .as_str()
            .unwrap()
            .contains("sends none")
    );
    // Not so running out of time.
    let endless = super::uploads::put(shop, "", json!({ "web": step, "loop": true })).await;
    assert_eq!(endless.refusal(), (422, "e.pay.callback.dryRun".to_owned()));
    assert!(receiver.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_never_answer_hold_up_no_other_domain() {
    let world = World::scripted().await;
    let receiver = Receiver::start().await;
    let rival = world.host.domain("rival").await;
    rival.put_callback(SCRIPTED, COMPONENT).await;
    let root = world.host.root();
    let web = json!({ "web": [receiver.url()] });
    root.put("/pay/domain/rival", web).await.data();
    // More than there are places for deliveries; each waits until the host gives up.
    let silent = format!("{}/silent", receiver.url());
    let mut waiting = Vec::new();
    for _ in 0..24 {
        waiting.push(begin(&rival, json!({ "web": [fetch("tell", &silent)] })).await);
    }
    receiver.until_asked(4).await;
    for _ in 0..8 {
        run(&world.shop, json!({ "log": ["not held up"] })).await;
    }
    // None of theirs came to its end meanwhile.
    for id in &waiting {
        let delivery = rival.delivery(id).await;
        assert!(
            !failing(&delivery) && delivery["state"] != "DONE",
            "{delivery}"
        );
    }
}
