//! The native twin of the host's way from a notification to its answer: the same HTTP stack, the same check of the
//! signature, the same rules, the same store, the same line in the audit log, and the provider's code called
//! natively where the host runs a component.
//!
//! What only the host does is left out, to the host's disadvantage: it looks for work after every change, and
//! looks up which provider and target an attempt has.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::catch_panic::CatchPanicLayer;
use walnut::home::DataRoot;
use walnut::payment::model::{StoredStatement, TargetRef, TradeNo};
use walnut::payment::now_ms;
use walnut::payment::settle::{Evidence, settle};
use walnut::plugin::AttemptView;
use walnut::store::Store;
use walnut::trust::{Manifest, Message, Origin, Target, read_claim};

use super::alipay::Account;
use super::merchant::Merchant as _;
use super::native;
use super::order::{DOMAIN, TARGET};
use super::process::READY;

/// The largest notification that is read, as in the host.
const NOTIFICATION_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
struct Twin {
    store: Store,
    manifest: Arc<Manifest>,
    target: Arc<Target>,
}

/// Serves on a data root until SIGTERM.
#[tokio::main]
pub(crate) async fn serve(root: &Path) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("info")
        .with_writer(std::io::stderr)
        .init();
    let home = DataRoot::open(root)?;
    let store = Store::open(&home.payment_dir())?;
    let known = store.providers().await?;
    let provider = known
        .iter()
        .find(|provider| provider.name == Account::PLATFORM && provider.current)
        .context("no provider")?;
    let manifest = Arc::new(Manifest::parse(provider.manifest.as_bytes())?);
    let twin = Twin {
        target: Arc::new(target(&home, &manifest).await?),
        store: store.clone(),
        manifest,
    };
    let router = Router::new()
        .route("/pay/re/{trade_no}", any(addressed))
        .layer(DefaultBodyLimit::max(NOTIFICATION_BYTES))
        .layer(CatchPanicLayer::new())
        .with_state(twin);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{READY}{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    store.close().await;
    Ok(())
}

async fn target(home: &DataRoot, manifest: &Manifest) -> anyhow::Result<Target> {
    let reference = TargetRef {
        platform: Account::PLATFORM.to_owned(),
        name: TARGET.to_owned(),
        version: 1,
    };
    let kept = home
        .home(DOMAIN)?
        .target_version(Account::PLATFORM, TARGET, reference.version)
        .await?
        .context("no target")?;
    let secrets = kept.secrets.into_iter().collect();
    let domain = DOMAIN.to_owned();
    Target::assemble(
        manifest,
        domain,
        reference,
        kept.test,
        kept.settings,
        secrets,
    )
    .map_err(|errors| anyhow::anyhow!("{errors:?}"))
}

async fn addressed(
    State(twin): State<Twin>,
    UrlPath(trade_no): UrlPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message = Message {
        origin: Origin::Notification,
        status: 0,
        headers: headers
            .iter()
            .filter(|(name, _)| **name != header::AUTHORIZATION && **name != header::COOKIE)
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect(),
        body: body.to_vec(),
        came: std::time::Instant::now(),
    };
    let replies = twin.manifest.replies();
    let reply = match twin.take(&trade_no, message).await {
        Ok(()) => &replies.taken,
        Err(error) => {
            tracing::error!("{error:#}");
            &replies.again
        }
    };
    let kind = [(header::CONTENT_TYPE, reply.content_type.clone())];
    (StatusCode::OK, kind, reply.body.clone()).into_response()
}

impl Twin {
    async fn take(&self, trade_no: &str, message: Message) -> anyhow::Result<()> {
        let trade_no = TradeNo::parse(trade_no).context("it names no trade")?;
        let case = self.store.case_of_trade(&trade_no).await?;
        let case = case.context("no such trade")?;
        let attempt = case.attempts.iter().find(|a| a.trade_no == trade_no);
        let attempt = attempt.context("no such trade")?;
        let view = AttemptView::of(&case.payment, attempt);
        let now = now_ms();
        let (claim, statement) = native::complete(&self.manifest, &self.target, view, message, now)
            .map_err(|fault| anyhow::anyhow!("{fault:?}"))?
            .context("it proves nothing")?;
        let (manifest, target) = (&self.manifest, &self.target);
        let reading = read_claim(manifest, target, trade_no.as_str(), &claim, &statement)?;
        let stored = StoredStatement {
            digest: statement.digest(),
            trade_no: trade_no.clone(),
            scheme: reading.scheme.clone(),
            claim,
            text: statement.text().to_vec(),
            at: now,
        };
        let (id, trade) = (case.payment.id, trade_no.clone());
        let settled = self
            .store
            .change(id, move |case| {
                let evidence = Evidence {
                    trade_no: &trade,
                    reading: &reading,
                    statement: stored,
                    cause: "notification",
                };
                settle(case, &evidence, now).context("no such trade")
            })
            .await?
            .context("no such payment")??;
        tracing::info!(target: "audit", payment = %id, %trade_no, what = settled.as_str(), cause = "notification", "statement");
        Ok(())
    }
}
