//! What comes beyond what the host holds is told to come again, before memory grows; what is slow is cut off.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{Line, is_shed};
use crate::world::{Host, World};

/// Between two looks at what has to come about.
const LOOK: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn one_source_has_so_many_connections_and_who_comes_beyond_is_told() {
    let host = Host::start_with(&["--set", "incoming.of_one_source=4"]).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut line = Line::open(&host, "127.0.0.2").await;
        line.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        line.hears("}}").await;
        held.push(line);
    }
    for path in ["/pay/till", "/readyz", "/pay/re"] {
        let answer = Line::ask(&host, "127.0.0.2", path).await;
        assert!(is_shed(&answer), "{path}: {answer}");
    }
    // Who ends a busy host makes the others busier.
    let alive = Line::ask(&host, "127.0.0.2", "/healthz").await;
    assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
    let other = Line::ask(&host, "127.0.0.3", "/readyz").await;
    assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
    host.logged("sheds what comes beyond").await;
    // What was held goes on, and makes room when it ends.
    for line in &mut held {
        line.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        line.hears("}}").await;
    }
    drop(held);
    while is_shed(&Line::ask(&host, "127.0.0.2", "/readyz").await) {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_whose_notification_is_shed_is_told_to_come_again() {
    // Four places, of which one source has one.
    let world = World::with(1, &["--set", "incoming.requests=4"]).await;
    let (id, _) = world.sent().await;
    let post = |body: &str, more: &str| {
        let length = body.len();
        format!(
            "POST /pay/re/{id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    };
    let mut slow = Line::open(&world.host, "127.0.0.2").await;
    slow.say(&post("a=b", "Expect: 100-continue\r\n")).await;
    // It is being read.
    slow.hears("100 Continue\r\n\r\n").await;
    slow.say("a").await;
    let notify = async |from: &str| {
        let mut line = Line::open(&world.host, from).await;
        line.say(&(post("a=b", "") + "a=b")).await;
        line.rest().await
    };
    let shed = notify("127.0.0.2").await;
    assert!(is_shed(&shed), "{shed}");
    for from in ["127.0.0.3", "127.0.0.4"] {
        let looked_at = notify(from).await;
        assert!(looked_at.ends_with("fail"), "{looked_at}");
    }
    // Those with a key have places of their own.
    assert_eq!(world.shop.payment(&id).await["st"], "WAIT");
    slow.say("=b").await;
    let looked_at = slow.rest().await;
    assert!(looked_at.ends_with("fail"), "{looked_at}");
}

/// An upload of 48 MiB that stays before its end.
async fn all_but_the_last_byte(host: &Host) -> Line {
    let mut upload = Line::open(host, "127.0.0.1").await;
    let (key, bytes) = (host.root_key(), 48 << 20);
    upload
        .say(&format!(
            "PUT /pay/provider?digest=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {bytes}\r\n\r\n"
        ))
        .await;
    let rest = "x".repeat(bytes - 1);
    // Where it is refused meanwhile, the connection is closed.
    let _ = upload.0.write_all(rest.as_bytes()).await;
    upload
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_so_much_memory_together() {
    let host = Host::start_with(&["--set", "incoming.bodies_mib=48"]).await;
    let shop = host.domain("shop").await;
    let mut upload = all_but_the_last_byte(&host).await;
    let create = async || {
        let body = json!({ "brief": "茶", "fee": 1 });
        let made = shop.post("/pay/ajax/create", body).await;
        match made.status {
            503 => {
                assert_eq!(made.headers["retry-after"], "1");
                assert_eq!(made.refusal().1, "e.http.busy");
                false
            }
            _ => made.data()["id"].is_string(),
        }
    };
    // Until the last of it was read. Where a body of these was there just then, the upload was the one to be refused: it
    // comes again.
    let mut made = 0;
    while create().await {
        made += 1;
        if made % 100 == 0 {
            drop(upload);
            upload = all_but_the_last_byte(&host).await;
        }
        tokio::time::sleep(LOOK).await;
    }
    // What has no body goes on, and so does what needs no key.
    shop.get("/pay/ajax/query").await.data();
    let notified = shop.keyless(reqwest::Method::POST, "/pay/re").body("a=b");
    assert_ne!(notified.send().await.unwrap().status().as_u16(), 503);
    drop(upload);
    while !create().await {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_slow_or_too_large_is_cut_off() {
    let slow = |name: &str| format!("incoming.{name}_seconds=1");
    let options = ["head", "idle", "notification"].map(slow);
    let options: Vec<&str> = options
        .iter()
        .flat_map(|option| ["--set", option])
        .chain([
            "--set",
            "incoming.head_kib=8",
            "--set",
            "incoming.headers=16",
        ])
        .collect();
    let host = Host::start_with(&options).await;
    for begun in [
        "",
        "GET /heal",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    ] {
        let mut line = Line::open(&host, "127.0.0.1").await;
        line.say(begun).await;
        assert_eq!(line.rest().await, "", "{begun:?}");
    }
    let mut line = Line::open(&host, "127.0.0.1").await;
    line.say("POST /pay/re HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na=b")
        .await;
    let answer = line.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""errCode":"e.http.tooSlow""#), "{answer}");
    let large = format!("X-Large: {}\r\n", "x".repeat(9 << 10));
    for more in [large, "X-Many: x\r\n".repeat(17)] {
        let mut line = Line::open(&host, "127.0.0.1").await;
        line.say(&format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{more}\r\n"))
            .await;
        let answer = line.rest().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
