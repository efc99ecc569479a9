//! Payments of nothing: complete at once, by a rule of the host's own, and by nothing else.

use serde_json::json;

use crate::world::{RECORD_SALE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_nothing_survives_a_crash_and_is_applied_once() {
    let mut world = World::start().await;
    let body = json!({ "fee": 0, "callback": RECORD_SALE });
    let id = world.shop.create(body).await;
    world.host = world.host.kill_and_restart().await;
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(
        (&applied["st"], &applied["pay_tp"]),
        (&json!("OK"), &json!("free"))
    );
    assert_eq!(world.shop.causes(&id).await, ["create", "apply"]);
    assert!(world.alipay.requests().is_empty(), "no platform is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_back_of_nothing_and_nothing_is_compared() {
    let world = World::start().await;
    let id = world.shop.create(json!({ "fee": 0 })).await;
    for fee in [json!(1), json!(0)] {
        let body = json!({ "id": id, "fee": fee });
        let refusal = world.shop.post("/pay/ajax/refund", body).await.refusal();
        assert!((400..=422).contains(&refusal.0), "{refusal:?}");
    }
    let close = json!({ "id": id });
    let close = world.shop.post("/pay/ajax/close", close).await.refusal();
    assert_eq!(close, (409, "e.pay.close.paid".to_owned()));
    let body = json!({ "day": "2026-01-01", "platform": "free" });
    let refusal = world.shop.post("/pay/ajax/reconcile", body).await.refusal();
    assert_eq!(refusal, (404, "e.pay.notFound".to_owned()));
    for fee in [-1, -100] {
        let body = json!({ "brief": "gift", "fee": fee });
        let refusal = world.shop.post("/pay/ajax/create", body).await.refusal();
        assert!((400..=422).contains(&refusal.0), "{fee}: {refusal:?}");
    }
}
