//! PayPal end to end: the real binary, the real component, the simulated platform.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{Account, Misbehaviour, NotificationFault, PayPal, PayPalOptions};

use crate::world::{Host, Shop};

/// A host with the domain `shop`, whose only target `main` is an account at the simulated PayPal.
struct Page {
    host: Host,
    paypal: PayPal,
    account: Account,
    shop: Shop,
}

impl Page {
    async fn open() -> Page {
        let paypal = PayPal::start(PayPalOptions::default()).await.unwrap();
        let account = paypal.open_account();
        let host = Host::start().await;
        paypal.listen(&account, format!("{}/pay/re", host.url()));
        let shop = host.domain("shop").await;
        let body = json!({"test": true, "settings": {
            "client_id": account.client_id(),
            "client_secret": account.secret(),
            "webhook_id": account.webhook_id(),
            "webhook_authority": account.certificate_authority(),
            "gateway": paypal.url(),
        }});
        shop.put("/pay/target/paypal/main", body).await.data();
        Page {
            host,
            paypal,
            account,
            shop,
        }
    }

    /// A payment of 23.00 dollars that was sent: its id, and PayPal's number of the order.
    async fn sent(&self) -> (String, String) {
        let id = self.shop.create(json!({"cur": "USD"})).await;
        let sent = self.shop.send_by(&id, "paypal.page").await.data();
        assert_eq!(sent["type"], "LINK");
        let page = sent["data"].as_str().unwrap();
        let (_, order) = page.split_once("token=").unwrap();
        (id, order.to_owned())
    }
}

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
