//! The running platform that handlers, buyers and notifications share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};

use super::amount::Amount;
use super::book::Book;
use super::certificate::{Authority, CertificateError, SigningCertificate, Validity};
use super::clock;
use super::content::RefundContent;
use super::event::EventType;
use super::notification;
use super::numbers::Numbers;
use super::order::{Order, Settlement};
use super::resource::Writer;
use super::status::{BuyerError, Funding, RefundStatus};
use super::view::OrderView;

/// Where certificates are served.
const CERTIFICATES: &str = "/v1/notifications/certs/";

/// Where the payer goes once they decided.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Decision {
    /// The order after it.
    pub order: OrderView,
    /// The merchant's `return_url` or `cancel_url` with PayPal's parameters, if it gave one.
    pub goes_to: Option<String>,
}

/// The platform's state and its ways to the outside.
pub(super) struct Platform {
    pub(super) base_url: String,
    /// The same port by another name of this host.
    pub(super) elsewhere_url: String,
    pub(super) time_scale: u32,
    pub(super) numbers: Numbers,
    pub(super) client: reqwest::Client,
    /// The buyer's number at PayPal; there is one buyer.
    pub(super) payer_id: String,
    pub(super) authority: Arc<Authority>,
    /// True once the platform stops. Each task holds a receiver, so that the end can wait for it.
    pub(super) stop: watch::Sender<bool>,
    /// Told whenever something happened that a view shows.
    pub(super) changes: watch::Sender<()>,
    stranger: OnceCell<Arc<SigningCertificate>>,
    expired: OnceCell<Arc<SigningCertificate>>,
    book: Mutex<Book>,
}

impl Platform {
    pub(super) fn new(
        port: u16,
        time_scale: u32,
        numbers: Numbers,
        client: reqwest::Client,
        (authority, signer): (Authority, SigningCertificate),
    ) -> Platform {
        Platform {
            base_url: format!("http://127.0.0.1:{port}"),
            elsewhere_url: format!("http://localhost:{port}"),
            time_scale: time_scale.max(1),
            payer_id: numbers.account_id(),
            numbers,
            client,
            authority: Arc::new(authority),
            stop: watch::Sender::new(false),
            changes: watch::Sender::new(()),
            stranger: OnceCell::new(),
            expired: OnceCell::new(),
            book: Mutex::new(Book::new(signer)),
        }
    }

