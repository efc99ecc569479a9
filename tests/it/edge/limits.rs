//! What comes beyond what the host holds is told to come again, before memory grows; what is slow is cut off.

use std::time::Duration;

use futures_util::future::select_all;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Line, is_shed};
use crate::world::{Host, Shop, World};

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

/// The line of a request and its key.
fn by(key: &str, request: &str) -> String {
    format!("{request} HTTP/1.1\r\nAuthorization: Bearer {key}")
}

/// A request whose body has begun, so that it has its place; or the answer that it was refused with.
async fn begun(host: &Host, from: &str, head: &str, length: usize) -> Result<Line, String> {
    let mut line = Line::open(host, from).await;
    line.say(&format!(
        "{head}\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ))
    .await;
    let mut first = [0; 12];
    line.0.read_exact(&mut first).await.unwrap();
    let first = String::from_utf8(first.into()).unwrap();
    if first != "HTTP/1.1 100" {
        return Err(first + &line.rest().await);
    }
    line.hears("\r\n\r\n").await;
    Ok(line)
}

/// The same, and all of its body comes but the last byte.
async fn all_but_the_last_byte(
    host: &Host,
    from: &str,
    head: &str,
    length: usize,
    begins: &str,
) -> Line {
    let mut line = begun(host, from, head, length).await.unwrap();
    let rest = begins.to_owned() + &"x".repeat(length - 1 - begins.len());
    // Where it is refused meanwhile, the connection is closed.
    let _ = line.0.write_all(rest.as_bytes()).await;
    line
}

/// Of more than there is memory for, one at least is shed, whichever it is.
async fn one_is_shed(lines: &mut [Line]) {
    let lines = lines.iter_mut().map(|line| Box::pin(line.rest()));
    let (answer, ..) = select_all(lines).await;
    assert!(is_shed(&answer), "{answer}");
}

async fn makes(shop: &Shop) {
    let body = json!({ "brief": "茶", "fee": 1 });
    let made = shop.post("/pay/ajax/create", body).await.data();
    assert!(made["id"].is_string(), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_so_much_memory_together() {
    let host = Host::start_with(&["--set", "incoming.bodies_mib=48"]).await;
    let (shop, books) = (host.domain("shop").await, host.domain("books").await);
    // Uploads have a memory of their own, where there is always room for the largest one as it comes and as it is read: so
    // there is for two that are only there.
    let upload = by(shop.key(), "POST /pay/callback/sale");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(all_but_the_last_byte(&host, "127.0.0.1", &upload, 48 << 20, "").await);
    }
    one_is_shed(&mut held).await;
    host.logged("bytes of bodies").await;
    // What is small goes on, whoever asks, and so does what needs no key.
    makes(&shop).await;
    makes(&books).await;
    let notified = shop.keyless(Method::POST, "/pay/re").body("a=b");
    assert_ne!(notified.send().await.unwrap().status().as_u16(), 503);
    drop(held);
    let put = async || {
        let content = walnut_bundle::RECORD_SALE;
        books.put_bytes("/pay/callback/sale", content).await.status
    };
    while put().await == 503 {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_and_a_domain_have_their_part_of_the_memory() {
    // A quarter of it are 12 MiB.
    let host = Host::start_with(&["--set", "incoming.bodies_mib=48"]).await;
    let notify = async |from: &str| {
        let head = "POST /pay/re HTTP/1.1";
        all_but_the_last_byte(&host, from, head, 1 << 20, "").await
    };
    let mut held = Vec::new();
    for _ in 0..13 {
        held.push(notify("127.0.0.2").await);
    }
    one_is_shed(&mut held).await;
    let mut other = notify("127.0.0.3").await;
    other.say("x").await;
    let looked_at = other.rest().await;
    assert!(looked_at.contains("\r\n\r\nfail"), "{looked_at}");

    // Texts take their bytes twice, since they are read.
    let (shop, books) = (host.domain("shop").await, host.domain("books").await);
    let create = by(shop.key(), "POST /pay/ajax/create");
    let mut held = Vec::new();
    for _ in 0..24 {
        let one = all_but_the_last_byte(&host, "127.0.0.2", &create, 256 << 10, "{\"").await;
        held.push(one);
    }
    one_is_shed(&mut held).await;
    makes(&books).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_takes_no_place_from_notifications() {
    // Four places each, of which one source has one.
    let host = Host::start_with(&["--set", "incoming.requests=4"]).await;
    let mut held = Vec::new();
    for from in ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"] {
        let sign_in = begun(&host, from, "POST /pay/session HTTP/1.1", 9).await;
        held.push(sign_in.unwrap());
    }
    let page = Line::ask(&host, "127.0.0.6", "/pay/till").await;
    assert!(is_shed(&page), "{page}");
    let mut notify = begun(&host, "127.0.0.2", "POST /pay/re HTTP/1.1", 3).await;
    let line = notify.as_mut().unwrap();
    line.say("a=b").await;
    let looked_at = line.rest().await;
    assert!(looked_at.ends_with("fail"), "{looked_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_and_a_domain_have_so_many_places() {
    // A quarter of them are 32.
    let host = Host::start_with(&["--set", "incoming.requests=128"]).await;
    let (shop, books) = (host.domain("shop").await, host.domain("books").await);
    let ticket = async || {
        let body = json!({ "brief": "茶", "fee": 1 });
        let made = shop.post("/pay/ajax/create", body).await.data();
        made["ticket"].as_str().unwrap().to_owned()
    };
    let send =
        async |key: &str| begun(&host, "127.0.0.2", &by(key, "POST /pay/ajax/send"), 9).await;
    let (one, other) = (ticket().await, ticket().await);
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(send(&one).await.unwrap());
    }
    let beyond = send(&one).await.unwrap_err();
    assert!(is_shed(&beyond), "{beyond}");
    for _ in 0..4 {
        held.push(send(&other).await.unwrap());
    }
    // What those with tickets hold is the domain's.
    for _ in 0..12 {
        held.push(send(shop.key()).await.unwrap());
    }
    for key in [shop.key(), &other] {
        let beyond = send(key).await.unwrap_err();
        assert!(is_shed(&beyond), "{beyond}");
    }
    makes(&books).await;
    drop(held);
    while send(&one).await.is_err() {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_full_may_be_looked_at_by_its_operator() {
    // Four places, of which one domain has one.
    let host = Host::start_with(&["--set", "incoming.requests=4"]).await;
    let mut held = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let shop = host.domain(name).await;
        let create = by(shop.key(), "POST /pay/ajax/create");
        held.push(begun(&host, "127.0.0.2", &create, 9).await.unwrap());
    }
    let last = host.domain("e").await;
    let shed = last.get("/pay/ajax/query").await;
    assert_eq!(shed.refusal(), (503, "e.http.busy".to_owned()));
    for path in ["/pay/doctor", "/pay/domain"] {
        host.root().get(path).await.data();
    }
    let metrics = host.root().request(Method::GET, "/metrics").send().await;
    assert_eq!(metrics.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_many_values_is_refused_before_it_is_read() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    shop.put_callback("sale", walnut_bundle::RECORD_SALE).await;
    let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    let many = zeros(100_000);
    let list = || many.clone();
    for (method, path, body) in [
        (
            Method::POST,
            "/pay/ajax/create",
            format!(r#"{{"fee":1,"m":{many}}}"#),
        ),
        (Method::POST, "/pay/ajax/send", list()),
        (Method::POST, "/pay/ajax/check", list()),
        (Method::POST, "/pay/ajax/close", list()),
        (Method::POST, "/pay/ajax/reverse", list()),
        (Method::POST, "/pay/ajax/refund", list()),
        (Method::POST, "/pay/ajax/resolve", list()),
        (Method::POST, "/pay/ajax/reconcile", list()),
        (Method::POST, "/pay/ajax/replay", list()),
        (
            Method::PUT,
            "/pay/target/zfb/main",
            format!(r#"{{"settings":{{"app_id":{many}}}}}"#),
        ),
        (Method::PUT, "/pay/callback/sale", list()),
        (
            Method::POST,
            "/pay/callback/sale",
            format!(
                r#"{{"content_base64":"","payment":{{"a":{}}}}}"#,
                zeros(1 << 20)
            ),
        ),
        (Method::POST, "/pay/callback/sale/test", zeros(1 << 20)),
        (Method::POST, "/pay/callback/sale/roll-back", list()),
        (Method::POST, "/pay/domain/shop/key", list()),
        (Method::POST, "/pay/session", list()),
        (Method::POST, "/pay/re", list()),
        (Method::POST, "/pay/re/x", list()),
        (Method::POST, "/pay/re/t/x", list()),
    ] {
        let request = shop.request(method, path);
        let request = request.header("Content-Type", "application/json");
        let answer = Shop::answer(request.body(body)).await;
        let refusal = answer.refusal();
        assert_eq!(refusal, (413, "e.http.tooLarge".to_owned()), "{path}");
        let said = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(said.contains("more than 10000 names and values"), "{said}");
    }
    // Fewer are read, and a component is none of it.
    let body = format!(r#"{{"fee":1,"brief":"茶","m":{}}}"#, zeros(9_000));
    shop.post_bytes("/pay/ajax/create", body.as_bytes())
        .await
        .data();
    let script = format!("const list = {};\n", zeros(100_000));
    let put = shop
        .put_bytes("/pay/callback/list", script.as_bytes())
        .await;
    assert_ne!(put.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_the_address_takes_is_refused_by_its_head() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let key = shop.key();
    for (head, length) in [
        (by(key, "POST /pay/ajax/create"), 2_000_000),
        (by(key, "POST /pay/ajax/refund"), (256 << 10) + 1),
        (by(key, "PUT /pay/target/zfb/main"), 2_000_000),
        (by(key, "PUT /pay/callback/sale"), (48 << 20) + 1),
        ("POST /pay/session HTTP/1.1".to_owned(), 2_000_000),
        ("POST /pay/re HTTP/1.1".to_owned(), (1 << 20) + 1),
    ] {
        // Nothing of the body comes; who waits to be asked for it is not asked.
        let asked = begun(&host, "127.0.0.1", &head, length).await;
        let answer = asked.map(|_| "asked for its body").unwrap_err();
        let mut line = Line::open(&host, "127.0.0.1").await;
        line.say(&format!(
            "{head}\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        for answer in [answer, line.rest().await] {
            assert!(answer.starts_with("HTTP/1.1 413 "), "{head}: {answer}");
            assert!(
                answer.contains(r#""errCode":"e.http.tooLarge""#),
                "{answer}"
            );
        }
        // Who sends it all the same hears of it too.
        let mut line = Line::open(&host, "127.0.0.1").await;
        line.say(&format!(
            "{head}\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        line.say(&"x".repeat(length)).await;
        let answer = line.rest().await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{head}: {answer}");
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
