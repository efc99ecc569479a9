//! Money that goes back.

use serde::{Deserialize, Serialize};

use super::as_text;
use super::ids::{Ams, PaymentId, RefundNo, TradeNo};

/// Where a refund stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RefundState {
    /// Written before the platform was called; the platform may or may not know it.
    Intent,
    /// The platform works on it. Its amount stays reserved until a statement says how it ended.
    Wait,
    /// The platform cannot do it by itself: a person has to look there. Its amount stays reserved, and asking goes on.
    Stuck,
    /// Given back, by a verified statement.
    Ok,
    /// Definitely not given back: its amount may be refunded again.
    Fail,
}
as_text!(RefundState { Intent = "INTENT", Wait = "WAIT", Stuck = "STUCK", Ok = "OK", Fail = "FAIL" });

/// Who wanted the money to go back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RefundCause {
    /// A caller.
    Asked,
    /// The host: the payment was paid through another attempt too.
    Extra,
    /// A person who decided about a payment on hold.
    Resolved,
}
as_text!(RefundCause { Asked = "ASKED", Extra = "EXTRA", Resolved = "RESOLVED" });

/// One refund of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refund {
    /// The platform's number for it is made by the host.
    pub refund_no: RefundNo,
    /// The payment it belongs to.
    pub payment: PaymentId,
    /// The attempt whose money goes back.
    pub trade_no: TradeNo,
    /// Minor units of the payment's currency, at least 1.
    pub amount_minor: i64,
    /// For the buyer and the books.
    pub reason: String,
    /// Who wanted it.
    pub cause: RefundCause,
    /// Where it stands.
    pub state: RefundState,
    /// When the intent was written.
    pub created_ms: Ams,
    /// When it became OK or FAIL; 0 before.
    pub ended_ms: Ams,
    /// What the platform calls it, once a statement said so.
    pub transaction_id: Option<String>,
    /// Grows with every lease; whoever holds an older one may not write.
    pub fence: u64,
    /// Until when somebody is calling the platform about it; 0 when nobody is.
    pub leased_until_ms: Ams,
    /// When to call the platform next; 0 for never.
    pub ask_at_ms: Ams,
    /// How often it has been called.
    pub asks: u32,
    /// What went wrong last, in English, without secrets.
    pub last_error: Option<String>,
}

impl Refund {
    /// Whether its amount cannot be refunded once more.
    pub fn reserves(&self) -> bool {
        self.state != RefundState::Fail
    }

    /// Whether the platform has not said yet how it ended.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            RefundState::Intent | RefundState::Wait | RefundState::Stuck
        )
    }
}
