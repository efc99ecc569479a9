//! `/pay/callback`: what is kept, what is refused, and which content a payment is bound to.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::how_many;
use crate::world::{Answer, Host, RECORD_SALE, Shop, World};

/// A component that wants what nobody gives it.
const WANTS_A_FILE: &str = r#"(component
    (import "wasi:filesystem/preopens@0.2.0" (instance (export "get-directories" (func))))
    (import "walnut:pay/settings@0.1.0" (instance (export "get" (func (param "name" string) (result (option string))))))
    (core module $m (func (export "run")))
    (core instance $i (instantiate $m))
    (func (export "run") (canon lift (core func $i "run"))))"#;

/// A component that is as empty as can be.
const EMPTY: &str = "(component)";

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Asks for exactly this path.
async fn raw(host: &Host, path: &str, key: &str) -> String {
    let address = host.url().trim_start_matches("http://");
    let mut line = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Connection: close\r\n\r\n"
    );
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn put(shop: &Shop, name: &str, content: &[u8]) -> Answer {
    shop.put_bytes(&format!("/pay/callback/{name}"), content)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_refused_with_the_reason() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let mut large = walnut_bundle::RECORD_SALE.to_vec();
    large.resize((32 << 20) + 1, 0);
    let long = vec![b' '; (256 << 10) + 1];
    let mut cut = walnut_bundle::RECORD_SALE.to_vec();
    cut.truncate(cut.len() / 2);
    let provider = walnut_bundle::providers()[0].bytes;
    for (content, words) in [
        (&b""[..], &["the content is empty"][..]),
        (
            b"\x7fELF\0\0\0\0",
            &["neither a WebAssembly component nor text"],
        ),
        (b"\xff\xfer\0e\0t\0u\0r\0n\0", &["save a script as UTF-8"]),
        (&long, &["262145 bytes", "262144"]),
        (b"\0asm\x0d\0\x01\0\xff", &["not valid"]),
        (&cut, &["not valid"]),
        (
            &wasm("(module)"),
            &["core module", "wasm-tools component new"],
        ),
        (&wasm(EMPTY), &["`run`"]),
        (
            &wasm(WANTS_A_FILE),
            &[
                "`wasi:filesystem/preopens@0.2.0`",
                "`walnut:pay/settings@0.1.0`",
                "there is no WASI here",
            ],
        ),
        (provider, &["`run`"]),
        (&large, &["33554433 bytes", "33554432"]),
    ] {
        let answer = put(&shop, "sale", content).await;
        let refusal = answer.refusal();
        assert_eq!(refusal, (422, "e.pay.callback.refused".to_owned()));
        let msg = answer.json()["msg"].as_str().unwrap().to_owned();
        for word in words {
            assert!(msg.contains(word), "{msg}");
        }
    }
    let larger = vec![b' '; (48 << 20) + 1];
    let refusal = put(&shop, "sale", &larger).await.refusal();
    assert_eq!(refusal, (413, "e.http.tooLarge".to_owned()));

    assert_eq!(shop.get("/pay/callback").await.data(), json!([]));
    let missing = shop.get("/pay/callback/sale").await.refusal();
    assert_eq!(missing, (404, "e.pay.callback.noexists".to_owned()));
    assert!(
        !host.data_root().join("home").exists(),
        "a refusal leaves nothing behind"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_nowhere_but_to_a_callback() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let long = "x".repeat(65);
    for name in [
        "..%2Fx",
        "..%2f..%2f..%2f..%2fmaster.key",
        "%2Fetc%2Fpasswd",
        "a%2Fb",
        "a%5Cb",
        "a%00b",
        "a%0Ab",
        "a%20b",
        ".hidden",
        "-dash",
        "_line",
        "%20",
        "%E6%94%AF%E4%BB%98",
        &long,
    ] {
        let path = format!("/pay/callback/{name}");
        for answer in [
            shop.put_bytes(&path, walnut_bundle::RECORD_SALE).await,
            shop.get(&path).await,
            shop.delete(&path).await,
            shop.post(&path, json!({ "content_base64": "" })).await,
            shop.post(&format!("{path}/test"), json!({})).await,
        ] {
            assert_eq!(
                answer.refusal(),
                (400, "e.pay.invalid.name".to_owned()),
                "{name}"
            );
            let msg = answer.json()["msg"].as_str().unwrap().to_owned();
            assert!(msg.contains("a letter or digit first"), "{name}: {msg}");
        }
    }
    // Clients tidy these up before they send them; whoever means harm does not.
    for name in ["..", ".", "%2e%2e", "../../master.key"] {
        let answer = raw(&host, &format!("/pay/callback/{name}"), shop.key()).await;
        let refused = ["HTTP/1.1 400 ", "HTTP/1.1 404 "]
            .iter()
            .any(|status| answer.starts_with(status));
        assert!(refused, "{name}: {answer}");
    }
    assert!(!host.data_root().join("home").exists());
    for name in ["a", "Z.9_-", "record-sale.v2", "test", &"x".repeat(64)] {
        put(&shop, name, walnut_bundle::RECORD_SALE).await.data();
        let kept = shop.get(&format!("/pay/callback/{name}")).await;
        assert_eq!(kept.bytes, walnut_bundle::RECORD_SALE, "{name}");
        shop.delete(&format!("/pay/callback/{name}")).await.data();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_are_kept_listed_replaced_and_deleted() {
    let host = Host::start().await;
    let (shop, rival) = (host.domain("shop").await, host.domain("rival").await);
    let kept = put(&shop, "sale", walnut_bundle::RECORD_SALE).await.data();
    assert_eq!(kept["name"], "sale");
    assert_eq!(kept["len"], walnut_bundle::RECORD_SALE.len());
    assert_eq!(kept["sha256"].as_str().unwrap().len(), 64);
    put(&shop, "audit", walnut_test_guests::SCRIPTED)
        .await
        .data();
    let replaced = put(&shop, "sale", walnut_test_guests::SCRIPTED)
        .await
        .data();
    assert_ne!(replaced["sha256"], kept["sha256"]);
    let names = |listed: Value| -> Vec<String> {
        let listed = listed.as_array().unwrap().iter();
        listed
            .map(|file| file["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let listed = shop.get("/pay/callback").await.data();
    assert_eq!(
        (&listed[1]["sha256"], &listed[1]["version"]),
        (&replaced["sha256"], &serde_json::json!(2))
    );
    assert_eq!(names(listed), ["audit", "sale"]);
    assert_eq!(rival.get("/pay/callback").await.data(), json!([]));
    // The operator names whose.
    let root = host.root();
    let listed = root.get("/pay/callback?domain=shop").await.data();
    assert_eq!(names(listed), ["audit", "sale"]);
    root.put_bytes(
        "/pay/callback/sale?domain=rival&test=true",
        walnut_bundle::RECORD_SALE,
    )
    .await
    .data();
    let theirs = rival.get("/pay/callback/sale").await;
    assert_eq!(theirs.bytes, walnut_bundle::RECORD_SALE);
    let mine = shop.get("/pay/callback/sale").await;
    assert_eq!(mine.bytes, walnut_test_guests::SCRIPTED);
    assert_eq!(
        root.get("/pay/callback").await.refusal(),
        (400, "e.pay.invalid".to_owned())
    );

    shop.delete("/pay/callback/sale").await.data();
    for answer in [
        shop.get("/pay/callback/sale").await,
        shop.delete("/pay/callback/sale").await,
    ] {
        assert_eq!(
            answer.refusal(),
            (404, "e.pay.callback.noexists".to_owned())
        );
    }
    assert_eq!(names(shop.get("/pay/callback").await.data()), ["audit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_stays_with_the_content_that_it_was_created_with() {
    let world = World::start().await;
    let shop = &world.shop;
    let body = json!({ "callback": RECORD_SALE, "script": { "fail": "the later one ran" } });
    let (id, code) = world.sent_with(body).await;
    let created = shop.payment(&id).await;
    assert_eq!(created["len"], walnut_bundle::RECORD_SALE.len());

    shop.put_callback(RECORD_SALE, walnut_test_guests::SCRIPTED)
        .await;
    let later = shop.create(json!({ "callback": RECORD_SALE })).await;
    assert_eq!(
        shop.payment(&later).await["len"],
        walnut_test_guests::SCRIPTED.len()
    );
    shop.delete(&format!("/pay/callback/{RECORD_SALE}"))
        .await
        .data();
    let content = |id: String| {
        let shop = shop.clone();
        async move { shop.get(&format!("/pay/ajax/content?id={id}")).await.bytes }
    };
    assert_eq!(content(id.clone()).await, walnut_bundle::RECORD_SALE);
    assert_eq!(content(later).await, walnut_test_guests::SCRIPTED);
    for field in ["len", "callback"] {
        assert_eq!(shop.payment(&id).await[field], created[field]);
    }
    world.alipay.pay(&code).await.unwrap();
    assert_eq!(shop.until_applied(&id).await["apply_re"]["recorded"], true);

    // Without a callback there is nothing to read, and nothing runs.
    let none = shop.create(json!({ "callback": "" })).await;
    assert_eq!(shop.payment(&none).await["len"], 0);
    assert!(content(none).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_what_cannot_run_is_refused() {
    let world = World::start().await;
    let shop = &world.shop;
    let path = format!("/pay/callback/{RECORD_SALE}/test");
    for (path, body, expected) in [
        (path.as_str(), "{", (400, "e.pay.invalid")),
        (path.as_str(), "[]", (400, "e.pay.invalid")),
        (
            "/pay/callback/nowhere/test",
            "{}",
            (404, "e.pay.callback.noexists"),
        ),
        ("/pay/callback/test", "", (400, "e.pay.invalid")),
        ("/pay/callback/test", "{}", (400, "e.pay.invalid")),
        (
            "/pay/callback/test",
            r#"{"content_base64":"?"}"#,
            (400, "e.pay.invalid"),
        ),
        (
            "/pay/callback/test",
            r#"{"content_base64":"/w=="}"#,
            (422, "e.pay.callback.refused"),
        ),
    ] {
        let (status, code) = shop.post_bytes(path, body.as_bytes()).await.refusal();
        assert_eq!((status, code.as_str()), expected, "{path} {body}");
    }
    assert_eq!(how_many(shop).await, 0);
}
