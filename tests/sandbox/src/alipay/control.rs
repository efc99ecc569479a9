//! The buyer's side over HTTP, for a browser or `curl`: the page behind a QR code, and the
//! platform's state and misbehaviours.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::misbehaviour::Misbehaviour;
use super::order::{BuyerError, TradeStatus};
use super::platform::Platform;
use super::view::{NotificationView, RequestView, TradeView};

/// What the buyer's app read from the screen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scanned {
    qr_code: String,
}

/// `GET /qr/{code}`: what a QR code leads to.
pub(super) async fn code_page(
    State(platform): State<Arc<Platform>>,
    Path(code): Path<String>,
) -> Response {
    let view = {
        let book = platform.book();
        let key = book.coded(&code).ok();
        key.and_then(|key| book.orders.get(&key))
            .map(|order| order.view(&platform.base_url))
    };
    match view {
        Some(view) => {
            let qr_code = format!("{}/qr/{code}", platform.base_url);
            Html(page(&view, &qr_code)).into_response()
        }
        None => (
            StatusCode::NOT_FOUND,
            Html(frame("<p>二维码无效 · no such code</p>")),
        )
            .into_response(),
    }
}

/// `POST /buyer/pay`: scans and pays. A form answers with the page, JSON with JSON.
pub(super) async fn pay(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    buy(&platform, &headers, &body, true)
}

/// `POST /buyer/scan`: scans and does not pay.
pub(super) async fn scan(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    buy(&platform, &headers, &body, false)
}

fn buy(platform: &Arc<Platform>, headers: &HeaderMap, body: &[u8], pays: bool) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let found = form_urlencoded::parse(body).find(|(name, _)| name == "qr_code");
        let qr_code = found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default();
        return match platform.buy(&qr_code, pays) {
            Ok(view) => Html(page(&view, &qr_code)).into_response(),
            Err(error) => {
                (status_of(error), Html(frame(&format!("<p>{error}</p>")))).into_response()
            }
        };
    }
    let refused =
        |status, why: String| (status, Json(json!({"ok": false, "error": why}))).into_response();
    let scanned: Scanned = match serde_json::from_slice(body) {
        Ok(scanned) => scanned,
        Err(error) => return refused(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match platform.buy(&scanned.qr_code, pays) {
        Ok(view) => Json(json!({"ok": true, "trade": view})).into_response(),
        Err(error) => refused(status_of(error), error.to_string()),
    }
}

fn status_of(error: BuyerError) -> StatusCode {
    match error {
        BuyerError::UnknownCode => StatusCode::NOT_FOUND,
        BuyerError::Expired | BuyerError::Closed => StatusCode::GONE,
        BuyerError::AlreadyPaid => StatusCode::CONFLICT,
    }
}

/// `GET /trades`.
pub(super) async fn trades(State(platform): State<Arc<Platform>>) -> Json<Vec<TradeView>> {
    Json(
        platform
            .book()
            .orders
            .values()
            .map(|order| order.view(&platform.base_url))
            .collect(),
    )
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

fn page(view: &TradeView, qr_code: &str) -> String {
    let (total, seller) = (view.total, escaped(&view.app_id));
    let (subject, code) = (escaped(&view.subject), escaped(qr_code));
    let below = match view.status {
        None | Some(TradeStatus::WaitBuyerPay) => format!(
            "<form method=\"post\" action=\"/buyer/pay\"><input type=\"hidden\" name=\"qr_code\" \
             value=\"{code}\"><button>付款 · Pay {total} yuan</button></form>"
        ),
        Some(status) => format!("<p><strong>{}</strong></p>", status.as_str()),
    };
    frame(&format!(
        "<h1>{subject}</h1><p>¥{total} → {seller}</p>{below}"
    ))
}

fn frame(content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Simulated Alipay</title></head><body><p>模拟支付宝，不涉及真实\
         资金 · Simulated Alipay, no real money</p>{content}</body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
