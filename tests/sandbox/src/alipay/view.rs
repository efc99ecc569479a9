//! What tests and the control surface see of the platform: copies, not handles.

use serde::Serialize;

use super::fen::Fen;
use super::order::TradeStatus;
use super::parameters::SignatureCheck;

/// An order, and its trade once a buyer scanned.
#[derive(Clone, Debug, Serialize)]
pub struct TradeView {
    /// The app that registered it.
    pub app_id: String,
    /// The merchant's number.
    pub out_trade_no: String,
    /// What is sold.
    pub subject: String,
    /// The order's amount.
    pub total: Fen,
    /// The text of the newest QR code.
    pub qr_code: String,
    /// Where notifications go.
    pub notify_url: Option<String>,
    /// When it was registered, absolute milliseconds.
    pub created_ms: u64,
    /// Alipay's number; none before a scan.
    pub trade_no: Option<String>,
    /// The trade's state; none before a scan.
    pub status: Option<TradeStatus>,
    /// When it was paid, absolute milliseconds.
    pub paid_ms: Option<u64>,
    /// When it was closed, absolute milliseconds.
    pub closed_ms: Option<u64>,
    /// How much was given back.
    pub refunded: Option<Fen>,
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
