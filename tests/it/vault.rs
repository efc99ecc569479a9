//! The master key: from where the operator says, and another one while the host goes on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use walnut_test_postgres::Server;

use crate::world::{Host, Ran, Shop, World, run_walnut};

async fn rotate(root: &Path, more: &[&str]) -> Ran {
    let words = [&["vault", "rotate", "--data", root.to_str().unwrap()], more].concat();
    run_walnut("http://127.0.0.1:1", "", "", &words, Path::new("/")).await
}

/// A program that prints a key.
fn program(dir: &Path, key: &str) -> String {
    let path = dir.join("kms");
    std::fs::write(
        &path,
        format!("#!/bin/sh\necho not for you: {key} >&2\necho {key}\n"),
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    format!("command:{}", path.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_goes_on_while_its_master_key_changes() {
    let world = World::start().await;
    let root = world.host.data_root();
    let shop = &world.shop;
    let old = std::fs::read_to_string(root.join("master.key")).unwrap();
    let rotated = rotate(&root, &[]).await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let new = std::fs::read_to_string(root.join("master.key")).unwrap();
    assert_ne!(old, new);
    for key in [&old, &new] {
        assert!(!format!("{rotated:?}").contains(key.trim()));
    }
    // The account's key opens, and the shop's own key is known, now and after another start.
    let alipay = &world.alipay;
    let pay = async |shop: &Shop| {
        let id = shop.create(json!({})).await;
        let sent = shop.send(&id).await.data();
        alipay.pay(sent["data"].as_str().unwrap()).await.unwrap();
        shop.check(&id).await.data();
        assert_eq!(shop.payment(&id).await["st"], "OK");
    };
    pay(shop).await;
    let killed = world.host.kill().await;
    std::fs::write(root.join("master.key"), &old).unwrap();
    let refused = killed.refuses().await;
    assert!(refused.contains("is sealed under"), "{refused}");
    assert!(!refused.contains(old.trim()) && !refused.contains(new.trim()));

    // From now on it comes from a program, whose words are shown nowhere.
    std::fs::write(root.join("master.key"), &new).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let third = "5ec4e7".repeat(10) + "0123";
    let program = program(temp.path(), &third);
    let moved = rotate(&root, &["--to", &program]).await;
    assert!(
        moved.code == 0 && moved.err.contains("master.key"),
        "{moved:?}"
    );
    assert!(!format!("{moved:?}").contains(&third));
    assert!(killed.refuses().await.contains("is sealed under"));
    std::fs::remove_file(root.join("master.key")).unwrap();
    let host = killed.restart_with(&["--master-key", &program]).await;
    pay(shop).await;
    assert!(!host.log().contains(&third));
    let again = rotate(&root, &["--master-key", &program]).await;
    assert!(again.code == 2 && again.err.contains("--to"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_share_a_store_go_on_while_their_master_key_changes() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let store = ["--store", database.url()];
    let first = Host::start_with(&store).await;
    let owner = first.domain("shop").await;
    let second = first.beside().await;
    let rotated = rotate(&first.data_root(), &store).await;
    assert!(
        rotated.code == 0 && rotated.err.contains("other hosts"),
        "{rotated:?}"
    );
    for host in [&first, &second] {
        assert_eq!(owner.at(host.url()).get("/pay/session").await.status, 200);
    }
    // The other one needs the new key to start again.
    let late = rotate(&second.data_root(), &store).await;
    assert!(
        late.code == 2 && late.err.contains("is sealed under"),
        "{late:?}"
    );
    let key = std::fs::read(first.data_root().join("master.key")).unwrap();
    std::fs::write(second.data_root().join("master.key"), key).unwrap();
    let second = second.kill_and_restart().await;
    assert_eq!(owner.at(second.url()).get("/pay/session").await.status, 200);
}
