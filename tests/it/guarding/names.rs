//! Names and links that would lead out of a domain's home, by the addresses of callbacks and targets.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Host, Shop, World};

/// Sends a request whose address is exactly this: clients would tidy it up. Gives the status and the body.
async fn raw(shop: &Shop, host: &Host, method: &str, address: &str, body: &str) -> (u16, String) {
    let at = host.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = format!(
        "{method} {address} HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        shop.key(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// All files and folders below a folder.
fn everything_in(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(everything_in(&path));
        }
        found.insert(path.display().to_string());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_an_address_leads_out_of_the_home() {
    let world = World::start().await;
    let (host, shop) = (&world.host, &world.shop);
    let home = host.data_root().join("home");
    let before = everything_in(&home);
    let long = "x".repeat(65);
    let longer = "x".repeat(8_000);
    let names = [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2f..%2f..%2fmaster.key",
        "..%5c..%5cmaster.key",
        "%2fetc%2fpasswd",
        "a%00",
        "a%00.js",
        "a%0d%0ab",
        "%ff",
        "%c0%ae%c0%ae",
        ".versions-record-sale",
        ".unfinished-1",
        "-rf",
        "a%20b",
        "~root",
        "*",
        // Other dots, letters that look like others, and such as turn the text around.
        "%e2%80%a4%e2%80%a4",
        "%ef%bc%8e%ef%bc%8e",
        "%e6%94%af%e4%bb%98",
        "cafe%cc%81",
        "sale%e2%80%ae",
        "%252e%252e",
        &long,
        &longer,
    ];
    let settings = json!({ "test": true, "settings": {} }).to_string();
    for name in names {
        for (method, address, body) in [
            ("GET", format!("/pay/callback/{name}"), ""),
            ("PUT", format!("/pay/callback/{name}"), "return 1"),
            ("DELETE", format!("/pay/callback/{name}"), ""),
            ("POST", format!("/pay/callback/{name}/test"), ""),
            ("GET", format!("/pay/callback/{name}/versions"), ""),
            ("GET", format!("/pay/target/zfb/{name}"), ""),
            ("GET", format!("/pay/target/{name}/main"), ""),
            ("PUT", format!("/pay/target/zfb/{name}"), &settings),
            ("PUT", format!("/pay/target/{name}/main"), &settings),
            ("DELETE", format!("/pay/target/zfb/{name}"), ""),
        ] {
            let (status, answer) = raw(shop, host, method, &address, body).await;
            assert!(
                (400..500).contains(&status),
                "{method} {address:.80}: {status} {answer}"
            );
            assert!(answer.len() < 2_000, "{method} {address:.80}: {answer}");
        }
        let body = json!({ "brief": "茶", "fee": 0, "callback": unescaped(name) });
        let refused = shop.post("/pay/ajax/create", body).await;
        assert!(
            matches!(refused.refusal().0, 400 | 404),
            "{name:.80}: {}",
            refused.json()
        );
    }
    // Nor do steps in the address itself, or another domain's name.
    let root = host.root();
    for address in [
        "/pay/callback/../../../master.key",
        "/pay/callback//etc/passwd",
        "/pay/callback?domain=../shop",
        "/pay/callback?domain=..%2f..",
        "/pay/callback/sale?domain=shop%00",
    ] {
        let (status, answer) = raw(&root, host, "GET", address, "").await;
        assert!((400..500).contains(&status), "{address}: {status} {answer}");
    }
    assert_eq!(everything_in(&home), before, "a refusal leaves no trace");
}

/// A name as a program would give it in JSON.
fn unescaped(name: &str) -> String {
    let decoded: Vec<(String, String)> = form_urlencoded::parse(format!("n={name}").as_bytes())
        .into_owned()
        .collect();
    decoded[0].1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_home_is_followed_nowhere() {
    let world = World::start().await;
    let (host, shop) = (&world.host, &world.shop);
    let rival = host.domain("rival").await;
    rival.put_callback("theirs", COMPONENT).await;
    rival
        .put_target("zfb", "main", &world.alipay, &world.account)
        .await;
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "the secret").unwrap();

    let home = host.data_root().join("home/shop/.payment");
    let callbacks = home.join("callback.test");
    let of_rival = host.data_root().join("home/rival/.payment");
    for (to, name) in [
        (secret.clone(), "outside"),
        (host.data_root().join("master.key"), "key"),
        (of_rival.join("callback.test/theirs"), "rival"),
        ("loop".into(), "loop"),
        ("/dev/zero".into(), "zero"),
    ] {
        symlink(&to, callbacks.join(name)).unwrap();
        let path = format!("/pay/callback/{name}");
        for answer in [
            shop.get(&path).await,
            shop.post(&format!("{path}/test"), Value::Null).await,
            shop.put_bytes(&path, COMPONENT).await,
            shop.post(
                "/pay/ajax/create",
                json!({ "brief": "茶", "fee": 0, "callback": name }),
            )
            .await,
        ] {
            let (status, code) = answer.refusal();
            assert_eq!((status, &*code), (500, "e.pay.internal"), "{name}");
        }
        assert!(host.log().contains("is a link or no plain file"), "{name}");
        fs::remove_file(callbacks.join(name)).unwrap();
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "the secret");

    // Whole folders: another domain's target, and all of its callbacks.
    symlink(of_rival.join("zfb/main"), home.join("zfb/stolen")).unwrap();
    let stolen = shop.get("/pay/target/zfb/stolen").await.refusal();
    assert_eq!(stolen.0, 500);
    let body = json!({ "test": true, "settings": {} });
    let put = shop.put("/pay/target/zfb/stolen", body).await;
    assert!(put.status >= 400, "{}", put.json());
    fs::remove_file(home.join("zfb/stolen")).unwrap();
    fs::rename(&callbacks, outside.path().join("moved")).unwrap();
    symlink(of_rival.join("callback.test"), &callbacks).unwrap();
    for path in ["/pay/callback", "/pay/callback/theirs"] {
        assert_eq!(shop.get(path).await.refusal().0, 500, "{path}");
    }
    let gone = shop.delete("/pay/callback/theirs").await;
    assert_eq!(gone.refusal().0, 500);
    fs::remove_file(&callbacks).unwrap();
    fs::rename(outside.path().join("moved"), &callbacks).unwrap();

    let kept = rival.get("/pay/callback/theirs").await;
    assert!(kept.bytes == COMPONENT, "{} bytes", kept.bytes.len());
    let kept = rival.get("/pay/target/zfb/main").await.data();
    assert_eq!(kept["version"], 1);
    // And with the links gone everything is as it was.
    assert_eq!(shop.get("/pay/callback").await.data()[0]["test"], true);
}
