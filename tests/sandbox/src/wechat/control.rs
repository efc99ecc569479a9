//! The buyer's side over HTTP, for a browser or `curl`: the pages behind codes and H5 addresses,
//! the till, and the platform's state and misbehaviours.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::buyer;
use super::clock;
use super::link::key_of;
use super::misbehaviour::Misbehaviour;
use super::order::{BuyerError, Order, TradeState};
use super::platform::Platform;
use super::till::{AtTheTill, PaymentCode};
use super::view::{NotificationView, RequestView, TradeView};

/// What the buyer follows: a link in any of its forms, or the parameters of a call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Followed {
    link: Option<String>,
    call: Option<Value>,
}

/// `GET /bizpayurl/up` and the H5 address: what they lead to.
pub(super) async fn page(State(platform): State<Arc<Platform>>, uri: Uri) -> Response {
    let address = uri.path_and_query().map_or("", |address| address.as_str());
    let link = format!("{}{address}", platform.base_url);
    let view = key_of(&link, &platform.base_url).and_then(|key| {
        let mut book = platform.book();
        let order = book.linked(&key).ok()?;
        order.lapse(clock::now());
        Some(TradeView::of(order, &platform.base_url))
    });
    match view {
        Some(view) => Html(order_page(&view, &link)).into_response(),
        None => {
            let page = frame("<p>链接无效 · this leads nowhere</p>");
            (StatusCode::NOT_FOUND, Html(page)).into_response()
        }
    }
}

/// `POST /buyer/pay`: follows a link and pays, or pays by a call. A form answers with the page, or
/// leads back to the merchant's; JSON with JSON.
pub(super) async fn pay(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return pay_form(&platform, &body);
    }
    follow(&body, |followed| match (followed.link, followed.call) {
        (_, Some(call)) => buyer::call(&platform, &call),
        (link, None) => buy(&platform, &link.unwrap_or_default(), true),
    })
}

/// `POST /buyer/scan`: follows a link and does not pay.
pub(super) async fn scan(State(platform): State<Arc<Platform>>, body: Bytes) -> Response {
    follow(&body, |followed| {
        buy(&platform, &followed.link.unwrap_or_default(), false)
    })
}

fn buy(platform: &Arc<Platform>, link: &str, pays: bool) -> Result<TradeView, BuyerError> {
    let key = key_of(link, &platform.base_url).ok_or(BuyerError::UnknownLink)?;
    platform.buy(&key, None, pays)
}

fn pay_form(platform: &Arc<Platform>, body: &[u8]) -> Response {
    let found = form_urlencoded::parse(body).find(|(name, _)| name == "link");
    let link = found.map(|(_, value)| value.into_owned());
    let link = link.unwrap_or_default();
    match buy(platform, &link, true) {
        Ok(view) => match back_address(&link) {
            Some(address) => Redirect::to(&address).into_response(),
            None => Html(order_page(&view, &link)).into_response(),
        },
        Err(error) => {
            let page = frame(&format!("<p>{error}</p>"));
            (status_of(error), Html(page)).into_response()
        }
    }
}

/// Where an H5 payment leads when it is over, as the merchant wrote into the address.
fn back_address(link: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_url");
    let address = found.map(|(_, value)| value.into_owned())?;
    let scheme = url::Url::parse(&address).ok()?.scheme().to_owned();
    matches!(scheme.as_str(), "http" | "https").then_some(address)
}

fn follow(body: &[u8], act: impl FnOnce(Followed) -> Result<TradeView, BuyerError>) -> Response {
    match serde_json::from_slice(body) {
        Ok(followed) => said(act(followed)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn said(outcome: Result<TradeView, BuyerError>) -> Response {
    match outcome {
        Ok(view) => Json(json!({"ok": true, "trade": view})).into_response(),
        Err(error) => refused(status_of(error), &error.to_string()),
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"ok": false, "error": why}))).into_response()
}

fn status_of(error: BuyerError) -> StatusCode {
    match error {
        BuyerError::UnknownLink => StatusCode::NOT_FOUND,
        BuyerError::BadSignature => StatusCode::FORBIDDEN,
        BuyerError::Expired | BuyerError::Closed => StatusCode::GONE,
        BuyerError::AlreadyPaid | BuyerError::NotWaiting => StatusCode::CONFLICT,
    }
}

/// What a code shall do at the till.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    then: AtTheTill,
}

/// `POST /buyer/code`: the buyer shows a payment code.
pub(super) async fn code(
    State(platform): State<Arc<Platform>>,
    Json(shown): Json<Shown>,
) -> Json<Value> {
    Json(json!({"auth_code": platform.show_code(shown.then)}))
}

/// Which order the buyer at the till decides about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    out_trade_no: String,
}

/// `POST /buyer/confirm`.
pub(super) async fn confirm(
    State(platform): State<Arc<Platform>>,
    Json(decided): Json<Decided>,
) -> Response {
    said(platform.confirm(&decided.out_trade_no))
}

/// `POST /buyer/refuse`.
pub(super) async fn refuse(
    State(platform): State<Arc<Platform>>,
    Json(decided): Json<Decided>,
) -> Response {
    said(platform.decide(&decided.out_trade_no, Order::refuse))
}

/// `POST /buyer/abandon`.
pub(super) async fn abandon(
    State(platform): State<Arc<Platform>>,
    Json(decided): Json<Decided>,
) -> Response {
    said(platform.decide(&decided.out_trade_no, Order::abandon))
}

impl Platform {
    /// A buyer shows a payment code that does this when it is scanned.
    pub(super) fn show_code(&self, then: AtTheTill) -> String {
        let code = self.numbers.auth_code();
        let shown = PaymentCode::new(then, clock::now());
        self.book().codes.insert(code.clone(), shown);
        code
    }

    /// The buyer at the till confirms.
    pub(super) fn confirm(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.decide(out_trade_no, |order| {
            order.confirm(&self.numbers, clock::now())
        })
    }
}

/// `GET /trades`.
pub(super) async fn trades(State(platform): State<Arc<Platform>>) -> Json<Vec<TradeView>> {
    Json(platform.trades())
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

fn order_page(view: &TradeView, link: &str) -> String {
    let (yuan, fen) = (view.total_fen / 100, view.total_fen % 100);
    let (what, seller) = (escaped(&view.description), escaped(&view.mchid));
    let below = match view.state {
        TradeState::Notpay => format!(
            "<form method=\"post\" action=\"/buyer/pay\"><input type=\"hidden\" name=\"link\" \
             value=\"{}\"><button>付款 · Pay {yuan}.{fen:02} yuan</button></form>",
            escaped(link)
        ),
        state => format!("<p><strong>{}</strong></p>", state.as_str()),
    };
    frame(&format!(
        "<h1>{what}</h1><p>¥{yuan}.{fen:02} → {seller}</p>{below}"
    ))
}

fn frame(content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"zh\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Simulated WeChat Pay</title></head><body><p>模拟微信支付，\
         不涉及真实资金 · Simulated WeChat Pay, no real money</p>{content}</body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
