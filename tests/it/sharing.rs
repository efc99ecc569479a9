//! Hosts that share payments and homes in PostgreSQL. Left out where there is no server.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use walnut_sandbox::alipay::Notice;
use walnut_test_postgres::{Database, Server};

use crate::world::{Host, RECORD_SALE, Shop, World, run_walnut};

fn database() -> Option<Database> {
    Some(Server::shared()?.database().unwrap())
}

/// A data root with the master key of another one, for a host that shares its store.
fn root_with_key_of(other: &Path) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let root = data.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::copy(other.join("master.key"), root.join("master.key")).unwrap();
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn any_host_serves_what_another_was_given() {
    let Some(database) = database() else { return };
    let options = ["--store", database.url()];
    let world = World::with(1, &options).await;
    let data = root_with_key_of(&world.host.data_root());
    let second = Host::start_on_with(data, world.host.root_key(), &options).await;
    let (here, there) = (&world.shop, Shop::new(second.url(), world.shop.key()));

    // Callback, target and its sealed keys were put at the first host; the second sends, hears and applies.
    let id = there.create(json!({ "callback": RECORD_SALE })).await;
    let sent = there.send(&id).await.data();
    let code = sent["data"].as_str().unwrap().to_owned();
    world.alipay.pay(&code).await.unwrap();
    here.until_applied(&id).await;
    assert_eq!(there.payment(&id).await["st"], "OK");

    // What is put at the second is bound at the first, in its new version.
    for version in 1..=2 {
        there
            .put_callback("thanks", walnut_bundle::RECORD_SALE)
            .await;
        let listed = here.get("/pay/callback").await.data();
        let thanks = json!({ "name": "thanks", "version": version });
        let is_there = |one: &serde_json::Value| {
            (&one["name"], &one["version"]) == (&thanks["name"], &thanks["version"])
        };
        assert!(listed.as_array().unwrap().iter().any(is_there), "{listed}");
    }
    // Nothing of it is in a data root.
    for host in [&world.host, &second] {
        assert!(!host.data_root().join("home").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_missed_what_another_was_given_catches_up() {
    let Some(database) = database() else { return };
    let world = World::with(1, &["--store", database.url()]).await;
    let other = world.host.beside().await;
    // The connections by which hosts hear of each other end.
    let deafen = || {
        let listens =
            "datname = current_database() AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()";
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listens}");
        database.run(&sql).unwrap();
    };
    deafen();
    let rival = world.host.domain("rival").await;
    let account = world.alipay.open_account().await.unwrap();
    rival
        .put_target("zfb", "main", &world.alipay, &account)
        .await;
    deafen();
    let id = rival.create(json!({})).await;
    let sent = rival.send(&id).await.data();
    world.go_silent(&id);
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();

    // The address names no trade: the other host has to know the account.
    let bare = Notice::genuine().to(format!("{}/pay/re", other.url()));
    let taken = async {
        while !world.alipay.notify(&id, &bare).await.unwrap().taken {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), taken)
        .await
        .unwrap();
    rival.until_state(&id, "OK").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_root_goes_over_to_a_database_and_its_host_goes_on() {
    let Some(database) = database() else { return };
    let world = World::start().await;
    let shop = &world.shop;
    let (paid, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    shop.until_applied(&paid).await;
    let waiting = shop.create(json!({ "callback": RECORD_SALE })).await;
    let root = world.host.data_root();
    let shown = root.to_str().unwrap();
    let words = [
        "store",
        "migrate",
        "--data",
        shown,
        "--store",
        database.url(),
    ];
    let migrate = async || run_walnut("http://127.0.0.1:1", "", "", &words, Path::new("/")).await;
    let running = migrate().await;
    assert!(
        running.code == 2 && running.err.contains("in use"),
        "{running:?}"
    );

    let root_key = world.host.root_key().to_owned();
    let (_, data) = world.host.terminate().await;
    let migrated = migrate().await;
    assert_eq!(migrated.code, 0, "{migrated:?}");
    assert!(migrated.out.contains("2 payments"), "{migrated:?}");
    assert!(migrated.err.contains("payment: 2"), "{migrated:?}");
    let again = migrate().await;
    assert!(
        again.code == 2 && again.err.contains("exists already"),
        "{again:?}"
    );

    let moved = root_with_key_of(&data.path().join("root"));
    let host = Host::start_on_with(moved, &root_key, &["--store", database.url()]).await;
    let shop = Shop::new(host.url(), shop.key());
    assert_eq!(shop.payment(&paid).await["st"], "OK");
    let sent = shop.send(&waiting).await.data();
    let code = sent["data"].as_str().unwrap().to_owned();
    world.alipay.pay(&code).await.unwrap();
    shop.check(&waiting).await.data();
    assert_eq!(shop.until_applied(&waiting).await["st"], "OK");
}
