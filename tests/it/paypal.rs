//! PayPal end to end: the real binary, the real component, the simulated platform.

mod books;
mod crashing;
mod ending;
mod refunds;
mod ways;

use serde_json::Value;
use walnut_sandbox::paypal::{Misbehaviour, NotificationFault};

use crate::world::Page;

#[tokio::test(flavor = "multi_thread")]
async fn the_host_keeps_the_token_and_an_approval_is_captured_and_then_paid() {
    let page = Page::open().await;
    let (id, order) = page.sent().await;
    let tokens = |page: &Page| {
        let requests = page.paypal.requests();
        let fetched = requests
            .iter()
            .filter(|request| request.operation.as_deref() == Some("oauth2.token"));
        fetched.count()
    };
    let (other, _) = page.sent().await;
    assert_eq!(tokens(&page), 1);
    // The platform gives the token up before its time.
    page.paypal.end_tokens();
    page.sent().await;
    assert_eq!(tokens(&page), 2);

    let quiet = Misbehaviour::always(NotificationFault::Lost);
    page.paypal.misbehave(quiet);
    page.paypal.approve(&order).await.unwrap();
    let paid = page.shop.until_state(&id, "OK").await;
    assert_eq!(paid["held"], Value::Null);
    let requests = page.paypal.requests();
    let captures = requests
        .iter()
        .filter(|request| request.operation.as_deref() == Some("orders.capture"));
    assert_eq!(captures.count(), 1, "the money is taken once");
    assert_eq!(
        page.shop.payment(&other).await["st"],
        "WAIT",
        "nobody approved that one"
    );
    let shown = format!(
        "{}{:?}",
        page.host.log(),
        page.shop.get("/pay/target/paypal/main").await.json()
    );
    assert!(!shown.contains(page.account.secret()) && !shown.contains("Bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_webhook_is_taken_and_another_is_not() {
    let page = Page::open().await;
    let (_, order) = page.sent().await;
    page.paypal.approve(&order).await.unwrap();
    let taken = page
        .paypal
        .until(|paypal| {
            let sent = paypal.notifications();
            sent.into_iter().find(|sent| sent.http_status == Some(200))
        })
        .await;
    assert!(taken.error.is_none());
    let forged = walnut_sandbox::paypal::Notice::forged();
    let sent = page.paypal.notify(&order, &forged).await.unwrap();
    assert_eq!(sent.http_status, Some(503));
}
