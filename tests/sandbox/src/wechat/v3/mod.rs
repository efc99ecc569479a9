//! APIv3: takes a request, decides, and answers, rightly or as it was told to misbehave.
//!
//! A request has to get through these in order; the HTTP status says where it failed:
//!
//! | status | what is asked of it |
//! |---|---|
//! | 404, 405 | a path that leads somewhere, by its method; else an empty answer |
//! | 400 | `Accept` and `User-Agent` |
//! | 401 | an `Authorization` in its form, a timestamp within five minutes, a known merchant and its certificate, the signature, a nonce that is new |
//! | 400 | a body with its `Content-Type` |
//!
//! Up to the 401 nobody is known whom an answer could be signed for, so those are not. Every
//! later one is.

mod answer;
mod bills;
mod certificates;
pub(super) mod objects;
mod order_fields;
mod orders;
mod refunds;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::Duration;

use answer::{Answer, Signer};

use super::book::Reference;
use super::clock;
use super::content::is_trade_number;
use super::failure::{Failure, Problem};
use super::line::Line;
use super::merchant::Shop;
use super::misbehaviour::{AnswerFault, Fault};
use super::operation::Operation;
use super::outgoing::send_off;
use super::platform::Platform;
use super::signing::{Authorization, request_text};
use super::view::{RequestView, SignatureCheck};

/// How far a request's timestamp may be from the platform's clock.
const CLOCK_WINDOW: Duration = Duration::minutes(5);

