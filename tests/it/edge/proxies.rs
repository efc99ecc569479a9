//! Whom a proxy speaks for is believed of proxies that were named, and of nobody else.

use reqwest::{Client, Method};
use serde_json::json;

use super::Line;
use crate::world::{Host, Shop};

fn client(from: &str) -> Client {
    let client = Client::builder().no_proxy();
    client
        .local_address(from.parse::<std::net::IpAddr>().unwrap())
        .build()
        .unwrap()
}

/// Where the audit log has it that a request came from, which says this of itself.
async fn source(host: &Host, from: &str, said: &[(&str, &str)]) -> String {
    let mut request = client(from)
        .request(Method::PUT, format!("{}/pay/domain/shop", host.url()))
        .json(&json!({ "web": [] }));
    for (name, value) in said {
        request = request.header(*name, *value);
    }
    Shop::answer(request.bearer_auth(host.root_key()))
        .await
        .data();
    let newest = host.root().get("/pay/audit?refused=false&limit=1").await;
    newest.data()[0]["source"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_that_were_named_are_believed_and_nobody_else() {
    let host = Host::start_with(&["--set", "incoming.proxies=127.0.0.2, 127.0.1.0/24"]).await;
    host.domain("shop").await;
    let told = "203.0.113.9, 198.51.100.1";
    for (from, said, is) in [
        ("127.0.0.2", told, "198.51.100.1"),
        (
            "127.0.0.2",
            "203.0.113.9, 198.51.100.1, 127.0.1.77",
            "198.51.100.1",
        ),
        ("127.0.0.2", "garbage", "127.0.0.2"),
        ("127.0.1.5", told, "198.51.100.1"),
        ("127.0.0.3", told, "127.0.0.3"),
        ("127.0.0.1", told, "127.0.0.1"),
    ] {
        let source = source(&host, from, &[("x-forwarded-for", said)]).await;
        assert_eq!(source, is, "{from} {said}");
    }
    // The other header is anybody's.
    let forwarded = [("forwarded", "for=203.0.113.9")];
    assert_eq!(source(&host, "127.0.0.2", &forwarded).await, "127.0.0.2");

    // A page's cookie is for TLS alone where the proxy says that it came so.
    let sign_in = async |from: &str, scheme: &str| {
        let request = client(from)
            .post(format!("{}/pay/session", host.url()))
            .header("x-walnut-page", "1")
            .header("x-forwarded-proto", scheme)
            .json(&json!({ "key": host.root_key() }));
        let answer = Shop::answer(request).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let is_hosts = cookie.starts_with("__Host-walnut_session=");
        assert_eq!(cookie.ends_with("; Secure"), is_hosts, "{cookie}");
        is_hosts
    };
    assert!(sign_in("127.0.0.2", "https").await);
    assert!(!sign_in("127.0.0.2", "http").await);
    assert!(!sign_in("127.0.0.3", "https").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_has_as_many_connections_as_it_needs() {
    let options = ["incoming.proxies=127.0.0.2", "incoming.of_one_source=1"];
    let host = Host::start_with(&["--set", options[0], "--set", options[1]]).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut line = Line::open(&host, "127.0.0.2").await;
        line.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let answer = line.hears("}}").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        held.push(line);
    }
}
