//! The host is killed while Alipay works, or while the buyer does: what was begun comes to its end, and nobody pays twice.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Alipay, AnswerFault, Buyer, Misbehaviour, TradeStatus};

use crate::world::{AlipayWay, RECORD_SALE, World};

const PAY: &str = "alipay.trade.pay";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_the_same_after_a_crash_and_is_paid_while_the_host_is_down() {
    let mut world = World::start().await;
    let mut orders = Vec::new();
    for way in AlipayWay::ON_A_DEVICE {
        orders.push(world.order(way, json!({ "callback": RECORD_SALE })).await);
    }
    world.host = world.host.kill_and_restart().await;
    for order in &orders {
        let again = world.shop.send_by(&order.id, order.way.pay_tp()).await;
        assert_eq!(again.data()["data"], order.shown, "{:?}", order.way);
    }
    let killed = world.host.kill().await;
    for order in &orders {
        order.pay(&world.alipay).await;
    }
    let untold = |alipay: &Alipay| {
        let lost = alipay.notifications().into_iter();
        let lost = lost.filter(|sent| sent.error.is_some());
        (lost.count() >= 3).then_some(())
    };
    world.alipay.until(untold).await;
    world.host = killed.restart().await;
    for order in &orders {
        world.shop.until_applied(&order.id).await;
        let causes = world.shop.causes(&order.id).await;
        assert!(causes.contains(&"check".to_owned()), "{causes:?}");
    }
}

/// The host is killed while it waits for Alipay's answer to the buyer's code.
async fn killed_at_the_till(mut world: World, fault: AnswerFault, buyer: Buyer) -> (World, String) {
    let id = world.shop.create(json!({ "callback": RECORD_SALE })).await;
    let misbehaviour = Misbehaviour::once(fault).for_operation(PAY);
    world.alipay.misbehave(misbehaviour.for_trade(&id));
    world.lose_notifications(&id);
    let code = world.alipay.show_code(buyer);
    let body = json!({ "id": id, "pay_tp": "zfb.scan", "args": [code] });
    let request = world
        .shop
        .request(reqwest::Method::POST, "/pay/ajax/send")
        .json(&body);
    let sending = tokio::spawn(request.send());
    let came = |alipay: &Alipay| {
        let mut requests = alipay.requests().into_iter();
        requests.find(|request| {
            request.operation.as_deref() == Some(PAY)
                && request.out_trade_no.as_deref() == Some(id.as_str())
        })
    };
    world.alipay.until(came).await;
    let killed = world.host.kill().await;
    assert!(sending.await.unwrap().is_err(), "nobody was answered");
    world.host = killed.restart().await;
    (world, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_payment_whose_answer_never_came_is_found_by_asking() {
    let world = World::start().await;
    let held = AnswerFault::Late { ms: 3_600_000 };
    let (world, id) = killed_at_the_till(world, held, Buyer::Pays).await;
    world.shop.until_applied(&id).await;
    assert_eq!(world.asked(PAY, &id), 1, "the code is not used again");
    assert_eq!(world.alipay.trades().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_payment_that_never_arrived_is_undone_and_not_sent_again() {
    let world = World::start().await;
    let lost = AnswerFault::Silent { processed: false };
    let (world, id) = killed_at_the_till(world, lost, Buyer::Pays).await;
    let undone = world.shop.until_state(&id, "FAIL").await;
    assert_eq!(undone["fail_why"], "REVERSED");
    assert_eq!(
        (&undone["apply_at"], &undone["held"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(world.asked(PAY, &id), 1, "the code is not used again");
    assert!(
        world.asked("alipay.trade.query", &id) >= 1,
        "it is asked first"
    );
    assert!(world.asked("alipay.trade.cancel", &id) >= 1);
    assert!(world.alipay.trade(&id).is_none(), "nothing was ever there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undoing_that_was_interrupted_is_taken_up_again() {
    let mut world = World::start().await;
    let order = world.order(AlipayWay::Till, json!({})).await;
    let held = Misbehaviour::once(AnswerFault::Late { ms: 3_600_000 });
    world
        .alipay
        .misbehave(held.for_operation("alipay.trade.cancel"));
    let shop = world.shop.clone();
    let body = json!({ "id": order.id });
    let undoing = tokio::spawn(async move {
        let request = shop.request(reqwest::Method::POST, "/pay/ajax/reverse");
        request.json(&body).send().await
    });
    let told = |alipay: &Alipay| {
        let status = alipay.trade(&order.id)?.status;
        (status == Some(TradeStatus::TradeClosed)).then_some(())
    };
    world.alipay.until(told).await;
    world.host = world.host.kill_and_restart().await;
    assert!(undoing.await.unwrap().is_err(), "nobody was answered");
    let undone = world.shop.until_state(&order.id, "FAIL").await;
    assert_eq!(undone["fail_why"], "REVERSED");
}
