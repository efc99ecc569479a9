//! A payment by each of Alipay's ways: paid, waited for, told once or twice or never, forged.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Buyer, Fen, Misbehaviour, Notice, NotificationFault, TradeStatus};

use crate::world::{AlipayWay, RECORD_SALE, World};

fn recorded() -> Value {
    json!({ "callback": RECORD_SALE })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_is_waited_for_and_then_paid() {
    let world = World::start().await;
    for way in AlipayWay::ALL {
        let order = world.order(way, recorded()).await;
        world.come(&order).await;
        world.shop.check(&order.id).await.data();
        let waiting = world.shop.payment(&order.id).await;
        assert_eq!(waiting["st"], "WAIT", "{way:?}");
        let trade = world.alipay.trade(&order.id).unwrap();
        assert_eq!(trade.status, Some(TradeStatus::WaitBuyerPay));

        world.pay(&order).await;
        let paid = world.shop.until_applied(&order.id).await;
        assert_eq!(
            (&paid["st"], &paid["pay_tp"]),
            (&json!("OK"), &json!(way.pay_tp()))
        );
        let trade = world.alipay.trade(&order.id).unwrap();
        assert_eq!(trade.total, Fen::new(2300));
        assert_eq!(json!(trade.trade_no), paid["zfb"]["transaction_id"]);
        assert_eq!(
            paid["re_obj"],
            Value::Null,
            "there is nothing to pay by any more"
        );
        let causes = world.shop.causes(&order.id).await;
        assert_eq!(causes.last().map(String::as_str), Some("apply"), "{way:?}");
    }
    let id = world.shop.create(recorded()).await;
    let code = world.alipay.show_code(Buyer::Pays);
    let body = json!({ "id": id, "pay_tp": "zfb.scan", "args": [code] });
    let sent = world.shop.post("/pay/ajax/send", body).await.data();
    assert_eq!(sent["status"], "OK", "at the till money may come at once");
    world.shop.until_applied(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_healed_by_asking() {
    let world = World::start().await;
    let mut orders = Vec::new();
    for way in AlipayWay::ALL {
        let order = world.order(way, recorded()).await;
        world.lose_notifications(&order.id);
        world.pay(&order).await;
        orders.push(order);
    }
    for order in orders {
        world.shop.until_applied(&order.id).await;
        let causes = world.shop.causes(&order.id).await;
        assert!(causes.contains(&"check".to_owned()), "{:?}", order.way);
        assert!(!causes.contains(&"notification".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_comes_again_changes_nothing() {
    let world = World::repeating(1_000).await;
    for way in AlipayWay::ALL {
        let order = world.order(way, recorded()).await;
        let twice = Misbehaviour::once(NotificationFault::Twice);
        world.alipay.misbehave(twice.for_trade(&order.id));
        world.pay(&order).await;
        let before = world.shop.until_applied(&order.id).await;
        for _ in 0..3 {
            let sent = world.alipay.notify(&order.id, &Notice::genuine()).await;
            assert!(sent.unwrap().taken, "{way:?}");
        }
        assert_eq!(world.shop.payment(&order.id).await, before, "{way:?}");
        let causes = world.shop.causes(&order.id).await;
        let applied = causes.iter().filter(|cause| *cause == "apply");
        assert_eq!(applied.count(), 1, "{causes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_from_alipay_changes_nothing() {
    let world = World::start().await;
    for way in AlipayWay::ALL {
        let order = world.order(way, recorded()).await;
        world.come(&order).await;
        let other = world.order(AlipayWay::Code, json!({})).await;
        for notice in [
            Notice::forged(),
            Notice::truncated(),
            Notice::tampered("total_amount", "23.00 "),
            Notice::stating("out_trade_no", &other.id),
            Notice::stating("app_id", "2021000000000001"),
            Notice::stating("seller_id", "2088000000000001"),
        ] {
            let sent = world.alipay.notify(&order.id, &notice).await.unwrap();
            assert!(!sent.taken, "{way:?} {notice:?}: {sent:?}");
            assert_eq!(world.shop.payment(&order.id).await["st"], "WAIT");
        }
        let causes = world.shop.causes(&order.id).await;
        assert!(!causes.contains(&"notification".to_owned()), "{causes:?}");
        world.pay(&order).await;
        world.shop.until_applied(&order.id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buyer_comes_back_to_an_address_with_a_query_of_its_own() {
    let world = World::start().await;
    for way in [AlipayWay::Page, AlipayWay::Phone] {
        let smuggling = "https://shop.example/paid?order=7&lang=en&total_amount=0.01&biz_content={}\
            &notify_url=https://evil.example&method=alipay.trade.refund";
        let order = world.order(way, json!({ "return_url": smuggling })).await;
        world.pay(&order).await;
        world.shop.until_state(&order.id, "OK").await;
        let trade = world.alipay.trade(&order.id).unwrap();
        assert_eq!(trade.total, Fen::new(2300));
        assert!(trade.notify_url.unwrap().ends_with(&order.id));
        let back = trade.returned_to.unwrap();
        let (_, query) = back.split_once('?').unwrap();
        let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).take(4).collect();
        let read = read.iter().map(|(name, value)| (&**name, &**value));
        // A server reads what the shop wrote.
        assert!(
            read.eq([
                ("order", "7"),
                ("lang", "en"),
                ("total_amount", "0.01"),
                ("biz_content", "{}")
            ]),
            "{back}"
        );
    }
}
