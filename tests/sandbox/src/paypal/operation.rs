//! Which operation a request is, and what each does and answers.

use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use serde_json::Value;

use super::account::App;
use super::book::{Book, Remembered, RequestKey};
use super::clock;
use super::content::{OrderContent, RefundContent, read_capture};
use super::event::EventType;
use super::failure::Failure;
use super::fields::parse;
use super::order::Order;
use super::platform::Platform;
use super::report;
use super::resource::Prefer;
use super::status::OrderStatus;
use super::token;
use super::verification;
use super::view::Replay;

/// An operation, with the number in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Token,
    CreateOrder,
    ShowOrder(String),
    CaptureOrder(String),
    ShowCapture(String),
    RefundCapture(String),
    ShowRefund(String),
    Verify,
    Transactions,
    Certificate(String),
    /// One that PayPal has and that an account here is not given.
    NotGiven(&'static str),
}

impl Operation {
    /// The operation at a path.
    pub(super) fn of(method: &Method, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        Some(match (method.as_str(), parts.as_slice()) {
            ("POST", ["v1", "oauth2", "token"]) => Operation::Token,
            ("POST", ["v2", "checkout", "orders"]) => Operation::CreateOrder,
            ("GET", ["v2", "checkout", "orders", id]) => Operation::ShowOrder((*id).to_owned()),
            ("POST", ["v2", "checkout", "orders", id, "capture"]) => {
                Operation::CaptureOrder((*id).to_owned())
            }
            ("GET", ["v2", "payments", "captures", id]) => Operation::ShowCapture((*id).to_owned()),
            ("POST", ["v2", "payments", "captures", id, "refund"]) => {
                Operation::RefundCapture((*id).to_owned())
            }
            ("GET", ["v2", "payments", "refunds", id]) => Operation::ShowRefund((*id).to_owned()),
            ("POST", ["v1", "notifications", "verify-webhook-signature"]) => Operation::Verify,
            ("GET", ["v1", "reporting", "transactions"]) => Operation::Transactions,
            ("GET", ["v1", "notifications", "certs", id]) => {
                Operation::Certificate((*id).to_owned())
            }
            ("PATCH", ["v2", "checkout", "orders", _]) => Operation::NotGiven("orders.patch"),
            ("POST", ["v2", "checkout", "orders", _, "authorize"]) => {
                Operation::NotGiven("orders.authorize")
            }
            ("POST", ["v2", "checkout", "orders", _, "confirm-payment-source"]) => {
                Operation::NotGiven("orders.confirm")
            }
            (_, ["v2", "payments", "authorizations", ..]) => Operation::NotGiven("authorizations"),
            (_, ["v1", "notifications", "webhooks" | "webhooks-events", ..]) => {
                Operation::NotGiven("webhooks")
            }
            ("GET", ["v1", "reporting", "balances"]) => Operation::NotGiven("balances.get"),
            _ => return None,
        })
    }

    /// PayPal's name for it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Operation::Token => "oauth2.token",
            Operation::CreateOrder => "orders.create",
            Operation::ShowOrder(_) => "orders.get",
            Operation::CaptureOrder(_) => "orders.capture",
            Operation::ShowCapture(_) => "captures.get",
            Operation::RefundCapture(_) => "captures.refund",
            Operation::ShowRefund(_) => "refunds.get",
            Operation::Verify => "verify-webhook-signature.post",
            Operation::Transactions => "search.get",
            Operation::Certificate(_) => "certs.get",
            Operation::NotGiven(name) => name,
        }
    }

    /// The number in its path.
    pub(super) fn resource(&self) -> Option<&str> {
        match self {
            Operation::ShowOrder(id)
            | Operation::CaptureOrder(id)
            | Operation::ShowCapture(id)
            | Operation::RefundCapture(id)
            | Operation::ShowRefund(id)
            | Operation::Certificate(id) => Some(id),
            _ => None,
        }
    }
}

/// A request as it came.
pub(super) struct Call {
    pub(super) operation: Operation,
    /// The query, empty where there is none.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: axum::body::Bytes,
}

/// What was found out on the way to an answer.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) client_id: Option<String>,
    pub(super) order_id: Option<String>,
    pub(super) replay: Option<Replay>,
}

/// An answer before it is written.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content: Content,
}

/// What an answer says.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Json(Value),
    Pem(String),
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Answer {
        let content = Content::Json(body);
        Answer { status, content }
    }
}

