//! Money that goes back by Alipay: in parts, later than it was ordered, and by the merchant's own hand.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Command, Fen, RefundState};

use crate::world::{AlipayWay, World};

async fn refund(world: &World, id: &str, fee: u64) -> Value {
    let body = json!({ "id": id, "fee": fee, "reason": "a cup was broken" });
    world.shop.post("/pay/ajax/refund", body).await.data()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_goes_back_in_two_parts() {
    let world = World::start().await;
    for way in AlipayWay::ALL {
        let id = world.paid(way, json!({})).await;
        for fee in [500, 1800] {
            refund(&world, &id, fee).await;
        }
        let back = |payment: &Value| payment["refunded"] == 2300;
        let back = world.shop.until(&id, "given back", back).await;
        assert_eq!(back["st"], "OK", "{way:?}: what was paid stays so");
        let trade = world.alipay.trade(&id).unwrap();
        let parts: Vec<Fen> = trade.refunds.iter().map(|refund| refund.amount).collect();
        assert_eq!(parts, [Fen::new(500), Fen::new(1800)], "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_money_does_not_move_at_once_is_reserved_until_it_does() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for way in AlipayWay::ALL {
        let id = world.paid(way, json!({})).await;
        world.alipay.command(&id, &Command::HoldRefund).unwrap();
        // `fund_change=N`: taken, and not given back.
        let waiting = refund(&world, &id, 500).await;
        assert_ne!(waiting["st"], "OK", "{way:?}: {waiting}");
        let much = json!({ "id": id, "fee": 1801 });
        let much = world.shop.post("/pay/ajax/refund", much).await.refusal();
        assert_eq!(much, (422, "e.pay.refund.tooMuch".to_owned()));
        assert_eq!(world.shop.payment(&id).await["refunded"], 0);
        ids.push((id, waiting["refund_no"].as_str().unwrap().to_owned()));
    }
    for (id, number) in &ids {
        let out_request_no = number.clone();
        let release = Command::ReleaseRefund { out_request_no };
        world.alipay.command(id, &release).unwrap();
    }
    for (id, number) in &ids {
        let back = |payment: &Value| payment["refunded"] == 500;
        let back = world.shop.until(id, "given back", back).await;
        assert_eq!(back["refunds"][0]["refund_no"], json!(number));
        assert_eq!(back["refunds"][0]["st"], "OK");
        let trade = world.alipay.trade(id).unwrap();
        assert_eq!(trade.refunds.len(), 1, "given back once");
        assert_eq!(trade.refunds[0].state, RefundState::Done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_merchant_gives_back_by_hand_is_recorded() {
    let world = World::start().await;
    let id = world.paid(AlipayWay::Page, json!({})).await;
    refund(&world, &id, 500).await;
    let own = |payment: &Value| payment["refunded"] == 500;
    world.shop.until(&id, "given back", own).await;
    world.alipay.refund(&id, Fen::new(300)).unwrap();
    let both = |payment: &Value| payment["refunded"] == 800;
    let both = world.shop.until(&id, "told of", both).await;
    assert_eq!(both["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(both["st"], "OK");
    // What is left is what Alipay has left.
    let much = json!({ "id": id, "fee": 1501 });
    let much = world.shop.post("/pay/ajax/refund", much).await.refusal();
    assert_eq!(much, (422, "e.pay.refund.tooMuch".to_owned()));
}
