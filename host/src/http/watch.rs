//! `GET /pay/ajax/watch`: a payment as it changes, or all of a domain's, as server-sent events.
//!
//! ```text
//! event: payment
//! id: 4
//! data: {"id":"…","st":"OK",…}
//! ```
//!
//! The first event comes at once and is the payment as it is, unless `Last-Event-ID` (or `last`) says that the caller knows
//! it. Without an `id` it is every payment of the caller's domain (for the operator, of `domain` or of all) that changes
//! from then on: `begin` comes at once, `behind` says that more happened than is told one by one, and an event's number is the
//! time of the latest change, to come back with; what changed shortly before may then be told once more. An `error` event has what a refusal has, and ends the stream; browsers come back by themselves.
//! With the caller's key or session the stream ends too, within seconds.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::auth::By;
use super::envelope::Failure;
use super::openapi::LastEventId;
use super::payments::payment_id;
use crate::payment::domain_following::{DomainFollowing, Told};
use crate::payment::error::PayError;
use crate::payment::following::Following;
use crate::payment::key_ends::HeldKey;
use crate::payment::{Payments, now_ms, view};

/// Proxies give up a connection on which nothing comes for a minute, some after 30 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const COME_BACK: Duration = Duration::from_secs(2);
/// What some proxies have to be told, so that they pass events on as they come.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Deserialize, JsonSchema)]
pub(super) struct Watched {
    /// This payment; all of a domain's where it is not said.
    #[serde(default)]
    id: Option<String>,
    /// Whose payments, where no single one is named; for the operator.
    #[serde(default)]
    domain: Option<String>,
    /// The same as the header, for callers that cannot set it.
    #[serde(default)]
    last: Option<u64>,
}

pub(super) async fn watch(
    State(payments): State<Payments>,
    by: By,
    LastEventId(last): LastEventId,
    watched: Result<Query<Watched>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(watched) = watched?;
    let seen = last.unwrap_or(watched.last);
    match watched.id {
        Some(id) => {
            let held = by.hold(&payments);
            let following = payments.follow(by.0, payment_id(&id)?, seen).await?;
            Ok(as_they_come(while_held(held, events(following))))
        }
        None => {
            let domain = match watched.domain {
                Some(named) => Some(by.domain_to_see(&payments, Some(&named)).await?),
                None => None,
            };
            let held = by.hold(&payments);
            let following = payments.follow_domain(by.0, domain, seen)?;
            Ok(as_they_come(while_held(held, events_of_domain(following))))
        }
    }
}

fn as_they_come(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE));
    let mut response = events.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

/// The events until the caller's key or session ends.
fn while_held(
    held: HeldKey,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    let state = Some((held, Box::pin(events)));
    stream::unfold(state, |state| async move {
        let (mut held, mut events) = state?;
        tokio::select! {
            biased;
            () = held.ended() => {
                let why = PayError::unauthorized("the key or session has ended");
                Some((Ok(refusal(&why)), None))
            }
            event = events.next() => Some((event?, Some((held, events)))),
        }
    })
}

fn events(following: Following) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    stream::unfold(Some(following), |following| async move {
        let mut following = following?;
        match following.next().await {
            Ok(None) => None,
            Ok(Some(payment)) => {
                let event = Event::default()
                    .event("payment")
                    .id(payment.revision.to_string())
                    .retry(COME_BACK)
                    .json_data(view::payment(&payment, now_ms()));
                Some((Ok(event.unwrap_or_default()), Some(following)))
            }
            Err(error) => Some((Ok(refusal(&error)), None)),
        }
    })
}

fn events_of_domain(
    following: DomainFollowing,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    stream::unfold(Some(following), |following| async move {
        let mut following = following?;
        match following.next().await {
            Ok(None) => None,
            Ok(Some(told)) => {
                let event = Event::default()
                    .id(following.position().to_string())
                    .retry(COME_BACK);
                let event = match told {
                    Told::Begun => event.event("begin").data("{}"),
                    Told::Behind => event.event("behind").data("{}"),
                    Told::Changed(payment) => event
                        .event("payment")
                        .json_data(view::payment(&payment, now_ms()))
                        .unwrap_or_default(),
                };
                Some((Ok(event), Some(following)))
            }
            Err(error) => Some((Ok(refusal(&error)), None)),
        }
    })
}

fn refusal(error: &PayError) -> Event {
    let said = json!({ "errCode": error.code(), "msg": error.message() });
    Event::default()
        .event("error")
        .data(said.to_string())
        .retry(COME_BACK)
}
