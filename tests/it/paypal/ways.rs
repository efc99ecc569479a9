//! A payment by PayPal's page: approved, captured once, told once or twice or never, forged, declined.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{
    Amount, CaptureStatus, Currency, EventType, Funding, Misbehaviour, Notice, NotificationFault,
};

use crate::world::{Page, RECORD_SALE};

const CAPTURE: &str = "orders.capture";

fn recorded() -> Value {
    json!({ "callback": RECORD_SALE })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_buyer_approves_is_captured_paid_and_applied() {
    let page = Page::open().await.recording().await;
    let (id, order) = page.sent_with(recorded()).await;
    page.shop.check(&id).await.data();
    assert_eq!(
        page.shop.payment(&id).await["st"],
        "WAIT",
        "nobody approved"
    );
    assert_eq!(page.requests(CAPTURE, &id).len(), 0);
    page.paypal.approve(&order).await.unwrap();
    let paid = page.shop.until_applied(&id).await;
    assert_eq!(
        (&paid["st"], &paid["pay_tp"]),
        (&json!("OK"), &json!("paypal.page"))
    );
    let there = page.paypal.order(&id).unwrap();
    assert_eq!(there.amount, Amount::new(2300, Currency::USD));
    let capture = there.capture.unwrap();
    assert_eq!(capture.status, CaptureStatus::Completed);
    assert_eq!(paid["paypal"]["transaction_id"], json!(capture.id));
    assert_eq!(
        page.requests(CAPTURE, &id).len(),
        1,
        "the money is taken once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_has_to_clear_is_waited_for() {
    let page = Page::open().await.recording().await;
    for funding in [Funding::Echeck, Funding::Review] {
        let id = page.approved_with(funding, recorded()).await;
        let pending = |paypal: &walnut_sandbox::paypal::PayPal| paypal.order(&id)?.capture;
        let capture = page.paypal.until(pending).await;
        assert_eq!(capture.status, CaptureStatus::Pending);
        page.shop.check(&id).await.data();
        assert_eq!(page.shop.payment(&id).await["st"], "WAIT", "{funding:?}");
        page.paypal.complete_capture(&id).unwrap();
        page.shop.until_applied(&id).await;
        assert_eq!(page.requests(CAPTURE, &id).len(), 1, "{funding:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_comes_to_nothing_is_declined() {
    let page = Page::open().await.recording().await;
    let refused = page.approved_with(Funding::Refused, recorded()).await;
    let failed = page.shop.until_state(&refused, "FAIL").await;
    assert_eq!(failed["fail_why"], "DECLINED");

    let bounced = page.approved_with(Funding::Echeck, recorded()).await;
    let pending = |paypal: &walnut_sandbox::paypal::PayPal| paypal.order(&bounced)?.capture;
    page.paypal.until(pending).await;
    page.paypal.deny_capture(&bounced).unwrap();
    let failed = page.shop.until_state(&bounced, "FAIL").await;
    assert_eq!(failed["fail_why"], "DECLINED");
    for id in [&refused, &bounced] {
        let payment = page.shop.payment(id).await;
        assert_eq!(
            (&payment["apply_at"], &payment["refunded"]),
            (&json!(0), &json!(0))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_whose_card_is_declined_picks_another() {
    let page = Page::open().await.recording().await;
    let (id, order) = page.sent_with(recorded()).await;
    let with = Funding::DeclinedInstrument;
    page.paypal.approve_with(&order, with).await.unwrap();
    let declined = |paypal: &walnut_sandbox::paypal::PayPal| {
        let mut requests = paypal.requests().into_iter();
        requests.find(|request| request.issue.as_deref() == Some("INSTRUMENT_DECLINED"))
    };
    page.paypal.until(declined).await;
    assert_eq!(page.shop.payment(&id).await["st"], "WAIT");
    page.paypal.approve(&order).await.unwrap();
    page.shop.until_applied(&id).await;
    let capture = page.paypal.order(&id).unwrap().capture.unwrap();
    assert_eq!(capture.status, CaptureStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_are_lost_or_come_again_change_nothing() {
    let page = Page::open().await.recording().await;
    let lost = {
        let (id, order) = page.sent_with(recorded()).await;
        page.lose_notifications(&id);
        page.paypal.approve(&order).await.unwrap();
        id
    };
    let (twice, order) = page.sent_with(recorded()).await;
    let fault = Misbehaviour::always(NotificationFault::Twice);
    page.paypal.misbehave(fault.for_order(&twice));
    page.paypal.approve(&order).await.unwrap();
    for id in [&lost, &twice] {
        page.shop.until_applied(id).await;
        assert_eq!(
            page.requests(CAPTURE, id).len(),
            1,
            "the money is taken once"
        );
    }
    let before = page.shop.payment(&twice).await;
    for event in [EventType::OrderApproved, EventType::CaptureCompleted] {
        let sent = page
            .paypal
            .notify(&order, &Notice::of(event))
            .await
            .unwrap();
        assert!(sent.taken, "{event:?}: {sent:?}");
    }
    assert_eq!(page.shop.payment(&twice).await, before);
    let causes = page.shop.causes(&twice).await;
    let applied = causes.iter().filter(|cause| *cause == "apply");
    assert_eq!(applied.count(), 1, "{causes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_from_paypal_or_about_another_order_changes_nothing() {
    let page = Page::open().await;
    let (id, order) = page.sent().await;
    let completed = || Notice::of(EventType::CaptureCompleted);
    for notice in [
        Notice::forged(),
        Notice::forged_elsewhere(),
        Notice::truncated(),
        completed().tampered("/summary", "paid"),
    ] {
        let sent = page.paypal.notify(&order, &notice).await.unwrap();
        assert!(!sent.taken, "{notice:?}: {sent:?}");
    }
    // A genuine webhook is no proof either: what it says is asked about.
    for notice in [
        completed(),
        completed().amount(Amount::new(1, Currency::EUR)),
    ] {
        page.paypal.notify(&order, &notice).await.unwrap();
        let payment = page.shop.payment(&id).await;
        assert_eq!(
            (&payment["st"], &payment["held"]),
            (&json!("WAIT"), &Value::Null)
        );
    }
    assert_eq!(page.requests(CAPTURE, &id).len(), 0);
    page.paypal.approve(&order).await.unwrap();
    page.shop.until_state(&id, "OK").await;
}