impl Call {
    /// A header's text; empty without one.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    fn prefer(&self) -> Prefer {
        match self.header("prefer") {
            "return=representation" => Prefer::Representation,
            _ => Prefer::Minimal,
        }
    }

    fn key(&self, app: &App) -> Result<Option<RequestKey>, Failure> {
        let Some(value) = self.headers.get("paypal-request-id") else {
            return Ok(None);
        };
        let request_id = value.to_str().unwrap_or_default();
        if !(1..=108).contains(&request_id.len()) {
            return Err(Failure::invalid("INVALID_STRING_LENGTH").at("PayPal-Request-Id"));
        }
        Ok(Some(RequestKey {
            client_id: app.client_id.clone(),
            operation: self.operation.name(),
            request_id: request_id.to_owned(),
        }))
    }
}

/// Performs a request.
pub(super) fn perform(
    platform: &Arc<Platform>,
    call: &Call,
    trace: &mut Trace,
) -> Result<Answer, Failure> {
    match &call.operation {
        Operation::Token => {
            let mut book = platform.book();
            let numbers = &platform.numbers;
            let granted = token::grant(&mut book, numbers, &call.headers, &call.body);
            let (app, answer) = granted?;
            trace.client_id = Some(app.client_id.clone());
            return Ok(Answer::json(200, answer));
        }
        Operation::Certificate(id) => return certificate(platform, call, id),
        _ => {}
    }
    let app = token::authenticate(&platform.book(), &call.headers)?;
    trace.client_id = Some(app.client_id.clone());
    let says_json = || token::media_type(&call.headers).eq_ignore_ascii_case("application/json");
    match &call.operation {
        Operation::ShowOrder(id) => {
            let mut book = platform.book();
            let order = book.own_order(&app, id, clock::now())?;
            trace.order_id = Some(order.id.clone());
            Ok(Answer::json(200, platform.writer().order(order)))
        }
        Operation::ShowCapture(id) => {
            let mut book = platform.book();
            let order = book.own_capture(&app, id)?;
            trace.order_id = Some(order.id.clone());
            let capture = order.capture.as_ref().ok_or_else(Failure::not_found)?;
            Ok(Answer::json(200, platform.writer().capture(order, capture)))
        }
        Operation::ShowRefund(id) => {
            let mut book = platform.book();
            let order = book.own_refund(&app, id)?;
            trace.order_id = Some(order.id.clone());
            refund_answer(platform, order, id, Prefer::Representation, 200)
        }
        Operation::Transactions => report::transactions(platform, &app, call),
        Operation::NotGiven(_) => Err(Failure::forbidden("PERMISSION_DENIED")),
        _ if !says_json() => Err(Failure::media_type()),
        Operation::CreateOrder => create(platform, &app, call, trace),
        Operation::CaptureOrder(id) => capture(platform, &app, call, id, trace),
        Operation::RefundCapture(id) => refund(platform, &app, call, id, trace),
        Operation::Verify => verification::verify(platform, &app, &call.body),
        Operation::Token | Operation::Certificate(_) => Err(Failure::not_found()),
    }
}

/// What a request with an id that came before is answered by, if it may be answered.
fn replayed(
    book: &Book,
    key: Option<&RequestKey>,
    about: &str,
    body: &Value,
    trace: &mut Trace,
) -> Result<Option<String>, Failure> {
    let Some((replay, made)) = book.replay(key, about, body) else {
        return Ok(None);
    };
    trace.replay = Some(replay);
    if replay == Replay::OtherResource {
        let used = "PAYPAL_REQUEST_ID_PREVIOUSLY_USED";
        return Err(Failure::unprocessable(used));
    }
    Ok(Some(made))
}

fn remember(book: &mut Book, key: Option<RequestKey>, about: &str, body: Value, made: &str) {
    if let Some(key) = key {
        let known = Remembered {
            about: about.to_owned(),
            body,
            made: made.to_owned(),
        };
        book.request_ids.insert(key, known);
    }
}

fn create(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    trace: &mut Trace,
) -> Result<Answer, Failure> {
    let (key, body) = (call.key(app)?, parse(&call.body)?);
    let (now, writer) = (clock::now(), platform.writer());
    let mut book = platform.book();
    if let Some(made) = replayed(&book, key.as_ref(), "", &body, trace)? {
        let order = book.own_order(app, &made, now)?;
        trace.order_id = Some(made);
        return Ok(Answer::json(200, writer.created(order, call.prefer())));
    }
    let content = OrderContent::read(&body, app, |name| book.has_merchant(name))?;
    if content.has_source && key.is_none() {
        return Err(Failure::invalid("PAYPAL_REQUEST_ID_REQUIRED"));
    }
    check_invoice(&book, app, content.invoice_id.as_deref())?;
    // With a payment source PayPal answers 200, though the order is new.
    let status = if content.has_source { 200 } else { 201 };
    let id = platform.numbers.resource_id();
    let order = Order::new(id.clone(), Arc::clone(app), content, now);
    let answer = Answer::json(status, writer.created(&order, call.prefer()));
    book.orders.insert(id.clone(), order);
    remember(&mut book, key, "", body, &id);
    trace.order_id = Some(id);
    Ok(answer)
}

