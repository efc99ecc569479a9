//! How a payment by PayPal ends unpaid, and what happens when the money comes all the same.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use walnut_sandbox::paypal::{AnswerFault, EventType, Funding, Misbehaviour, Notice, PayPal};

use crate::world::{Page, RECORD_SALE, milliseconds_from_now};

/// A deadline that is soon over.
fn soon() -> Value {
    json!({ "expi": milliseconds_from_now(8_000), "callback": RECORD_SALE })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_approves_in_time_expires_and_is_not_captured_afterwards() {
    let page = Page::open().await.recording().await;
    let (id, order) = page.sent_with(soon()).await;
    let expired = page.shop.until_state(&id, "FAIL").await;
    assert_eq!(
        (&expired["fail_why"], &expired["re_obj"]),
        (&json!("EXPIRED"), &Value::Null)
    );
    // PayPal cannot close an order: the buyer may still approve it, and no money moves by that.
    page.paypal.approve(&order).await.unwrap();
    let told = |paypal: &PayPal| paypal.notifications().into_iter().find(|sent| sent.taken);
    page.paypal.until(told).await;
    page.shop.check(&id).await.data();
    assert_eq!(page.shop.payment(&id).await["st"], "FAIL");
    assert_eq!(page.requests("orders.capture", &id).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_has_not_cleared_at_the_deadline_is_not_failed() {
    let page = Page::open().await.recording().await;
    let paid = page.approved_with(Funding::Echeck, soon()).await;
    let bounced = page.approved_with(Funding::Echeck, soon()).await;
    for id in [&paid, &bounced] {
        let overdue = |payment: &Value| payment["overdue"] == true;
        page.shop.until(id, "overdue", overdue).await;
        // It is asked about all the same, before and after the attempt's end was begun.
        let ending = |payment: &Value| payment["attempts"][0]["ending"] == "EXPIRED";
        page.shop.until(id, "ending", ending).await;
        page.shop.check(id).await.data();
        assert_eq!(page.shop.payment(id).await["st"], "WAIT");
    }
    page.paypal.complete_capture(&paid).unwrap();
    page.paypal.deny_capture(&bounced).unwrap();
    let applied = page.shop.until_applied(&paid).await;
    assert_eq!(
        (&applied["st"], &applied["late"]),
        (&json!("OK"), &json!(false))
    );
    let failed = page.shop.until_state(&bounced, "FAIL").await;
    assert_eq!(failed["fail_why"], "DECLINED");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_told_of_after_the_end_makes_the_payment_ok_and_late() {
    let page = Page::open().await.recording().await;
    let (id, order) = page.sent_with(soon()).await;
    page.lose_notifications(&id);
    // The capture is made, its answer is lost, and PayPal shows the order as it was before.
    let lost = Misbehaviour::always(AnswerFault::HangUp { processed: true });
    page.paypal
        .misbehave(lost.for_operation("orders.capture").for_order(&id));
    page.paypal.approve(&order).await.unwrap();
    let captured = |paypal: &PayPal| paypal.order(&id)?.capture;
    page.paypal.until(captured).await;
    let old = BTreeMap::from([
        ("/status".to_owned(), json!("CREATED")),
        ("/purchase_units/0/payments".to_owned(), Value::Null),
    ]);
    let stale = Misbehaviour::always(AnswerFault::Other(old));
    page.paypal
        .misbehave(stale.for_operation("orders.get").for_order(&id));
    let expired = page.shop.until_state(&id, "FAIL").await;
    assert_eq!(
        (&expired["fail_why"], &expired["apply_at"]),
        (&json!("EXPIRED"), &json!(0))
    );

    page.paypal.behave();
    let notice = Notice::of(EventType::CaptureCompleted);
    let sent = page.paypal.notify(&order, &notice).await.unwrap();
    assert!(sent.taken, "{sent:?}");
    let late = page.shop.until_applied(&id).await;
    assert_eq!((&late["st"], &late["late"]), (&json!("OK"), &json!(true)));
}
