//! What the host tells a provider, and what a provider tells the host: all of it but the money, which stands in
//! statements.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::payment::model::{Attempt, Payment, PresentationKind};
use crate::payment::money::Money;
use crate::trust::{Statement, Target};

/// For whom a provider is called.
#[derive(Clone)]
pub struct ProviderCall {
    /// The target whose settings and keys the host uses for it.
    pub target: Arc<Target>,
    /// The time at which the call starts.
    pub now_ms: u64,
}

/// An attempt as a provider may see it: no secret, and nothing of another domain.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// The platform's number for it.
    pub trade_no: String,
    /// What the buyer pays for.
    pub brief: String,
    /// How much.
    pub total: Money,
    /// Such as `zfb.qrcode`.
    pub pay_type: String,
    /// The target's name.
    pub target: String,
    /// The buyer's address, where the caller told it.
    pub client_ip: Option<String>,
    /// Where the platform sends its notification.
    pub notify_url: String,
    /// When the attempt was made.
    pub created_ms: u64,
    /// Until when it may be paid.
    pub expires_ms: u64,
    /// What the caller of `create` added.
    pub meta: Map<String, Value>,
    /// What this provider noted.
    pub notes: Map<String, Value>,
    /// The platform's own number of the trade, once a statement said so.
    pub transaction_id: Option<String>,
}

impl AttemptView {
    /// The view of an attempt and its payment.
    pub fn of(payment: &Payment, attempt: &Attempt) -> AttemptView {
        AttemptView {
            trade_no: attempt.trade_no.to_string(),
            brief: payment.brief.clone(),
            total: payment.total,
            pay_type: attempt.pay_type.clone(),
            target: attempt.target.name.clone(),
            client_ip: attempt.client_ip.clone(),
            notify_url: attempt.notify_url.clone(),
            created_ms: attempt.created_ms,
            expires_ms: attempt.expires_ms,
            meta: payment.meta.clone(),
            notes: attempt.notes.clone(),
            transaction_id: attempt.transaction_id.clone(),
        }
    }
}

/// Where a notification to the bare address may belong. Nothing of it is to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// To this trade.
    Trade(String),
    /// To a target with this key.
    Key(String),
    /// The provider cannot tell.
    None,
}

/// What a provider saw in a notification with a target's keys. Nothing of it is to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The trade that it speaks of.
    pub trade: Option<String>,
    /// The host verified something of it in this call.
    pub verified: bool,
}

/// What a platform said.
#[derive(Debug)]
pub enum Outcome {
    /// About the trade: the host reads it out of the statement.
    Trade {
        /// A claim of the manifest.
        claim: String,
        /// What the claim is read from.
        statement: Statement,
    },
    /// About a refund of the trade.
    Refund {
        /// A claim of the manifest.
        claim: String,
        /// What the claim is read from.
        statement: Statement,
    },
    /// The platform took the order or works on it.
    Pending,
    /// The platform does not know the trade (yet).
    NotFound,
    /// It proves nothing, but asking is worth it now.
    Ask,
    /// Nothing to do with a payment.
    Ignored,
}

/// What a provider made of a notification.
#[derive(Debug)]
pub struct Completed {
    /// What it says that the platform said.
    pub outcome: Outcome,
    /// Whether the host verified anything for it. Where it did not, the platform need not have said anything.
    pub verified: bool,
}

/// What came of sending.
#[derive(Debug)]
pub struct Sent {
    /// What the buyer is shown.
    pub presentation: Option<(PresentationKind, String)>,
    /// Until when that is of use.
    pub valid_until_ms: Option<u64>,
    /// What the platform said.
    pub outcome: Outcome,
    /// The attempt's notes from now on.
    pub notes: Option<Map<String, Value>>,
    /// What it says why the platform refuses the buyer.
    pub words: Option<String>,
}

/// Why a provider could not do what was asked; the texts are for the caller or the owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The caller's arguments are wrong; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// It may or may not have happened.
    #[error("{0}")]
    Unknown(String),
    /// Signature, time or certificate does not hold.
    #[error("{0}")]
    Unverified(String),
    /// The target's settings are incomplete, or the platform refuses them; no trade was made.
    #[error("{0}")]
    Misconfigured(String),
    /// There is no such operation.
    #[error("the platform has no such operation")]
    Unsupported,
}

/// What came of undoing a till payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// It is undone.
    Undone,
    /// The platform wants to be asked for it again after so many milliseconds.
    AgainInMs(u32),
    /// It will not be undone; the text says why.
    Refused(String),
}

/// A refund as a provider may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RefundView {
    /// The number by which the platform knows it.
    pub refund_no: String,
    /// What is given back.
    pub amount: Money,
    /// Why, for the buyer.
    pub reason: String,
    /// What was paid for the trade in all.
    pub paid: Money,
    /// The platform's own number of it, once a statement said so.
    pub transaction_id: Option<String>,
}

/// Where the platform's bill of a day is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its address.
    pub url: String,
    /// SHA-1 of the unpacked file in hex, where the platform states it.
    pub sha1: Option<String>,
}

/// One row of a bill. It is only compared, and settles nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct BillRow {
    /// The attempt's number; empty where the row says only the platform's.
    pub trade_no: String,
    /// The platform's number.
    pub transaction_id: String,
    /// The platform's own word.
    pub state: String,
    /// What was paid.
    pub amount: Money,
    /// What of it was given back.
    pub refunded: Money,
    /// The number of the refund that the row is about: the host's or the platform's.
    pub refund_no: Option<String>,
}
