//! `walnut store`: looking after a data root while its host takes payments.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::world::{Host, RECORD_SALE, Ran, Shop, World, run_walnut};

async fn store(words: &[&str], root: &Path) -> Ran {
    let root = root.to_str().unwrap();
    let words = [&["store"], words, &["--data", root]].concat();
    run_walnut("http://127.0.0.1:1", "", "", &words, Path::new("/")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_beside_a_running_host_and_goes_on_elsewhere() {
    let world = World::start().await;
    let shop = &world.shop;
    let paid = shop.create(json!({ "callback": RECORD_SALE })).await;
    let sent = shop.send(&paid).await.data();
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    shop.until_applied(&paid).await;
    let waiting = shop.create(json!({ "callback": RECORD_SALE })).await;

    // Somebody goes on buying.
    let ends = Arc::new(AtomicBool::new(false));
    let buying = {
        let (shop, ends) = (shop.clone(), Arc::clone(&ends));
        tokio::spawn(async move {
            let mut made = 0;
            while !ends.load(Ordering::Relaxed) {
                shop.create(json!({ "fee": 7 })).await;
                made += 1;
            }
            made
        })
    };
    let temp = tempfile::tempdir().unwrap();
    let backup = temp.path().join("backup");
    let to = backup.to_str().unwrap();
    let made = store(&["backup", to], &world.host.data_root()).await;
    ends.store(true, Ordering::Relaxed);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.err.contains("master.key"), "{made:?}");
    assert!(buying.await.unwrap() > 0);
    assert!(!backup.join("master.key").exists(), "the key stays apart");
    let again = store(&["backup", to], &world.host.data_root()).await;
    assert!(
        again.code == 2 && again.err.contains("give a new directory"),
        "{again:?}"
    );
    let checked = store(&["check"], &world.host.data_root()).await;
    assert!(
        checked.code == 0 && checked.out.contains("all is well"),
        "{checked:?}"
    );

    // The machine is gone; another one has the backup and the key.
    let elsewhere = tempfile::tempdir().unwrap();
    let root = elsewhere.path().join("root");
    let restored = store(&["restore", to], &root).await;
    assert!(
        restored.code == 0 && restored.err.contains("put master.key"),
        "{restored:?}"
    );
    std::fs::copy(
        world.host.data_root().join("master.key"),
        root.join("master.key"),
    )
    .unwrap();
    let root_key = world.host.root_key().to_owned();
    drop(world.host);
    let host = Host::start_on(elsewhere, &root_key).await;
    let shop = Shop::new(host.url(), shop.key());
    assert_eq!(shop.payment(&paid).await["st"], "OK");
    // The account's sealed key opens, and the bound callback runs.
    let sent = shop.send(&waiting).await.data();
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    shop.check(&waiting).await.data();
    assert_eq!(shop.until_applied(&waiting).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_well_is_found_and_not_restored() {
    let world = World::start().await;
    let id = world
        .shop
        .create(json!({ "fee": 0, "callback": RECORD_SALE }))
        .await;
    world.shop.until_applied(&id).await;
    let temp = tempfile::tempdir().unwrap();
    let backup = temp.path().join("backup");
    let to = backup.to_str().unwrap();
    assert_eq!(
        store(&["backup", to], &world.host.data_root()).await.code,
        0
    );
    let file = backup.join("var/payment/payments.db");
    let payments = rusqlite::Connection::open(&file).unwrap();
    payments
        .execute("UPDATE payment SET state = 'NEW'", [])
        .unwrap();
    payments
        .execute("UPDATE content_bytes SET bytes = x'00'", [])
        .unwrap();
    drop(payments);
    let checked = store(&["check"], &backup).await;
    assert_eq!(checked.code, 1, "{checked:?}");
    for told in [
        &format!("another state than the payment: {id}"),
        "digest of a callback's content",
    ] {
        assert!(checked.out.contains(told), "{told}: {checked:?}");
    }
    let root = temp.path().join("root");
    let refused = store(&["restore", to], &root).await;
    assert!(
        refused.code == 2 && refused.err.contains("not restored"),
        "{refused:?}"
    );
    assert!(!root.exists());

    std::fs::write(&file, "no store").unwrap();
    assert_eq!(store(&["check"], &backup).await.code, 2);
    assert_eq!(store(&["check"], temp.path()).await.code, 2);
}
