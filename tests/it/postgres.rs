//! Hosts whose payments are in PostgreSQL. Left out where there is no server.

use serde_json::json;
use walnut_test_postgres::{Database, Durability, Programs, Server, Way};

use crate::following::Events;
use crate::world::{RECORD_SALE, Shop, World};

fn database() -> Option<Database> {
    Some(Server::shared()?.database().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_paid_applied_and_given_back_in_postgresql() {
    let Some(database) = database() else { return };
    let world = World::with(1, &["--store", database.url()]).await;
    let shop = &world.shop;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    shop.until_state(&id, "OK").await;
    shop.until_applied(&id).await;
    let refund = shop
        .post("/pay/ajax/refund", json!({ "id": id, "fee": 300 }))
        .await
        .data();
    assert!(refund["refund_no"].is_string(), "{refund}");
    let given = |payment: &serde_json::Value| payment["refunded"] == 300;
    shop.until(&id, "the refund", given).await;
    let found = shop.get("/pay/ajax/query").await.data();
    assert!(found.to_string().contains(&id), "{found}");
    assert_eq!(shop.get("/readyz").await.data()["status"], "ready");
    // What PostgreSQL cannot keep is refused in words.
    let nul = json!({ "brief": "te\0a", "fee": 1 });
    let refused = shop.post("/pay/ajax/create", nul).await;
    assert_eq!(refused.refusal(), (400, "e.pay.invalid".to_owned()));
    // Nothing of it is in the data root.
    assert!(!world.host.data_root().join("var/payment").exists());
    let (success, _data) = world.host.terminate().await;
    assert!(success);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_payment_at_one_host_hears_what_another_commits() {
    let Some(database) = database() else { return };
    let world = World::with(1, &["--store", database.url()]).await;
    let other = world.host.beside().await;
    let there = world.shop.at(other.url());
    let id = world.shop.create(json!({ "callback": RECORD_SALE })).await;
    let mut owner = Events::open(&there, &format!("id={id}"), None).await;
    owner.until("NEW").await;
    // Sent at one host, and told to it by the platform.
    let sent = world.shop.send(&id).await.data();
    owner.until("WAIT").await;
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    owner.until("OK").await;
    // Repeated at the other, it is the same payment.
    assert_eq!(there.payment(&id).await["st"], "OK");
    assert_eq!(there.send(&id).await.data()["status"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_host_had_sent_is_asked_about_by_another() {
    let Some(database) = database() else { return };
    let world = World::with(1, &["--store", database.url()]).await;
    let other = world.host.beside().await;
    let there = world.shop.at(other.url());
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.host.kill().await;
    // Nobody is there to be told.
    world.alipay.pay(&code).await.unwrap();
    there.until_state(&id, "OK").await;
    there.until_applied(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_told_and_waited_for() {
    let Some(programs) = Programs::find() else {
        return;
    };
    let server = Server::start(programs, Durability::None).unwrap();
    let database = server.database().unwrap();
    let url = database.url().replace("walnut@", "walnut:s3cret@");
    let world = World::with(1, &["--store", &url]).await;
    let id = world.shop.create(json!({})).await;
    server.stop("immediate").unwrap();
    let unready = world.shop.get("/readyz").await;
    assert_eq!(unready.refusal(), (503, "e.pay.store".to_owned()));
    let refused = world
        .shop
        .post("/pay/ajax/create", json!({ "brief": "tea", "fee": 1 }))
        .await;
    assert_eq!(refused.refusal(), (503, "e.pay.store".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
    server.start_again().unwrap();
    let ready = async {
        while world.shop.get("/readyz").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), ready)
        .await
        .unwrap();
    assert_eq!(world.shop.payment(&id).await["st"], "NEW");
    world.shop.create(json!({})).await;
    // Told once that it is gone, and never by its password.
    let log = world.host.log();
    assert!(log.contains("does not answer"), "{log}");
    assert!(log.contains("is seen by everybody"), "{log}");
    assert!(!log.contains("s3cret"));
}

/// What an operator sees: what `/metrics` tells of the store, and the codes of `walnut doctor`.
async fn seen(world: &World, by: &Shop) -> (Option<bool>, Vec<String>) {
    let scraped = by.get("/metrics").await;
    let text = String::from_utf8_lossy(&scraped.bytes).into_owned();
    let is_up = match scraped.status {
        200 => Some(text.contains("walnut_store_up 1")),
        _ => None,
    };
    if is_up == Some(false) {
        assert!(text.contains("walnut_store_up 0"), "{text}");
    }
    let ran = world.host.walnut(by.key(), &["doctor", "-json"]).await;
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let findings = said["findings"].as_array().unwrap().iter();
    let codes = findings.map(|finding| finding["code"].as_str().unwrap().to_owned());
    (is_up, codes.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_after_a_host_sees_that_its_server_hangs() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let way = Way::to(server).unwrap();
    let world = World::with(1, &["--store", &way.url(&database)]).await;
    let (root, shop) = (world.host.root(), &world.shop);
    let op = async |name: &str| {
        let made = root.post("/pay/key", json!({ "role": "op", "name": name }));
        let made = made.await.data();
        let text = |of: &str| made[of].as_str().unwrap().to_owned();
        (text("id"), root.with_key(&text("key")))
    };
    let ((_, watcher), (ended, former), (_, new)) =
        (op("watcher").await, op("former").await, op("new").await);
    let id = shop.create(json!({})).await;
    let (is_up, codes) = seen(&world, &watcher).await;
    assert_eq!(is_up, Some(true));
    assert!(!codes.contains(&"d.store.down".to_owned()), "{codes:?}");
    assert_eq!(seen(&world, &former).await.0, Some(true));
    root.delete(&format!("/pay/key/{ended}")).await.data();

    way.hold();
    // Who asks for anything else is refused in a while, and told to come again.
    let down = (503, "e.pay.store".to_owned());
    for answer in [
        watcher.get("/pay/domain").await,
        shop.get(&format!("/pay/ajax/get?id={id}")).await,
        shop.post("/pay/ajax/create", json!({ "brief": "tea", "fee": 1 }))
            .await,
        // Not known here since the host was started, and no key of the operator's.
        new.get("/metrics").await,
        shop.get("/metrics").await,
        // One that was ended is as good as none.
        former.get("/metrics").await,
        former.get("/pay/doctor").await,
    ] {
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(answer.refusal(), down);
    }
    for by in [&watcher, &root] {
        let (is_up, codes) = seen(&world, by).await;
        assert_eq!(is_up, Some(false));
        assert!(codes.contains(&"d.store.down".to_owned()), "{codes:?}");
    }
    // Half a key opens nothing.
    let key = watcher.key();
    let forged = watcher.with_key(&format!("{}AAAA", &key[..key.len() - 4]));
    let forged = forged.get("/metrics").await.refusal();
    assert_eq!(forged, (401, "e.auth.required".to_owned()));

    way.free();
    let back = async {
        while seen(&world, &watcher).await.0 != Some(true)
            || shop.get("/readyz").await.status != 200
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), back)
        .await
        .unwrap();
    assert_eq!(seen(&world, &new).await.0, Some(true));
    assert_eq!(former.get("/metrics").await.refusal().0, 401);
    assert_eq!(shop.payment(&id).await["st"], "NEW");
    shop.create(json!({})).await;
}
