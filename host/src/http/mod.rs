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
//! | [`openapi`] | `/openapi.json`: all of them, made from their handlers |
//!
//! [`access`] says who may ask for what, [`audit`] keeps what was refused and changed. What comes in is bounded on its way:
//! [`serving`] takes the connections, [`pace`] and [`http2`] hold them to their time, [`load`] sheds what is too much, by the
//! [`places`] that each party has, [`bodies`] bounds what is read, [`linger`] lets whoever still sends hear the answer, [`tls`]
//! encrypts, [`door`] counts who is turned away.

pub(crate) mod access;
mod audit;
mod auth;
mod bodies;
mod callbacks;
mod cashier;
mod deliveries;
mod doctor;
mod domains;
pub(crate) mod door;
mod dry_run;
mod endings;
mod envelope;
mod health;
mod http2;
mod keys;
mod linger;
mod load;
mod metrics;
mod notifications;
mod numbers;
mod openapi;
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
mod trace_parent;
mod versions;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::Incoming;
use crate::payment::Payments;
use crate::payment::error::PayError;
use bodies::{Reads, whole_within};
use envelope::{Failure, METHOD};
use load::Load;
use openapi::{Document, Routes};

/// The largest body of a request about payments.
const JSON_BYTES: usize = 256 * 1024;
/// The largest notification that is read.
const NOTIFICATION_BYTES: usize = 1024 * 1024;
/// The largest component that is taken, with room for its base64 form.
const COMPONENT_BYTES: usize = 48 * 1024 * 1024;

