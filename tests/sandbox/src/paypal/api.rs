//! The REST APIs: takes a request, decides, and answers, rightly or as it was told to misbehave.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::clock;
use super::failure::Failure;
use super::line::Line;
use super::misbehaviour::{AnswerFault, Fault, put_all};
use super::operation::{Answer, Call, Content, Operation, Trace, perform};
use super::platform::Platform;
use super::view::RequestView;

/// Handles one request.
pub(super) async fn api(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut view = RequestView {
        at_ms: clock::ms(clock::now()),
        http_method: method.to_string(),
        host: text(&headers, "host").unwrap_or_default(),
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        operation: None,
        client_id: None,
        order_id: None,
        request_id: text(&headers, "paypal-request-id"),
        replay: None,
        body: serde_json::from_slice(&body).ok(),
        status: None,
        issue: None,
        misbehaved: None,
    };
    let Some(operation) = Operation::of(&method, uri.path()) else {
        let answer = refusal(&platform, &Failure::not_found());
        record(&platform, view, Some(&Err(Failure::not_found())));
        return answer;
    };
    let call = Call {
        operation,
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
    };
    view.operation = Some(call.operation.name().to_owned());
    let fault = {
        let mut book = platform.book();
        let names = book.names(&call.operation, &call.body);
        book.take_answer_fault(call.operation.name(), &names)
    };
    let mut trace = Trace::default();
    let answer = processes(fault.as_ref()).then(|| perform(&platform, &call, &mut trace));
    (view.client_id, view.order_id) = (trace.client_id, trace.order_id);
    view.replay = trace.replay;
    let told = |fault: &AnswerFault| serde_json::to_value(Fault::Answer(fault.clone()));
    view.misbehaved = fault.as_ref().map(|fault| told(fault).unwrap_or_default());
    record(&platform, view, answer.as_ref());
    // A request that was dropped still needs a shape to be answered in.
    let answer = answer.unwrap_or_else(|| Err(Failure::server_error()));
    respond(&platform, &line, uri.path(), answer, fault).await
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// Whether the request takes effect in spite of the fault.
fn processes(fault: Option<&AnswerFault>) -> bool {
    match fault {
        Some(
            AnswerFault::Silent { processed }
            | AnswerFault::HangUp { processed }
            | AnswerFault::HttpStatus { processed, .. }
            | AnswerFault::ServerError { processed },
        ) => *processed,
        Some(
            AnswerFault::Unavailable
            | AnswerFault::RateLimited
            | AnswerFault::InProgress
            | AnswerFault::InvalidToken
            | AnswerFault::Refused { .. }
            | AnswerFault::Redirect,
        ) => false,
        _ => true,
    }
}

fn record(platform: &Platform, mut view: RequestView, answer: Option<&Result<Answer, Failure>>) {
    match answer {
        Some(Ok(answer)) => view.status = Some(answer.status),
        Some(Err(failure)) => {
            view.status = Some(failure.status);
            view.issue = Some(failure.code().to_owned());
        }
        None => {}
    }
    platform.book().record_request(view);
    platform.changed();
}

async fn respond(
    platform: &Arc<Platform>,
    line: &Line,
    path: &str,
    mut answer: Result<Answer, Failure>,
    fault: Option<AnswerFault>,
) -> Response {
    match &fault {
        Some(AnswerFault::Late { ms }) => {
            platform.pause(Duration::from_millis(*ms)).await;
        }
        Some(AnswerFault::Silent { .. }) => {
            platform.stopped().await;
            line.cut();
        }
        Some(AnswerFault::HangUp { .. }) => line.cut(),
        Some(AnswerFault::HttpStatus { status, .. }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            let page = format!("<html><body><h1>{status}</h1></body></html>");
            return (status, Html(page)).into_response();
        }
        Some(AnswerFault::ServerError { .. }) => answer = Err(Failure::server_error()),
        Some(AnswerFault::Unavailable) => answer = Err(Failure::unavailable()),
        Some(AnswerFault::RateLimited) => answer = Err(Failure::rate_limit()),
        Some(AnswerFault::InProgress) => answer = Err(Failure::in_progress()),
        Some(AnswerFault::InvalidToken) => {
            answer = Err(Failure::token("Access Token not found in cache"));
        }
        Some(AnswerFault::Refused { issue }) => answer = Err(Failure::unprocessable(issue)),
        Some(AnswerFault::Redirect) => {
            let to = format!("{}{path}", platform.elsewhere_url);
            return (StatusCode::FOUND, [("location", to)]).into_response();
        }
        Some(AnswerFault::Endless) => return endless(platform, line),
        Some(AnswerFault::Other(values)) => {
            if let Ok(Answer {
                content: Content::Json(body),
                ..
            }) = &mut answer
            {
                put_all(body, values);
            }
        }
        Some(AnswerFault::Truncated) | None => {}
    }
    match answer {
        Ok(answer) => {
            let (kind, mut body) = match answer.content {
                Content::Json(body) => ("application/json", body.to_string().into_bytes()),
                Content::Pem(pem) => ("text/plain", pem.into_bytes()),
            };
            if fault == Some(AnswerFault::Truncated) {
                body.truncate(body.len() / 2);
            }
            page(answer.status, kind, platform.numbers.debug_id(), body)
        }
        Err(failure) => refusal(platform, &failure),
    }
}

fn refusal(platform: &Platform, failure: &Failure) -> Response {
    let debug_id = platform.numbers.debug_id();
    let body: Value = failure.body(&debug_id);
    let bytes = body.to_string().into_bytes();
    page(failure.status, "application/json", debug_id, bytes)
}

fn page(status: u16, kind: &'static str, debug_id: String, body: impl Into<Body>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        ("content-type", kind.to_owned()),
        ("paypal-debug-id", debug_id),
    ];
    (status, headers, body.into()).into_response()
}

/// A body that begins as JSON and never ends, until the caller or the platform does.
fn endless(platform: &Arc<Platform>, line: &Line) -> Response {
    let (stopping, line) = (Arc::clone(platform), line.clone());
    tokio::spawn(async move {
        stopping.stopped().await;
        line.cut();
    });
    let begun: &[u8] = br#"{"id": ""#;
    let body = ReaderStream::new(begun.chain(tokio::io::repeat(b'0')));
    let debug_id = platform.numbers.debug_id();
    page(200, "application/json", debug_id, Body::from_stream(body))
}
