//! `/gateway.do`: takes a request, decides, and answers, rightly or as it was told to misbehave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::account::App;
use super::answer::Answer;
use super::clock;
use super::content;
use super::failure::Failure;
use super::line::Line;
use super::misbehaviour::{AnswerFault, Fault};
use super::operation;
use super::parameters::{Call, Parameters, SignatureCheck};
use super::platform::Platform;
use super::view::RequestView;

/// A request as far as it was understood.
struct Admitted {
    parameters: Parameters,
    method: Option<String>,
    app: Option<Arc<App>>,
    signature: SignatureCheck,
    verdict: Result<Call, Failure>,
}

/// Handles one request.
pub(super) async fn gateway(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(line): ConnectInfo<Line>,
    http_method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = if http_method == Method::POST && is_form(&headers) {
        body
    } else {
        Bytes::new()
    };
    let admitted = admit(&platform, &query.unwrap_or_default(), &form);
    let trade = admitted
        .parameters
        .get("biz_content")
        .and_then(content::named_trade);
    let fault = platform
        .book()
        .take_answer_fault(admitted.method.as_deref(), trade.as_deref());
    let answer = processes(fault.as_ref()).then(|| answer(&platform, &admitted));
    record(
        &platform,
        &admitted,
        http_method.as_str(),
        trade,
        answer.as_ref(),
        fault.as_ref(),
    );
    // A request that was dropped still needs a shape to be answered in.
    let answer =
        answer.unwrap_or_else(|| Answer::new(admitted.method.as_deref(), admitted.app.clone()));
    respond(&platform, &line, answer, fault).await
}

/// Only a form is read; a body of another type leaves its parameters missing.
fn is_form(headers: &HeaderMap) -> bool {
    let Some(value) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let media = value.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn admit(platform: &Platform, query: &str, form: &[u8]) -> Admitted {
    let mut admitted = Admitted {
        parameters: Parameters::default(),
        method: None,
        app: None,
        signature: SignatureCheck::Unchecked,
        verdict: Err(Failure::busy()),
    };
    admitted.verdict = check(platform, query, form, &mut admitted);
    admitted
}

fn check(
    platform: &Platform,
    query: &str,
    form: &[u8],
    admitted: &mut Admitted,
) -> Result<Call, Failure> {
    admitted.parameters = Parameters::merge(query, form)?;
    let parameters = &admitted.parameters;
    admitted.method = Some(parameters.method()?.to_owned());
    let app = parameters.app(|app_id| platform.book().apps.get(app_id).cloned())?;
    admitted.app = Some(Arc::clone(&app));
    parameters.check(&app, clock::now(), &mut admitted.signature)
}

/// Whether the request takes effect in spite of the fault.
fn processes(fault: Option<&AnswerFault>) -> bool {
    match fault {
        Some(
            AnswerFault::Silent { processed }
            | AnswerFault::HangUp { processed }
            | AnswerFault::HttpStatus { processed, .. }
            | AnswerFault::Busy { processed }
            | AnswerFault::SystemError { processed },
        ) => *processed,
        Some(AnswerFault::BusyInGbk) => false,
        _ => true,
    }
}

fn answer(platform: &Arc<Platform>, admitted: &Admitted) -> Answer {
    let blank = Answer::new(admitted.method.as_deref(), admitted.app.clone());
    match (&admitted.verdict, &admitted.app) {
        (Ok(call), Some(app)) => operation::perform(platform, app, call, blank),
        (Err(failure), _) => blank.failed(failure),
        (Ok(_), None) => blank.failed(&Failure::invalid("isv.invalid-app-id", "无效的AppID参数")),
    }
}

fn record(
    platform: &Platform,
    admitted: &Admitted,
    http_method: &str,
    out_trade_no: Option<String>,
    answer: Option<&Answer>,
    fault: Option<&AnswerFault>,
) {
    let parameters = &admitted.parameters;
    let told =
        fault.map(|fault| serde_json::to_value(Fault::Answer(fault.clone())).unwrap_or_default());
    let said = |name| {
        answer
            .and_then(|answer| answer.field(name))
            .map(str::to_owned)
    };
    platform.book().record_request(RequestView {
        at_ms: clock::ms(clock::now()),
        http_method: http_method.to_owned(),
        operation: admitted.method.clone(),
        app_id: parameters.get("app_id").map(str::to_owned),
        out_trade_no,
        parameters: parameters.all().clone(),
        signature: admitted.signature,
        code: said("code"),
        sub_code: said("sub_code"),
        misbehaved: told,
    });
    platform.changed();
}

async fn respond(
    platform: &Platform,
    line: &Line,
    mut answer: Answer,
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
            return (
                status,
                Html(format!("<html><body><h1>{status}</h1></body></html>")),
            )
                .into_response();
        }
        Some(AnswerFault::Busy { .. }) => answer = answer.instead(&Failure::busy()),
        Some(AnswerFault::BusyInGbk) => return page(platform, answer.busy_in_gbk()),
        Some(AnswerFault::SystemError { .. }) => answer = answer.instead(&Failure::system_error()),
        Some(AnswerFault::Other(values)) => put_all(&mut answer, values),
        _ => {}
    }
    let stranger = match &fault {
        Some(AnswerFault::SignedByStranger) => platform.stranger().await.ok(),
        _ => None,
    };
    page(platform, answer.write(fault.as_ref(), stranger))
}

fn put_all(answer: &mut Answer, values: &BTreeMap<String, String>) {
    for (name, value) in values {
        answer.put(name, value);
    }
}

/// Every answer is 200 and calls itself HTML, as Alipay's do.
fn page(platform: &Platform, body: Vec<u8>) -> Response {
    let headers = [
        ("content-type", "text/html;charset=utf-8".to_owned()),
        ("trace_id", platform.numbers.trace_id()),
    ];
    (headers, body).into_response()
}
