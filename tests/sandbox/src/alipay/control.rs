//! The platform's state, what happens to its orders, and its misbehaviours, over HTTP for `curl`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clock;
use super::command::{self, Command, CommandError};
use super::line::Line;
use super::misbehaviour::Misbehaviour;
use super::platform::Platform;
use super::transport;
use super::view::{NotificationView, RequestView, TradeView};
use super::wallet::Buyer;

/// `GET /trades`.
pub(super) async fn trades(State(platform): State<Arc<Platform>>) -> Json<Vec<TradeView>> {
    Json(
        platform
            .book()
            .orders
            .values()
            .map(|order| TradeView::of(order, &platform.base_url))
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

/// `POST /trades/{out_trade_no}`: one [`Command`] as JSON.
pub(super) async fn command(
    State(platform): State<Arc<Platform>>,
    Path(out_trade_no): Path<String>,
    Json(command): Json<Command>,
) -> Response {
    match command::obey(&platform, &out_trade_no, &command) {
        Ok(view) => Json(json!({"ok": true, "trade": view})).into_response(),
        Err(error) => {
            let status = match error {
                CommandError::NoOrder => StatusCode::NOT_FOUND,
                CommandError::State => StatusCode::CONFLICT,
            };
            (
                status,
                Json(json!({"ok": false, "error": error.to_string()})),
            )
                .into_response()
        }
    }
}

/// What the buyer does whose code is to be shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    #[serde(default)]
    buyer: Buyer,
    /// A face before a camera instead of a code on the phone.
    #[serde(default)]
    face: bool,
}

/// `POST /buyer/code`: a payment code for the till, good for a minute.
pub(super) async fn show_code(
    State(platform): State<Arc<Platform>>,
    Json(shown): Json<Shown>,
) -> Json<Value> {
    let (mut book, now) = (platform.book(), clock::now());
    let code = if shown.face {
        book.wallet.show_face(shown.buyer, &platform.numbers, now)
    } else {
        book.wallet.show(shown.buyer, &platform.numbers, now)
    };
    Json(json!({"auth_code": code}))
}

/// `POST /bills/publish`: bills of the day and the month that still run are given out too.
pub(super) async fn publish_bills(State(platform): State<Arc<Platform>>) -> StatusCode {
    platform.book().bills.published = true;
    StatusCode::NO_CONTENT
}

/// Which file a bill's address means.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    token: String,
}

/// `GET /downloadBillFile.resource`: the file of a bill. Nobody signs it.
pub(super) async fn bill_file(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let (file, fault) = {
        let mut book = platform.book();
        let fault = book.take_answer_fault(Some("bill.download"), None);
        (book.bills.file(&wanted.token, clock::now()), fault)
    };
    if let Some(response) = transport::instead(&platform, &line, fault.as_ref()).await {
        return response;
    }
    let content_type = "application/octet-stream;charset=GBK";
    match file {
        Some(file) => transport::send(&platform, fault.as_ref(), content_type, file),
        None => {
            let page = "<html><body>下载地址已失效</body></html>";
            (StatusCode::FORBIDDEN, Html(page)).into_response()
        }
    }
}
