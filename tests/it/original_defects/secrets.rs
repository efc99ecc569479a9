//! Where keys are, and where they are not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::world::{RECORD_SALE, World};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_17_keys_are_sealed_and_no_signed_request_is_kept_or_shown() {
    let world = World::start().await;
    let shop = &world.shop;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    let mut shown = Vec::new();
    let look = async || {
        let mut all = Vec::new();
        for verb in ["get", "check", "history", "deliveries", "query"] {
            let query = if verb == "query" {
                String::new()
            } else {
                format!("?id={id}")
            };
            all.extend(shop.get(&format!("/pay/ajax/{verb}{query}")).await.bytes);
        }
        all.extend(shop.get("/pay/target/zfb/main").await.bytes);
        let line = ["pay", "get", &id];
        all.extend(world.host.walnut(shop.key(), &line).await.out.into_bytes());
        all
    };
    shown.extend(look().await);
    world.alipay.pay(&code).await.unwrap();
    shop.until_applied(&id).await;
    shown.extend(look().await);

    let private = world.account.merchant_private_key();
    let der = STANDARD.decode(private).unwrap();
    let middle = der.len() / 2;
    let signatures: Vec<String> = world
        .alipay
        .requests()
        .iter()
        .map(|request| request.parameters["sign"].clone())
        .collect();
    assert!(!signatures.is_empty());
    let mut secrets = vec![
        ("the key as text", private.as_bytes()[100..160].to_vec()),
        ("the key", der[middle..middle + 40].to_vec()),
    ];
    for signature in signatures {
        let encoded: String = form_urlencoded::byte_serialize(signature.as_bytes()).collect();
        let raw = STANDARD.decode(&signature).unwrap();
        secrets.push(("a request's signature", signature.into_bytes()));
        secrets.push(("a request's signature in a form", encoded.into_bytes()));
        secrets.push(("a request's signature as bytes", raw));
    }
    let root = world.host.data_root();
    let kept = files(&root);
    let sealed = kept.iter().any(|file| file.ends_with("secrets.sealed"));
    assert!(sealed, "{kept:?}");
    for (what, secret) in &secrets {
        assert!(!contains(&shown, secret), "{what} is shown");
        for file in &kept {
            let content = std::fs::read(file).unwrap();
            assert!(
                !contains(&content, secret),
                "{what} lies in {}",
                file.display()
            );
        }
    }
    assert!(!contains(&shown, b"biz_content"), "a request is shown");

    // Nobody but the host's own user reads what opens the seals.
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    for key in ["master.key", "root.key"] {
        assert_eq!(mode(&root.join(key)), 0o600, "{key}");
    }
}
