//! Alipay, simulated: the gateway with `alipay.trade.precreate`, `query`, `close` and `cancel`,
//! a buyer who scans and pays, and the notifications with their repeats.
//!
//! [`Alipay`] is the way in; the rooms below it are its own. What it does wrong on command is in
//! [`Misbehaviour`]; the rules of signing are in [`signing`], for whoever writes messages by hand.
//!
//! Over HTTP, on the same port as the gateway:
//!
//! | address | does |
//! |---|---|
//! | `ANY /gateway.do` | the gateway |
//! | `GET /qr/{code}` | what a QR code leads to: a page with a button to pay |
//! | `POST /buyer/scan`, `/buyer/pay` | the buyer, by `{"qr_code": "…"}` |
//! | `GET /trades`, `/requests`, `/notifications` | what happened |
//! | `POST /misbehave`, `DELETE /misbehave` | a [`Misbehaviour`] as JSON, or none any more |

mod account;
mod answer;
mod book;
pub mod certificate;
mod clock;
mod content;
mod control;
pub mod encryption;
mod failure;
mod fen;
mod gateway;
mod line;
mod misbehaviour;
mod notification;
mod numbers;
mod operation;
mod order;
mod parameters;
mod platform;
pub mod signing;
mod view;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use account::Account;
pub use fen::Fen;
pub use misbehaviour::{
    AnswerFault, Fault, Misbehaviour, Notice, NoticeBytes, NoticeSignature, NotificationFault,
};
pub use order::{BuyerError, TradeStatus};
pub use parameters::SignatureCheck;
pub use view::{NotificationView, RequestView, TradeView};

use line::{Line, Lines};
use numbers::Numbers;
use platform::Platform;

/// How long a merchant may take to reply to a notification.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long stopping waits for connections that do not end by themselves.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How the platform is started.
#[derive(Clone, Debug, Default)]
pub struct AlipayOptions {
    /// The port on 127.0.0.1; 0 lets the kernel pick one.
    pub port: u16,
    /// By how much the waits between a notification's repeats are shortened (really 4m, 10m,
    /// 10m, 1h, 2h, 6h, 15h); 0 and 1 leave them. Nothing else is scaled.
    pub time_scale: u32,
}

