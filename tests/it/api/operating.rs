//! What the operator does: domains, their keys, and the provider components.

use serde_json::{Value, json};
use walnut_test_guests::LIAR;

use crate::world::{Host, Shop, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_has_a_plain_name_and_has_it_alone() {
    let host = Host::start().await;
    let root = host.root();
    let add = |body: Value| root.post("/pay/domain", body);
    let long = "x".repeat(64);
    for name in [
        "", "Shop", "a b", "../x", "a/b", "-a", "a_b", "店", &long, "a\0b",
    ] {
        let refusal = add(json!({ "name": name })).await.refusal();
        assert_eq!(refusal, (400, "e.pay.invalid.name".to_owned()), "{name:?}");
    }
    for body in [
        json!({}),
        json!({ "name": 5 }),
        json!({ "nm": "shop" }),
        json!({ "name": "shop", "id": "1" }),
        json!(null),
        json!("shop"),
    ] {
        let refusal = add(body.clone()).await.refusal();
        assert_eq!(refusal, (400, "e.pay.invalid".to_owned()), "{body}");
    }
    assert_eq!(root.get("/pay/domain").await.data(), json!([]));

    let shop = add(json!({ "name": "shop" })).await.data();
    assert_eq!(shop["name"], "shop");
    let again = add(json!({ "name": "shop" })).await.refusal();
    assert_eq!(again, (409, "e.pay.exists".to_owned()));
    add(json!({ "name": "0day-2" })).await.data();
    let listed = root.get("/pay/domain").await.data();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1], shop, "by name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_ends_at_once() {
    let host = Host::start().await;
    let (root, shop) = (host.root(), host.domain("shop").await);
    for (path, body, expected) in [
        (
            "/pay/domain/nowhere/key",
            json!({}),
            (404, "e.pay.notFound"),
        ),
        (
            "/pay/domain/..%2Fshop/key",
            json!({}),
            (404, "e.pay.notFound"),
        ),
        (
            "/pay/domain/shop/key",
            json!({ "test": "yes" }),
            (400, "e.pay.invalid"),
        ),
        (
            "/pay/domain/shop/key",
            json!({ "live": true }),
            (400, "e.pay.invalid"),
        ),
        ("/pay/key", json!({}), (400, "e.pay.invalid")),
        (
            "/pay/key",
            json!({ "role": "domain" }),
            (400, "e.pay.invalid"),
        ),
    ] {
        let (status, code) = root.post(path, body.clone()).await.refusal();
        assert_eq!((status, code.as_str()), expected, "{path} {body}");
    }
    let live = root.post("/pay/domain/shop/key", json!({})).await.data();
    assert_eq!(live["test"], false);
    let key = live["key"].as_str().unwrap();
    assert!(key.starts_with("wk_live_"));
    let listed = root.get("/pay/domain/shop/key").await;
    let text = String::from_utf8(listed.bytes.clone()).unwrap();
    let secret = key.splitn(4, '_').nth(3).unwrap();
    assert!(!text.contains(secret) && !text.contains("hash"), "{text}");
    let tests: Vec<_> = listed
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["test"].as_bool().unwrap())
        .collect();
    assert_eq!(tests, [true, false]);

    let owner = shop.with_key(key);
    owner.create(json!({})).await;
    let path = format!("/pay/key/{}", live["id"].as_str().unwrap());
    let rival = host.domain("rival").await;
    for stranger in [&rival, &shop] {
        assert_eq!(
            stranger.delete(&path).await.refusal(),
            (404, "e.pay.notFound".to_owned()),
            "another domain's key, and one for tests"
        );
    }
    assert_eq!(root.delete(&path).await.data()["revoked"], true);
    let refusal = owner.get("/pay/ajax/query").await.refusal();
    assert_eq!(refusal, (401, "e.auth.required".to_owned()));
    assert_eq!(
        root.delete(&path).await.refusal(),
        (404, "e.pay.notFound".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_read_first_and_then_approved_as_it_was_read() {
    let world = World::start().await;
    let root = world.host.root();
    let names = async |caller: &Shop| -> Vec<String> {
        let listed = caller.get("/pay/provider").await.data();
        let listed = listed.as_array().unwrap().iter();
        listed
            .map(|provider| provider["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&root).await, ["free", "paypal", "wx", "zfb"]);
    assert_eq!(names(&world.shop).await, ["free", "paypal", "wx", "zfb"]);
    let listed = root.get("/pay/provider").await.data();
    assert_eq!(
        listed[3]["pay_types"],
        json!(["zfb.page", "zfb.qrcode", "zfb.scan", "zfb.wap"])
    );
    assert_eq!(
        listed[3]["settings"]["properties"]["app_private_key"]["writeOnly"],
        true
    );
    let words = listed[3]["words"].as_array().unwrap();
    assert!(
        words
            .iter()
            .any(|line| line.as_str().unwrap().contains("openapi.alipay.com")),
        "{words:?}"
    );

    let seen = root.post_bytes("/pay/provider/inspect", LIAR).await.data();
    let name = seen["name"].as_str().unwrap();
    let digest = seen["digest"].as_str().unwrap();
    assert_eq!(
        names(&root).await,
        ["free", "paypal", "wx", "zfb"],
        "looking keeps nothing"
    );

    let (core, bare) = ("(module)", "(component)");
    let callback = walnut_bundle::RECORD_SALE.to_vec();
    let large = vec![0; (32 << 20) + 1];
    for (component, word) in [
        (b"pay".to_vec(), "text"),
        (wat::parse_str(core).unwrap(), "core module"),
        (wat::parse_str(bare).unwrap(), "walnut:pay/provider@0.1.0"),
        (callback, "walnut:pay/provider@0.1.0"),
        (large, "33554432"),
    ] {
        for answer in [
            root.post_bytes("/pay/provider/inspect", &component).await,
            root.put_bytes(&format!("/pay/provider?digest={digest}"), &component)
                .await,
        ] {
            assert_eq!(answer.refusal(), (422, "e.pay.provider.refused".to_owned()));
            let msg = answer.json()["msg"].as_str().unwrap().to_owned();
            assert!(msg.contains(word), "{word}: {msg}");
        }
    }
    let wrong = "ab".repeat(32);
    for (query, expected) in [
        (String::new(), (400, "e.pay.invalid")),
        ("?digest=".to_owned(), (400, "e.pay.invalid")),
        (format!("?digest={}", &digest[1..]), (400, "e.pay.invalid")),
        (format!("?digest={wrong}"), (422, "e.pay.provider.refused")),
    ] {
        let put = root.put_bytes(&format!("/pay/provider{query}"), LIAR).await;
        let (status, code) = put.refusal();
        assert_eq!((status, code.as_str()), expected, "{query}");
    }
    assert_eq!(names(&root).await, ["free", "paypal", "wx", "zfb"]);

    let approved = format!("/pay/provider?digest={digest}");
    let refusal = world.shop.put_bytes(&approved, LIAR).await.refusal();
    assert_eq!(refusal, (403, "e.pay.nopvg".to_owned()));
    let put = root.put_bytes(&approved, LIAR).await.data();
    assert_eq!(put["digest"], digest);
    assert!(names(&root).await.contains(&name.to_owned()));
    // From now on its name is a platform's.
    let body = json!({ "fee": 1, name: 1 });
    let refusal = world.shop.post("/pay/ajax/create", body).await.refusal();
    assert_eq!(refusal, (400, "e.pay.meta.reserved".to_owned()));
}