fn check_invoice(book: &Book, app: &App, invoice_id: Option<&str>) -> Result<(), Failure> {
    if invoice_id.is_some_and(|invoice_id| book.has_invoice(app, invoice_id)) {
        let duplicate = Failure::unprocessable("DUPLICATE_INVOICE_ID");
        return Err(duplicate.at("/purchase_units/0/invoice_id"));
    }
    Ok(())
}

fn capture(
    platform: &Arc<Platform>,
    app: &App,
    call: &Call,
    id: &str,
    trace: &mut Trace,
) -> Result<Answer, Failure> {
    let (key, body) = (call.key(app)?, parse(&call.body)?);
    let (now, writer) = (clock::now(), platform.writer());
    trace.order_id = Some(id.to_owned());
    let (answer, event) = {
        let mut book = platform.book();
        if let Some(made) = replayed(&book, key.as_ref(), id, &body, trace)? {
            let order = book.own_order(app, &made, now)?;
            return Ok(Answer::json(200, writer.captured(order, call.prefer())));
        }
        read_capture(&call.body)?;
        let invoice_id = book.own_order(app, id, now)?.content.invoice_id.clone();
        let taken = check_invoice(&book, app, invoice_id.as_deref());
        let order = book.own_order(app, id, now)?;
        if order.status == OrderStatus::Approved {
            taken?;
        }
        let settlement = match order.capture(&platform.numbers, now) {
            Ok(capture) => capture.settlement,
            // The payer may try again with something else to pay with.
            Err(failure) if failure.code() == "INSTRUMENT_DECLINED" => {
                return Err(failure.sending_to(writer.approve_url(id)));
            }
            Err(failure) => return Err(failure),
        };
        let answer = Answer::json(201, writer.captured(order, call.prefer()));
        remember(&mut book, key, id, body, id);
        (answer, EventType::of_capture(settlement))
    };
    platform.announce(id, event, None);
    Ok(answer)
}

fn refund(
    platform: &Arc<Platform>,
    app: &App,
    call: &Call,
    capture_id: &str,
    trace: &mut Trace,
) -> Result<Answer, Failure> {
    let (key, body) = (call.key(app)?, parse(&call.body)?);
    let (answer, order_id, refund_id, event) = {
        let mut book = platform.book();
        if let Some(made) = replayed(&book, key.as_ref(), capture_id, &body, trace)? {
            let order = book.own_refund(app, &made)?;
            trace.order_id = Some(order.id.clone());
            return refund_answer(platform, order, &made, call.prefer(), 200);
        }
        let content = RefundContent::read(&body, &app.country)?;
        let invoice_id = content.invoice_id.as_deref();
        let taken = invoice_id.is_some_and(|number| book.has_refund_invoice(app, number));
        let order = book.own_capture(app, capture_id)?;
        let order_id = order.id.clone();
        trace.order_id = Some(order_id.clone());
        if taken {
            let duplicate = Failure::unprocessable("DUPLICATE_INVOICE_ID");
            return Err(duplicate.at("/invoice_id"));
        }
        let refund = order.refund(content, &platform.numbers, clock::now())?;
        let (id, event) = (refund.id.clone(), EventType::of_refund(refund.status));
        let answer = refund_answer(platform, order, &id, call.prefer(), 201)?;
        remember(&mut book, key, capture_id, body, &id);
        (answer, order_id, id, event)
    };
    if let Some(event) = event {
        platform.announce(&order_id, event, Some(&refund_id));
    }
    Ok(answer)
}

fn refund_answer(
    platform: &Platform,
    order: &Order,
    id: &str,
    prefer: Prefer,
    status: u16,
) -> Result<Answer, Failure> {
    let refund = order.refund_of(id).ok_or_else(Failure::not_found)?;
    let body = platform.writer().refund(order, refund, prefer);
    Ok(Answer::json(status, body))
}

/// A certificate: PayPal's at the platform's own address, a stranger's anywhere else.
fn certificate(platform: &Platform, call: &Call, id: &str) -> Result<Answer, Failure> {
    let found = if platform.is_own_host(call.header("host")) {
        platform.book().certificates.get(id).cloned()
    } else {
        let stranger = platform.known_stranger();
        stranger.filter(|stranger| stranger.id == id)
    };
    let certificate = found.ok_or_else(Failure::not_found)?;
    Ok(Answer {
        status: 200,
        content: Content::Pem(certificate.pem.clone()),
    })
}
