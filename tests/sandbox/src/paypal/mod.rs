//! PayPal, simulated: tokens, orders with their capture and refunds (Orders v2, Payments v2), a
//! buyer who approves, and the webhooks with their repeats.
//!
//! [`PayPal`] is the way in; the rooms below it are its own. What it does wrong on command is in
//! [`Misbehaviour`]; the rule of signing webhooks is in [`signing`], for whoever checks them by
//! hand.
//!
//! The transaction search (`GET /v1/reporting/transactions`) tells of the money that moved.
//!
//! Over HTTP, on the same port:
//!
//! | address | does |
//! |---|---|
//! | `/v1/…`, `/v2/…` | the REST APIs, each operation by PayPal's name in [`RequestView`] |
//! | `GET /v1/notifications/certs/{id}` | the certificates that sign webhooks |
//! | `GET /checkoutnow?token={order}` | what an order's link leads to: a page with a button to pay |
//! | `POST /buyer/approve`, `/buyer/cancel` | the buyer, by `{"token": "…", "funding": "balance"}` |
//! | `PUT /webhook` | where notifications go, by `{"client_id": "…", "url": "…"}` |
//! | `GET /orders`, `/requests`, `/notifications` | what happened |
//! | `POST /misbehave`, `DELETE /misbehave` | a [`Misbehaviour`] as JSON, or none any more |

mod account;
mod amount;
mod api;
mod book;
mod certificate;
mod clock;
mod content;
mod control;
mod error;
mod event;
mod failure;
mod fields;
mod line;
mod misbehaviour;
mod notice;
mod notification;
mod numbers;
mod operation;
mod order;
mod page;
mod platform;
mod report;
mod reports;
mod resource;
pub mod signing;
mod status;
mod token;
mod verification;
mod view;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use account::Account;
pub use amount::{Amount, Currency};
pub use certificate::CertificateError;
pub use error::SandboxError;
pub use event::EventType;
pub use misbehaviour::{AnswerFault, Fault, Misbehaviour, NotificationFault};
pub use notice::{Notice, NoticeBytes, NoticeCertificate, NoticeSignature};
pub use platform::Decision;
pub use status::{BuyerError, CaptureStatus, Funding, OrderStatus, RefundStatus};
pub use view::{CaptureView, NotificationView, OrderView, RefundView, Replay, RequestView};

use certificate::{Authority, Validity};
use line::{Line, Lines};
use numbers::Numbers;
use order::Settlement;
use platform::Platform;

/// How long a merchant may take to reply to a notification.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long stopping waits for connections that do not end by themselves.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How the platform is started.
#[derive(Clone, Debug, Default)]
pub struct PayPalOptions {
    /// The port on 127.0.0.1; 0 lets the kernel pick one.
    pub port: u16,
    /// By how much the waits between a notification's repeats are shortened (really 25 within
    /// three days); 0 and 1 leave them. Nothing else is scaled.
    pub time_scale: u32,
}

/// A running platform, used within a tokio runtime. Dropping it ends it soon; [`stop`](PayPal::stop) waits for the end.
///
/// Where an order is asked for by name, it is PayPal's number of it, of its capture or of a
/// refund, or one of the merchant's: `custom_id`, `invoice_id` or `reference_id`.
pub struct PayPal {
    platform: Arc<Platform>,
    server: JoinHandle<()>,
}

impl PayPal {
    /// Starts a platform on loopback, with new keys. Takes some tenths of a second.
    ///
    /// # Errors
    /// [`SandboxError::Listen`], [`SandboxError::Client`], [`SandboxError::Random`] or
    /// [`SandboxError::Certificate`].
    pub async fn start(options: PayPalOptions) -> Result<PayPal, SandboxError> {
        let port = options.port;
        let listen = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        // No proxy: the merchant is on this machine, whatever the environment says.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REPLY_TIMEOUT)
            .user_agent("PayPal/AUHD-1.0-1")
            .build()
            .map_err(SandboxError::Client)?;
        let numbers = Numbers::new().ok_or(SandboxError::Random)?;
        let make = move || -> Result<_, CertificateError> {
            let authority = Authority::new("Simulated PayPal Root")?;
            let signer = authority.issue(&numbers, Validity::Now)?;
            Ok((numbers, (authority, signer)))
        };
        let made = tokio::task::spawn_blocking(make).await;
        let (numbers, keys) = made.map_err(|_| CertificateError::Interrupted)??;
        let scale = options.time_scale;
        let platform = Arc::new(Platform::new(port, scale, numbers, client, keys));
        let server = tokio::spawn(serve(Arc::clone(&platform), listener));
        Ok(PayPal { platform, server })
    }

