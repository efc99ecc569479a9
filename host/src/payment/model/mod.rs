//! The payment, its attempts and refunds, as the store keeps them and the rules change them.
//!
//! | file | is |
//! |---|---|
//! | [`ids`] | by what they are known |
//! | here | the payment, and what a rule sees and wants written |
//! | [`attempt`], [`refund`] | one try at getting it paid; money that goes back |

mod attempt;
mod ids;
mod refund;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::money::Money;

pub use attempt::{Attempt, AttemptState, EndWhy, Ending, Lease, TargetRef};
pub use ids::{Ams, Digest, LATEST, PaymentId, RefundNo, TradeNo};
pub use refund::{Refund, RefundCause, RefundState};

macro_rules! as_text {
    ($type:ty { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $type {
            /// The word that is stored and shown.
            pub fn as_str(&self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
            /// Reads that word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
use as_text;

/// Where a payment stands (`st`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Created, not yet sent.
    New,
    /// Sent; nobody knows the end yet.
    Wait,
    /// Paid, by a statement that the host verified (or free of charge).
    Ok,
    /// Definitely not paid.
    Fail,
}

/// Why a payment or attempt is FAIL (`fail_why`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FailWhy {
    /// The platform said no.
    Declined,
    /// Closed before it was paid.
    Closed,
    /// Not paid in time.
    Expired,
    /// A till payment was undone.
    Reversed,
}

as_text!(State { New = "NEW", Wait = "WAIT", Ok = "OK", Fail = "FAIL" });
as_text!(FailWhy { Declined = "DECLINED", Closed = "CLOSED", Expired = "EXPIRED", Reversed = "REVERSED" });
as_text!(PresentationKind { Link = "LINK", Iframe = "IFRAME", Qrcode = "QRCODE", Json = "JSON", Text = "TEXT" });
as_text!(CallbackKind { Component = "component", JavaScript = "javascript" });

/// What kind of thing the buyer is shown (`re_tp`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PresentationKind {
    /// An address to open.
    Link,
    /// An address to show in a frame.
    Iframe,
    /// The text of a QR code.
    Qrcode,
    /// Parameters for the platform's script.
    Json,
    /// Words.
    Text,
}

/// What the buyer is shown (`re_tp`, `re_obj`) and until when it is of use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Presentation {
    /// `re_tp`
    pub kind: PresentationKind,
    /// `re_obj`; for [`PresentationKind::Json`] a JSON text.
    pub content: String,
    /// 0 when the platform names no limit.
    pub until_ms: Ams,
}

impl Presentation {
    /// Whether the buyer can still do something with it.
    pub fn is_of_use(&self, now: Ams) -> bool {
        self.until_ms == 0 || now < self.until_ms
    }
}

/// Who pays (`buyer_tp`, `buyer_id`, `buyer_nm`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Buyer {
    /// 0 not known, 1 a Walnut user, 2 a user of the seller's domain.
    pub tp: u8,
    /// Empty when not known.
    pub id: String,
    /// Empty when not known.
    pub name: String,
}

/// How a callback is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallbackKind {
    /// A component of the callback world.
    Component,
    /// JavaScript text, run by the component that comes with the host.
    JavaScript,
}

impl CallbackKind {
    /// Tells it from the content: WebAssembly begins with a byte that no text has, and everything else that was
    /// admitted is text.
    pub fn of(content: &[u8]) -> CallbackKind {
        if content.starts_with(b"\0asm") {
            CallbackKind::Component
        } else {
            CallbackKind::JavaScript
        }
    }
}

/// The callback that a payment was created with. The content is kept by its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoundCallback {
    /// The name under which the owner uploaded it.
    pub name: String,
    /// How it is written.
    pub kind: CallbackKind,
    /// Of the content at the time of `create`.
    pub digest: Digest,
    /// Bytes of the content (`len`).
    pub len: u64,
}

/// A way to pay that was open when the payment was created; no other may be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Offer {
    /// Such as `zfb.qrcode`.
    pub pay_tp: String,
    /// The target's name; empty for `free`.
    pub pay_target: String,
    /// The target that a `send` without `pay_target` takes.
    #[serde(default)]
    pub default: bool,
}

