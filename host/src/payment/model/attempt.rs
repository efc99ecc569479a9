//! An attempt at getting a payment paid.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{Ams, Digest, PaymentId, TradeNo};
use super::{FailWhy, as_text};

/// Where an attempt stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AttemptState {
    /// Written before the platform was called; the platform may or may not know it.
    Intent,
    /// The platform took the order.
    Wait,
    /// The provider said before any trade was made that it cannot be sent like this.
    Refused,
    /// Paid, by a verified statement.
    Ok,
    /// Definitely not paid.
    Fail,
}

as_text!(AttemptState { Intent = "INTENT", Wait = "WAIT", Refused = "REFUSED", Ok = "OK", Fail = "FAIL" });

/// The host has begun to end an attempt, and comes to the end of it whatever happens in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// Why.
    pub why: EndWhy,
    /// When it was begun.
    pub since_ms: Ams,
}

/// Why an attempt is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum EndWhy {
    /// Nobody paid in time.
    Expired,
    /// Somebody closed the payment.
    Closed,
    /// Another pay type or target was picked, or another attempt was paid: the payment goes on without this one.
    Superseded,
    /// A till payment of unknown end is undone. It may give money back, so that nothing else that the platform
    /// says of the attempt is acted upon until its own end is known.
    Reversed,
}

impl EndWhy {
    /// The reason with which the attempt is over.
    pub fn fail_why(self) -> FailWhy {
        match self {
            EndWhy::Expired => FailWhy::Expired,
            EndWhy::Closed | EndWhy::Superseded => FailWhy::Closed,
            EndWhy::Reversed => FailWhy::Reversed,
        }
    }

    /// The word for the history.
    pub fn as_str(self) -> &'static str {
        match self {
            EndWhy::Expired => "expired",
            EndWhy::Closed => "closed",
            EndWhy::Superseded => "superseded",
            EndWhy::Reversed => "reversed",
        }
    }
}

/// Which version of a domain's target an attempt uses.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TargetRef {
    /// The platform, such as `zfb`.
    pub platform: String,
    /// The target's name in the domain; empty for `free`.
    pub name: String,
    /// Counted from 1; 0 for `free`.
    pub version: u32,
}

/// The right to call the platform for an attempt; whoever holds an older fence may not write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Grows with every lease of the attempt.
    pub fence: u64,
    /// Until when it is held.
    pub until_ms: Ams,
}

/// One attempt to get a payment paid.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// The platform's number for it.
    pub trade_no: TradeNo,
    /// The payment it belongs to.
    pub payment: PaymentId,
    /// Counted from 1.
    pub number: u32,
    /// Such as `zfb.qrcode`.
    pub pay_type: String,
    /// With the version of its settings and keys that this attempt stays with.
    pub target: TargetRef,
    /// The provider component that this attempt stays with.
    pub provider: Digest,
    /// Where it stands.
    pub state: AttemptState,
    /// Set with [`AttemptState::Fail`].
    pub fail_why: Option<FailWhy>,
    /// When the intent was written.
    pub created_ms: Ams,
    /// What the provider is told as its end; the same on every resend.
    pub expires_ms: Ams,
    /// Until when the platform may still take money for it.
    pub payable_until_ms: Ams,
    /// The buyer's address, where the caller told it.
    pub client_ip: Option<String>,
    /// The caller's arguments; empty for pay types that may not be sent twice.
    pub args: Vec<String>,
    /// Where the platform sends its notification.
    pub notify_url: String,
    /// Set while the host is ending it.
    pub ending: Option<Ending>,
    /// What the platform took, in minor units of the payment's currency: set with [`AttemptState::Ok`], and for money
    /// that a person decides about.
    pub paid_minor: Option<i64>,
    /// What the provider noted.
    pub notes: Map<String, Value>,
    /// What the platform calls the trade, once a statement said so.
    pub transaction_id: Option<String>,
    /// Grows with every lease.
    pub fence: u64,
    /// Until when somebody is calling the platform; 0 when nobody is.
    pub leased_until_ms: Ams,
    /// When to ask the platform next; 0 for never.
    pub ask_at_ms: Ams,
    /// How often it has been asked.
    pub asks: u32,
    /// When it was asked last; 0 for never.
    pub asked_ms: Ams,
    /// What went wrong last, in English, without secrets.
    pub last_error: Option<String>,
}

impl Attempt {
    /// Whether the platform may still take money for it as far as the host knows.
    pub fn is_open(&self) -> bool {
        matches!(self.state, AttemptState::Intent | AttemptState::Wait)
    }

    /// Whether it is being undone, so that other evidence has to wait.
    pub fn is_being_reversed(&self) -> bool {
        self.is_open()
            && self
                .ending
                .is_some_and(|ending| ending.why == EndWhy::Reversed)
    }
}
