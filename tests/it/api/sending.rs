//! `send`: what it refuses before anything reaches the platform, and what it repeats.

use serde_json::{Value, json};

use super::Ask;
use crate::world::{Answer, Shop, World};

async fn send(shop: &Shop, body: &Value) -> Answer {
    shop.post("/pay/ajax/send", body.clone()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_send_cannot_take_reaches_nobody() {
    let world = World::start().await;
    let shop = &world.shop;
    let id = shop.create(json!({})).await;
    let with = |more: Value| {
        let mut body = json!({ "id": id, "pay_tp": "zfb.qrcode" });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let invalid = (400, "e.pay.invalid");
    for (body, expected, word) in [
        (json!({}), invalid, "id"),
        (json!({ "id": id }), invalid, "pay_tp"),
        (json!({ "pay_tp": "zfb.qrcode" }), invalid, "id"),
        (json!([]), invalid, "id"),
        (json!("zfb.qrcode"), invalid, "it is not at line 1"),
        (with(json!({ "id": "" })), invalid, "32 hex digits"),
        (
            with(json!({ "id": format!("{id}0") })),
            invalid,
            "32 hex digits",
        ),
        (
            with(json!({ "id": id.replace(|_| true, "x") })),
            invalid,
            "32 hex digits",
        ),
        (with(json!({ "id": 5 })), invalid, "it is not at line 1"),
        (with(json!({ "target": "main" })), invalid, "pay_target"),
        (
            with(json!({ "args": "2812345" })),
            invalid,
            "a list of texts",
        ),
        (
            with(json!({ "args": vec!["x"; 17] })),
            invalid,
            "16 arguments",
        ),
        (
            with(json!({ "args": ["x".repeat(1025)] })),
            invalid,
            "1024 bytes",
        ),
        (
            with(json!({ "pay_tp": "" })),
            (400, "e.pay.no3x"),
            "no provider",
        ),
        (
            with(json!({ "pay_tp": "zfb" })),
            (400, "e.pay.no3x"),
            "\"zfb\"",
        ),
        (
            with(json!({ "pay_tp": "wx.nothing" })),
            (400, "e.pay.no3x"),
            "wx.nothing",
        ),
        (
            with(json!({ "pay_tp": "free" })),
            (409, "e.pay.send.notOffered"),
            "zfb.qrcode main",
        ),
        (
            with(json!({ "pay_target": "other" })),
            (409, "e.pay.send.notOffered"),
            "zfb.qrcode main",
        ),
        (
            with(json!({ "pay_target": "../main" })),
            (409, "e.pay.send.notOffered"),
            "../main",
        ),
    ] {
        let answer = send(shop, &body).await;
        let (status, code) = answer.refusal();
        assert_eq!((status, code.as_str()), expected, "{body}");
        let msg = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(msg.contains(word), "{body}: {msg}");
    }
    // Not JSON, not called so, and too much of it.
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = shop.request(reqwest::Method::POST, "/pay/ajax/send");
        Shop::answer(request.header("Content-Type", kind).body(body))
    };
    let json = "application/json";
    for (kind, body, expected) in [
        (json, b"{".to_vec(), (400, "e.pay.invalid")),
        (
            json,
            b"id=x&pay_tp=zfb.qrcode".to_vec(),
            (400, "e.pay.invalid"),
        ),
        (json, b"\xff\xfe".to_vec(), (400, "e.pay.invalid")),
        (json, vec![b' '; 256 * 1024 + 1], (413, "e.http.tooLarge")),
        ("text/plain", b"{}".to_vec(), (415, "e.http.mediaType")),
    ] {
        let (status, code) = post(kind, body).await.refusal();
        assert_eq!((status, code.as_str()), expected);
    }
    let twice = format!(r#"{{"id":"{id}","pay_tp":"zfb.qrcode","pay_tp":"free"}}"#);
    assert_eq!(post(json, twice.into_bytes()).await.refusal().0, 400);

    assert_eq!(shop.payment(&id).await["st"], "NEW");
    assert_eq!(shop.causes(&id).await, ["create"]);
    assert!(world.alipay.requests().is_empty());
    assert_eq!(shop.send(&id).await.data()["status"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_sent_by_one_way_at_a_time() {
    let world = World::start().await;
    let shop = &world.shop;
    shop.put_target("zfb", "second", &world.alipay, &world.account)
        .await;
    let id = shop.create(json!({})).await;
    let by = |target: &str| json!({ "id": id, "pay_tp": "zfb.qrcode", "pay_target": target });
    let sent = send(shop, &by("second")).await.data();
    assert_eq!(send(shop, &by("second")).await.data(), sent);
    let refusal = send(shop, &by("main")).await.refusal();
    assert_eq!(refusal, (409, "e.pay.send.switch".to_owned()));
    assert_eq!(shop.payment(&id).await["pay_target"], "second");
    assert_eq!(
        shop.causes(&id).await,
        ["create", "send", "sent", "end", "end given up"],
        "the platform cannot close a code that nobody scanned"
    );

    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    shop.until_state(&id, "OK").await;
    for target in ["second", "main", "never"] {
        let again = send(shop, &by(target)).await.data();
        assert_eq!(again["status"], "OK", "what is done is repeated");
        assert_eq!(again["data"], json!(null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_taken_in_each_of_its_forms() {
    let world = World::start().await;
    let (id, _) = world.sent().await;
    let dashed = format!(
        "{}-{}-{}-{}-{}",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    );
    for form in [
        id.clone(),
        id.to_uppercase(),
        dashed.clone(),
        dashed.to_uppercase(),
    ] {
        for verb in ["get", "check", "history", "content", "deliveries"] {
            let answer = world.shop.get(&format!("/pay/ajax/{verb}?id={form}")).await;
            assert_eq!(answer.status, 200, "{verb} {form}");
        }
        assert_eq!(world.shop.payment(&form).await["id"], id);
    }
    for verb in ["get", "check", "history", "content"] {
        for query in ["", "?id=", "?id=x", "?id=%00", &format!("?id={id}&id={id}")] {
            let ask = Ask::get(format!("/pay/ajax/{verb}{query}"));
            let refusal = ask.by(&world.shop).await.refusal();
            assert_eq!(refusal, (400, "e.pay.invalid".to_owned()), "{ask:?}");
        }
    }
}