    /// The address of this platform, such as `http://127.0.0.1:40123`, in place of
    /// `https://api-m.paypal.com`.
    pub fn url(&self) -> String {
        self.platform.base_url.clone()
    }

    /// The same port by another name of this host: what is not PayPal's own address, though
    /// something is there.
    pub fn elsewhere_url(&self) -> String {
        self.platform.elsewhere_url.clone()
    }

    /// Opens a merchant's account in the United States.
    pub fn open_account(&self) -> Account {
        self.open_account_in("US")
    }

    /// Opens a merchant's account in a country, two capitals. BRL, CNY, INR and MYR are for
    /// merchants of their own countries.
    pub fn open_account_in(&self, country: &str) -> Account {
        let authority = self.platform.authority.pem();
        let (app, account) = account::App::open(&self.platform.numbers, country, &authority);
        let apps = &mut self.platform.book().apps;
        apps.insert(app.client_id.clone(), Arc::new(app));
        account
    }

    /// Where the account's notifications go from now on. Without an address there are none.
    pub fn listen(&self, account: &Account, url: impl Into<String>) {
        let webhooks = &mut self.platform.book().webhooks;
        webhooks.insert(account.client_id().to_owned(), url.into());
    }

    /// Webhooks are signed by a new certificate from now on; the earlier ones are still served.
    ///
    /// # Errors
    /// [`SandboxError::Certificate`].
    pub async fn rotate_certificate(&self) -> Result<(), SandboxError> {
        Ok(self.platform.rotate().await?)
    }

    /// No access token holds any more: the next request with one is answered by 401
    /// `invalid_token`.
    pub fn end_tokens(&self) {
        self.platform.book().tokens.end_all(clock::now());
    }

    /// Every `PayPal-Request-Id` is forgotten, as PayPal does after 6 hours to 45 days: the same
    /// request is another one from now on.
    pub fn forget_request_ids(&self) {
        self.platform.book().request_ids.clear();
    }

    /// Every order, by number.
    pub fn orders(&self) -> Vec<OrderView> {
        let (book, writer) = (self.platform.book(), self.platform.writer());
        book.orders
            .values()
            .map(|order| order.view(&writer))
            .collect()
    }

    /// The order of a name; the newest, should several be called so.
    pub fn order(&self, name: &str) -> Option<OrderView> {
        let book = self.platform.book();
        let order = book.named(name)?;
        Some(order.view(&self.platform.writer()))
    }

    /// The last requests that reached the platform, oldest first; at most 10,000.
    pub fn requests(&self) -> Vec<RequestView> {
        self.platform.book().requests()
    }

    /// The last notifications that were sent or tried, oldest first; at most 10,000.
    pub fn notifications(&self) -> Vec<NotificationView> {
        self.platform.book().notifications()
    }

