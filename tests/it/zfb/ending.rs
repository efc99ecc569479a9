//! How a payment by Alipay ends unpaid, and what happens when the money comes all the same.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{AnswerFault, Misbehaviour, Notice, TradeStatus};

use crate::world::{AlipayOrder, AlipayWay, RECORD_SALE, World, milliseconds_from_now};

const QUERY: &str = "alipay.trade.query";
const CLOSE: &str = "alipay.trade.close";

/// A deadline that is soon over.
fn soon() -> u64 {
    milliseconds_from_now(8_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nobody_pays_expires() {
    let world = World::start().await;
    let mut orders = Vec::new();
    for way in [AlipayWay::Page, AlipayWay::Phone] {
        for opened in [false, true] {
            let order = world.order(way, json!({ "expi": soon() })).await;
            if opened {
                world.come(&order).await;
            }
            orders.push((order, opened));
        }
    }
    for (order, opened) in orders {
        let expired = world.shop.until_state(&order.id, "FAIL").await;
        assert_eq!(expired["fail_why"], "EXPIRED", "{:?} {opened}", order.way);
        assert_eq!(expired["re_obj"], Value::Null);
        let trade = world.alipay.trade(&order.id);
        let status = trade.and_then(|trade| trade.status);
        let closed = opened.then_some(TradeStatus::TradeClosed);
        assert_eq!(status, closed, "{:?}", order.way);
    }
}

/// A payment that is paid in time while Alipay says that it knows no such trade, and tells nobody.
async fn paid_out_of_sight(world: &World, way: AlipayWay) -> AlipayOrder {
    let more = json!({ "expi": soon(), "callback": RECORD_SALE });
    let order = world.order(way, more).await;
    world.lose_notifications(&order.id);
    for operation in [QUERY, CLOSE] {
        let unknown = AnswerFault::refused("ACQ.TRADE_NOT_EXIST");
        let unknown = Misbehaviour::always(unknown).for_operation(operation);
        world.alipay.misbehave(unknown.for_trade(&order.id));
    }
    world.pay(&order).await;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_told_of_after_the_end_makes_the_payment_ok_and_late() {
    let world = World::start().await;
    let mut orders = Vec::new();
    for way in AlipayWay::ON_A_DEVICE {
        orders.push(paid_out_of_sight(&world, way).await);
    }
    for order in &orders {
        let expired = world.shop.until_state(&order.id, "FAIL").await;
        assert_eq!(expired["fail_why"], "EXPIRED", "{:?}", order.way);
        assert_eq!(expired["apply_at"], 0);
    }
    world.alipay.behave();
    for order in &orders {
        let sent = world.alipay.notify(&order.id, &Notice::genuine()).await;
        assert!(sent.unwrap().taken, "{:?}", order.way);
        let late = world.shop.until_applied(&order.id).await;
        assert_eq!((&late["st"], &late["late"]), (&json!("OK"), &json!(true)));
        assert_eq!(late["fail_why"], Value::Null);
        let delivery = world.shop.delivery(&order.id).await;
        assert_eq!(delivery["state"], "DONE", "{delivery}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_at_the_till_who_walks_away_is_let_go() {
    let world = World::start().await;
    let walks = world.order(AlipayWay::Till, json!({})).await;
    let refuses = world.order(AlipayWay::Till, json!({})).await;
    // Alipay wants to be told twice, and tells nobody that the buyer said no.
    world.lose_notifications(&refuses.id);
    let again = Misbehaviour::once(AnswerFault::CancelAgain { processed: false });
    world.alipay.misbehave(again.for_trade(&walks.id));
    world.alipay.walk_away(&walks.id).unwrap();
    world.alipay.refuse(&refuses.id).unwrap();

    let refused = world.shop.until_state(&refuses.id, "FAIL").await;
    assert_eq!(refused["apply_at"], 0, "{refused}");
    let undone = world.shop.until_state(&walks.id, "FAIL").await;
    assert_eq!(undone["fail_why"], "REVERSED");
    assert_eq!(world.asked("alipay.trade.cancel", &walks.id), 2);
    let trade = world.alipay.trade(&walks.id).unwrap();
    assert_eq!(trade.status, Some(TradeStatus::TradeClosed));
    assert!(world.asked(QUERY, &walks.id) > 0, "it is asked about first");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_till_payment_that_was_paid_is_held() {
    let world = World::start().await;
    let order = world.order(AlipayWay::Till, json!({})).await;
    let undone = world
        .shop
        .post("/pay/ajax/reverse", json!({ "id": order.id }))
        .await
        .data();
    assert_eq!(undone["fail_why"], "REVERSED");
    // Whatever Alipay did then: it says that it has the money.
    let paid = Notice::status(TradeStatus::TradeSuccess);
    let sent = world.alipay.notify(&order.id, &paid).await.unwrap();
    assert!(sent.taken, "it is recorded: {sent:?}");
    let held = world.shop.payment(&order.id).await;
    assert_eq!(
        (&held["st"], &held["apply_at"]),
        (&json!("FAIL"), &json!(0))
    );
    assert_eq!(held["held"]["paid_minor"], 2300, "{held}");
}
