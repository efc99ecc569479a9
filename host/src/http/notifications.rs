//! `/pay/re`: one address for the notifications of all platforms, answered in their own words. What did not verify is
//! for the operator to look at.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::auth::By;
use super::envelope::{Answer, Data, Failure};
use crate::payment::Payments;
use crate::payment::address::Address;
use crate::trust::{Message, Origin, Reply};

/// Headers that are passed on, at most.
const MAX_HEADERS: usize = 64;

pub(super) async fn bare(
    State(payments): State<Payments>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let message = message(&method, &uri, &headers, body?);
    Ok(answer(payments.receive(Address::Bare, message).await))
}

pub(super) async fn addressed(
    State(payments): State<Payments>,
    trade_no: Result<Path<String>, PathRejection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let message = message(&method, &uri, &headers, body?);
    // What cannot be read names no trade.
    let trade_no = trade_no.map_or_else(|_| String::new(), |Path(trade_no)| trade_no);
    let address = Address::Trade(&trade_no);
    Ok(answer(payments.receive(address, message).await))
}

pub(super) async fn of_account(
    State(payments): State<Payments>,
    token: Result<Path<String>, PathRejection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let message = message(&method, &uri, &headers, body?);
    let token = token.map_or_else(|_| String::new(), |Path(token)| token);
    let address = Address::Account(&token);
    Ok(answer(payments.receive(address, message).await))
}

/// The newest notifications that did not verify, the last one first.
pub(super) async fn refused(State(payments): State<Payments>, by: By) -> Answer {
    by.operator()?;
    let mut refused = payments.refused_notifications();
    refused.reverse();
    Data::of(refused)
}

/// The bytes as received; what a platform sends by GET stands in the query.
fn message(method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Message {
    let body = if *method == Method::GET {
        uri.query().unwrap_or("").as_bytes().to_vec()
    } else {
        body.to_vec()
    };
    let headers = headers
        .iter()
        .filter(|(name, _)| **name != header::AUTHORIZATION && **name != header::COOKIE)
        .take(MAX_HEADERS)
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    Message {
        origin: Origin::Notification,
        status: 0,
        headers,
        body,
    }
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
