//! What tests and the control surface see of the platform: copies, not handles.

use std::collections::BTreeMap;

use serde::Serialize;

use super::clock;
use super::operation::Operation;
use super::order::{Order, TradeState, TradeType};
use super::refund::{Refund, RefundStatus};

/// An order and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct TradeView {
    /// The merchant.
    pub mchid: String,
    /// The merchant's number.
    pub out_trade_no: String,
    /// How it is paid.
    pub trade_type: TradeType,
    /// What is sold.
    pub description: String,
    /// The order's amount, in fen.
    pub total_fen: u64,
    /// Its state.
    pub state: TradeState,
    /// What leads a buyer to it, the newest: `code_url`, `h5_url` or the prepay id. None at the
    /// till.
    pub link: Option<String>,
    /// Where notifications go.
    pub notify_url: Option<String>,
    /// When it was ordered, absolute milliseconds.
    pub created_ms: u64,
    /// The platform's number; none before it is paid.
    pub transaction_id: Option<String>,
    /// When it was paid, absolute milliseconds.
    pub paid_ms: Option<u64>,
    /// When it was closed or reversed, absolute milliseconds.
    pub ended_ms: Option<u64>,
    /// How much is given back or about to be, in fen.
    pub refunded_fen: u64,
    /// Every refund that was accepted, oldest first.
    pub refunds: Vec<RefundView>,
}

impl TradeView {
    /// A copy of an order; `base` is where its pages are.
    pub(super) fn of(order: &Order, base: &str) -> TradeView {
        let (content, payment) = (&order.content, order.payment.as_ref());
        TradeView {
            mchid: order.shop.mchid.clone(),
            out_trade_no: content.out_trade_no.clone(),
            trade_type: content.trade_type,
            description: content.description.clone(),
            total_fen: content.total_fen,
            state: order.state,
            link: order.links.last().map(|link| match content.trade_type {
                TradeType::Native => link.code_url(),
                TradeType::Mweb => link.h5_url(base),
                _ => link.prepay_id.clone(),
            }),
            notify_url: content.notify_url.clone(),
            created_ms: clock::ms(order.created),
            transaction_id: payment.map(|payment| payment.transaction_id.clone()),
            paid_ms: payment.map(|payment| clock::ms(payment.at)),
            ended_ms: order.ended.map(clock::ms),
            refunded_fen: order.refunded_fen(),
            refunds: order.refunds.iter().map(RefundView::of).collect(),
        }
    }
}

/// A refund that was accepted.
#[derive(Clone, Debug, Serialize)]
pub struct RefundView {
    /// The merchant's number.
    pub out_refund_no: String,
    /// The platform's number.
    pub refund_id: String,
    /// How much, in fen.
    pub fee_fen: u64,
    /// Its status.
    pub status: RefundStatus,
    /// Where its notification goes.
    pub notify_url: Option<String>,
    /// When it was accepted, absolute milliseconds.
    pub created_ms: u64,
    /// When it ended, absolute milliseconds.
    pub settled_ms: Option<u64>,
}

impl RefundView {
    fn of(refund: &Refund) -> RefundView {
        RefundView {
            out_refund_no: refund.content.out_refund_no.clone(),
            refund_id: refund.refund_id.clone(),
            fee_fen: refund.content.fee_fen,
            status: refund.status,
            notify_url: refund.content.notify_url.clone(),
            created_ms: clock::ms(refund.created),
            settled_ms: refund.settled.map(clock::ms),
        }
    }
}

/// What became of a request's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureCheck {
    /// It is the merchant's.
    Valid,
    /// It is not the merchant's over this request, or is used up.
    Invalid,
    /// The request was refused before.
    Unchecked,
}

/// A request that reached the platform.
#[derive(Clone, Debug, Serialize)]
pub struct RequestView {
    /// When it came, absolute milliseconds.
    pub at_ms: u64,
    /// `GET`, `POST`, or what else it was.
    pub http_method: String,
    /// Path and query as sent.
    pub url: String,
    /// What it asks for; none when nothing is there.
    pub operation: Option<Operation>,
    /// The merchant that it says it comes from.
    pub mchid: Option<String>,
    /// The order that it names, by the merchant's number.
    pub out_trade_no: Option<String>,
    /// The body as sent.
    pub body: String,
    /// Whether the client presented its certificate.
    pub client_certificate: bool,
    /// What became of its signature.
    pub signature: SignatureCheck,
    /// The HTTP status that the platform decided on, even where a misbehaviour sent something
    /// else. None when the request was dropped before it was decided.
    pub status: Option<u16>,
    /// `code` or `err_code` of what was decided (v2: `FAIL` where the request itself was refused);
    /// none for a success.
    pub code: Option<String>,
    /// The misbehaviour that the answer showed, as `POST /misbehave` writes it.
    pub misbehaved: Option<serde_json::Value>,
}

/// A notification that was sent, or tried.
#[derive(Clone, Debug, Serialize)]
pub struct NotificationView {
    /// When it went out, absolute milliseconds.
    pub at_ms: u64,
    /// The order that it belongs to, whatever number its body says.
    pub out_trade_no: String,
    /// The refund that it is about.
    pub out_refund_no: Option<String>,
    /// `id`; the same in all repeats. v2 has none: empty.
    pub id: String,
    /// `TRANSACTION.SUCCESS`, `REFUND.SUCCESS` and so on; in v2 what it would be.
    pub event_type: String,
    /// Which send of its notification it was, from 1.
    pub try_no: u32,
    /// Where it went.
    pub url: String,
    /// The headers that it had on its own, by their names.
    pub headers: BTreeMap<String, String>,
    /// The body as sent, but at most its first 64 KiB.
    pub body: String,
    /// Whether it was as WeChat Pay sends it.
    pub genuine: bool,
    /// The status of the reply; none when there was no reply.
    pub http_status: Option<u16>,
    /// The reply's body, at most its first 1024 characters.
    pub reply: Option<String>,
    /// Why there was no reply.
    pub error: Option<String>,
    /// Whether the merchant took it.
    pub taken: bool,
}