    /// The memory. A panic elsewhere leaves it readable: each change to it is one statement.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How this platform writes resources.
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer {
            base_url: &self.base_url,
            payer_id: &self.payer_id,
        }
    }

    /// Tells whoever waits that something happened.
    pub(super) fn changed(&self) {
        self.changes.send_replace(());
    }

    /// Waits until the platform stops.
    pub(super) async fn stopped(&self) {
        // The sender lives in self, so the only end of this wait is the stop.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Waits; false when the platform stops before.
    pub(super) async fn pause(&self, length: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(length) => true,
            () = self.stopped() => false,
        }
    }

    /// Whether a `Host` header names the platform as it names itself.
    pub(super) fn is_own_host(&self, host: &str) -> bool {
        self.base_url.strip_prefix("http://") == Some(host)
    }

    /// The address of a certificate.
    pub(super) fn certificate_url(&self, id: &str) -> String {
        format!("{}{CERTIFICATES}{id}", self.base_url)
    }

    /// The certificate of an address, if it is one of the platform's own.
    pub(super) fn certificate_id<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.strip_prefix(self.base_url.as_str())?;
        path.strip_prefix(CERTIFICATES)
    }

    /// The address of a stranger's certificate.
    pub(super) fn elsewhere_certificate_url(&self, id: &str) -> String {
        format!("{}{CERTIFICATES}{id}", self.elsewhere_url)
    }

    /// Issues a certificate by which webhooks are signed from now on; the earlier ones stay.
    pub(super) async fn rotate(self: &Arc<Self>) -> Result<(), CertificateError> {
        let signer = self.issue(Validity::Now).await?;
        self.book().signer = signer;
        Ok(())
    }

    /// A certificate of PayPal's that is past its time; made when it is first needed.
    pub(super) async fn expired(
        self: &Arc<Self>,
    ) -> Result<Arc<SigningCertificate>, CertificateError> {
        let made = self.expired.get_or_try_init(|| self.issue(Validity::Over));
        made.await.cloned()
    }

    async fn issue(
        self: &Arc<Self>,
        validity: Validity,
    ) -> Result<Arc<SigningCertificate>, CertificateError> {
        let platform = Arc::clone(self);
        let make = move || platform.authority.issue(&platform.numbers, validity);
        let made = tokio::task::spawn_blocking(make).await;
        let made = Arc::new(made.map_err(|_| CertificateError::Interrupted)??);
        let known = Arc::clone(&made);
        self.book().certificates.insert(made.id.clone(), known);
        Ok(made)
    }

    /// The certificate of somebody who is not PayPal, by an authority of its own; made when it
    /// is first needed.
    pub(super) async fn stranger(
        self: &Arc<Self>,
    ) -> Result<Arc<SigningCertificate>, CertificateError> {
        let make = || async {
            let platform = Arc::clone(self);
            let made = tokio::task::spawn_blocking(move || {
                Authority::new("Somebody's Root")?.issue(&platform.numbers, Validity::Now)
            });
            let made = made.await.map_err(|_| CertificateError::Interrupted)?;
            made.map(Arc::new)
        };
        self.stranger.get_or_try_init(make).await.cloned()
    }

    /// The stranger's certificate, if one was needed.
    pub(super) fn known_stranger(&self) -> Option<Arc<SigningCertificate>> {
        self.stranger.get().cloned()
    }

    /// Sends the notification of an event, with its repeats, in the background.
    pub(super) fn announce(
        self: &Arc<Self>,
        order_id: &str,
        event: EventType,
        refund_id: Option<&str>,
    ) {
        self.changed();
        let letter = self
            .book()
            .orders
            .get(order_id)
            .map(|order| (order, refund_id.and_then(|id| order.refund_of(id))))
            .map(|(order, refund)| notification::Letter::of(self, order, event, refund));
        // Addressed as the webhook is now; without one PayPal tells nobody.
        if let Some(letter) = letter.and_then(|letter| letter.addressed(&self.book())) {
            tokio::spawn(notification::deliver(Arc::clone(self), letter));
        }
    }

    /// The order that a payer means: by its number, or by the link to approve it.
    fn meant<'a>(&self, token: &'a str) -> &'a str {
        let link = token.strip_prefix(self.base_url.as_str());
        let link = link.and_then(|path| path.strip_prefix("/checkoutnow?token="));
        link.unwrap_or(token)
    }

    /// The payer approves.
    pub(super) fn approve(
        self: &Arc<Self>,
        token: &str,
        funding: Funding,
    ) -> Result<Decision, BuyerError> {
        let id = self.meant(token);
        let decision = {
            let mut book = self.book();
            let order = book.orders.get_mut(id).ok_or(BuyerError::UnknownOrder)?;
            order.approve(funding, clock::now())?;
            let back = order.content.context.return_url.as_deref();
            let more = [("token", id), ("PayerID", &self.payer_id)];
            let goes_to = back.map(|url| with_parameters(url, &more));
            let order = order.view(&self.writer());
            Decision { order, goes_to }
        };
        self.announce(id, EventType::OrderApproved, None);
        Ok(decision)
    }

    /// The payer thinks better of it: the order stays as it was, and may be approved later.
    pub(super) fn cancel(&self, token: &str) -> Result<Decision, BuyerError> {
        let id = self.meant(token);
        let book = self.book();
        let order = book.orders.get(id).ok_or(BuyerError::UnknownOrder)?;
        order.open(clock::now())?;
        let back = order.content.context.cancel_url.as_deref();
        let goes_to = back.map(|url| with_parameters(url, &[("token", id)]));
        let order = order.view(&self.writer());
        Ok(Decision { order, goes_to })
    }

    /// Ends a pending capture; false when there is none.
    pub(super) fn settle(self: &Arc<Self>, name: &str, settlement: Settlement) -> bool {
        let settled = {
            let mut book = self.book();
            let order = book.named_mut(name);
            order
                .filter(|order| order.capture.is_some())
                .and_then(|order| {
                    order
                        .settle(settlement, clock::now())
                        .then(|| order.id.clone())
                })
        };
        if let Some(id) = &settled {
            self.announce(id, EventType::of_capture(settlement), None);
        }
        settled.is_some()
    }

    /// Ends a pending refund; false when there is none.
    pub(super) fn settle_refund(self: &Arc<Self>, id: &str, status: RefundStatus) -> bool {
        let settled = {
            let mut book = self.book();
            book.named_mut(id).and_then(|order| {
                order
                    .settle_refund(id, status, clock::now())
                    .then(|| order.id.clone())
            })
        };
        if let (Some(order), Some(event)) = (&settled, EventType::of_refund(status)) {
            self.announce(order, event, Some(id));
        }
        settled.is_some()
    }

    /// The merchant gives money back by PayPal's own pages; false when so much is not left.
    pub(super) fn refund(self: &Arc<Self>, name: &str, amount: Amount) -> bool {
        let content = RefundContent {
            amount: Some(amount),
            ..RefundContent::default()
        };
        let made = {
            let mut book = self.book();
            book.named_mut(name).and_then(|order| {
                let refund = order.refund(content, &self.numbers, clock::now()).ok()?;
                let (refund, status) = (refund.id.clone(), refund.status);
                Some((order.id.clone(), refund, status))
            })
        };
        let Some((order, refund, status)) = made else {
            return false;
        };
        if let Some(event) = EventType::of_refund(status) {
            self.announce(&order, event, Some(&refund));
        }
        true
    }

    /// Changes an order by any of its names; false when there is none.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Order)) -> bool {
        let changed = self.book().named_mut(name).map(change).is_some();
        self.changed();
        changed
    }
}

/// An address with more parameters.
fn with_parameters(url: &str, more: &[(&str, &str)]) -> String {
    match url::Url::parse(url) {
        Ok(mut url) => {
            url.query_pairs_mut().extend_pairs(more);
            url.into()
        }
        Err(_) => url.to_owned(),
    }
}
