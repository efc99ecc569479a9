//! Receivers that do not answer as they should: each request ends, and the callback is told how.

use serde_json::{Value, json};

use crate::world::{Receiver, SCRIPTED, World};

/// Tells how its request ended.
const ASKS: &str = r#"
try {
    const answer = web.fetch({ step: "tell", url: payment.url });
    return { status: answer.status, length: answer.body.length };
} catch (error) {
    return { name: error.name, kind: error.kind, message: error.message };
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_whatever_its_receiver_does() {
    let world = World::scripted().await;
    let shop = &world.shop;
    shop.put_callback("asks", ASKS.as_bytes()).await;
    let receiver = Receiver::start().await;
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let web = json!({ "web": [receiver.url(), nobody] });
    let root = world.host.root();
    root.put("/pay/domain/shop", web).await.data();

    let at = |path: &str| format!("{}{path}", receiver.url());
    let table = [
        (at("/silent"), "maybe-sent", "sent, without an answer: "),
        (at("/drip"), "maybe-sent", "sent, without an answer: "),
        (at("/headers"), "maybe-sent", "sent, without an answer: "),
        (at("/endless"), "too-large", "larger than 1 MiB"),
        (format!("{nobody}/"), "not-sent", "not sent: "),
    ];
    // All of them wait at the same time.
    let mut asked = Vec::new();
    for (url, kind, words) in &table {
        let step = json!([{ "step": "tell", "method": "GET", "url": url }]);
        let body = json!({ "fee": 0, "callback": SCRIPTED, "script": { "web": step } });
        let component = shop.create(body).await;
        let body = json!({ "fee": 0, "callback": "asks", "url": url });
        asked.push((url, kind, words, component, shop.create(body).await));
    }
    for (url, kind, words, component, script) in asked {
        let told = shop.until_applied(&component).await["apply_re"].take();
        let failure = told["web"][0]["failure"].as_str().unwrap_or_default();
        assert!(failure.contains(words), "{url}: {told}");
        let told = shop.until_applied(&script).await["apply_re"].take();
        assert_eq!(
            (&told["name"], &told["kind"]),
            (&json!("WebError"), &json!(kind)),
            "{url}: {told}"
        );
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(words), "{url}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_sends_its_requests_and_reads_their_answers() {
    let world = World::start().await;
    let shop = &world.shop;
    let receiver = Receiver::start().await;
    let root = world.host.root();
    let web = json!({ "web": [receiver.url()] });
    root.put("/pay/domain/shop", web).await.data();
    let ship = r#"
const ship = web.fetch({
    step: "ship",
    url: `${payment.receiver}/order`,
    headers: { "X-Shop": "tea", "X-Tag": ["a", "b"] },
    body: { order: payment.id, brief: payment.brief },
});
if (delivery.try_no === 1) throw new Error(`try ${delivery.try_no} fails behind its request`);
const look = web.fetch({ step: "look", url: `${payment.receiver}/missing?order=7` });
const note = web.fetch({ step: "note", method: "put", url: `${payment.receiver}/note`, body: "plain 茶" });
const moved = web.fetch({ step: "moved", url: `${payment.receiver}/moved?to=http://127.0.0.1:1/` });
return {
    ship: [ship.status, ship.ok, ship.headers["content-type"], ship.headers["x-part"], ship.json().parcel],
    look: [look.status, look.ok, look.text()],
    note: [note.status, note.ok, note.body],
    moved: [moved.status, moved.headers.location],
};
"#;
    let path = "/pay/callback/ship?insist=true";
    shop.put_bytes(path, ship.as_bytes()).await.data();
    let body = json!({ "fee": 0, "callback": "ship", "receiver": receiver.url() });
    let id = shop.create(body).await;
    let applied = shop.until_applied(&id).await;
    let expected = json!({
        "ship": [201, true, "application/json", "1, 2", "元 7"],
        "look": [404, false, "no such order"],
        "note": [200, true, "taken"],
        "moved": [302, "http://127.0.0.1:1/"],
    });
    assert_eq!(applied["apply_re"], expected);

    let key = shop.delivery(&id).await["key"].take();
    let key = key.as_str().unwrap();
    let seen = receiver.requests();
    let heads: Vec<&str> = seen.iter().map(|request| request.head.as_str()).collect();
    assert_eq!(
        heads,
        [
            "POST /order",
            "POST /order",
            "GET /missing",
            "PUT /note",
            "GET /moved"
        ]
    );
    let keys: Vec<&str> = seen
        .iter()
        .map(|request| request.headers["idempotency-key"].to_str().unwrap())
        .collect();
    let steps = ["ship", "ship", "look", "note", "moved"].map(|step| format!("{key}.{step}"));
    assert_eq!(keys, steps, "the same on every try");
    for request in &seen[..2] {
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["x-shop"], "tea");
        let tags: Vec<_> = request.headers.get_all("x-tag").iter().collect();
        assert_eq!(tags, ["a", "b"]);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body, json!({ "order": id, "brief": "两杯茶" }));
    }
    assert_eq!((&*seen[2].body, &*seen[3].body), ("", "plain 茶"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_reaches_nothing_that_was_not_granted() {
    let world = World::start().await;
    let shop = &world.shop;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let root = world.host.root();
    let web = json!({ "web": [receiver.url(), "169.254.169.254", "localhost"] });
    root.put("/pay/domain/shop", web).await.data();
    let tries = r#"
return payment.tries.map((asked, number) => {
    try {
        return web.fetch({ step: `s${number}`, ...asked }).status;
    } catch (error) {
        return `${error.kind}: ${error.message}`;
    }
});
"#;
    shop.put_bytes("/pay/callback/tries?insist=true", tries.as_bytes())
        .await
        .data();
    let tried = json!([
        { "url": format!("{}/", other.url()) },
        { "url": "https://api.example.com/" },
        { "url": "http://169.254.169.254/latest" },
        { "url": "https://169.254.169.254/latest" },
        { "url": "https://2852039166/latest" },
        { "url": "https://localhost/" },
        { "url": "file:///etc/passwd" },
        { "url": receiver.url(), "headers": { "Host": "inside" } },
        { "url": receiver.url(), "headers": { "Idempotency-Key": "mine" } },
        { "url": receiver.url(), "headers": { "X-Split": "a\r\nHost: inside" } },
        { "url": receiver.url(), "method": "CONNECT" },
        { "url": receiver.url(), "body": "x".repeat(10_000) },
    ]);
    let body = json!({ "fee": 0, "callback": "tries", "tries": tried });
    let id = shop.create(body).await;
    let told = shop.until_applied(&id).await["apply_re"].take();
    let told = told.as_array().unwrap();
    let (last, refused) = told.split_last().unwrap();
    for (number, told) in refused.iter().enumerate() {
        let told = told.as_str().unwrap_or_default();
        // Where the machine has no certificates nothing is sent at all.
        assert!(
            told.starts_with("denied: ") || told.starts_with("not-sent: "),
            "{number}: {told}"
        );
    }
    assert_eq!(*last, 200);
    assert!(other.requests().is_empty());
    assert_eq!(receiver.requests().len(), 1);
}
