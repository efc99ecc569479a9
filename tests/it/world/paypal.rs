//! A shop that takes PayPal, and its buyers.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{
    Account, Funding, Misbehaviour, NotificationFault, PayPal, PayPalOptions, RequestView,
};

use super::{Host, RECORD_SALE, Shop};

/// A host with the domain `shop`, whose only target `main` is an account at the simulated PayPal.
pub(crate) struct Page {
    pub(crate) host: Host,
    pub(crate) paypal: PayPal,
    pub(crate) account: Account,
    pub(crate) shop: Shop,
}

impl Page {
    pub(crate) async fn open() -> Page {
        let paypal = PayPal::start(PayPalOptions::default()).await.unwrap();
        let account = paypal.open_account();
        let host = Host::start().await;
        paypal.listen(&account, format!("{}/pay/re", host.url()));
        let shop = host.domain("shop").await;
        let body = json!({"test": true, "settings": account_settings(&paypal, &account)});
        shop.put("/pay/target/paypal/main", body).await.data();
        Page {
            host,
            paypal,
            account,
            shop,
        }
    }

    /// The shop has the callback that comes with the host.
    pub(crate) async fn recording(self) -> Page {
        self.shop
            .put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
            .await;
        self
    }

    /// A payment of 23.00 dollars that was sent: its id, and PayPal's number of the order.
    pub(crate) async fn sent(&self) -> (String, String) {
        self.sent_with(json!({})).await
    }

    /// The same with more fields.
    pub(crate) async fn sent_with(&self, mut more: Value) -> (String, String) {
        more["cur"] = json!("USD");
        let id = self.shop.create(more).await;
        let sent = self.shop.send_by(&id, "paypal.page").await.data();
        assert_eq!(sent["type"], "LINK");
        (id, order_at(&sent["data"]))
    }

    /// One that the buyer approved, and that was captured and paid.
    pub(crate) async fn paid(&self) -> String {
        let (id, order) = self.sent().await;
        self.paypal.approve(&order).await.unwrap();
        self.shop.until_state(&id, "OK").await;
        id
    }

    /// One that the buyer approved with this to pay with.
    pub(crate) async fn approved_with(&self, funding: Funding, more: Value) -> String {
        let (id, order) = self.sent_with(more).await;
        self.paypal.approve_with(&order, funding).await.unwrap();
        id
    }

    /// No webhook of this payment arrives any more.
    pub(crate) fn lose_notifications(&self, id: &str) {
        let lost = Misbehaviour::always(NotificationFault::Lost);
        self.paypal.misbehave(lost.for_order(id));
    }

    /// The requests of this operation about this payment's order.
    pub(crate) fn requests(&self, operation: &str, id: &str) -> Vec<RequestView> {
        let order = self.paypal.order(id).map(|order| order.id);
        let mut requests = self.paypal.requests();
        requests.retain(|request| {
            request.operation.as_deref() == Some(operation) && request.order_id == order
        });
        requests
    }
}

/// What a target needs to know of the account.
pub(crate) fn account_settings(paypal: &PayPal, account: &Account) -> Value {
    json!({
        "client_id": account.client_id(),
        "client_secret": account.secret(),
        "webhook_id": account.webhook_id(),
        "webhook_authority": account.certificate_authority(),
        "gateway": paypal.url(),
    })
}

/// PayPal's number of the order behind a page's address.
pub(crate) fn order_at(page: &Value) -> String {
    let (_, order) = page.as_str().unwrap().split_once("token=").unwrap();
    order.to_owned()
}
