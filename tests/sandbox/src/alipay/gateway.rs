//! `/gateway.do`: takes a request, decides, and answers, rightly or as it was told to misbehave.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::account::App;
use super::answer::{Answer, Stranger};
use super::clock;
use super::content;
use super::failure::Failure;
use super::line::Line;
use super::misbehaviour::{AnswerFault, Fault};
use super::operation;
use super::pages;
use super::parameters::{Call, Operation, Parameters, SignatureCheck};
use super::platform::Platform;
use super::transport;
use super::view::RequestView;

/// Every answer calls itself HTML, as Alipay's do.
const CONTENT_TYPE: &str = "text/html;charset=utf-8";

/// A request as far as it was understood.
struct Admitted {
    parameters: Parameters,
    method: Option<String>,
    app: Option<Arc<App>>,
    signature: SignatureCheck,
    verdict: Result<Call, Failure>,
}

impl Admitted {
    /// The order that it names, as far as that can be read.
    fn trade(&self) -> Option<String> {
        match &self.verdict {
            Ok(call) => content::named_trade(&call.biz_content),
            Err(_) => self
                .parameters
                .get("biz_content")
                .and_then(content::named_trade),
        }
    }

    /// Whether the buyer's browser sent it.
    fn is_page(&self) -> bool {
        let method = self.method.as_deref().map(Operation::of);
        matches!(method, Some(Ok(operation)) if operation.is_page())
    }

    /// The answer's shape.
    fn blank(&self) -> Answer {
        let encrypted = matches!(&self.verdict, Ok(call) if call.encrypted);
        Answer::new(self.method.as_deref(), self.app.clone()).encrypted(encrypted)
    }
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
    let trade = admitted.trade();
    let fault = platform
        .book()
        .take_answer_fault(admitted.method.as_deref(), trade.as_deref());
    let processes = fault.as_ref().is_none_or(AnswerFault::processes);
    let answer = processes.then(|| answer(&platform, &admitted));
    record(
        &platform,
        &admitted,
        http_method.as_str(),
        trade.clone(),
        answer.as_ref(),
        fault.as_ref(),
    );
    if let Some(response) = transport::instead(&platform, &line, fault.as_ref()).await {
        return response;
    }
    // A request that was dropped still needs a shape to be answered in.
    let mut answer = answer.unwrap_or_else(|| admitted.blank());
    if let Some(fault) = &fault {
        operation::spoil(&mut answer, trade.as_deref(), fault);
    }
    if admitted.is_page() {
        return to_the_browser(&answer);
    }
    let body = written(&platform, &answer, fault.as_ref()).await;
    transport::send(&platform, fault.as_ref(), CONTENT_TYPE, body)
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

fn answer(platform: &Arc<Platform>, admitted: &Admitted) -> Answer {
    let blank = admitted.blank();
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

/// The answer's bytes.
async fn written(platform: &Platform, answer: &Answer, fault: Option<&AnswerFault>) -> Vec<u8> {
    let foreign = match fault {
        Some(AnswerFault::BusyInGbk) => return answer.busy_in_gbk(),
        Some(AnswerFault::SignedByStranger | AnswerFault::UnknownCertificate) => {
            platform.stranger().await.ok()
        }
        _ => None,
    };
    let stranger = foreign.map(|key| Stranger {
        key,
        cert_sn: platform.numbers.token(),
    });
    answer.write(fault, stranger.as_ref())
}

/// A browser is led to the page, or told why there is none.
fn to_the_browser(answer: &Answer) -> Response {
    match answer.field("cashier") {
        Some(cashier) => Redirect::to(cashier).into_response(),
        None => {
            let said = |name| answer.field(name).unwrap_or_default();
            let refusal = pages::refusal(said("code"), said("sub_code"), said("sub_msg"));
            Html(refusal).into_response()
        }
    }
}
