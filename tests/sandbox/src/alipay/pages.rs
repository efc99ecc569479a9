//! What a buyer sees in a browser: the page behind a QR code, the page that a merchant's link
//! leads to, and the ways to pay there.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::order::BuyerError;
use super::platform::{BuyersWord, Platform};
use super::trade::TradeStatus;
use super::view::TradeView;

/// `GET /phone`: the phone of a buyer, for whoever plays one: scans the seller's code, answers questions, shows payment
/// codes.
pub(super) async fn phone() -> Html<&'static str> {
    Html(include_str!("phone.html"))
}

/// `GET /qr/{code}`: what a QR code leads to.
pub(super) async fn code(
    State(platform): State<Arc<Platform>>,
    Path(code): Path<String>,
) -> Response {
    let address = format!("{}/qr/{code}", platform.base_url);
    shown(&platform, &code, &address)
}

/// `GET /cashier/{token}`: where a merchant's link led the buyer.
pub(super) async fn cashier(
    State(platform): State<Arc<Platform>>,
    Path(token): Path<String>,
) -> Response {
    let address = format!("{}/cashier/{token}", platform.base_url);
    shown(&platform, &token, &address)
}

fn shown(platform: &Platform, code: &str, address: &str) -> Response {
    let found = {
        let book = platform.book();
        let key = book.coded(code).ok();
        let order = key.and_then(|key| book.orders.get(&key));
        order.map(|order| {
            let view = TradeView::of(order, &platform.base_url);
            (view, order.content.quit_url.clone())
        })
    };
    match found {
        Some((view, quit_url)) => Html(page(&view, address, quit_url.as_deref())).into_response(),
        None => {
            let nothing = frame("<p>二维码无效 · no such code</p>");
            (StatusCode::NOT_FOUND, Html(nothing)).into_response()
        }
    }
}

/// `POST /buyer/pay`: comes by a code or a page and pays. A form answers as a browser needs it,
/// JSON with JSON.
pub(super) async fn pay(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    buy(&platform, &headers, &body, true)
}

/// `POST /buyer/scan`: comes by a code or a page and does not pay.
pub(super) async fn scan(
    State(platform): State<Arc<Platform>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    buy(&platform, &headers, &body, false)
}

/// What the buyer's app read from the screen, or the address of the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scanned {
    qr_code: String,
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
            Ok(view) => match view.returned_to {
                Some(address) => Redirect::to(&address).into_response(),
                None => Redirect::to(&qr_code).into_response(),
            },
            Err(error) => {
                (status_of(error), Html(frame(&format!("<p>{error}</p>")))).into_response()
            }
        };
    }
    match serde_json::from_slice::<Scanned>(body) {
        Ok(scanned) => told(platform.buy(&scanned.qr_code, pays)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// Which order's buyer speaks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    out_trade_no: String,
}

/// `POST /buyer/confirm`: the buyer who was asked pays.
pub(super) async fn confirm(
    State(platform): State<Arc<Platform>>,
    Json(asked): Json<Asked>,
) -> Response {
    told(platform.answer_question(&asked.out_trade_no, BuyersWord::Yes))
}

/// `POST /buyer/refuse`: the buyer who was asked says no, and the trade is closed.
pub(super) async fn refuse(
    State(platform): State<Arc<Platform>>,
    Json(asked): Json<Asked>,
) -> Response {
    told(platform.answer_question(&asked.out_trade_no, BuyersWord::No))
}

/// `POST /buyer/walk_away`: the buyer who was asked says nothing any more.
pub(super) async fn walk_away(
    State(platform): State<Arc<Platform>>,
    Json(asked): Json<Asked>,
) -> Response {
    told(platform.answer_question(&asked.out_trade_no, BuyersWord::Nothing))
}

fn told(outcome: Result<TradeView, BuyerError>) -> Response {
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
        BuyerError::UnknownCode | BuyerError::NobodyAsked => StatusCode::NOT_FOUND,
        BuyerError::Expired | BuyerError::Closed => StatusCode::GONE,
        BuyerError::AlreadyPaid => StatusCode::CONFLICT,
        BuyerError::PageRefused => StatusCode::BAD_REQUEST,
    }
}

/// What a browser sees whose link the gateway refuses.
pub(super) fn refusal(code: &str, sub_code: &str, sub_msg: &str) -> String {
    let [code, sub_code, sub_msg] = [code, sub_code, sub_msg].map(escaped);
    frame(&format!(
        "<h1>订单信息有误 · the link is wrong</h1><p>错误代码 {code} {sub_code}</p><p>{sub_msg}</p>"
    ))
}

fn page(view: &TradeView, address: &str, quit_url: Option<&str>) -> String {
    let (total, seller) = (view.total, escaped(&view.app_id));
    let (subject, code) = (escaped(&view.subject), escaped(address));
    let mut below = match view.status {
        None | Some(TradeStatus::WaitBuyerPay) => format!(
            "<form method=\"post\" action=\"/buyer/pay\"><input type=\"hidden\" name=\"qr_code\" \
             value=\"{code}\"><button>付款 · Pay {total} yuan</button> <button \
             formaction=\"/buyer/scan\">登录 · Sign in, pay later</button></form>"
        ),
        Some(status) => format!("<p><strong>{}</strong></p>", status.as_str()),
    };
    if let Some(state) = view.status.filter(|s| *s == TradeStatus::WaitBuyerPay) {
        below.push_str(&format!("<p>{}</p>", state.as_str()));
    }
    for (address, words) in [
        (view.returned_to.as_deref(), "返回商家 · Back to the shop"),
        (quit_url, "退出 · Leave"),
    ] {
        if let Some(address) = address {
            below.push_str(&format!(
                "<p><a href=\"{}\">{words}</a></p>",
                escaped(address)
            ));
        }
    }
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
