//! What walnut is made of is known: every dependency has its reason, and a provider its author where the operator asks for one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use walnut_test_guests::LIAR;

use crate::world::{Host, Shop, World, run_walnut};

const PAGE: &str = include_str!("../../docs/dependencies.md");
const WORKSPACE: &str = include_str!("../../Cargo.toml");
const SCRIPT: &str = include_str!("../../plugins/script/Cargo.toml");
const COMPARED: [&str; 2] = [
    include_str!("../compare/Cargo.toml"),
    include_str!("../compare/guest/Cargo.toml"),
];

/// What a manifest names in its sections for dependencies, besides our own crates.
fn named(manifest: &str) -> BTreeSet<&str> {
    let sections = manifest.split("\n[").filter(|section| {
        let head = section.lines().next().unwrap_or_default();
        head.ends_with("dependencies]")
    });
    let lines = sections.flat_map(|section| section.lines().skip(1));
    let lines = lines.filter(|line| !line.starts_with([' ', '#', ']', '"']));
    lines
        .filter(|line| !line.contains("path = "))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect()
}

/// What the page's tables name below a heading.
fn told(heading: &str) -> BTreeSet<&'static str> {
    let (_, section) = PAGE.split_once(heading).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (name, why) = row.split_once("` |").unwrap();
        assert!(
            why.trim_matches([' ', '|']).len() > 5,
            "{name} has no reason"
        );
        name
    })
    .collect()
}

#[test]
fn every_dependency_has_its_reason() {
    assert_eq!(told("## The host, its plugins and tests"), named(WORKSPACE));
    assert_eq!(told("## The component that runs scripts"), named(SCRIPT));
    let compared: BTreeSet<&str> = COMPARED.into_iter().flat_map(named).collect();
    let others: BTreeSet<&str> = compared.difference(&named(WORKSPACE)).copied().collect();
    assert_eq!(told("## What it is measured against"), others);
}

