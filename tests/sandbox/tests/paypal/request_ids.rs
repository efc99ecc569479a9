//! `PayPal-Request-Id`: what repeats a request and what does not.

use serde_json::json;
use walnut_sandbox::paypal::Replay;

use crate::merchant::{CAPTURE_ID, Merchant, ORDERS, dollars, order};

#[tokio::test]
async fn the_same_id_is_the_same_order_whatever_it_says() {
    let shop = Merchant::open().await;
    let first = shop.post_as("r1", ORDERS, &order("a1")).await;
    assert_eq!(first.status, 201);
    assert_eq!(shop.last_request().replay, None);
    let again = shop.post_as("r1", ORDERS, &order("a1")).await;
    assert_eq!((again.status, again.at("/id")), (200, first.at("/id")));
    assert_eq!(shop.last_request().replay, Some(Replay::Same));

    // The answer is the latest status, not the first.
    shop.paypal.approve(first.at("/id")).await.unwrap();
    let mut dearer = order("a1");
    dearer["purchase_units"][0]["amount"] = dollars("99.00");
    let other = shop.post_as("r1", ORDERS, &dearer).await;
    assert_eq!(
        (other.status, other.at("/id"), other.at("/status")),
        (200, first.at("/id"), "APPROVED")
    );
    assert_eq!(shop.last_request().replay, Some(Replay::OtherBody));
    assert_eq!(shop.paypal.orders().len(), 1);

    // Without an id, and once ids are forgotten, the same request is another one.
    shop.order("a1").await;
    shop.paypal.forget_request_ids();
    let later = shop.post_as("r1", ORDERS, &order("a1")).await;
    assert_eq!(later.status, 201);
    assert_eq!(shop.paypal.orders().len(), 3);

    let long = "r".repeat(109);
    let answer = shop.post_as(&long, ORDERS, &order("a1")).await;
    assert_eq!(answer.refusal(), (400, "INVALID_STRING_LENGTH"));
    let account = shop.paypal.open_account();
    let other = shop.with_account(account).await;
    assert_eq!(other.post_as("r1", ORDERS, &order("a1")).await.status, 201);
}

#[tokio::test]
async fn an_id_belongs_to_what_it_was_used_for() {
    let shop = Merchant::open().await;
    let (first, second) = (shop.approved("a1").await, shop.approved("a2").await);
    let path = |id: &str| format!("{ORDERS}/{id}/capture");
    let captured = shop.post_as("r1", &path(&first), &json!({})).await;
    assert_eq!(captured.status, 201);
    let again = shop.post_as("r1", &path(&first), &json!({})).await;
    assert_eq!(
        (again.status, again.at(CAPTURE_ID)),
        (200, captured.at(CAPTURE_ID))
    );
    let elsewhere = shop.post_as("r1", &path(&second), &json!({})).await;
    assert_eq!(
        elsewhere.refusal(),
        (422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
    );
    assert_eq!(shop.last_request().replay, Some(Replay::OtherResource));
    // Another kind of request has ids of its own; without an id nothing is a repetition.
    assert_eq!(shop.post_as("r1", ORDERS, &order("a3")).await.status, 201);
    let bare = shop.post(&path(&first), &json!({})).await;
    assert_eq!(bare.refusal(), (422, "ORDER_ALREADY_CAPTURED"));
}

#[tokio::test]
async fn a_refused_request_leaves_its_id_free() {
    let shop = Merchant::open().await;
    let id = shop.order("a1").await;
    let path = format!("{ORDERS}/{id}/capture");
    let early = shop.post_as("r1", &path, &json!({})).await;
    assert_eq!(early.refusal(), (422, "ORDER_NOT_APPROVED"));
    shop.paypal.approve(&id).await.unwrap();
    assert_eq!(shop.post_as("r1", &path, &json!({})).await.status, 201);
}

#[tokio::test]
async fn a_payment_source_needs_an_id_and_waits_for_the_payer() {
    let shop = Merchant::open().await;
    let mut body = order("a1");
    let context = body.as_object_mut().unwrap().remove("application_context");
    body["payment_source"] = json!({"paypal": {"experience_context": context}});
    let answer = shop.post(ORDERS, &body).await;
    assert_eq!(answer.refusal(), (400, "PAYPAL_REQUEST_ID_REQUIRED"));
    let made = shop.post_as("r1", ORDERS, &body).await;
    assert_eq!(
        (made.status, made.at("/status")),
        (200, "PAYER_ACTION_REQUIRED")
    );
    assert_eq!(made.body["payment_source"], json!({"paypal": {}}));
    assert_eq!(made.link("approve"), "");
    let link = made.link("payer-action").to_owned();
    let decision = shop.paypal.approve(&link).await.unwrap();
    let goes_to = decision.goes_to.unwrap();
    let token = format!("&token={}&PayerID=", made.at("/id"));
    assert!(goes_to.starts_with("https://shop.example/back?x=1") && goes_to.contains(&token));
    assert_eq!(shop.capture(made.at("/id")).await.status, 201);
}
