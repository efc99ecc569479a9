//! Hosts that share payments and homes in PostgreSQL. Left out where there is no server.

use std::path::Path;

use serde_json::json;
use walnut_test_postgres::{Database, Server};

use crate::world::{Host, RECORD_SALE, Shop, World};

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
