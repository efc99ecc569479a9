//! How a platform is started.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, watch};

use super::book::Book;
use super::issuer::Issuer;
use super::line::{Door, Line, Lines};
use super::link::{CODE_PATH, H5_PATH};
use super::numbers::Numbers;
use super::platform::{Platform, Rules};
use super::signing::KeyError;
use super::tls::TlsLines;
use super::{WeChat, control, v2, v3};

/// How the platform is started.
#[derive(Clone, Debug, Default)]
pub struct WeChatOptions {
    /// The port on 127.0.0.1; 0 lets the kernel pick one.
    pub port: u16,
    /// The port with TLS; 0 lets the kernel pick one.
    pub tls_port: u16,
    /// By how much the platform's own waits are shortened: those between a notification's
    /// repeats (really 15s, 15s, 30s, 3m and so on up to 6h), and the time that a refund is in
    /// process (really some seconds). 0 and 1 leave them.
    pub time_scale: u32,
    /// Whether `time_scale` also shortens what merchants have to keep to: not to reverse a
    /// payment at the till before 15 s, not to close by v2 before 5 min, to reply to a
    /// notification within 5 s (never less than one). Nothing else is scaled: the clock, the time
    /// to pay and the lives of codes are real.
    pub scale_rules: bool,
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
        source: io::Error,
    },
    /// The client that sends notifications cannot be made.
    #[error("cannot make the client that sends notifications")]
    Client(#[source] reqwest::Error),
    /// The machine has no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// A key or a certificate cannot be made.
    #[error("cannot make a key or a certificate")]
    Keys(#[from] KeyError),
    /// No merchant has this number.
    #[error("no merchant has the number {0}")]
    NoMerchant(String),
    /// The merchant has no platform certificate or public key of this name.
    #[error(
        "the platform has no key of the name {0} for the merchant, or it is the one that signs"
    )]
    NoIdentity(String),
    /// No order has this number.
    #[error("no order has the number {0}")]
    NoOrder(String),
    /// No refund has this number.
    #[error("no refund has the number {0}")]
    NoRefund(String),
    /// There is no `notify_url`, and the notice names no other address.
    #[error("{0} has no address to notify")]
    NoAddress(String),
    /// The state does not allow it.
    #[error("the state of {0} does not allow this")]
    State(String),
}

impl WeChat {
    /// Starts a platform on loopback. Takes some tenths of a second for the first one in a
    /// process.
    ///
    /// # Errors
    /// [`SandboxError::Listen`], [`SandboxError::Client`], [`SandboxError::Keys`] or
    /// [`SandboxError::Random`].
    pub async fn start(options: WeChatOptions) -> Result<WeChat, SandboxError> {
        let (plain, base_url) = listen(options.port, "http").await?;
        let (secure, tls_url) = listen(options.tls_port, "https").await?;
        let make = || Ok((Issuer::tenpay()?, Issuer::of_servers()?));
        let made = tokio::task::spawn_blocking(make).await;
        let (tenpay, servers) = made.unwrap_or(Err(KeyError::Generate))?;
        // No proxy: the merchant is on this machine, whatever the environment says.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Mozilla/4.0")
            .build()
            .map_err(SandboxError::Client)?;
        let time_scale = options.time_scale.max(1);
        let rules = match options.scale_rules {
            true => Rules::scaled(time_scale),
            false => Rules::REAL,
        };
        let door = Arc::new(Door::new());
        let lines = |listener, port| {
            let lines = Lines::new(listener, Arc::clone(&door));
            lines.map_err(|source| SandboxError::Listen { port, source })
        };
        let plain = lines(plain, options.port)?;
        let secure = lines(secure, options.tls_port)?;
        let secure = TlsLines::new(secure, &servers, &tenpay)?;
        let platform = Arc::new(Platform {
            base_url,
            tls_url,
            time_scale,
            rules,
            numbers: Numbers::new().ok_or(SandboxError::Random)?,
            client,
            tls_ca_pem: servers.pem(),
            tenpay,
            door,
            stop: watch::Sender::new(false),
            changes: watch::Sender::new(()),
            stranger: OnceCell::new(),
            book: Mutex::new(Book::default()),
        });
        let servers = [
            tokio::spawn(serve(Arc::clone(&platform), plain)),
            tokio::spawn(serve(Arc::clone(&platform), secure)),
        ];
        Ok(WeChat { platform, servers })
    }
}

async fn listen(port: u16, scheme: &str) -> Result<(TcpListener, String), SandboxError> {
    let failed = |source| SandboxError::Listen { port, source };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let url = format!("{scheme}://{}", listener.local_addr().map_err(failed)?);
    Ok((listener, url))
}

fn routes(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/v3/{*rest}", any(v3::handle))
        .route("/pay/{*rest}", any(v2::handle))
        .route("/secapi/{*rest}", any(v2::handle))
        .route(CODE_PATH, get(control::page))
        .route(H5_PATH, get(control::page))
        .route("/buyer/scan", post(control::scan))
        .route("/buyer/pay", post(control::pay))
        .route("/buyer/code", post(control::code))
        .route("/buyer/confirm", post(control::confirm))
        .route("/buyer/refuse", post(control::refuse))
        .route("/buyer/abandon", post(control::abandon))
        .route("/trades", get(control::trades))
        .route("/requests", get(control::requests))
        .route("/notifications", get(control::notifications))
        .route(
            "/misbehave",
            post(control::misbehave).delete(control::behave),
        )
        .with_state(platform)
}

async fn serve<L>(platform: Arc<Platform>, listener: L)
where
    L: axum::serve::Listener<Addr = Line>,
    Line: for<'a> axum::extract::connect_info::Connected<axum::serve::IncomingStream<'a, L>>,
{
    let service = routes(Arc::clone(&platform)).into_make_service_with_connect_info::<Line>();
    let stopped = async move { platform.stopped().await };
    let served = axum::serve(listener, service).with_graceful_shutdown(stopped);
    if let Err(error) = served.await {
        tracing::error!(%error, "the simulated WeChat Pay ended");
    }
}
