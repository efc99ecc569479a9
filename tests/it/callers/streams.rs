//! Who follows payments by a key is let go when the key ends, at every host that knows it.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use walnut_test_postgres::Server;

use crate::following::Events;
use crate::world::{Host, Shop, milliseconds_from_now};

/// A key is looked at every two seconds; a machine under load takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// The stream ends, and says why.
async fn ends(mut events: Events) {
    let ending = async {
        let told = loop {
            let told = events.next().await.expect("it says why it ends");
            if told.name != "payment" && told.name != "begin" {
                break told;
            }
        };
        assert_eq!(told.name, "error");
        assert_eq!(told.data["errCode"], "e.auth.required");
        assert!(events.next().await.is_none());
    };
    let ended = tokio::time::timeout(PATIENCE, ending).await;
    ended.expect("a stream ends with its key");
}

async fn streams_of_a_key(owner: &Shop, hosts: &[&str]) {
    let new_key = async |more: serde_json::Value| {
        let mut body = json!({ "scope": "server", "test": true });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let made = owner.post("/pay/domain/shop/key", body).await.data();
        owner.with_key(made["key"].as_str().unwrap())
    };
    let id = owner.create(json!({ "fee": 0 })).await;
    let (leaves, stays) = (new_key(json!({})).await, new_key(json!({})).await);
    let mut open = Vec::new();
    let mut others = Vec::new();
    for host in hosts {
        for query in [String::new(), format!("id={id}")] {
            open.push(Events::open(&leaves.at(host), &query, None).await);
            others.push(Events::open(&stays.at(host), &query, None).await);
        }
    }
    for events in open.iter_mut().chain(&mut others) {
        events.next().await.unwrap();
    }
    let key_id = leaves.key().split('_').nth(2).unwrap().to_owned();
    owner.delete(&format!("/pay/key/{key_id}")).await.data();
    for events in open {
        ends(events).await;
    }

    // One that ends by itself.
    let until = milliseconds_from_now(10_000);
    let short = new_key(json!({ "expi": until })).await;
    let mut open = Vec::new();
    for host in hosts {
        open.push(Events::open(&short.at(host), &format!("id={id}"), None).await);
    }
    for events in open {
        ends(events).await;
    }
    // Nobody else was let go.
    let news = owner.create(json!({ "fee": 0 })).await;
    for mut events in others.into_iter().step_by(2) {
        loop {
            let told = events.next().await.expect("the stream goes on");
            assert_ne!(told.name, "error");
            if told.data["id"] == news.as_str() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_key() {
    let host = Host::start().await;
    let owner = host.domain("shop").await;
    streams_of_a_key(&owner, &[host.url()]).await;

    // So does that of a page, whose session was made from the key.
    let made = json!({ "scope": "till", "test": true });
    let made = owner.post("/pay/domain/shop/key", made).await.data();
    let till = owner.with_key(made["key"].as_str().unwrap());
    let begin = till.keyless(Method::POST, "/pay/session");
    let begin = begin.header("X-Walnut-Page", "1");
    let begun = Shop::answer(begin.json(&json!({ "key": till.key() }))).await;
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let watch = till.keyless(Method::GET, "/pay/ajax/watch");
    let mut page = Events::of(watch.header("Cookie", cookie)).await;
    assert_eq!(page.next().await.unwrap().name, "begin");
    let key_id = till.key().split('_').nth(2).unwrap();
    owner.delete(&format!("/pay/key/{key_id}")).await.data();
    ends(page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_a_key_that_another_host_ended() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let first = Host::start_with(&["--store", database.url()]).await;
    let owner = first.domain("shop").await;
    let second = first.beside().await;
    streams_of_a_key(&owner, &[first.url(), second.url()]).await;
}
