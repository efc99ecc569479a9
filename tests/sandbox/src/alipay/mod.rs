//! Alipay, simulated: the gateway with its operations, buyers who pay by QR code, by page and at
//! the till, and the notifications with their repeats.
//!
//! [`Alipay`] is the way in; the rooms below it are its own. What it does wrong on command is in
//! [`Misbehaviour`]; the rules of signing, of encrypting content and of naming certificates are in
//! [`signing`], [`encryption`] and [`certificate`], for whoever writes messages by hand.
//!
//! | operation | here |
//! |---|---|
//! | `alipay.trade.precreate`, `pay`, `page.pay`, `wap.pay` | an order and its way to the buyer |
//! | `alipay.trade.query`, `close`, `cancel` | the trade that the buyer began |
//! | `alipay.trade.refund`, `alipay.trade.fastpay.refund.query` | money that goes back |
//! | `alipay.data.dataservice.bill.downloadurl.query` | the bill of a day or a month |
//! | `alipay.open.app.alipaycert.download` | a new certificate of Alipay's |
//!
//! Over HTTP, on the same port as the gateway:
//!
//! | address | does |
//! |---|---|
//! | `ANY /gateway.do` | the gateway |
//! | `GET /qr/{code}`, `/cashier/{token}` | what a QR code or a merchant's link leads to: a page with a button to pay |
//! | `GET /downloadBillFile.resource` | the file of a bill |
//! | `POST /buyer/scan`, `/buyer/pay` | the buyer, by `{"qr_code": "…"}`: the code's text or the page's address |
//! | `POST /buyer/code` | a payment code for the till, by `{"buyer": "pays"}` or what else a [`Buyer`] does |
//! | `POST /buyer/confirm`, `/buyer/refuse`, `/buyer/walk_away` | the buyer who was asked, by `{"out_trade_no": "…"}` |
//! | `GET /trades`, `/requests`, `/notifications` | what happened |
//! | `POST /trades/{out_trade_no}` | a [`Command`] as JSON |
//! | `POST /bills/publish` | the bill of today can be had at once |
//! | `POST /misbehave`, `DELETE /misbehave` | a [`Misbehaviour`] as JSON, or none any more |

mod account;
mod answer;
mod authority;
mod bill;
mod book;
mod buyer;
pub mod certificate;
mod clock;
mod command;
mod content;
mod control;
pub mod encryption;
mod failure;
mod fen;
mod gateway;
mod letter;
mod line;
mod misbehaviour;
mod notification;
mod numbers;
mod operation;
mod order;
mod pages;
mod parameters;
mod platform;
pub mod signing;
mod trade;
mod transport;
mod view;
mod wallet;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use account::{Account, Certificates};
pub use command::{Command, Issuer};
pub use content::OrderKind;
pub use fen::Fen;
pub use misbehaviour::{
    AnswerFault, BillFault, Fault, Misbehaviour, Notice, NoticeBytes, NoticeSignature,
    NotificationFault,
};
pub use order::BuyerError;
pub use parameters::SignatureCheck;
pub use trade::{RefundState, TradeStatus};
pub use view::{NotificationView, RefundView, RequestView, TradeView};
pub use wallet::Buyer;

use account::App;
use authority::Authority;
use letter::Letter;
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
    /// No account has this app's number, or it is not in certificate mode where that is needed.
    #[error("no account that could do this has the app {0}")]
    NoAccount(String),
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
        self.open(None).await
    }

    /// Opens a merchant's account in certificate mode (公钥证书). The first one takes a second.
    ///
    /// # Errors
    /// [`SandboxError::Keys`].
    pub async fn open_certified_account(&self) -> Result<Account, SandboxError> {
        let authority = Arc::clone(self.platform.authority().await?);
        self.open(Some(authority)).await
    }

    async fn open(&self, authority: Option<Arc<Authority>>) -> Result<Account, SandboxError> {
        let platform = Arc::clone(&self.platform);
        let open = move || App::open(&platform.numbers, authority.as_deref());
        let made = tokio::task::spawn_blocking(open).await;
        let (app, account) = made.unwrap_or(Err(signing::KeyError::Generate))?;
        let mut book = self.platform.book();
        book.apps.insert(app.app_id.clone(), Arc::new(app));
        Ok(account)
    }

    /// Every order, by app and number.
    pub fn trades(&self) -> Vec<TradeView> {
        let book = self.platform.book();
        book.orders
            .values()
            .map(|order| TradeView::of(order, &self.platform.base_url))
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

    /// Nobody can reach the platform: every connection ends at once, with the gateway's and all
    /// others of this port. It goes on by itself, and its notifications go out.
    pub fn go_down(&self) {
        self.platform.down.store(true, Ordering::Release);
    }

    /// The platform can be reached again.
    pub fn come_up(&self) {
        self.platform.down.store(false, Ordering::Release);
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
            order.map(|order| Letter::any(&self.platform, order))
        };
        let letter = letter.ok_or_else(|| SandboxError::NoOrder(out_trade_no.to_owned()))?;
        if notice.url.is_none() && letter.url.is_none() {
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
        .route("/phone", get(pages::phone))
        .route("/qr/{code}", get(pages::code))
        .route("/cashier/{token}", get(pages::cashier))
        .route("/downloadBillFile.resource", get(control::bill_file))
        .route("/buyer/scan", post(pages::scan))
        .route("/buyer/pay", post(pages::pay))
        .route("/buyer/code", post(control::show_code))
        .route("/buyer/confirm", post(pages::confirm))
        .route("/buyer/refuse", post(pages::refuse))
        .route("/buyer/walk_away", post(pages::walk_away))
        .route("/trades", get(control::trades))
        .route("/trades/{out_trade_no}", post(control::command))
        .route("/requests", get(control::requests))
        .route("/notifications", get(control::notifications))
        .route("/bills/publish", post(control::publish_bills))
        .route(
            "/misbehave",
            post(control::misbehave).delete(control::behave),
        )
        .with_state(Arc::clone(&platform));
    let service = routes.into_make_service_with_connect_info::<Line>();
    let lines = Lines {
        listener,
        down: Arc::clone(&platform.down),
    };
    let stopped = async move { platform.stopped().await };
    if let Err(error) = axum::serve(lines, service)
        .with_graceful_shutdown(stopped)
        .await
    {
        tracing::error!(%error, "the simulated Alipay ended");
    }
}
