//! A flood of what does not verify: it is refused unseen after a while, and takes nothing from what does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use walnut_sandbox::alipay::Notice;

use super::paid_unheard;
use crate::world::World;

/// More than is looked at of one source about one trade.
const MANY: usize = 50;

/// What is not looked at is answered so much later.
const SLOW: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_waits_for_itself() {
    let world = World::start().await;
    let (id, _) = world.sent().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async || {
        let address = format!("{}/pay/re/{id}", world.host.url());
        let begun = Instant::now();
        let sent = client.post(address).body("sign=AAAA").send().await;
        (sent.unwrap().status().as_u16(), begun.elapsed())
    };
    let (first, _) = send().await;
    let mut slow = 0;
    for _ in 1..MANY {
        let (status, took) = send().await;
        assert_eq!(status, first);
        slow += usize::from(took >= SLOW);
    }
    assert!(slow >= MANY - 32, "{slow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_shuts_out_its_own_source_for_its_own_trade_alone() {
    let world = World::start().await;
    let id = paid_unheard(&world).await;
    let (other, _) = world.sent().await;
    let client = |from: &str| {
        let from: std::net::IpAddr = from.parse().unwrap();
        let client = reqwest::Client::builder().no_proxy().local_address(from);
        client.build().unwrap()
    };
    let flooding = client("127.0.0.2");
    let send = async |client: &reqwest::Client, id: &str| {
        let address = format!("{}/pay/re/{id}", world.host.url());
        let body = format!("out_trade_no={id}&sign=AAAA&sign_type=RSA2");
        let sent = client.post(address).body(body).send().await.unwrap();
        (sent.status().as_u16(), sent.text().await.unwrap())
    };
    let first = send(&flooding, &id).await;
    assert_eq!(first.1, "fail");
    for _ in 1..MANY {
        assert_eq!(send(&flooding, &id).await, first, "in the same words");
    }
    let refused = async || {
        let refused = world.host.root().get("/pay/refused").await.data();
        let refused = refused.as_array().unwrap().clone();
        let of = |id: &str| refused.iter().filter(|one| one["trade_no"] == id).count();
        (of(&id), of(&other), refused[0].clone())
    };
    let (looked_at, _, newest) = refused().await;
    assert!(looked_at < MANY, "{looked_at}");
    assert_eq!(newest["source"], "127.0.0.2");
    assert_eq!(newest["probe"], Value::Bool(false));
    assert!(newest["raw"].as_str().unwrap().len() > 40, "{newest}");
    assert!(
        newest["headers"]
            .as_array()
            .is_some_and(|headers| !headers.is_empty())
    );

    // The same source about another trade, and another source about this one, are looked at.
    send(&flooding, &other).await;
    send(&client("127.0.0.3"), &id).await;
    assert_eq!(refused().await.0, looked_at + 1);
    assert_eq!(refused().await.1, 1);

    // The platform's own is taken meanwhile, and repeated it is taken again.
    for _ in 0..2 {
        let sent = world.alipay.notify(&id, &Notice::genuine()).await.unwrap();
        assert_eq!(sent.reply.as_deref(), Some("success"));
    }
    assert_eq!(world.shop.until_applied(&id).await["st"], "OK");
    let causes = world.shop.causes(&id).await;
    assert_eq!(causes.iter().filter(|cause| *cause == "apply").count(), 1);
    assert_eq!(world.shop.payment(&other).await["st"], json!("WAIT"));
}
