//! `GET /metrics`: what the host counts, in the text format of Prometheus, for the operator's keys.
//!
//! What only the store knows is asked at most once in [`KEPT`], however often anybody scrapes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;
use tracing::{Instrument as _, field};

use super::access;
use super::audit::Refused;
use super::door::Door;
use super::envelope::Failure;
use super::tls::OwnTls;
use super::trace_parent::Parent;
use crate::logging::SPANS;
use crate::measured::{gauge, process, seconds};
use crate::payment::error::PayError;
use crate::payment::{Payments, now_ms};
use crate::store::Standing;

/// How long what the store said is told again.
const KEPT: Duration = Duration::from_secs(5);
/// The longest that a scrape waits for the store; then it tells everything else.
const STORE_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Asked {
    route: &'static str,
    method: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Code {
    err_code: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

/// What one host's requests are counted in. Copies are the same.
#[derive(Clone)]
pub(super) struct Meter(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<Answered, Counter>,
    times: Family<Asked, Histogram>,
    refused: Family<Code, Counter>,
    under_way: Gauge,
    standing: Mutex<Option<(Instant, Standing)>>,
}

impl Meter {
    /// Nothing yet, and what the rooms below have counted so far.
    pub(super) fn new(payments: &Payments, door: &Door) -> Meter {
        let requests = Family::<Answered, Counter>::default();
        let times = Family::<Asked, Histogram>::new_with_constructor(seconds);
        let refused = Family::<Code, Counter>::default();
        let under_way = Gauge::default();
        let mut registry = Registry::default();
        let help = "The release that runs";
        let build = Family::<Version, Gauge>::default();
        let version = env!("CARGO_PKG_VERSION");
        build.get_or_create(&Version { version }).set(1);
        registry.register("walnut_build_info", help, build);
        let help = "When the host was started, in seconds since 1970";
        let started = ConstGauge::new(now_ms() / 1_000);
        registry.register("walnut_start_time_seconds", help, started);
        let help = "Requests that were answered, by the endpoint as the table of callers has it";
        registry.register("walnut_http_requests", help, requests.clone());
        let help = "From a request's headers to its answer's; what is followed goes on after that";
        registry.register_with_unit("walnut_http_request", help, Unit::Seconds, times.clone());
        let help = "Requests that are being answered";
        registry.register("walnut_http_requests_under_way", help, under_way.clone());
        let help = "Requests that were refused, by the errCode of the answer";
        registry.register("walnut_refusals", help, refused.clone());
        door.register(&mut registry);
        payments.measure(&mut registry);
        Meter(Arc::new(Inner {
            registry,
            requests,
            times,
            refused,
            under_way,
            standing: Mutex::new(None),
        }))
    }

    /// What waits in the store, as it was a moment ago at most.
    async fn standing(&self, payments: &Payments) -> Option<Standing> {
        let mut kept = self.0.standing.lock().await;
        if let Some((at, standing)) = *kept
            && at.elapsed() < KEPT
        {
            return Some(standing);
        }
        let asked = tokio::time::timeout(STORE_WITHIN, payments.store().standing()).await;
        let standing = match asked {
            Ok(Ok(standing)) => Some(standing),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the store does not say what waits in it");
                None
            }
            Err(_) => None,
        };
        *kept = standing.map(|standing| (Instant::now(), standing));
        standing
    }
}

/// A request that is being answered, until this is dropped.
struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts every request, also those for addresses that are none.
pub(super) async fn measured(State(meter): State<Meter>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let route = path.and_then(|path| access::listed_path(path.as_str()));
    let route = route.unwrap_or("none");
    let method = method(request.method());
    meter.0.under_way.inc();
    let _under_way = UnderWay(meter.0.under_way.clone());
    let span = tracing::info_span!(
        target: SPANS, "request",
        otel.name = format_args!("{method} {route}"), otel.kind = "server",
        http.request.method = method, http.route = route, http.response.status_code = field::Empty,
        walnut.err_code = field::Empty,
    );
    if let Some(parent) = request.extensions().get::<Parent>() {
        parent.adopt(&span);
    }
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    let status = class(response.status());
    let answered = Answered {
        route,
        method,
        status,
    };
    meter.0.requests.get_or_create(&answered).inc();
    let took = begun.elapsed().as_secs_f64();
    let asked = Asked { route, method };
    meter.0.times.get_or_create(&asked).observe(took);
    if let Some(&Refused(err_code)) = response.extensions().get() {
        meter.0.refused.get_or_create(&Code { err_code }).inc();
        span.record("walnut.err_code", err_code);
    }
    response
}

/// Whoever calls may name its method as it likes.
pub(super) fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

pub(super) async fn metrics(
    State(payments): State<Payments>,
    Extension(meter): Extension<Meter>,
    Extension(own): Extension<OwnTls>,
) -> Result<Response, Failure> {
    let standing = meter.standing(&payments).await;
    let mut now = Registry::default();
    let help = "Whether the store says what waits in it";
    gauge(
        &mut now,
        "walnut_store_up",
        help,
        u64::from(standing.is_some()),
    );
    if let Some(tls) = &own.0 {
        let help = "When the certificate that connections are given ends, in seconds since 1970";
        let name = "walnut_tls_certificate_expiry_timestamp_seconds";
        gauge(&mut now, name, help, tls.until());
    }
    if let Some(standing) = standing {
        tell(&mut now, &standing, now_ms());
    }
    payments.measure_now(&mut now);
    process::tell(&mut now);
    let mut text = String::new();
    let written = prometheus_text::encode(&mut text, &meter.0.registry)
        .and_then(|()| prometheus_text::encode(&mut text, &now));
    written.map_err(|_| PayError::internal("what was counted cannot be written"))?;
    let kind = [(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)];
    Ok((kind, text).into_response())
}

/// Tells what waits. Of what is not there nothing is overdue.
fn tell(registry: &mut Registry, standing: &Standing, now: u64) {
    let age = |since: Option<u64>| {
        let ms = since.map_or(0, |since| now.saturating_sub(since));
        Duration::from_millis(ms).as_secs_f64()
    };
    let mut counts = |name, help, value| gauge(registry, name, help, value);
    let help = "Payments that wait for their buyer or their platform";
    counts("walnut_payments_waiting", help, standing.waiting);
    let help = "Payments that are held for a person";
    counts("walnut_payments_held", help, standing.held);
    let help = "Callback deliveries that are neither applied nor dead";
    counts("walnut_deliveries_waiting", help, standing.deliveries);
    let help = "Callback deliveries that were given up and wait for a person";
    counts("walnut_deliveries_dead", help, standing.dead);
    let help = "Refunds that have not come to their end";
    counts("walnut_refunds_waiting", help, standing.refunds);
    let help = "Refunds that a person has to finish at the platform";
    counts("walnut_refunds_stuck", help, standing.stuck);
    let mut ages = |name, help, since| {
        registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(age(since)));
    };
    let help = "The age of the oldest payment that waits";
    ages(
        "walnut_payments_waiting_oldest",
        help,
        standing.waiting_since,
    );
    let help = "How long a held payment has not changed, at most";
    ages("walnut_payments_held_oldest", help, standing.held_since);
    let help = "How long a callback delivery has been overdue, at most";
    ages("walnut_delivery_lag", help, standing.delivery_due);
    let help = "How long a question to a platform has been overdue, at most";
    ages("walnut_question_lag", help, standing.question_due);
    let help = "How long work on a refund has been overdue, at most";
    ages("walnut_refund_lag", help, standing.refund_due);
}
