//! The Idempotency-Key: a repeated `create` finds the payment that the first one made.

use reqwest::Method;
use serde_json::{Value, json};

use super::{create_until_soon, how_many};
use crate::world::{Answer, Host, RECORD_SALE, Shop, World, at_once};

async fn create(shop: &Shop, key: &str, body: &Value) -> Answer {
    let request = shop.request(Method::POST, "/pay/ajax/create");
    Shop::answer(request.header("Idempotency-Key", key).json(body)).await
}

fn id(answer: &Answer) -> String {
    let data = answer.data();
    let id = data["id"].as_str().or(data["payObjId"].as_str());
    id.unwrap_or_else(|| panic!("{data}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_for_one_body_of_one_domain() {
    let host = Host::start().await;
    let (shop, rival) = (host.domain("shop").await, host.domain("rival").await);
    let live = host.key_of("shop", false).await;
    let body = json!({ "fee": 100, "brief": "tea" });
    let first = id(&create(&shop, "order-1", &body).await);
    assert_eq!(id(&create(&shop, "order-1", &body).await), first);
    let other_key_of_the_shop = host.key_of("shop", true).await;
    let again = create(&other_key_of_the_shop, "order-1", &body).await;
    assert_eq!(id(&again), first);
    for other in [
        json!({ "fee": 101, "brief": "tea" }),
        json!({ "fee": 100, "brief": "tea", "table": 1 }),
        json!({ "fee": -1 }),
        json!({ "brief": "tea" }),
    ] {
        let refusal = create(&shop, "order-1", &other).await.refusal();
        assert_eq!(
            refusal,
            (422, "e.pay.idempotency.reused".to_owned()),
            "{other}"
        );
    }
    // Another domain's keys are its own, and a test never answers for a live payment.
    for caller in [&rival, &live] {
        let own = id(&create(caller, "order-1", &body).await);
        assert_ne!(own, first);
        assert_eq!(id(&create(caller, "order-1", &body).await), own);
    }
    assert_eq!(how_many(&shop).await, 1);
    assert_eq!(how_many(&live).await, 2);
    assert_eq!(how_many(&rival).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_one_is_refused() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    for bad in ["", " ", &"k".repeat(256), "订单-1"] {
        let refusal = create(&shop, bad, &json!({ "fee": 1 })).await.refusal();
        assert_eq!(refusal, (400, "e.pay.invalid".to_owned()), "{bad:?}");
    }
    assert_eq!(how_many(&shop).await, 0);
    id(&create(&shop, &"k".repeat(255), &json!({ "fee": 1 })).await);
    // A request that was refused has not used its key.
    let refused = create(&shop, "order-1", &json!({ "fee": "1e3" })).await;
    assert_eq!(refused.refusal().1, "e.pay.invalid.fee");
    id(&create(&shop, "order-1", &json!({ "fee": 1 })).await);
    assert_eq!(how_many(&shop).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_whatever_has_changed_since() {
    let world = World::start().await;
    let shop = &world.shop;
    let body = |expi: u64| json!({ "fee": 100, "callback": RECORD_SALE, "expi": expi, "pay_tp": "zfb.qrcode" });
    let (soon, first) =
        create_until_soon(async |expi| create(shop, "order-1", &body(expi)).await).await;
    shop.delete(&format!("/pay/callback/{RECORD_SALE}"))
        .await
        .data();
    shop.delete("/pay/target/zfb/main").await.data();
    shop.until(&id(&first), "expired", |payment| payment["st"] == "FAIL")
        .await;
    let again = create(shop, "order-1", &body(soon)).await;
    assert_eq!(
        id(&again),
        id(&first),
        "the payment that the first one made"
    );
    assert_eq!(again.data()["status"], "FAIL", "as it stands now");
    assert_eq!(how_many(shop).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_at_the_same_time_make_one_payment_and_one_order() {
    let world = World::start().await;
    let answers = at_once(8, |_| {
        let shop = world.shop.clone();
        async move {
            let body = json!({ "fee": 2300, "pay_tp": "zfb.qrcode" });
            create(&shop, "order-1", &body).await.data()
        }
    })
    .await;
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
        assert_eq!(answer["dataType"], "QRCODE");
    }
    assert_eq!(how_many(&world.shop).await, 1);
    let orders = world.alipay.requests();
    assert_eq!(orders.len(), 1, "{orders:?}");
}
