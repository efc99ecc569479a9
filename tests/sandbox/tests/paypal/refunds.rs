//! Giving money back: in parts, never too much, now or later, and by PayPal's own pages.

use serde_json::json;
use walnut_sandbox::paypal::{Amount, CaptureStatus, Currency, Funding, RefundStatus};

use crate::merchant::{Merchant, dollars};

#[tokio::test]
async fn money_goes_back_in_parts_and_never_more_than_came() {
    let shop = Merchant::open().await;
    let capture = shop.captured("a1").await;
    let path = format!("/v2/payments/captures/{capture}/refund");
    let refund = async |id: &str, value: &str| {
        let body = json!({"amount": dollars(value), "note_to_payer": "broken"});
        shop.post_as(id, &path, &body).await
    };
    let first = refund("r1", "4.00").await;
    assert_eq!((first.status, first.at("/status")), (201, "COMPLETED"));
    assert_eq!(first.body.get("amount"), None);
    let order_id = shop.paypal.order("a1").unwrap().id;
    let told = shop.told(&order_id, "PAYMENT.CAPTURE.REFUNDED").await;
    let again = refund("r1", "4.00").await;
    assert_eq!((again.status, again.at("/id")), (200, first.at("/id")));
    let shown = shop.get(&format!("/v2/payments/captures/{capture}")).await;
    assert_eq!(shown.at("/status"), "PARTIALLY_REFUNDED");

    assert_eq!(
        refund("r2", "6.01").await.refusal(),
        (422, "REFUND_AMOUNT_EXCEEDED")
    );
    assert_eq!(
        refund("r2", "0.00").await.refusal(),
        (422, "CANNOT_BE_ZERO_OR_NEGATIVE")
    );
    assert_eq!(
        refund("r2", "1.001").await.refusal(),
        (422, "DECIMAL_PRECISION")
    );
    let euros = json!({"amount": {"currency_code": "EUR", "value": "1.00"}});
    let answer = shop.post(&path, &euros).await;
    assert_eq!(answer.refusal(), (422, "REFUND_CAPTURE_CURRENCY_MISMATCH"));

    // Without an amount all that is left goes back.
    let rest = shop.post(&path, &json!({})).await;
    let rest = shop
        .get(&format!("/v2/payments/refunds/{}", rest.at("/id")))
        .await;
    assert_eq!(rest.at("/amount/value"), "6.00");
    assert_eq!(
        rest.at("/seller_payable_breakdown/total_refunded_amount/value"),
        "10.00"
    );
    assert!(rest.link("up").ends_with(&capture));
    assert_eq!(
        refund("r3", "0.01").await.refusal(),
        (422, "CAPTURE_FULLY_REFUNDED")
    );

    let view = shop.paypal.order("a1").unwrap();
    assert_eq!(view.capture.unwrap().status, CaptureStatus::Refunded);
    let minor: u64 = view
        .refunds
        .iter()
        .map(|refund| refund.amount.minor())
        .sum();
    assert_eq!((view.refunds.len(), minor), (2, 1000));
    let shown = shop.show(&view.id).await;
    let listed = &shown.body["purchase_units"][0]["payments"]["refunds"];
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(shop.trust(&told).await, Ok(()));
    let event: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(event["resource_type"], "refund");
    assert_eq!(event["resource"]["id"], first.body["id"]);
    assert_eq!(event["resource"]["amount"]["value"], "4.00");
}

#[tokio::test]
async fn only_money_that_came_goes_back_and_each_bill_once() {
    let shop = Merchant::open().await;
    for (name, funding, issue) in [
        ("a1", Funding::Echeck, "PENDING_CAPTURE"),
        ("a2", Funding::Refused, "REFUND_NOT_ALLOWED"),
    ] {
        let id = shop.order(name).await;
        shop.paypal.approve_with(&id, funding).await.unwrap();
        shop.capture(&id).await;
        let capture = shop.paypal.order(name).unwrap().capture.unwrap().id;
        let path = format!("/v2/payments/captures/{capture}/refund");
        let answer = shop.post(&path, &json!({})).await;
        assert_eq!(answer.refusal(), (422, issue));
    }
    let capture = shop.captured("a3").await;
    let path = format!("/v2/payments/captures/{capture}/refund");
    let bill = json!({"amount": dollars("1.00"), "invoice_id": "back-1"});
    assert_eq!(shop.post(&path, &bill).await.status, 201);
    let twice = shop.post(&path, &bill).await;
    assert_eq!(twice.refusal(), (422, "DUPLICATE_INVOICE_ID"));
}

#[tokio::test]
async fn a_refund_may_wait_and_then_fail() {
    let shop = Merchant::open().await;
    let capture = shop.captured("a1").await;
    let order_id = shop.paypal.order("a1").unwrap().id;
    shop.paypal.let_refunds_wait("a1", true).unwrap();
    let path = format!("/v2/payments/captures/{capture}/refund");
    let body = json!({"amount": dollars("6.00")});
    let waiting = shop.post_as("r1", &path, &body).await;
    assert_eq!((waiting.status, waiting.at("/status")), (201, "PENDING"));
    shop.told(&order_id, "PAYMENT.REFUND.PENDING").await;
    // What waits is taken.
    let more = shop.post(&path, &body).await;
    assert_eq!(more.refusal(), (422, "REFUND_AMOUNT_EXCEEDED"));

    let id = waiting.at("/id");
    shop.paypal.settle_refund(id, RefundStatus::Failed).unwrap();
    assert!(
        shop.paypal
            .settle_refund(id, RefundStatus::Completed)
            .is_err()
    );
    shop.told(&order_id, "PAYMENT.REFUND.FAILED").await;
    // The id stands for the refund that failed; a new one is another refund.
    let again = shop.post_as("r1", &path, &body).await;
    assert_eq!((again.status, again.at("/status")), (200, "FAILED"));
    let second = shop.post_as("r2", &path, &body).await;
    assert_eq!((second.status, second.at("/status")), (201, "PENDING"));
    let id = second.at("/id");
    shop.paypal
        .settle_refund(id, RefundStatus::Completed)
        .unwrap();
    let shown = shop.get(&format!("/v2/payments/refunds/{id}")).await;
    assert_eq!(shown.at("/status"), "COMPLETED");
    let told = shop.told(&order_id, "PAYMENT.CAPTURE.REFUNDED").await;
    assert!(told.body.contains(id));
}

#[tokio::test]
async fn the_merchant_may_refund_on_paypals_own_pages() {
    let shop = Merchant::open().await;
    shop.captured("a1").await;
    let order_id = shop.paypal.order("a1").unwrap().id;
    let dollars = |minor| Amount::new(minor, Currency::USD);
    shop.paypal.refund("a1", dollars(300)).unwrap();
    let told = shop.told(&order_id, "PAYMENT.CAPTURE.REFUNDED").await;
    assert!(told.body.contains("3.00"));
    assert!(shop.paypal.refund("a1", dollars(701)).is_err());
    assert!(shop.paypal.refund("a2", dollars(1)).is_err());
    let view = shop.paypal.order("a1").unwrap();
    assert_eq!(
        view.capture.unwrap().status,
        CaptureStatus::PartiallyRefunded
    );
}