async fn add(root: &Shop, component: &[u8]) -> crate::world::Answer {
    let looked_at = root.post_bytes("/pay/provider/inspect", component).await;
    if looked_at.status != 200 {
        return looked_at;
    }
    let digest = looked_at.data()["digest"].as_str().unwrap().to_owned();
    let admit = format!("/pay/provider?digest={digest}");
    root.put_bytes(&admit, component).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_takes_components_of_the_authors_that_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(file("liar.wasm"), LIAR).unwrap();
    // Nobody is asked: there is no host yet.
    let walnut =
        async |args: &[&str]| run_walnut("http://127.0.0.1:9", "", "", args, dir.path()).await;
    let new_key = async |name: &str| walnut(&["provider", "new-key", &file(name)]).await;
    let (made, stranger) = (new_key("author.pem").await, new_key("stranger.pem").await);
    assert_eq!((made.code, stranger.code), (0, 0), "{}", made.err);
    let author = made.out.trim().to_owned();
    assert_eq!(author.len(), 64, "{author}");
    // A key that is there stays.
    assert_ne!(new_key("author.pem").await.code, 0);
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(file("author.pem")).unwrap());
    assert_eq!(mode & 0o077, 0, "others may read the key");
    let sign = async |key: &str, to: &str| {
        let (from, key, to) = (file("liar.wasm"), file(key), file(to));
        walnut(&["provider", "sign", &from, "--key", &key, "--to", &to]).await
    };
    assert_eq!(sign("author.pem", "signed.wasm").await.code, 0);
    assert_eq!(sign("stranger.pem", "strange.wasm").await.code, 0);
    assert_ne!(sign("liar.wasm", "nothing.wasm").await.code, 0);
    assert!(!Path::new(&file("nothing.wasm")).exists());

    let host = Host::start_with(&["--provider-key", &author]).await;
    let root = host.root();
    let refused = (422, "e.pay.provider.refused".to_owned());
    let strange = fs::read(file("strange.wasm")).unwrap();
    for (component, why) in [
        (LIAR, "is not signed"),
        (strange.as_slice(), "is signed by"),
    ] {
        let answer = add(&root, component).await;
        assert!(
            answer.json()["msg"].as_str().unwrap().contains(why),
            "{}",
            answer.json()
        );
        assert_eq!(answer.refusal(), refused);
    }
    let signed = fs::read(file("signed.wasm")).unwrap();
    let mut changed = signed.clone();
    let at = changed.len() - 200;
    changed[at] ^= 1;
    assert_ne!(add(&root, &changed).await.status, 200);
    let looked_at = root
        .post_bytes("/pay/provider/inspect", &signed)
        .await
        .data();
    assert_eq!(looked_at["author"], author);
    assert_eq!(add(&root, &signed).await.data()["name"], "liar");
    // What comes with the host needs no signature.
    let listed = root.get("/pay/provider").await.data().to_string();
    assert!(
        listed.contains("\"zfb\"") && listed.contains("\"liar\""),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_may_not_run_any_more_is_told_of_and_stops_nothing_else() {
    let World {
        host,
        alipay,
        account,
        shop,
    } = World::start().await;
    assert_eq!(add(&host.root(), LIAR).await.data()["name"], "liar");
    shop.put_target("liar", "main", &alipay, &account).await;
    let (begun, paid) = (shop.create(json!({})).await, shop.create(json!({})).await);
    shop.send_by(&begun, "liar.qrcode").await.data();
    let sent = shop.send_by(&paid, "zfb.qrcode").await.data();

    // From now on the operator asks for an author whom nobody has.
    let author = "ab".repeat(32);
    let host = host.kill().await;
    let host = host.restart_with(&["--provider-key", &author]).await;
    let root = host.root();
    let ran = host.walnut(host.root_key(), &["doctor", "-json"]).await;
    let said: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let findings = said["findings"].as_array().unwrap();
    let codes: Vec<&str> = findings
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    let unsigned = |code: &&&str| **code == "d.provider.unsigned";
    assert_eq!(codes.iter().filter(unsigned).count(), 1, "{said}");
    // The rest was looked at too, and nothing is told twice.
    assert!(codes.contains(&"d.root.key"), "{said}");
    for other in ["d.host.refuses", "d.target.unusable", "d.provider.unusable"] {
        assert!(!codes.contains(&other), "{said}");
    }
    assert_eq!(ran.code, 1);
    let listed = host.walnut(host.root_key(), &["provider", "list"]).await;
    let lines: Vec<&str> = listed.out.lines().collect();
    let of_liar = lines.iter().position(|line| line.starts_with("liar "));
    let of_liar = of_liar.unwrap_or_else(|| panic!("{listed:?}"));
    assert_eq!(
        lines[of_liar + 1],
        "  does not run: the component is not signed"
    );
    assert_eq!(listed.out.matches("does not run").count(), 1, "{listed:?}");

    // Whoever pays by it hears what is wrong, and by whom it is set right.
    let unusable = (503, "e.pay.provider.unusable".to_owned());
    let new = shop.create(json!({})).await;
    for answer in [
        shop.send_by(&new, "liar.qrcode").await,
        shop.check(&begun).await,
        shop.post("/pay/target/liar/main/test", json!({})).await,
    ] {
        let msg = answer.json()["msg"].as_str().unwrap_or_default().to_owned();
        assert!(
            msg.contains("the provider liar") && msg.contains("operator"),
            "{msg}"
        );
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(answer.refusal(), unusable);
    }
    // Everybody else goes on.
    alipay.pay(sent["data"].as_str().unwrap()).await.unwrap();
    shop.until_state(&paid, "OK").await;
    let sent = shop.send_by(&new, "zfb.qrcode").await.data();
    assert_eq!(sent["status"], "WAIT", "{sent}");

    // Programs read why too.
    let listed = root.get("/pay/provider").await.data();
    for provider in listed.as_array().unwrap() {
        let refused = match provider["name"] == "liar" {
            true => json!("the component is not signed"),
            false => Value::Null,
        };
        assert_eq!(provider["refused"], refused, "{provider}");
    }
}
