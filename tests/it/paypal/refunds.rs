//! Money that goes back by PayPal: in parts, and later than it was ordered.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{AnswerFault, CaptureStatus, Misbehaviour, RefundStatus};

use crate::world::Page;

async fn refund(page: &Page, id: &str, fee: u64) -> Value {
    let body = json!({ "id": id, "fee": fee, "reason": "a cup was broken" });
    page.shop.post("/pay/ajax/refund", body).await.data()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_goes_back_in_two_parts() {
    let page = Page::open().await;
    let id = page.paid().await;
    for fee in [500, 1800] {
        refund(&page, &id, fee).await;
    }
    let back = |payment: &Value| payment["refunded"] == 2300;
    let back = page.shop.until(&id, "given back", back).await;
    assert_eq!(back["st"], "OK", "what was paid stays so");
    let order = page.paypal.order(&id).unwrap();
    let parts: Vec<u64> = order
        .refunds
        .iter()
        .map(|part| part.amount.minor())
        .collect();
    assert_eq!(parts, [500, 1800]);
    assert_eq!(order.capture.unwrap().status, CaptureStatus::Refunded);
    let more = json!({ "id": id, "fee": 1 });
    let more = page.shop.post("/pay/ajax/refund", more).await.refusal();
    assert_eq!(more.0, 409, "nothing is left: {more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_is_reserved_until_paypal_says_how_it_ended() {
    let page = Page::open().await;
    let (done, failed) = (page.paid().await, page.paid().await);
    for id in [&done, &failed] {
        page.paypal.let_refunds_wait(id, true).unwrap();
        let waiting = refund(&page, id, 500).await;
        assert_ne!(waiting["st"], "OK", "{waiting}");
        let much = json!({ "id": id, "fee": 1801 });
        let much = page.shop.post("/pay/ajax/refund", much).await.refusal();
        assert_eq!(much, (422, "e.pay.refund.tooMuch".to_owned()));
        assert_eq!(page.shop.payment(id).await["refunded"], 0);
    }
    for (id, status) in [
        (&done, RefundStatus::Completed),
        (&failed, RefundStatus::Failed),
    ] {
        let number = page.paypal.order(id).unwrap().refunds[0].id.clone();
        page.paypal.settle_refund(&number, status).unwrap();
    }
    let back = |payment: &Value| payment["refunds"][0]["st"] == "OK";
    let back = page.shop.until(&done, "given back", back).await;
    assert_eq!(back["refunded"], 500);
    let over = |payment: &Value| payment["refunds"][0]["st"] == "FAIL";
    let over = page.shop.until(&failed, "failed", over).await;
    assert_eq!(over["refunded"], 0);
    // What it took is free again.
    page.paypal.let_refunds_wait(&failed, false).unwrap();
    let all = refund(&page, &failed, 2300).await;
    assert_eq!(all["st"], "OK", "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_was_lost_is_made_once() {
    let page = Page::open().await;
    for processed in [true, false] {
        let id = page.paid().await;
        let lost = Misbehaviour::once(AnswerFault::HangUp { processed });
        page.paypal
            .misbehave(lost.for_operation("captures.refund").for_order(&id));
        let unknown = refund(&page, &id, 700).await;
        assert_eq!(unknown["st"], "INTENT", "nobody knows yet");
        let back = |payment: &Value| payment["refunded"] == 700;
        page.shop.until(&id, "given back", back).await;
        let refunds = page.paypal.order(&id).unwrap().refunds;
        assert_eq!(refunds.len(), 1, "processed: {processed}");
    }
}
