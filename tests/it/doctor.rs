//! `walnut doctor`: what is wrong with a running host is found, by the real binary, and gone when it is right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Fen, Notice};

use crate::world::{Host, SCRIPTED, Shop, World, run_walnut};

/// What `walnut doctor` says with these options: the exit code, and each finding by its code.
async fn looked_over(
    host: &Host,
    key: &str,
    options: &[&str],
) -> (i32, Value, Vec<(String, String)>) {
    let args = [&["doctor", "-json"], options].concat();
    let ran = host.walnut(key, &args).await;
    let said: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let findings = said["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        assert!(
            text("what").len() > 10 && text("do").len() > 10,
            "{finding}"
        );
        (text("code"), text("gravity"))
    });
    assert_eq!(said["ok"], ran.code == 0);
    let findings = findings.collect();
    (ran.code, said, findings)
}

fn codes(findings: &[(String, String)], gravity: &str) -> Vec<String> {
    let of = findings.iter().filter(|(_, is)| is == gravity);
    of.map(|(code, _)| code.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_found_and_gone_when_it_is_right() {
    let world = World::scripted().await;
    let (host, shop, root) = (&world.host, &world.shop, world.host.root());
    let key = host.root_key();
    let (code, said, findings) = looked_over(host, key, &["--targets"]).await;
    // The first key lies where the first start left it; nothing else is remarkable.
    assert_eq!((code, codes(&findings, "wrong")), (0, Vec::new()), "{said}");
    assert_eq!(codes(&findings, "note"), ["d.root.key"], "{said}");
    assert_eq!(
        (&said["host"]["store"], &said["ok"]),
        (&json!("SQLite"), &json!(true))
    );
    let words = host.walnut(key, &["doctor"]).await;
    assert!(
        words.out.contains("payments in SQLite")
            && words.out.ends_with("nothing is wrong; to know: 1\n"),
        "{words:?}"
    );

    // A payment that is held, a notification that was forged, a key that ends, a data root that is open, a target
    // with another account's key.
    let held = world.paid_unheard(json!({})).await;
    world.alipay.notify(&held, &Notice::forged()).await.unwrap();
    world
        .alipay
        .notify(&held, &Notice::amount(Fen::new(1)))
        .await
        .unwrap();
    let soon = crate::world::milliseconds_from_now(3 * 86_400_000);
    let op = json!({ "role": "op", "expi": soon, "name": "nightly" });
    let op = root.post("/pay/key", op).await;
    let op = op.data()["key"].as_str().unwrap().to_owned();
    fs::remove_file(host.data_root().join("root.key")).unwrap();
    fs::set_permissions(host.data_root(), fs::Permissions::from_mode(0o755)).unwrap();
    let stranger = world.alipay.open_account().await.unwrap();
    let mut wrong = Shop::target_body(&world.alipay, &stranger);
    wrong["settings"]["app_id"] = json!(world.account.app_id());
    shop.put("/pay/target/zfb/other", wrong).await.data();

    let (code, said, findings) = looked_over(host, key, &["--targets"]).await;
    assert_eq!(code, 1);
    let expected = ["d.root.permissions", "d.payments.held", "d.target.test"];
    assert_eq!(codes(&findings, "wrong"), expected, "{said}");
    assert_eq!(
        codes(&findings, "note"),
        ["d.notifications", "d.key"],
        "{said}"
    );
    let text = said.to_string();
    assert!(
        text.contains("shop: zfb/other") && !text.contains("shop: zfb/main"),
        "{text}"
    );
    for secret in [
        &key[key.len() - 20..],
        &op[op.len() - 20..],
        &stranger.merchant_private_key()[..40],
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    // Who only looks sees the same of the host; nobody else anything.
    let (code, _, by_op) = looked_over(host, &op, &[]).await;
    assert_eq!(
        (code, codes(&by_op, "wrong")),
        (
            1,
            vec![
                "d.root.permissions".to_owned(),
                "d.payments.held".to_owned()
            ]
        )
    );
    let (code, _, refused) = looked_over(host, shop.key(), &[]).await;
    assert_eq!(
        (code, codes(&refused, "wrong")),
        (1, vec!["d.host.refuses".to_owned()])
    );

    // Set right.
    fs::set_permissions(host.data_root(), fs::Permissions::from_mode(0o700)).unwrap();
    let decision = json!({ "id": held, "decision": "dismiss", "reason": "a test" });
    shop.post("/pay/ajax/resolve", decision).await.data();
    shop.delete("/pay/target/zfb/other").await.data();
    let (code, said, findings) = looked_over(host, key, &["--targets"]).await;
    assert_eq!((code, codes(&findings, "wrong")), (0, Vec::new()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_no_platform_reaches_is_found() {
    // Nobody said where platforms reach it.
    let world = World::start().await;
    let (host, key) = (&world.host, world.host.root_key());
    let (_, said, findings) = looked_over(host, key, &[]).await;
    assert_eq!(codes(&findings, "wrong"), [] as [&str; 0], "{said}");

    let mut live = Shop::target_body(&world.alipay, &world.account);
    live["test"] = json!(false);
    live["settings"].as_object_mut().unwrap().remove("gateway");
    let owner = host.key_of("shop", false).await;
    owner.put("/pay/target/zfb/real", live).await.data();
    let (code, said, findings) = looked_over(host, key, &[]).await;
    assert_eq!(
        (code, codes(&findings, "wrong")),
        (1, vec!["d.address".to_owned()])
    );
    let findings = said["findings"].as_array().unwrap();
    let found = findings.iter().find(|one| one["code"] == "d.address");
    let what = found.unwrap()["what"].as_str().unwrap();
    assert!(
        what.contains(host.url()) && what.contains("shop: zfb/real"),
        "{what}"
    );
    owner.delete("/pay/target/zfb/real").await.data();
    let (code, said, _) = looked_over(host, key, &[]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_is_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run_walnut(
        "http://127.0.0.1:9",
        "wk_root_0_0",
        "",
        &["doctor"],
        dir.path(),
    )
    .await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("d.host.unreachable") && ran.out.contains("walnut serve"),
        "{ran:?}"
    );
    let misused = run_walnut(
        "http://127.0.0.1:9",
        "",
        "",
        &["doctor", "-nothing"],
        dir.path(),
    )
    .await;
    assert_eq!(misused.code, 2, "{misused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_was_given_up_is_found() {
    let world = World::scripted().await;
    let script = json!({ "fail": "no" });
    let body = json!({ "fee": 0, "callback": SCRIPTED, "script": script });
    let id = world.shop.create(body).await;
    let host = world.host;
    let key = host.root_key().to_owned();
    host.logged("callback failed").await;
    // Its last try is days away: the store is told that it was.
    let killed = host.kill().await;
    let file = killed.data_root().join("var/payment/payments.db");
    let store = rusqlite::Connection::open(file).unwrap();
    let sql = "UPDATE delivery SET state = 'DEAD', ended_ms = 1";
    assert_eq!(store.execute(sql, []).unwrap(), 1, "{id}");
    drop(store);
    let host = killed.restart().await;
    let (code, said, findings) = looked_over(&host, &key, &[]).await;
    assert_eq!(
        (code, codes(&findings, "wrong")),
        (1, vec!["d.deliveries.dead".to_owned()]),
        "{said}"
    );
}