/// Why the platform cannot do what was asked of it here.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port cannot be used.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// As in the options.
        port: u16,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The client that sends notifications cannot be made.
    #[error("cannot make the client that sends notifications")]
    Client(#[source] reqwest::Error),
    /// The machine has no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// An account's keys cannot be made.
    #[error("cannot make the account's keys")]
    Keys(#[from] signing::KeyError),
    /// No order has this number.
    #[error("no order has the number {0}")]
    NoOrder(String),
    /// The order has no `notify_url`, and the notice names no other address.
    #[error("the order {0} has no address to notify")]
    NoAddress(String),
    /// The order's state does not allow it.
    #[error("the state of the order {0} does not allow this")]
    State(String),
}

/// A running platform, used within a tokio runtime. Dropping it ends it soon; [`stop`](Alipay::stop) waits for the end.
pub struct Alipay {
    platform: Arc<Platform>,
    server: JoinHandle<()>,
}

impl Alipay {
    /// Starts a platform on loopback.
    ///
    /// # Errors
    /// [`SandboxError::Listen`], [`SandboxError::Client`] or [`SandboxError::Random`].
    pub async fn start(options: AlipayOptions) -> Result<Alipay, SandboxError> {
        let port = options.port;
        let listen = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(listen)?;
        let base_url = format!("http://{}", listener.local_addr().map_err(listen)?);
        // No proxy: the merchant is on this machine, whatever the environment says.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REPLY_TIMEOUT)
            .user_agent("Mozilla/4.0")
            .build()
            .map_err(SandboxError::Client)?;
        let numbers = Numbers::new().ok_or(SandboxError::Random)?;
        let platform = Arc::new(Platform::new(base_url, options.time_scale, numbers, client));
        let server = tokio::spawn(serve(Arc::clone(&platform), listener));
        Ok(Alipay { platform, server })
    }

    /// The address of this platform, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.platform.base_url.clone()
    }

    /// The gateway's address, `http://127.0.0.1:PORT/gateway.do`.
    pub fn gateway_url(&self) -> String {
        format!("{}/gateway.do", self.platform.base_url)
    }

    /// Opens a merchant's account with new keys. Takes some tenths of a second.
    ///
    /// # Errors
    /// [`SandboxError::Keys`].
    pub async fn open_account(&self) -> Result<Account, SandboxError> {
        let platform = Arc::clone(&self.platform);
        let made = tokio::task::spawn_blocking(move || account::App::open(&platform.numbers)).await;
        let (app, account) = made.unwrap_or(Err(signing::KeyError::Generate))?;
        self.platform
            .book()
            .apps
            .insert(app.app_id.clone(), Arc::new(app));
        Ok(account)
    }

    /// Every order, by app and number.
    pub fn trades(&self) -> Vec<TradeView> {
        let book = self.platform.book();
        book.orders
            .values()
            .map(|order| order.view(&self.platform.base_url))
            .collect()
    }

    /// The order of a merchant's number; the first app's, should two have used the same.
    pub fn trade(&self, out_trade_no: &str) -> Option<TradeView> {
        self.trades()
            .into_iter()
            .find(|trade| trade.out_trade_no == out_trade_no)
    }

    /// The last requests that reached the gateway, oldest first; at most 10,000.
    pub fn requests(&self) -> Vec<RequestView> {
        self.platform.book().requests()
    }

    /// The last notifications that were sent or tried, oldest first; at most 10,000.
    pub fn notifications(&self) -> Vec<NotificationView> {
        self.platform.book().notifications()
    }

    /// Looks now and after everything that happens, until there is something; so a test needs no
    /// clock to wait for the platform.
    pub async fn until<T>(&self, mut look: impl FnMut(&Alipay) -> Option<T>) -> T {
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

    /// The buyer scans the code: the trade begins and waits for payment. No notification.
    ///
    /// # Errors
    /// As for the buyer at the till.
    pub async fn scan(&self, qr_code: &str) -> Result<TradeView, BuyerError> {
        self.platform.buy(qr_code, false)
    }

    /// The buyer scans the code and pays. The notification follows in the background.
    ///
    /// # Errors
    /// As for the buyer at the till.
    pub async fn pay(&self, qr_code: &str) -> Result<TradeView, BuyerError> {
        self.platform.buy(qr_code, true)
    }

    /// Lets the time of an order's codes and of its trade run out now. A trade that waits for the
    /// buyer is closed, with its notification.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn run_out(&self, out_trade_no: &str) -> Result<(), SandboxError> {
        let key = {
            let mut book = self.platform.book();
            let key = book.named(out_trade_no);
            if let Some(order) = key.as_ref().and_then(|key| book.orders.get_mut(key)) {
                order.run_out(clock::now());
            }
            key.ok_or_else(|| SandboxError::NoOrder(out_trade_no.to_owned()))?
        };
        self.platform.lapse(&key);
        self.platform.changed();
        Ok(())
    }

    /// The time for refunds of a paid trade is over: `TRADE_FINISHED`, with its notification.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not paid.
    pub fn finish(&self, out_trade_no: &str) -> Result<(), SandboxError> {
        self.change(out_trade_no, order::Order::finish)
    }

    /// The merchant gives money back by Alipay's own console, with its notification: a part
    /// leaves `TRADE_SUCCESS`, the whole makes `TRADE_CLOSED`.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not paid or so much is not left.
    pub fn refund(&self, out_trade_no: &str, fee: Fen) -> Result<(), SandboxError> {
        self.change(out_trade_no, |order| order.refund(fee, clock::now()))
    }

    fn change(
        &self,
        out_trade_no: &str,
        change: impl FnOnce(&mut order::Order) -> bool,
    ) -> Result<(), SandboxError> {
        if self.trade(out_trade_no).is_none() {
            return Err(SandboxError::NoOrder(out_trade_no.to_owned()));
        }
        if !self.platform.change(out_trade_no, change) {
            return Err(SandboxError::State(out_trade_no.to_owned()));
        }
        Ok(())
    }

    /// Adds something to be done wrong, after what is already there.
    pub fn misbehave(&self, misbehaviour: Misbehaviour) {
        self.platform.book().misbehaviours.push(misbehaviour);
    }

    /// Forgets all that was to be done wrong.
    pub fn behave(&self) {
        self.platform.book().misbehaviours.clear();
    }

    /// Sends one notification of an order now, once, changed as the notice says; also for an
    /// order that nobody scanned, as somebody would who forges one. Standing misbehaviours do
    /// not touch it.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`], [`SandboxError::NoAddress`].
    pub async fn notify(
        &self,
        out_trade_no: &str,
        notice: &Notice,
    ) -> Result<NotificationView, SandboxError> {
        let letter = {
            let book = self.platform.book();
            let order = book
                .named(out_trade_no)
                .and_then(|key| book.orders.get(&key));
            order.map(|order| notification::Letter::any(&self.platform, order))
        };
        let letter = letter.ok_or_else(|| SandboxError::NoOrder(out_trade_no.to_owned()))?;
        if notice.url.is_none() && !letter.has_address() {
            return Err(SandboxError::NoAddress(out_trade_no.to_owned()));
        }
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

impl Drop for Alipay {
    fn drop(&mut self) {
        self.platform.stop.send_replace(true);
    }
}

async fn serve(platform: Arc<Platform>, listener: TcpListener) {
    let routes = Router::new()
        .route("/gateway.do", any(gateway::gateway))
        .route("/qr/{code}", get(control::code_page))
        .route("/buyer/scan", post(control::scan))
        .route("/buyer/pay", post(control::pay))
        .route("/trades", get(control::trades))
        .route("/requests", get(control::requests))
        .route("/notifications", get(control::notifications))
        .route(
            "/misbehave",
            post(control::misbehave).delete(control::behave),
        )
        .with_state(Arc::clone(&platform));
    let service = routes.into_make_service_with_connect_info::<Line>();
    let stopped = async move { platform.stopped().await };
    if let Err(error) = axum::serve(Lines(listener), service)
        .with_graceful_shutdown(stopped)
        .await
    {
        tracing::error!(%error, "the simulated Alipay ended");
    }
}
