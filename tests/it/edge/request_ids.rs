//! Each request has an id: in its answer, and in the log beside what is told of it.

use std::collections::BTreeSet;

use reqwest::Client;
use serde_json::Value;

use crate::world::Host;

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_made_or_taken_from_a_named_proxy_and_told() {
    let options = ["incoming.proxies=127.0.0.2", "log.format=json"];
    let host = Host::start_with(&["--set", options[0], "--set", options[1]]).await;
    let ask = async |from: &str, given: &str, path: &str| {
        let client = Client::builder().no_proxy();
        let client = client.local_address(from.parse::<std::net::IpAddr>().unwrap());
        let url = format!("{}{path}", host.url());
        let asked = client
            .build()
            .unwrap()
            .get(url)
            .header("x-request-id", given);
        let answer = asked.send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        id.to_owned()
    };
    let named = ask("127.0.0.2", "7b1c-f2", "/pay/domain").await;
    assert_eq!(named, "7b1c-f2");
    // What stands in the log beside it says which request it was.
    let line = host.logged("7b1c-f2").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["span"]["id"], "7b1c-f2", "{line}");
    assert_eq!(line["err_code"], "e.auth.required", "{line}");

    let mut made = BTreeSet::new();
    for (from, given) in [
        ("127.0.0.3", "7b1c-f2"),
        ("127.0.0.1", ""),
        ("127.0.0.2", "two words"),
        ("127.0.0.2", "\"}"),
        ("127.0.0.2", &"7".repeat(65)),
    ] {
        // An answer has one whatever it is.
        let path = ["/healthz", "/nowhere"][made.len() % 2];
        let id = ask(from, given, path).await;
        assert!(
            id.len() == 24 && id.bytes().all(|c| c.is_ascii_hexdigit()),
            "{id}"
        );
        made.insert(id);
    }
    assert_eq!(made.len(), 5, "each another one");
}