/// All routes of a host.
pub(crate) fn router(
    payments: Payments,
    incoming: &Incoming,
    door: &door::Door,
    tls: Option<Arc<tls::Tls>>,
) -> Router {
    let meter = metrics::Meter::new(&payments, door);
    let notified = Routes::new()
        .any("/pay/re", notifications::bare)
        .any("/pay/re/{trade_no}", notifications::addressed)
        .any("/pay/re/t/{token}", notifications::of_account)
        .layer(body_within(
            Reads::Json,
            NOTIFICATION_BYTES,
            incoming.notification,
        ));
    let components = Routes::new()
        .put("/pay/provider", providers::put)
        .post("/pay/provider/inspect", providers::inspect)
        .layer(body_within(Reads::Bytes, COMPONENT_BYTES, incoming.upload));
    let either = Routes::new()
        .put("/pay/callback/{name}", callbacks::put)
        .layer(body_within(
            Reads::JsonWhereSaid,
            COMPONENT_BYTES,
            incoming.upload,
        ));
    let in_json = Routes::new()
        .get("/pay/callback", callbacks::list)
        .get("/pay/callback/{name}", callbacks::get)
        .delete("/pay/callback/{name}", callbacks::delete)
        .post("/pay/callback/{name}", dry_run::test_upload)
        .post("/pay/callback/{name}/test", dry_run::test)
        .get("/pay/callback/{name}/versions", versions::list)
        .post("/pay/callback/{name}/roll-back", versions::roll_back)
        .get("/pay/provider", providers::list)
        .layer(body_within(Reads::Json, COMPONENT_BYTES, incoming.upload));
    let followed = Routes::new()
        .any("/websocket", socket::websocket)
        .layer(Extension(socket::Sockets::default()));
    let measured = Routes::new()
        .get("/metrics", metrics::metrics)
        .layer(Extension(meter.clone()));
    let document = Document::default();
    let documented = Routes::new()
        .get("/openapi.json", openapi::openapi)
        .layer(Extension(document.clone()));
    let (router, described) = Routes::new()
        .post("/pay/ajax/create", payments::create)
        .post("/pay/ajax/send", payments::send)
        .get("/pay/ajax/get", payments::get)
        .get("/pay/ajax/check", payments::check)
        .post("/pay/ajax/check", endings::ask)
        .get("/pay/ajax/query", payments::query)
        .get("/pay/ajax/summary", summary::summary)
        .get("/pay/ajax/watch", watch::watch)
        .get("/pay/ajax/offers", cashier::offers)
        .get("/pay/ajax/qrcode", cashier::qrcode)
        .get("/pay/ajax/history", payments::history)
        .get("/pay/ajax/evidence", payments::evidence)
        .get("/pay/ajax/content", payments::content)
        .get("/pay/ajax/deliveries", deliveries::list)
        .post("/pay/ajax/replay", deliveries::replay)
        .post("/pay/ajax/close", endings::close)
        .post("/pay/ajax/reverse", endings::reverse)
        .post("/pay/ajax/refund", endings::refund)
        .post("/pay/ajax/resolve", endings::resolve)
        .post("/pay/ajax/reconcile", reconcile::reconcile)
        .get("/pay/target", targets::list)
        .put("/pay/target/{platform}/{name}", targets::put)
        .get("/pay/target/{platform}/{name}", targets::get)
        .delete("/pay/target/{platform}/{name}", targets::delete)
        .post("/pay/target/{platform}/{name}/test", targets::test)
        .get("/pay/domain", domains::list)
        .post("/pay/domain", domains::add)
        .get("/pay/domain/{name}", domains::get)
        .put("/pay/domain/{name}", domains::set)
        .post("/pay/domain/{name}/key", keys::add_of_domain)
        .get("/pay/domain/{name}/key", keys::list_of_domain)
        .get("/pay/key", keys::list)
        .post("/pay/key", keys::add)
        .delete("/pay/key/{id}", keys::revoke)
        .post("/pay/key/{id}/rotate", keys::rotate)
        .get("/pay/session", session::get)
        .post("/pay/session", session::begin)
        .delete("/pay/session", session::end)
        .get("/pay/refused", notifications::refused)
        .get("/pay/audit", audit::list)
        .get("/pay/doctor", doctor::doctor)
        .layer(body_within(Reads::Json, JSON_BYTES, incoming.body))
        .merge(notified)
        .merge(components)
        .merge(either)
        .merge(in_json)
        .get("/pay/cashier/{id}", pages::cashier)
        .get("/pay/till", pages::till)
        .get("/pay/console", pages::console)
        .get("/pay/api", pages::api)
        .get("/pay/pages/{name}", pages::file)
        .get("/healthz", health::healthz)
        .get("/readyz", health::readyz)
        .merge(followed)
        .merge(measured)
        .merge(documented)
        .finish();
    document.is_of(described);
    let load = Load::new(incoming);
    // Layers that are given together are one box around each route, the first outermost: each box is made for every request.
    router
        .layer((
            from_fn(access::listed),
            from_fn_with_state(load.clone(), load::bounded),
            // What has no row in the table of callers is not there: a new route begins with its row.
            from_fn_with_state(payments.clone(), access::checked),
            from_fn_with_state((load, payments.clone()), load::placed),
        ))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer((
            Extension(tls::OwnTls(tls)),
            from_fn(notifications::slowed),
            from_fn_with_state(meter, metrics::measured),
            from_fn_with_state(payments.clone(), audit::keep),
            CatchPanicLayer::custom(panicked),
        ))
        .with_state(payments)
}

/// Bounds the body of a request: its size, what is in it, and the time until it is there.
fn body_within(
    reads: Reads,
    bytes: usize,
    time: Duration,
) -> (
    MapRequestLayer<impl Fn(Request) -> Request + Clone>,
    DefaultBodyLimit,
) {
    let whole = MapRequestLayer::new(whole_within(reads, bytes, time));
    (whole, DefaultBodyLimit::max(bytes))
}

async fn nothing_here() -> Failure {
    Failure::from(PayError::not_found("there is nothing at this address"))
}

async fn other_method() -> Failure {
    Failure::of_http(METHOD, "this address does not take that method")
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    tracing::error!("a handler panicked");
    axum::response::IntoResponse::into_response(Failure::from(PayError::internal(
        "a fault of the host; its log says more",
    )))
}
