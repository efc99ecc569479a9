//! The buyer's side over HTTP, for a browser or `curl`: the page that an order's link leads to,
//! and the platform's state, webhooks and misbehaviours.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::misbehaviour::Misbehaviour;
use super::page;
use super::platform::{Decision, Platform};
use super::status::{BuyerError, Funding};
use super::token::media_type;
use super::view::{NotificationView, OrderView, RequestView};

/// What the payer decides about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    /// The order's number, or the link to approve it.
    token: String,
    #[serde(default)]
    funding: Funding,
}

/// Where a client's notifications are to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    client_id: String,
    url: String,
}

/// `GET /checkoutnow?token={order}`: where an order's link leads.
pub(super) async fn checkout(
    State(platform): State<Arc<Platform>>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let token = token.map(|(_, token)| token.into_owned());
    let book = platform.book();
    let order = token.and_then(|token| book.orders.get(&token));
    match order.map(|order| order.view(&platform.writer())) {
        Some(view) => Html(page::order(&view)).into_response(),
        None => {
            let text = BuyerError::UnknownOrder.to_string();
            (StatusCode::NOT_FOUND, Html(page::says(&text))).into_response()
        }
    }
}

/// `POST /buyer/approve`. A form goes on to the merchant, JSON is answered with JSON.
pub(super) async fn approve(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    decide(&headers, &body, |decided| {
        platform.approve(&decided.token, decided.funding)
    })
}

/// `POST /buyer/cancel`: goes back without approving.
pub(super) async fn cancel(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    decide(&headers, &body, |decided| platform.cancel(&decided.token))
}

fn decide(
    headers: &HeaderMap,
    body: &[u8],
    act: impl FnOnce(&Decided) -> Result<Decision, BuyerError>,
) -> Response {
    if media_type(headers) == "application/x-www-form-urlencoded" {
        let field = |wanted: &str| {
            let found = form_urlencoded::parse(body).find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned())
        };
        let decided = Decided {
            token: field("token").unwrap_or_default(),
            funding: field("funding")
                .and_then(|word| page::funding(&word))
                .unwrap_or_default(),
        };
        return match act(&decided) {
            Ok(Decision {
                goes_to: Some(url), ..
            }) => Redirect::to(&url).into_response(),
            Ok(decision) => Html(page::order(&decision.order)).into_response(),
            Err(error) => {
                let text = page::says(&error.to_string());
                (status_of(error), Html(text)).into_response()
            }
        };
    }
    let refused =
        |status, why: String| (status, Json(json!({"ok": false, "error": why}))).into_response();
    let decided: Decided = match serde_json::from_slice(body) {
        Ok(decided) => decided,
        Err(error) => return refused(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match act(&decided) {
        Ok(decision) => {
            let body = json!({"ok": true, "order": decision.order, "goes_to": decision.goes_to});
            Json(body).into_response()
        }
        Err(error) => refused(status_of(error), error.to_string()),
    }
}

fn status_of(error: BuyerError) -> StatusCode {
    match error {
        BuyerError::UnknownOrder => StatusCode::NOT_FOUND,
        BuyerError::Expired => StatusCode::GONE,
        BuyerError::Completed => StatusCode::CONFLICT,
    }
}

/// `GET /orders`.
pub(super) async fn orders(State(platform): State<Arc<Platform>>) -> Json<Vec<OrderView>> {
    let (book, writer) = (platform.book(), platform.writer());
    let orders = book.orders.values().map(|order| order.view(&writer));
    Json(orders.collect())
}

/// `GET /requests`.
pub(super) async fn requests(State(platform): State<Arc<Platform>>) -> Json<Vec<RequestView>> {
    Json(platform.book().requests())
}

/// `GET /notifications`.
pub(super) async fn notifications(
    State(platform): State<Arc<Platform>>,
) -> Json<Vec<NotificationView>> {
    Json(platform.book().notifications())
}

/// `PUT /webhook`: where a client's notifications go from now on.
pub(super) async fn webhook(
    State(platform): State<Arc<Platform>>,
    Json(webhook): Json<Webhook>,
) -> StatusCode {
    let mut book = platform.book();
    if !book.apps.contains_key(&webhook.client_id) {
        return StatusCode::NOT_FOUND;
    }
    book.webhooks.insert(webhook.client_id, webhook.url);
    StatusCode::NO_CONTENT
}

/// `POST /misbehave`: one [`Misbehaviour`] as JSON.
pub(super) async fn misbehave(
    State(platform): State<Arc<Platform>>,
    Json(misbehaviour): Json<Misbehaviour>,
) -> StatusCode {
    platform.book().misbehaviours.push(misbehaviour);
    StatusCode::NO_CONTENT
}

/// `DELETE /misbehave`: forgets all of them.
pub(super) async fn behave(State(platform): State<Arc<Platform>>) -> StatusCode {
    platform.book().misbehaviours.clear();
    StatusCode::NO_CONTENT
}
