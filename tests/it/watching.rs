//! Somebody watches a payment whose notification was lost: it heals soon, however old the payment is.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use walnut_sandbox::alipay::{Misbehaviour, NotificationFault};

use crate::world::{Shop, World};

/// In the store the attempt is an hour old, was asked about just now, and is not to be asked about for ten minutes.
fn grow_old(data_root: &Path, trade_no: &str) {
    let store = Connection::open(data_root.join("var/payment/payments.db")).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let changed = store
        .execute(
            "UPDATE attempt SET created_ms = ?2 - 3600000, asked_ms = ?2, leased_until_ms = 0, \
             ask_at_ms = ?2 + 600000 WHERE trade_no = ?1",
            rusqlite::params![trade_no, now],
        )
        .unwrap();
    assert_eq!(changed, 1);
}

async fn paid(shop: &Shop, path: &str) -> Value {
    let look = async {
        loop {
            let payment = shop.get(path).await.data();
            if payment["st"] == "OK" {
                return payment;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let patience = std::time::Duration::from_secs(120);
    tokio::time::timeout(patience, look)
        .await
        .expect("it heals")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_payment_heals_while_the_buyer_s_page_looks_at_it() {
    let mut world = World::start().await;
    let body = json!({"fee": 2300, "brief": "tea"});
    let created = world.shop.post("/pay/ajax/create", body).await.data();
    let id = created["id"].as_str().unwrap().to_owned();
    let sent = world.shop.send(&id).await.data();
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    let killed = world.host.kill().await;
    grow_old(&killed.data_root(), &id);
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    world.host = killed.restart().await;
    let ticket = created["ticket"].as_str().unwrap();
    let buyer = world.shop.with_key(ticket);
    let healed = paid(&buyer, &format!("/pay/ajax/get?id={id}")).await;
    assert_eq!(healed["close_at"].as_u64().map(|at| at > 0), Some(true));
}
