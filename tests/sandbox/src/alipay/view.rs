//! What tests and the control surface see of the platform: copies, not handles.

use serde::Serialize;

use super::clock;
use super::content::OrderKind;
use super::fen::Fen;
use super::order::Order;
use super::parameters::SignatureCheck;
use super::trade::{Refund, RefundState, TradeStatus};

/// An order, and its trade once a buyer began it.
#[derive(Clone, Debug, Serialize)]
pub struct TradeView {
    /// The app that registered it.
    pub app_id: String,
    /// The merchant's number.
    pub out_trade_no: String,
    /// How it reaches its buyer.
    pub kind: OrderKind,
    /// What is sold.
    pub subject: String,
    /// The order's amount.
    pub total: Fen,
    /// The text of the newest QR code; empty where there is none.
    pub qr_code: String,
    /// The page that the merchant's link led the buyer to.
    pub cashier: Option<String>,
    /// Where notifications go.
    pub notify_url: Option<String>,
    /// Where the buyer's browser went after paying at a page, with what Alipay says there.
    pub returned_to: Option<String>,
    /// When it was registered, absolute milliseconds.
    pub created_ms: u64,
    /// Alipay's number; none before a buyer began the trade.
    pub trade_no: Option<String>,
    /// The trade's state; none before a buyer began it.
    pub status: Option<TradeStatus>,
    /// When it was paid, absolute milliseconds.
    pub paid_ms: Option<u64>,
    /// When it was closed, absolute milliseconds.
    pub closed_ms: Option<u64>,
    /// How much was given back; none when nothing was.
    pub refunded: Option<Fen>,
    /// Every refund, in the order in which their states came to be.
    pub refunds: Vec<RefundView>,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundView {
    /// `out_request_no`: the merchant's number, or Alipay's own for what was given back by hand.
    pub out_request_no: String,
    /// What is given back.
    pub amount: Fen,
    /// `refund_reason`.
    pub reason: Option<String>,
    /// How far it is.
    pub state: RefundState,
    /// When it got there, absolute milliseconds.
    pub at_ms: u64,
}

impl RefundView {
    fn of(refund: &Refund) -> RefundView {
        RefundView {
            out_request_no: refund.request_no.clone(),
            amount: refund.amount,
            reason: refund.reason.clone(),
            state: refund.state,
            at_ms: clock::ms(refund.at),
        }
    }
}

impl TradeView {
    /// A copy for whoever looks; `base` is where codes lead to.
    pub(super) fn of(order: &Order, base: &str) -> TradeView {
        let (content, trade) = (&order.content, order.trade.as_ref());
        let newest = order.codes.last().map(|code| code.code.as_str());
        let pages = matches!(content.kind, OrderKind::Page | OrderKind::Wap);
        let address = |path| move |code: &str| format!("{base}/{path}/{code}");
        TradeView {
            app_id: order.app.app_id.clone(),
            out_trade_no: content.out_trade_no.clone(),
            kind: content.kind,
            subject: content.subject.clone(),
            total: content.total,
            qr_code: newest
                .filter(|_| content.kind == OrderKind::QrCode)
                .map(address("qr"))
                .unwrap_or_default(),
            cashier: newest.filter(|_| pages).map(address("cashier")),
            notify_url: order.notify_url.clone(),
            returned_to: order.returned_to.clone(),
            created_ms: clock::ms(order.created),
            trade_no: trade.map(|trade| trade.trade_no.clone()),
            status: trade.map(|trade| trade.status),
            paid_ms: trade.and_then(|trade| trade.paid).map(clock::ms),
            closed_ms: trade.and_then(|trade| trade.closed).map(clock::ms),
            refunded: trade
                .map(|trade| trade.refunded())
                .filter(|refunded| *refunded > Fen::default()),
            refunds: trade
                .map(|trade| trade.refunds.iter().map(RefundView::of).collect())
                .unwrap_or_default(),
        }
    }
}

/// A request that reached the gateway.
#[derive(Clone, Debug, Serialize)]
pub struct RequestView {
    /// When it came, absolute milliseconds.
    pub at_ms: u64,
    /// `GET` or `POST`.
    pub http_method: String,
    /// `method`, such as `alipay.trade.query`; as far as it could be read.
    pub operation: Option<String>,
    /// `app_id` as received.
    pub app_id: Option<String>,
    /// The order that `biz_content` names.
    pub out_trade_no: Option<String>,
    /// Every parameter of query and body by its name, as received and before any check.
    pub parameters: std::collections::BTreeMap<String, String>,
    /// What became of its signature.
    pub signature: SignatureCheck,
    /// `code` of what the gateway decided, even where a misbehaviour sent something else.
    /// None when the request was dropped before it was decided.
    pub code: Option<String>,
    /// `sub_code` of it.
    pub sub_code: Option<String>,
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
    /// `notify_id`; the same in all repeats.
    pub notify_id: String,
    /// `trade_status` as the body says it.
    pub trade_status: String,
    /// Which send of its notification it was, from 1.
    pub try_no: u32,
    /// Where it went.
    pub url: String,
    /// The form as sent.
    pub body: String,
    /// Whether it was as Alipay sends it: rightly signed, whole and unaltered.
    pub genuine: bool,
    /// The status of the reply; none when there was no reply.
    pub http_status: Option<u16>,
    /// The reply's body, at most its first 1024 characters.
    pub reply: Option<String>,
    /// Why there was no reply.
    pub error: Option<String>,
    /// Whether the merchant took it: status 200 and the body exactly `success`.
    pub taken: bool,
}