/// A verified statement that contradicts the payment; a person decides (`resolve`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Hold {
    /// Why, in English.
    pub why: String,
    /// The attempt that the statement speaks of.
    pub trade_no: String,
    /// What the platform says was paid, minor units; `None` where it stated no amount that can be read.
    pub paid_minor: Option<i64>,
    /// The amount as the platform wrote it.
    pub paid_text: String,
    /// Its currency as the platform wrote it.
    pub paid_currency: String,
    /// Hex digest of the statement.
    pub statement: String,
    /// When it was put on hold.
    pub at: Ams,
    /// The state in which the payment was then.
    pub state: State,
}

/// A payment. Its JSON form is made by [`super::view`].
#[derive(Clone, PartialEq, Debug)]
pub struct Payment {
    /// `id`, `nm`
    pub id: PaymentId,
    /// `seller_nm`: the domain that owns the payment.
    pub domain: String,
    /// `seller_id`: the domain's id.
    pub domain_id: String,
    /// `test`: pays with test targets only, and never with a live one.
    pub test: bool,
    /// `brief`
    pub brief: String,
    /// `fee`, `cur`
    pub total: Money,
    /// `price`: minor units before discount.
    pub price_minor: Option<i64>,
    /// `st`
    pub state: State,
    /// `fail_why`
    pub fail_why: Option<FailWhy>,
    /// `held`
    pub hold: Option<Hold>,
    /// `late`: paid after it had expired or was closed.
    pub late: bool,
    /// `refunded`: minor units that were given back, by the host's refunds and at the platform's own console.
    pub refunded_minor: i64,
    /// `ct`
    pub created_ms: Ams,
    /// `lm`
    pub changed_ms: Ams,
    /// `send_at`
    pub sent_ms: Ams,
    /// `close_at`: when `st` became final.
    pub closed_ms: Ams,
    /// `expi`: the deadline for paying.
    pub expires_ms: Ams,
    /// `pay_tp`: decided by `send`.
    pub pay_type: Option<String>,
    /// `pay_target`: decided by `send`.
    pub target: Option<String>,
    /// `re_tp`, `re_obj`; wiped when the state is final.
    pub presentation: Option<Presentation>,
    /// `buyer_tp`, `buyer_id`, `buyer_nm`
    pub buyer: Buyer,
    /// `callback`, `len`
    pub callback: Option<BoundCallback>,
    /// `apply_at`: when the callback was applied.
    pub applied_ms: Ams,
    /// `apply_re`: what it returned, a JSON text.
    pub applied_result: Option<String>,
    /// The pay types that were open at creation.
    pub offers: Vec<Offer>,
    /// The history per platform: `{"zfb": {"trade_no": …, "transaction_id": …, "at": …}}`.
    pub platforms: Map<String, Value>,
    /// What the caller of `create` added.
    pub meta: Map<String, Value>,
    /// Counts the changes; a change names the revision it was made from.
    pub revision: u64,
}

/// A statement that was acted upon, kept as evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredStatement {
    /// Of the bytes.
    pub digest: Digest,
    /// The attempt that it speaks of.
    pub trade_no: TradeNo,
    /// The scheme that it was verified by.
    pub scheme: String,
    /// The claim that it was read by.
    pub claim: String,
    /// What the platform stated.
    pub text: Vec<u8>,
    /// When it was accepted.
    pub at: Ams,
}

/// One line of the append-only history.
#[derive(Clone, PartialEq, Debug, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// When.
    pub at: Ams,
    /// What happened: `create`, `send`, `sent`, `notification`, `check`, `hold`, `resolve`, `apply`…
    pub cause: String,
    /// `st` before; the same as `to` when only something else changed.
    pub from: Option<State>,
    /// `st` after.
    pub to: State,
    /// The attempt it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_no: Option<String>,
    /// Hex digest of the statement that proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