    /// Looks now and after everything that happens, until there is something; so a test needs no
    /// clock to wait for the platform.
    pub async fn until<T>(&self, mut look: impl FnMut(&PayPal) -> Option<T>) -> T {
        let mut changes = self.platform.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives in self, so this ends with a change only.
            let _ = changes.changed().await;
        }
    }

    /// The buyer approves an order, by its number or its link, with money that is there. The
    /// notification follows in the background; the money moves when the merchant captures.
    ///
    /// # Errors
    /// As for the buyer on the page.
    pub async fn approve(&self, token: &str) -> Result<Decision, BuyerError> {
        self.platform.approve(token, Funding::Balance)
    }

    /// The same with something else to pay with.
    ///
    /// # Errors
    /// As for the buyer on the page.
    pub async fn approve_with(
        &self,
        token: &str,
        funding: Funding,
    ) -> Result<Decision, BuyerError> {
        self.platform.approve(token, funding)
    }

    /// The buyer goes back without approving. The order stays as it was, and may be approved
    /// later; nobody is notified.
    ///
    /// # Errors
    /// As for the buyer on the page.
    pub async fn cancel(&self, token: &str) -> Result<Decision, BuyerError> {
        self.platform.cancel(token)
    }

    /// Lets the time of an order that is not captured run out now: PayPal knows it no more.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn run_out(&self, name: &str) -> Result<(), SandboxError> {
        self.change(name, |order| order.run_out(clock::now()))
    }

    /// A pending capture comes in: `COMPLETED`, with its notification.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when none is pending.
    pub fn complete_capture(&self, name: &str) -> Result<(), SandboxError> {
        self.allowed(name, self.platform.settle(name, Settlement::Completed))
    }

    /// A pending capture comes to nothing: `DECLINED`, with its notification.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when none is pending.
    pub fn deny_capture(&self, name: &str) -> Result<(), SandboxError> {
        self.allowed(name, self.platform.settle(name, Settlement::Declined))
    }

    /// The merchant gives money back by PayPal's own pages, with its notification.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not paid or so much is not left.
    pub fn refund(&self, name: &str, amount: Amount) -> Result<(), SandboxError> {
        self.allowed(name, self.platform.refund(name, amount))
    }

    /// Whether refunds of an order are `PENDING` from now on, as when the merchant's own money
    /// comes by eCheck.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn let_refunds_wait(&self, name: &str, wait: bool) -> Result<(), SandboxError> {
        self.change(name, |order| order.refunds_wait = wait)
    }

    /// A pending refund, by its number, ends in this status, with its notification.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not pending.
    pub fn settle_refund(&self, refund_id: &str, status: RefundStatus) -> Result<(), SandboxError> {
        let settled = self.platform.settle_refund(refund_id, status);
        self.allowed(refund_id, settled)
    }

    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut order::Order),
    ) -> Result<(), SandboxError> {
        if self.platform.change(name, change) {
            return Ok(());
        }
        Err(SandboxError::NoOrder(name.to_owned()))
    }

    fn allowed(&self, name: &str, done: bool) -> Result<(), SandboxError> {
        match self.order(name) {
            _ if done => Ok(()),
            Some(_) => Err(SandboxError::State(name.to_owned())),
            None => Err(SandboxError::NoOrder(name.to_owned())),
        }
    }

    /// Adds something to be done wrong, after what is already there.
    pub fn misbehave(&self, misbehaviour: Misbehaviour) {
        self.platform.book().misbehaviours.push(misbehaviour);
    }

    /// Forgets all that was to be done wrong.
    pub fn behave(&self) {
        self.platform.book().misbehaviours.clear();
    }

    /// Sends one notification of an order now, once, changed as the notice says; also of an
    /// order that nobody approved, as somebody would who forges one. Standing misbehaviours do
    /// not touch it.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`], [`SandboxError::NoAddress`].
    pub async fn notify(
        &self,
        name: &str,
        notice: &Notice,
    ) -> Result<NotificationView, SandboxError> {
        let letter = {
            let book = self.platform.book();
            let order = book.named(name);
            let order = order.ok_or_else(|| SandboxError::NoOrder(name.to_owned()))?;
            let event = notice.event.unwrap_or_else(|| EventType::latest(order));
            let letter = notification::Letter::of(&self.platform, order, event, None);
            match letter.clone().addressed(&book) {
                Some(letter) => letter,
                None if notice.url.is_some() => letter,
                None => return Err(SandboxError::NoAddress(name.to_owned())),
            }
        };
        Ok(notification::send(&self.platform, &letter, notice, 1).await)
    }

    /// Stops and waits until nothing of it runs.
    pub async fn stop(mut self) {
        self.platform.stop.send_replace(true);
        if tokio::time::timeout(STOP_TIMEOUT, &mut self.server)
            .await
            .is_err()
        {
            self.server.abort();
        }
        self.platform.stop.closed().await;
    }
}

impl Drop for PayPal {
    fn drop(&mut self) {
        self.platform.stop.send_replace(true);
    }
}

async fn serve(platform: Arc<Platform>, listener: TcpListener) {
    let routes = Router::new()
        .route("/checkoutnow", get(control::checkout))
        .route("/buyer/approve", post(control::approve))
        .route("/buyer/cancel", post(control::cancel))
        .route("/webhook", put(control::webhook))
        .route("/orders", get(control::orders))
        .route("/requests", get(control::requests))
        .route("/notifications", get(control::notifications))
        .route(
            "/misbehave",
            post(control::misbehave).delete(control::behave),
        )
        .fallback(api::api)
        .with_state(Arc::clone(&platform));
    let service = routes.into_make_service_with_connect_info::<Line>();
    let stopped = async move { platform.stopped().await };
    if let Err(error) = axum::serve(Lines(listener), service)
        .with_graceful_shutdown(stopped)
        .await
    {
        tracing::error!(%error, "the simulated PayPal ended");
    }
}
