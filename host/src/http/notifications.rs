//! `/pay/re`: one address for the notifications of all platforms, answered in their own words. What did not verify is
//! for the operator to look at.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::audit::Refused;
use super::auth::By;
use super::envelope::{Answer, Data, Failure};
use super::source::Source;
use crate::payment::Payments;
use crate::payment::address::Address;
use crate::payment::receive::{NotTaken, RefusedNotification, Why};
use crate::trust::{Message, Origin, Reply};

/// Headers that are passed on, at most.
const MAX_HEADERS: usize = 64;

/// A notification as it came; what a platform sends by GET stands in the query.
pub(super) struct Received(Message, Option<IpAddr>);

impl<S: Send + Sync> FromRequest<S> for Received {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Received, Failure> {
        let came = Instant::now();
        let source = request.extensions().get::<Source>().copied();
        let headers = passed_on(request.headers());
        let query = (request.method() == Method::GET)
            .then(|| request.uri().query().unwrap_or_default().into());
        let body = Bytes::from_request(request, state).await?;
        let message = Message {
            origin: Origin::Notification,
            status: 0,
            headers,
            body: query.unwrap_or_else(|| body.into()),
            came,
        };
        Ok(Received(message, source.map(|Source(address)| address)))
    }
}

fn passed_on(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| **name != header::AUTHORIZATION && **name != header::COOKIE)
        .take(MAX_HEADERS)
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// The code that a notification which does not hold has in the audit log and in what is counted.
pub(super) const REFUSED: &str = "e.pay.re.refused";
/// The same of one that was not looked at.
pub(super) const UNSEEN: &str = "e.pay.re.unseen";

/// How long those wait for their answer whose notifications are not looked at any more.
const SLOW: Duration = Duration::from_millis(200);

/// Beside an answer that comes late.
#[derive(Clone, Copy)]
struct Slow;

/// Has whoever floods the host wait. An answer that waits here takes nothing but its connection: the request has given back
/// its place and its memory.
pub(super) async fn slowed(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<Slow>().is_some() {
        tokio::time::sleep(SLOW).await;
    }
    response
}

pub(super) async fn bare(State(payments): State<Payments>, came: Received) -> Response {
    received(&payments, Address::Bare, came).await
}

pub(super) async fn addressed(
    State(payments): State<Payments>,
    trade_no: Result<Path<String>, PathRejection>,
    came: Received,
) -> Response {
    let trade_no = read(trade_no);
    received(&payments, Address::Trade(&trade_no), came).await
}

pub(super) async fn of_account(
    State(payments): State<Payments>,
    token: Result<Path<String>, PathRejection>,
    came: Received,
) -> Response {
    let token = read(token);
    received(&payments, Address::Account(&token), came).await
}

async fn received(payments: &Payments, address: Address<'_>, came: Received) -> Response {
    let Received(message, source) = came;
    let NotTaken { reply, why } = match payments.receive(address, message, source).await {
        Ok(reply) => return answer(reply),
        Err(not_taken) => not_taken,
    };
    let mut response = answer(reply);
    let beside = response.extensions_mut();
    match why {
        Why::Refused => drop(beside.insert(Refused(REFUSED))),
        Why::Unseen => {
            beside.insert(Refused(UNSEEN));
            beside.insert(Slow);
        }
        Why::Ours => {}
    }
    response
}

/// What cannot be read names nothing.
fn read(part: Result<Path<String>, PathRejection>) -> String {
    part.map_or_else(|_| String::new(), |Path(part)| part)
}

/// The newest notifications that did not verify, the last one first.
pub(super) async fn refused(
    State(payments): State<Payments>,
    by: By,
) -> Answer<Vec<RefusedNotification>> {
    by.operator()?;
    let mut refused = payments.refused_notifications();
    refused.reverse();
    Data::of(refused)
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind: (HeaderName, HeaderValue) = (
        header::CONTENT_TYPE,
        HeaderValue::from_str(&reply.content_type)
            .unwrap_or_else(|_| HeaderValue::from_static("text/plain")),
    );
    (status, [kind], reply.body).into_response()
}