/// A request as it came.
struct Request {
    /// The platform's address that it came to.
    base: String,
    method: String,
    /// Path and query, byte for byte.
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What a request asks for.
struct Asked {
    operation: Operation,
    /// The number that the path names.
    number: String,
    query: Vec<(String, String)>,
}

impl Asked {
    /// Reads method and path; the status that says what is wrong with them.
    fn read(request: &Request) -> Result<Asked, u16> {
        let (path, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
        let path = path.strip_prefix("/v3/").ok_or(404_u16)?;
        let parts: Vec<&str> = path.split('/').collect();
        let (operation, number, method) = Operation::v3(&parts).ok_or(404_u16)?;
        if request.method != method {
            return Err(405);
        }
        Ok(Asked {
            operation,
            number: decoded(number.unwrap_or_default()),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        })
    }

    /// A parameter of the query.
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The query's `mchid`, which every look at an order needs.
    fn own_mchid(&self, shop: &Shop) -> Result<(), Failure> {
        match self.parameter("mchid") {
            None => Err(Failure::in_url("query", "mchid", "必填")),
            Some(mchid) if mchid != shop.mchid => Err(Failure::in_url(
                "query",
                "mchid",
                "与Authorization中的商户号不一致",
            )),
            Some(_) => Ok(()),
        }
    }

    /// The order that the path names by the merchant's number.
    fn reference(&self) -> Result<Reference, Failure> {
        if !is_trade_number(&self.number, true) {
            let issue = "6-32个字符，只能是数字、大小写字母_-|*";
            return Err(Failure::in_url("url", "out_trade_no", issue));
        }
        Ok(Reference::Number(self.number.clone()))
    }
}

/// A part of a path, its percent-escapes resolved; what means something in a query stays itself.
fn decoded(part: &str) -> String {
    let pair = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// What came of a request's way in.
struct Admitted {
    mchid: Option<String>,
    signature: SignatureCheck,
    verdict: Result<Arc<Shop>, Failure>,
}

/// Handles one request.
pub(super) async fn handle(
    State(platform): State<Arc<Platform>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        base: platform.url_of(&line).to_owned(),
        method: method.as_str().to_owned(),
        url: uri
            .path_and_query()
            .map_or("/", |url| url.as_str())
            .to_owned(),
        headers,
        body,
    };
    let asked = Asked::read(&request);
    let admitted = admit(&platform, &request);
    let operation = asked.as_ref().ok().map(|asked| asked.operation);
    let trade = asked
        .as_ref()
        .ok()
        .and_then(|asked| named_trade(&platform, asked, &request.body));
    let fault = platform
        .book()
        .take_answer_fault(operation, trade.as_deref());
    let fault = fault.as_ref();
    let processes = fault.is_none_or(AnswerFault::processes);
    let answer = processes.then(|| match &asked {
        Err(status) => Answer::bare(*status),
        Ok(asked) => match &admitted.verdict {
            Ok(shop) => perform(&platform, shop, asked, &request),
            Err(failure) => Answer::failed(failure),
        },
    });
    platform.book().record_request(RequestView {
        at_ms: clock::ms(clock::now()),
        http_method: request.method.clone(),
        url: request.url.clone(),
        operation,
        mchid: admitted.mchid,
        out_trade_no: trade,
        body: String::from_utf8_lossy(&request.body).into_owned(),
        client_certificate: line.client.is_some(),
        signature: admitted.signature,
        status: answer.as_ref().map(|answer| answer.status),
        code: answer.as_ref().and_then(|answer| answer.code.clone()),
        misbehaved: fault
            .map(|fault| serde_json::to_value(Fault::Answer(fault.clone())).unwrap_or_default()),
    });
    platform.changed();
    let signer = admitted.verdict.ok().map(|shop| {
        let identity = shop
            .identities
            .signing(text_of(&request.headers, "wechatpay-serial"));
        Signer { shop, identity }
    });
    // A request that was dropped still needs a shape to be answered in.
    let answer = answer.unwrap_or_else(Answer::nothing).spoilt(fault);
    let outgoing = answer.written(&platform, signer.as_ref(), fault).await;
    send_off(&platform, &line, outgoing, fault).await
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The order that a request is about, to match misbehaviours by.
fn named_trade(platform: &Platform, asked: &Asked, body: &[u8]) -> Option<String> {
    match asked.operation {
        Operation::Query | Operation::Close | Operation::Reverse => Some(asked.number.clone()),
        Operation::RefundQuery | Operation::AbnormalRefund => {
            let mut book = platform.book();
            let found = book.refund_mut(|refund| {
                [&refund.content.out_refund_no, &refund.refund_id].contains(&&asked.number)
            });
            found.map(|((_, number), _)| number)
        }
        _ => {
            let value: Value = serde_json::from_slice(body).ok()?;
            value.get("out_trade_no")?.as_str().map(str::to_owned)
        }
    }
}

fn admit(platform: &Platform, request: &Request) -> Admitted {
    let mut admitted = Admitted {
        mchid: None,
        signature: SignatureCheck::Unchecked,
        verdict: Err(Problem::Sign.into()),
    };
    admitted.verdict = check(platform, request, &mut admitted);
    admitted
}

fn check(
    platform: &Platform,
    request: &Request,
    admitted: &mut Admitted,
) -> Result<Arc<Shop>, Failure> {
    let refused = |why: &str| Err(Failure::new(Problem::Sign, why));
    let accept = text_of(&request.headers, "accept").unwrap_or_default();
    let accepts = accept.contains("application/json") || accept.contains("*/*");
    let agent = text_of(&request.headers, "user-agent").unwrap_or_default();
    if !accepts || agent.is_empty() {
        let why = "Http头缺少Accept或User-Agent";
        return Err(Failure::new(Problem::Request, why));
    }
    let header = text_of(&request.headers, "authorization").unwrap_or_default();
    let Some(said) = Authorization::parse(header) else {
        return refused("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》");
    };
    admitted.mchid = Some(said.mchid.clone());
    let now = clock::now();
    let sent: i64 = said.timestamp.parse().unwrap_or_default();
    if now.unix_timestamp().abs_diff(sent) > CLOCK_WINDOW.whole_seconds().unsigned_abs() {
        return refused("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟");
    }
    let shop = platform.book().shops.get(&said.mchid).cloned();
    let Some(shop) = shop.filter(|shop| shop.serial_no == said.serial_no) else {
        return refused("商户证书序列号有误。请使用签名私钥匹配的证书序列号");
    };
    let text = request_text(
        &request.method,
        &request.url,
        &said.timestamp,
        &said.nonce_str,
        &request.body,
    );
    admitted.signature = SignatureCheck::Invalid;
    if !shop.merchant.verify(&text, &said.signature) {
        return Err(Problem::Sign.into());
    }
    let new = platform
        .book()
        .takes_nonce(&shop.mchid, &said.nonce_str, CLOCK_WINDOW, now);
    if !new {
        return refused("请求已使用过，请更换随机串重新签名");
    }
    admitted.signature = SignatureCheck::Valid;
    Ok(shop)
}

fn perform(platform: &Arc<Platform>, shop: &Arc<Shop>, asked: &Asked, request: &Request) -> Answer {
    let outcome = has_content_type(request).and_then(|()| match asked.operation {
        Operation::Native | Operation::Jsapi | Operation::H5 | Operation::App => {
            orders::order(platform, shop, asked.operation, &request.body)
        }
        Operation::Codepay => orders::codepay(platform, shop, &request.body),
        Operation::Query | Operation::QueryById => orders::query(platform, shop, asked),
        Operation::Close => orders::close(platform, shop, asked, &request.body),
        Operation::Reverse => orders::reverse(platform, shop, asked, &request.body),
        Operation::Refund => refunds::refund(platform, shop, &request.body),
        Operation::RefundQuery => refunds::query(platform, shop, asked),
        Operation::AbnormalRefund => refunds::apply_abnormal(platform, shop, asked, &request.body),
        Operation::Certificates => certificates::list(platform, shop, asked),
        Operation::TradeBill => bills::trade_bill(platform, shop, asked, &request.base),
        Operation::BillDownload => bills::download(platform, shop, asked),
        _ => Err(Problem::NoResource.into()),
    });
    outcome.unwrap_or_else(|failure| Answer::failed(&failure))
}

fn has_content_type(request: &Request) -> Result<(), Failure> {
    let said = text_of(&request.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let media = said.split(';').next().unwrap_or_default().trim();
    if request.method == "POST" && !media.eq_ignore_ascii_case("application/json") {
        let why = "Http头Content-Type必须为application/json";
        return Err(Failure::new(Problem::Request, why));
    }
    Ok(())
}

/// Reads a body whose fields are known, each once.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::field("/", error.to_string()))
}

/// A field that has to be there and not empty.
fn need(field: &str, value: Option<String>) -> Result<String, Failure> {
    value
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Failure::missing(field))
}

/// A text of at most so many characters.
fn short(field: &str, text: &str, most: usize) -> Result<(), Failure> {
    if text.chars().count() > most {
        return Err(Failure::field(field, format!("最多{most}个字符")));
    }
    Ok(())
}

/// The body's `appid` and `mchid` are the merchant's own.
fn own(shop: &Shop, appid: Option<String>, mchid: Option<String>) -> Result<(), Failure> {
    let appid = need("/appid", appid)?;
    own_mchid(shop, mchid)?;
    if appid != shop.appid {
        return Err(Problem::Mismatch.into());
    }
    Ok(())
}

fn own_mchid(shop: &Shop, mchid: Option<String>) -> Result<(), Failure> {
    if need("/mchid", mchid)? != shop.mchid {
        return Err(Failure::field("/mchid", "与Authorization中的商户号不一致"));
    }
    Ok(())
}
