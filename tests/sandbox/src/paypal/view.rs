//! What tests and the control surface see of the platform: copies, not handles.

use serde::Serialize;
use serde_json::Value;

use super::amount::Amount;
use super::status::{CaptureStatus, OrderStatus, RefundStatus};

/// An order, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct OrderView {
    /// The client that made it.
    pub client_id: String,
    /// PayPal's number.
    pub id: String,
    /// Its state, which says nothing of the money.
    pub status: OrderStatus,
    /// What is to be paid.
    pub amount: Amount,
    /// The merchant's number of the purchase unit; `default` unless it gave one.
    pub reference_id: String,
    /// The merchant's number that the payer does not see.
    pub custom_id: Option<String>,
    /// The merchant's number that the payer sees, once per payment.
    pub invoice_id: Option<String>,
    /// Where the payer approves it.
    pub approve_url: String,
    /// Where the payer goes after approving.
    pub return_url: Option<String>,
    /// Where the payer goes after thinking better of it.
    pub cancel_url: Option<String>,
    /// When it was made, absolute milliseconds.
    pub created_ms: u64,
    /// When it was last approved, absolute milliseconds.
    pub approved_ms: Option<u64>,
    /// Whether PayPal has forgotten it.
    pub gone: bool,
    /// Its capture.
    pub capture: Option<CaptureView>,
    /// Its refunds, oldest first.
    pub refunds: Vec<RefundView>,
}

/// A capture.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureView {
    /// PayPal's number.
    pub id: String,
    /// Whether the money came.
    pub status: CaptureStatus,
    /// When it was made, absolute milliseconds.
    pub created_ms: u64,
}

/// A refund.
#[derive(Clone, Debug, Serialize)]
pub struct RefundView {
    /// PayPal's number.
    pub id: String,
    /// Whether the money went back.
    pub status: RefundStatus,
    /// How much.
    pub amount: Amount,
    /// When it was made, absolute milliseconds.
    pub created_ms: u64,
}

/// What a `PayPal-Request-Id` that came before made of a request.
///
/// PayPal says that such a request is answered with "the latest status of the previous request",
/// and nothing of one that says something else or is about something else. That it compares no
/// bodies, and refuses the latter as its vault does, are assumptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// It is the same request: the earlier one's result was answered.
    Same,
    /// It says something else: the earlier one's result was answered all the same.
    OtherBody,
    /// It is about another order or capture: refused.
    OtherResource,
}

/// A request that reached the platform.
#[derive(Clone, Debug, Serialize)]
pub struct RequestView {
    /// When it came, absolute milliseconds.
    pub at_ms: u64,
    /// `GET` or `POST`.
    pub http_method: String,
    /// The host as the caller wrote it: another than the platform's is one that it was led to.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query as it came.
    pub query: Option<String>,
    /// The operation by PayPal's name for it, such as `orders.capture`.
    pub operation: Option<String>,
    /// Whose token or credentials it carried, if they hold.
    pub client_id: Option<String>,
    /// The order that it is about.
    pub order_id: Option<String>,
    /// `PayPal-Request-Id`.
    pub request_id: Option<String>,
    /// What that id made of it, if it came before.
    pub replay: Option<Replay>,
    /// The body as JSON, where it is JSON.
    pub body: Option<Value>,
    /// The status that the platform decided on, even where a misbehaviour sent something else.
    /// None when the request was dropped before it was decided.
    pub status: Option<u16>,
    /// Why it was refused: `details[0].issue`, else `name` or `error`.
    pub issue: Option<String>,
    /// The misbehaviour that the answer showed, as `POST /misbehave` writes it.
    pub misbehaved: Option<Value>,
}

/// A notification that was sent, or tried.
#[derive(Clone, Debug, Serialize)]
pub struct NotificationView {
    /// When it went out, absolute milliseconds.
    pub at_ms: u64,
    /// The order that it belongs to, whatever its body says.
    pub order_id: String,
    /// The event's number; the same in all repeats.
    pub event_id: String,
    /// The event's type, such as `PAYMENT.CAPTURE.COMPLETED`.
    pub event_type: String,
    /// Which send of its event it was, from 1.
    pub try_no: u32,
    /// Where it went.
    pub url: String,
    /// The `PAYPAL-…` headers as sent, by their names in small letters.
    pub headers: std::collections::BTreeMap<String, String>,
    /// The body as sent.
    pub body: String,
    /// Whether it was as PayPal sends it: rightly signed, whole and unaltered.
    pub genuine: bool,
    /// The status of the reply; none when there was no reply.
    pub http_status: Option<u16>,
    /// Why there was no reply.
    pub error: Option<String>,
    /// Whether the merchant took it: any status from 200 to 299.
    pub taken: bool,
}