/// A payment with all its attempts, the earliest first: what a rule looks at.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// The payment.
    pub payment: Payment,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Its refunds, the earliest first.
    pub refunds: Vec<Refund>,
}

/// What a rule wants written: all of it in one transaction, or nothing.
#[derive(Clone, PartialEq, Debug)]
pub struct Changes {
    /// The payment from now on; its `revision` is still the one that was read.
    pub payment: Payment,
    /// Attempts that are new or changed.
    pub attempts: Vec<Attempt>,
    /// Refunds that are new or changed.
    pub refunds: Vec<Refund>,
    /// Lines for the history: at least one, unless only the bookkeeping of known attempts changes (lease, next
    /// question).
    pub history: Vec<Change>,
    /// Evidence to keep.
    pub statement: Option<StoredStatement>,
    /// The payment became OK and has a callback: put its delivery into the outbox.
    pub deliver: bool,
}

impl Changes {
    /// The payment from now on, and nothing besides.
    pub fn of(payment: Payment) -> Changes {
        Changes {
            payment,
            attempts: Vec::new(),
            refunds: Vec::new(),
            history: Vec::new(),
            statement: None,
            deliver: false,
        }
    }
}

impl Case {
    /// The attempt with this number.
    pub fn attempt(&self, trade_no: &TradeNo) -> Option<&Attempt> {
        self.attempts
            .iter()
            .find(|attempt| attempt.trade_no == *trade_no)
    }

    /// The refund with this number.
    pub fn refund(&self, refund_no: &RefundNo) -> Option<&Refund> {
        self.refunds
            .iter()
            .find(|refund| refund.refund_no == *refund_no)
    }

    /// What of an attempt's money is given back or on its way, in minor units.
    pub fn reserved_minor(&self, trade_no: &TradeNo) -> i64 {
        let of_attempt = self
            .refunds
            .iter()
            .filter(|refund| refund.trade_no == *trade_no);
        of_attempt
            .filter(|refund| refund.reserves())
            .fold(0, |sum, refund| sum.saturating_add(refund.amount_minor))
    }
}

/// A payment as `create` makes it, for the tests of this crate.
#[cfg(test)]
pub(crate) fn test_payment() -> Payment {
    Payment {
        id: PaymentId::generate(),
        domain: "shop".into(),
        domain_id: "d1".into(),
        test: false,
        brief: "two cups of tea".into(),
        total: Money::new(2300, super::money::Currency::CNY).unwrap(),
        price_minor: None,
        state: State::New,
        fail_why: None,
        hold: None,
        late: false,
        refunded_minor: 0,
        created_ms: 1_000_000,
        changed_ms: 1_000_000,
        sent_ms: 0,
        closed_ms: 0,
        expires_ms: 8_200_000,
        pay_type: None,
        target: None,
        presentation: None,
        buyer: Buyer::default(),
        callback: None,
        applied_ms: 0,
        applied_result: None,
        offers: vec![Offer {
            pay_tp: "zfb.qrcode".into(),
            pay_target: "main".into(),
            default: true,
        }],
        platforms: Map::new(),
        meta: Map::new(),
        revision: 0,
    }
}

/// An attempt that the platform took, for the tests of this crate.
#[cfg(test)]
pub(crate) fn test_attempt() -> Attempt {
    let payment = PaymentId::generate();
    Attempt {
        trade_no: TradeNo::first(payment),
        payment,
        number: 1,
        pay_type: "zfb.qrcode".into(),
        target: TargetRef {
            platform: "zfb".into(),
            name: "main".into(),
            version: 1,
        },
        provider: Digest::of(b"provider"),
        state: AttemptState::Wait,
        fail_why: None,
        created_ms: 1_000_000,
        expires_ms: 8_200_000,
        payable_until_ms: 8_200_000,
        client_ip: None,
        args: Vec::new(),
        notify_url: "http://127.0.0.1/pay/re/x".into(),
        ending: None,
        paid_minor: None,
        notes: Map::new(),
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms: 0,
        asks: 0,
        asked_ms: 0,
        last_error: None,
    }
}
