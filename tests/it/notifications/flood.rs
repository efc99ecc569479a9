//! A flood of what does not verify: it is refused unseen after a while, and takes nothing from what does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use walnut_sandbox::alipay::Notice;

use super::paid_unheard;
use crate::world::World;

/// More than is looked at of one source about one trade.
const MANY: usize = 50;

/// What is not looked at is answered so much later.
const SLOW: Duration = Duration::from_millis(200);

/// Whose requests come from this address of the machine's loopback.
fn client(from: &str) -> reqwest::Client {
    let from: std::net::IpAddr = from.parse().unwrap();
    let client = reqwest::Client::builder().no_proxy().local_address(from);
    client.build().unwrap()
}

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

/// Sends something about a trade that nobody has.
async fn send_nobodys(client: &reqwest::Client, host: &str) -> u16 {
    let made_up = uuid::Uuid::new_v4().simple();
    let address = format!("{host}/pay/re/{made_up}");
    let body = format!("out_trade_no={made_up}&sign=AAAA&sign_type=RSA2");
    let sent = client.post(address).body(body).send().await.unwrap();
    sent.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_whose_address_is_suspect_is_heard_beside_floods_from_elsewhere() {
    /// What makes an address suspect.
    const REFUSED: usize = 70;
    const GENUINE: usize = 8;
    const LINES: usize = 80;
    let world = World::start().await;
    let mut paid = Vec::new();
    for _ in 0..GENUINE {
        paid.push(paid_unheard(&world).await);
    }
    // Anybody who has an account at the platform can have it send such.
    let platform = client("127.0.0.1");
    for _ in 0..REFUSED {
        send_nobodys(&platform, world.host.url()).await;
    }
    let (over, unseen) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let mut flood = tokio::task::JoinSet::new();
    for from in ["127.0.0.2", "127.0.0.3", "127.0.0.4"] {
        let client = client(from);
        for _ in 0..LINES {
            let (client, host) = (client.clone(), world.host.url().to_owned());
            let (over, unseen) = (Arc::clone(&over), Arc::clone(&unseen));
            flood.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let status = send_nobodys(&client, &host).await;
                    unseen.fetch_add(u32::from(status == 503), Ordering::Relaxed);
                }
            });
        }
    }
    // More than could wait are refused unseen, again and again.
    while unseen.load(Ordering::Relaxed) < 1_000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut taken = 0;
    for id in &paid {
        send_nobodys(&platform, world.host.url()).await;
        let sent = world.alipay.notify(id, &Notice::genuine()).await.unwrap();
        taken += usize::from(sent.reply.as_deref() == Some("success"));
    }
    over.store(true, Ordering::Relaxed);
    flood.join_all().await;
    assert_eq!(taken, GENUINE, "each when it came for the first time");
    for id in &paid {
        assert_eq!(world.shop.payment(id).await["st"], "OK");
    }
}
