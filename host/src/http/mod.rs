//! The HTTP room: routes, callers, and Walnut's envelope. Every rule is in [`crate::payment`]; here
//! requests are read and answers written.
//!
//! | file | serves |
//! |---|---|
//! | [`payments`], [`endings`], [`deliveries`], [`reconcile`] | `/pay/ajax/…` |
//! | [`pages`], [`cashier`], [`session`] | the pages, what the buyer's page asks, and signing in |
//! | [`summary`] | sums for charts and the till |
//! | [`watch`], [`socket`] | `/pay/ajax/watch` and `/websocket`: payments as they change |
//! | [`notifications`] | `/pay/re`, and `/pay/refused` for the operator |
//! | [`callbacks`], [`versions`], [`dry_run`], [`targets`] | the owner's callbacks and merchant settings |
//! | [`domains`], [`keys`], [`providers`] | the operator's domains, everybody's keys, provider components |
//! | [`health`], [`metrics`], [`doctor`] | `/healthz`, `/readyz`, `/metrics`, `/pay/doctor` |
//!
//! [`access`] says who may ask for what, [`audit`] keeps what was refused and changed. What comes in is bounded on its way:
//! [`serving`] takes the connections, [`pace`] holds them to their time, [`load`] sheds what is too much, [`bodies`] bounds
//! what is read, [`tls`] encrypts.

pub(crate) mod access;
mod audit;
mod auth;
mod bodies;
mod callbacks;
mod cashier;
mod deliveries;
mod doctor;
mod domains;
mod dry_run;
mod endings;
mod envelope;
mod health;
mod keys;
mod load;
mod metrics;
mod notifications;
mod pace;
mod pages;
mod payments;
mod places;
mod providers;
mod reconcile;
mod request_id;
pub(crate) mod serving;
mod session;
mod socket;
pub mod source;
mod summary;
mod targets;
pub mod tls;
mod versions;
mod watch;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, post, put};
use axum::{Extension, Router};
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::Incoming;
use crate::payment::Payments;
use crate::payment::error::PayError;
use bodies::whole_within;
use envelope::Failure;
use load::Load;

/// The largest body of a request about payments.
const JSON_BYTES: usize = 256 * 1024;
/// The largest notification that is read.
const NOTIFICATION_BYTES: usize = 1024 * 1024;
/// The largest component that is taken, with room for its base64 form.
const COMPONENT_BYTES: usize = 48 * 1024 * 1024;

/// All routes of a host.
pub(crate) fn router(payments: Payments, incoming: &Incoming) -> Router {
    let meter = metrics::Meter::new(&payments);
    let ajax = Router::new()
        .route("/create", post(payments::create))
        .route("/send", post(payments::send))
        .route("/get", get(payments::get))
        .route("/check", get(payments::check).post(endings::ask))
        .route("/query", get(payments::query))
        .route("/summary", get(summary::summary))
        .route("/watch", get(watch::watch))
        .route("/offers", get(cashier::offers))
        .route("/qrcode", get(cashier::qrcode))
        .route("/history", get(payments::history))
        .route("/evidence", get(payments::evidence))
        .route("/content", get(payments::content))
        .route("/deliveries", get(deliveries::list))
        .route("/replay", post(deliveries::replay))
        .route("/close", post(endings::close))
        .route("/reverse", post(endings::reverse))
        .route("/refund", post(endings::refund))
        .route("/resolve", post(endings::resolve))
        .route("/reconcile", post(reconcile::reconcile));
    let notified = Router::new()
        .route("/pay/re", any(notifications::bare))
        .route("/pay/re/{trade_no}", any(notifications::addressed))
        .route("/pay/re/t/{token}", any(notifications::of_account))
        .layer(DefaultBodyLimit::max(NOTIFICATION_BYTES))
        .layer(MapRequestLayer::new(whole_within(incoming.notification)));
    let components = Router::new()
        .route("/pay/callback", get(callbacks::list))
        .route(
            "/pay/callback/{name}",
            put(callbacks::put)
                .get(callbacks::get)
                .delete(callbacks::delete)
                .post(dry_run::test_upload),
        )
        .route("/pay/callback/{name}/test", post(dry_run::test))
        .route("/pay/callback/{name}/versions", get(versions::list))
        .route("/pay/callback/{name}/roll-back", post(versions::roll_back))
        .route("/pay/provider", get(providers::list).put(providers::put))
        .route("/pay/provider/inspect", post(providers::inspect))
        .layer(DefaultBodyLimit::max(COMPONENT_BYTES))
        .layer(MapRequestLayer::new(whole_within(incoming.upload)));
    Router::new()
        .nest("/pay/ajax", ajax)
        .route("/pay/target", get(targets::list))
        .route(
            "/pay/target/{platform}/{name}",
            put(targets::put).get(targets::get).delete(targets::delete),
        )
        .route("/pay/target/{platform}/{name}/test", post(targets::test))
        .route("/pay/domain", get(domains::list).post(domains::add))
        .route("/pay/domain/{name}", get(domains::get).put(domains::set))
        .route(
            "/pay/domain/{name}/key",
            post(keys::add_of_domain).get(keys::list_of_domain),
        )
        .route("/pay/key", get(keys::list).post(keys::add))
        .route("/pay/key/{id}", delete(keys::revoke))
        .route("/pay/key/{id}/rotate", post(keys::rotate))
        .route(
            "/pay/session",
            get(session::get).post(session::begin).delete(session::end),
        )
        .route("/pay/refused", get(notifications::refused))
        .route("/pay/audit", get(audit::list))
        .route("/pay/doctor", get(doctor::doctor))
        .layer(DefaultBodyLimit::max(JSON_BYTES))
        .layer(MapRequestLayer::new(whole_within(incoming.body)))
        .merge(notified)
        .merge(components)
        .route("/pay/cashier/{id}", get(pages::cashier))
        .route("/pay/till", get(pages::till))
        .route("/pay/console", get(pages::console))
        .route("/pay/pages/{name}", get(pages::file))
        .route(
            "/websocket",
            any(socket::websocket).layer(Extension(socket::Sockets::default())),
        )
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route(
            "/metrics",
            get(metrics::metrics).layer(Extension(meter.clone())),
        )
        // What has no row in the table of callers is not there: a new route begins with its row.
        .layer(from_fn_with_state(payments.clone(), access::checked))
        .layer(from_fn_with_state(Load::new(incoming), load::bounded))
        .layer(from_fn(access::listed))
        .layer(from_fn_with_state(payments.clone(), audit::keep))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(meter, metrics::measured))
        .with_state(payments)
}

async fn nothing_here() -> Failure {
    Failure::from(PayError::not_found("there is nothing at this address"))
}

async fn other_method() -> Failure {
    Failure::with_status(
        StatusCode::METHOD_NOT_ALLOWED,
        "e.http.method",
        "this address does not take that method",
    )
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    tracing::error!("a handler panicked");
    axum::response::IntoResponse::into_response(Failure::from(PayError::internal(
        "a fault of the host; its log says more",
    )))
}
