//! What nobody knows yet: a sending that failed, a platform that is silent, a notification that was lost.

use std::sync::Arc;

use serde_json::json;
use walnut_sandbox::alipay::{
    AnswerFault, Misbehaviour, Notice, NotificationFault, SignatureCheck,
};

use crate::world::World;

const PRECREATE: &str = "alipay.trade.precreate";

#[tokio::test(flavor = "multi_thread")]
async fn defect_14_a_failed_sending_can_be_sent_again() {
    let world = World::start().await;
    for (fault, ordered) in [
        (AnswerFault::HangUp { processed: false }, false),
        (AnswerFault::HangUp { processed: true }, true),
        (AnswerFault::SystemError { processed: false }, false),
        (AnswerFault::Truncated, true),
    ] {
        let id = world.shop.create(json!({})).await;
        world.alipay.misbehave(
            Misbehaviour::always(fault.clone())
                .for_trade(&id)
                .for_operation(PRECREATE),
        );
        let refusal = world.shop.send(&id).await.refusal();
        assert_eq!(refusal, (502, "e.pay.send.unknown".to_owned()), "{fault:?}");
        assert_eq!(world.shop.payment(&id).await["st"], "WAIT");
        assert_eq!(world.alipay.trade(&id).is_some(), ordered, "{fault:?}");

        world.alipay.behave();
        let sent = world.shop.send(&id).await.data();
        assert_eq!(sent["dataType"], "QRCODE", "{fault:?}: {sent}");
        let code = sent["data"].as_str().unwrap();
        world.alipay.pay(code).await.unwrap();
        world.shop.until_state(&id, "OK").await;
        let orders: Vec<_> = world
            .alipay
            .requests()
            .into_iter()
            .filter(|request| request.out_trade_no.as_ref() == Some(&id))
            .filter(|request| request.operation.as_deref() == Some(PRECREATE))
            .map(|request| request.parameters["biz_content"].clone())
            .collect();
        assert!(
            orders.windows(2).all(|two| two[0] == two[1]),
            "the same order: {orders:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_15_check_finds_what_was_paid_and_no_pay_type_is_null() {
    let world = World::start().await;
    let (id, code) = world.sent().await;
    assert_eq!(world.shop.check(&id).await.data()["st"], "WAIT");
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.pay(&code).await.unwrap();
    loop {
        let checked = world.shop.check(&id).await.data();
        if checked["st"] == "OK" {
            assert_eq!(checked["zfb"]["trade_no"], id);
            break;
        }
        assert_eq!(checked["st"], "WAIT");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(world.alipay.notifications().is_empty());
    let unsent = world.shop.create(json!({})).await;
    // The domain has no account at WeChat Pay, and the till read no code: each is said, and nothing is null.
    for (pay_tp, refusal) in [
        ("wx.qrcode", (409, "e.pay.send.notOffered")),
        ("wx.jsapi", (409, "e.pay.send.notOffered")),
        ("wx.scan", (409, "e.pay.send.notOffered")),
        ("ali.scan", (400, "e.pay.no3x")),
        ("zfb.scan", (400, "e.pay.send.invalid")),
    ] {
        let (status, code) = world.shop.send_by(&unsent, pay_tp).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{pay_tp}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_16_signatures_are_rsa_verified_here_and_nobody_waits_for_ever() {
    let world = Arc::new(World::start().await);
    let (id, _) = world.sent().await;
    // There is no shared secret to sign with, neither in the settings nor in a scheme.
    let providers = world.shop.get("/pay/provider").await;
    let listed = providers.data();
    let alipay = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|provider| provider["name"] == "zfb");
    let text = alipay.unwrap().to_string();
    assert!(text.contains("RSA, SHA-256") && !text.to_uppercase().contains("MD5"));
    let astray = Notice::genuine().to(format!("{}/astray", world.alipay.url()));
    let genuine = world.alipay.notify(&id, &astray).await.unwrap().body;
    let fields = form_urlencoded::parse(genuine.as_bytes());
    for (sign_type, sign) in [
        ("MD5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("RSA2", "d41d8cd98f00b204e9800998ecf8427e"),
        ("RSA", ""),
    ] {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields.map(|(name, value)| match &*name {
                "sign_type" => (name, sign_type.into()),
                "sign" => (name, sign.into()),
                _ => (name, value),
            }))
            .finish();
        let path = format!("/pay/re/{id}");
        let request = world
            .shop
            .keyless(reqwest::Method::POST, &path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = crate::world::Shop::answer(request).await;
        assert_eq!(answer.bytes, b"fail", "{sign_type}");
    }
    assert_eq!(world.shop.payment(&id).await["st"], "WAIT");

    // A platform that never answers costs its own payment some seconds, and nobody else anything.
    let silent = world.shop.create(json!({})).await;
    world.alipay.misbehave(
        Misbehaviour::always(AnswerFault::Silent { processed: false })
            .for_trade(&silent)
            .for_operation(PRECREATE),
    );
    let waiting = tokio::spawn({
        let (world, silent) = (Arc::clone(&world), silent.clone());
        async move { world.shop.send(&silent).await }
    });
    world
        .alipay
        .until(|alipay| {
            let mut requests = alipay.requests().into_iter();
            requests.find(|request| request.out_trade_no.as_ref() == Some(&silent))
        })
        .await;
    let (other, code) = world.sent().await;
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&other, "OK").await;
    assert!(!waiting.is_finished(), "the platform is still silent");
    let answer = waiting.await.unwrap();
    assert_eq!(answer.refusal(), (502, "e.pay.send.unknown".to_owned()));

    // Nothing was ever asked but about trades, and all of it signed by RSA.
    for request in world.alipay.requests() {
        let operation = request.operation.as_deref();
        assert!(
            matches!(operation, Some(PRECREATE | "alipay.trade.query")),
            "{request:?}"
        );
        assert_eq!(request.parameters["sign_type"], "RSA2");
        assert_eq!(request.signature, SignatureCheck::Valid, "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_18_a_lost_notification_is_healed_without_anybody_asking_for_it() {
    let world = World::start().await;
    let (id, code) = world.sent().await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.pay(&code).await.unwrap();
    let paid = world.shop.until_state(&id, "OK").await;
    assert_eq!(paid["zfb"]["trade_no"], id);
    let history = world.shop.history(&id).await;
    let last = history.last().unwrap();
    assert_eq!(
        (&last["cause"], &last["to"]),
        (&json!("check"), &json!("OK"))
    );
    assert!(
        last["statement"].is_string(),
        "by a statement of the platform"
    );
}
