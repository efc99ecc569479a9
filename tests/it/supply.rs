//! What walnut is made of is known: every dependency has its reason, and a provider its author where the operator asks for one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use walnut_test_guests::LIAR;

use crate::world::{Host, Shop, run_walnut};

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
