//! v2: XML and a shared key. Every answer is a 200; what is wrong stands inside:
//!
//! | answer | when | signed |
//! |---|---|---|
//! | `return_code=FAIL` | not a POST, not XML, something common missing, a wrong signature | no |
//! | `result_code=FAIL` | the operation says no; `err_code` says why | yes |
//! | `result_code=SUCCESS` | it is done | yes |
//!
//! `/secapi` is for a client that presents its certificate, and only for its own merchant.

mod answer;
pub(super) mod fields;
mod operations;
mod parameters;
pub(super) mod xml;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Uri};
use axum::response::Response;

use answer::Answer;
use parameters::get;
use xml::Fields;

use super::clock;
use super::line::Line;
use super::merchant::Shop;
use super::misbehaviour::{AnswerFault, Fault};
use super::operation::Operation;
use super::outgoing::{Outgoing, nginx, send_off};
use super::platform::Platform;
use super::signing::v2::{SignType, sign};
use super::view::{RequestView, SignatureCheck};

/// A request as far as it was understood.
struct Admitted {
    fields: Fields,
    signature: SignatureCheck,
    /// Whose it is and how it is signed, or why it is refused.
    verdict: Result<(Arc<Shop>, SignType), &'static str>,
}

/// Handles one request.
pub(super) async fn handle(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let operation = Operation::v2(uri.path());
    let admitted = admit(&platform, &method, &line, operation, &body);
    let trade = named_trade(&platform, &admitted.fields);
    let fault = platform
        .book()
        .take_answer_fault(operation, trade.as_deref());
    let fault = fault.as_ref();
    let mut view = seen(&method, &uri, &line, &body, &admitted);
    view.out_trade_no = trade;
    view.misbehaved =
        fault.map(|fault| serde_json::to_value(Fault::Answer(fault.clone())).unwrap_or_default());
    if let Some(page) = barred(operation, &line) {
        view.status = Some(page.status);
        record(&platform, view);
        return send_off(&platform, &line, page, fault).await;
    }
    let processes = fault.is_none_or(AnswerFault::processes);
    let answer = processes.then(|| match (&admitted.verdict, operation) {
        (Ok((shop, sign_type)), Some(operation)) => {
            operations::perform(&platform, shop, operation, &admitted.fields, *sign_type)
        }
        (Err(why), _) => Answer::refused(why),
        (Ok(_), None) => Answer::refused("请求地址错误"),
    });
    view.status = answer.as_ref().map(|_| 200);
    view.code = answer.as_ref().and_then(|answer| answer.code.clone());
    record(&platform, view);
    let signer = admitted.verdict.as_ref().ok();
    let signer = signer.map(|(shop, sign_type)| (shop.as_ref(), *sign_type));
    // A request that was dropped still needs a shape to be answered in.
    let answer = answer.unwrap_or_else(|| Answer::refused("系统繁忙"));
    let outgoing = answer.spoilt(fault).written(&platform, signer, fault);
    send_off(&platform, &line, outgoing, fault).await
}

/// The page that the server in front has for who may not even ask.
fn barred(operation: Option<Operation>, line: &Line) -> Option<Outgoing> {
    match operation {
        None => Some(nginx(404, "Not Found")),
        Some(operation) if operation.needs_certificate() && line.client.is_none() => {
            Some(nginx(400, "No required SSL certificate was sent"))
        }
        Some(_) => None,
    }
}

fn admit(
    platform: &Platform,
    method: &Method,
    line: &Line,
    operation: Option<Operation>,
    body: &[u8],
) -> Admitted {
    let mut admitted = Admitted {
        fields: Fields::new(),
        signature: SignatureCheck::Unchecked,
        verdict: Err("系统繁忙"),
    };
    admitted.verdict = check(platform, method, body, &mut admitted);
    if operation.is_some_and(Operation::needs_certificate)
        && let Ok((shop, _)) = &admitted.verdict
        && line.client.as_deref() != Some(shop.certificate.as_slice())
    {
        admitted.verdict = Err("证书验证失败");
    }
    admitted
}

fn check(
    platform: &Platform,
    method: &Method,
    body: &[u8],
    admitted: &mut Admitted,
) -> Result<(Arc<Shop>, SignType), &'static str> {
    if method != Method::POST {
        return Err("请使用post方法");
    }
    let text = std::str::from_utf8(body).map_err(|_| "编码格式错误")?;
    admitted.fields = xml::read("xml", text).ok_or("XML格式错误")?;
    let fields = &admitted.fields;
    for name in ["appid", "mch_id", "nonce_str", "sign"] {
        get(fields, name).ok_or("缺少参数")?;
    }
    let said = get(fields, "sign_type").unwrap_or_default();
    let sign_type = SignType::parse(said).ok_or("签名类型错误")?;
    admitted.signature = SignatureCheck::Invalid;
    let mchid = get(fields, "mch_id").unwrap_or_default();
    let shop = platform.book().shops.get(mchid).cloned();
    let shop = shop.ok_or("签名错误")?;
    let pairs = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    if get(fields, "sign") != Some(sign(pairs, &shop.api_key, sign_type).as_str()) {
        return Err("签名错误");
    }
    admitted.signature = SignatureCheck::Valid;
    Ok((shop, sign_type))
}

/// The order that a request is about, to match misbehaviours by.
fn named_trade(platform: &Platform, fields: &Fields) -> Option<String> {
    if let Some(number) = get(fields, "out_trade_no") {
        return Some(number.to_owned());
    }
    let number = get(fields, "out_refund_no")?;
    let mut book = platform.book();
    let found = book.refund_mut(|refund| refund.content.out_refund_no == number);
    found.map(|((_, trade), _)| trade)
}

fn seen(method: &Method, uri: &Uri, line: &Line, body: &[u8], admitted: &Admitted) -> RequestView {
    RequestView {
        at_ms: clock::ms(clock::now()),
        http_method: method.as_str().to_owned(),
        url: uri
            .path_and_query()
            .map_or("/", |url| url.as_str())
            .to_owned(),
        operation: Operation::v2(uri.path()),
        mchid: get(&admitted.fields, "mch_id").map(str::to_owned),
        out_trade_no: None,
        body: String::from_utf8_lossy(body).into_owned(),
        client_certificate: line.client.is_some(),
        signature: admitted.signature,
        status: None,
        code: None,
        misbehaved: None,
    }
}

fn record(platform: &Platform, view: RequestView) {
    platform.book().record_request(view);
    platform.changed();
}
