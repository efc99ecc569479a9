//! The manifest's parts, as they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};
use serde_json::Value;

use super::args::Argument;
use super::schemes::Scheme;
use super::templates::Template;
use crate::trust::pointer::Pointer;
use crate::trust::reach::Grammar;

/// The whole document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) manifest: u32,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) title: Titles,
    pub(super) pay_types: BTreeMap<String, PayType>,
    pub(super) settings: Option<Value>,
    #[serde(default)]
    pub(super) reach: Vec<Reach>,
    #[serde(default)]
    pub(super) schemes: BTreeMap<String, Scheme>,
    #[serde(default)]
    pub(super) claims: BTreeMap<String, Claim>,
    #[serde(default)]
    pub(super) refunds: BTreeMap<String, RefundClaim>,
    #[serde(default)]
    pub(super) templates: BTreeMap<String, Template>,
    #[serde(default)]
    pub(super) identities: BTreeMap<String, IdentityRule>,
    pub(super) bill: Option<BillRule>,
    pub(super) refund_days: Option<u32>,
    pub(super) replies: Option<Replies>,
}

/// Titles by language, such as `en` and `zh`; `en` is always there.
pub type Titles = BTreeMap<String, String>;

/// A way to pay.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayType {
    /// What people see.
    pub title: Titles,
    /// The platform sends notifications of it.
    pub notifies: bool,
    /// An unpaid trade can be closed at the platform.
    pub closable: bool,
    /// A trade of unknown end is undone at its deadline, whether it was paid or not (till payments).
    #[serde(default)]
    pub reversible: bool,
    /// What may be done when nobody knows whether an order arrived.
    pub resend: Resend,
    /// How long a trade can be paid at the longest, in seconds; 0 for what is paid at once.
    pub valid_s: u64,
    /// What a caller gives with it, in order.
    #[serde(default)]
    pub(crate) args: Vec<Argument>,
}

impl PayType {
    /// What a caller gives with it, in order: in words, and whether it may be left out.
    pub fn takes(&self) -> impl Iterator<Item = (&str, bool)> {
        self.args
            .iter()
            .map(|argument| (argument.what.as_str(), argument.optional))
    }

    /// Whether the caller's arguments will do. The error says what is needed, and repeats nothing that was given.
    pub fn check_args(&self, given: &[String]) -> Result<(), String> {
        for (at, argument) in self.args.iter().enumerate() {
            if !argument.takes(given.get(at).map(String::as_str)) {
                let needed = if argument.optional { "takes" } else { "needs" };
                return Err(format!(
                    "{needed} as argument {}: {}",
                    at + 1,
                    argument.what
                ));
            }
        }
        Ok(())
    }
}

/// What may be done when nobody knows whether an order arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resend {
    /// Sending the same order again is safe.
    Same,
    /// It could take the money twice: ask, and undo it.
    Never,
}

/// Requests that the provider may make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reach {
    /// In upper case.
    pub(crate) method: String,
    /// Hosts for live targets.
    pub(crate) live: Vec<String>,
    /// Hosts for test targets.
    #[serde(default)]
    pub(crate) test: Vec<String>,
    /// The setting by which a test target names an address of its own instead.
    pub(crate) test_gateway: Option<String>,
    /// The setting that is a test target's own authority for TLS at its own address.
    pub(crate) test_authority: Option<String>,
    /// Exactly this path; a part in braces is what `parts` says of it.
    pub(crate) path: String,
    /// What a part in braces may be.
    #[serde(default)]
    pub(crate) parts: BTreeMap<String, Grammar>,
    /// The form field that names the operation, where one address serves many.
    pub(crate) operation: Option<OperationRule>,
    /// Where in such a request the number of the trade stands that it is about.
    pub(crate) trade: Option<RequestTrade>,
    /// Only while the provider is called for one of these; whenever it is called, where it is left out.
    #[serde(default)]
    pub(crate) during: BTreeSet<Errand>,
}

/// What the host calls a provider for, about one attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errand {
    /// To order the trade.
    Send,
    /// To ask how it stands.
    Check,
    /// To take money that the buyer approved.
    Capture,
    /// To end an unpaid attempt.
    Close,
    /// To undo a till payment.
    Reverse,
    /// To give money back.
    Refund,
    /// To ask how a refund stands.
    CheckRefund,
}

impl Errand {
    /// For people: "only to …".
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Errand::Send => "order a trade",
            Errand::Check => "ask about a trade",
            Errand::Capture => "take what the buyer approved",
            Errand::Close => "close a trade",
            Errand::Reverse => "undo a trade",
            Errand::Refund => "give money back",
            Errand::CheckRefund => "ask about a refund",
        }
    }
}

/// Where a request names its trade. What has nothing there is about no trade.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "must be {\"part\": …}, {\"at\": …}, {\"field\": …} or {\"field\": …, \"at\": …}"
)]
pub(crate) enum RequestTrade {
    /// A part of the path.
    Part { part: String },
    /// In the body: JSON, or the flat XML that the scheme signs.
    Body { at: Pointer },
    /// A field of the form; with `at` the field's text is JSON.
    Field { field: String, at: Option<Pointer> },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationRule {
    pub(crate) field: String,
    pub(crate) one_of: Vec<String>,
}

/// A client certificate for mutual TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityRule {
    /// The setting that is the certificate.
    pub(crate) certificate: String,
    /// The setting that is its private key.
    pub(crate) key: String,
}

/// How the host fetches the bill that the provider found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BillRule {
    /// The scheme by which the host signs that request.
    pub(crate) auth: String,
    /// The provider is given a file at once and not in chunks of lines.
    #[serde(default)]
    pub(crate) whole: bool,
}

/// Where in a statement the facts of a trade stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) scheme: String,
    /// The operations whose answers it reads; none for notifications.
    #[serde(default)]
    pub(crate) operations: Vec<String>,
    pub(crate) trade: TradeRule,
    pub(crate) transaction: Option<Pointer>,
    pub(crate) account: AccountRule,
    /// Missing only where the trade is the request's: nothing is paid by such a claim.
    pub(crate) amount: Option<AmountRule>,
    /// As `amount`.
    pub(crate) currency: Option<CurrencyRule>,
    pub(crate) refunded: Option<AmountRule>,
    pub(crate) state: StateRule,
    /// A closed trade in which one of these is stated was paid and given back.
    #[serde(default)]
    pub(crate) was_paid: Vec<Pointer>,
    #[serde(default)]
    pub(crate) notes: BTreeMap<String, Pointer>,
}

/// How it is known which trade a statement is about.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum TradeRule {
    /// It answers a request about this trade, which the host signed. Refusals name no trade.
    Request,
    /// The statement says so.
    At(Pointer),
}

impl TradeRule {
    /// Where in the statement it stands, if there.
    pub(crate) fn pointer(&self) -> Option<&Pointer> {
        match self {
            TradeRule::Request => None,
            TradeRule::At(pointer) => Some(pointer),
        }
    }
}

impl TryFrom<String> for TradeRule {
    type Error = String;

    fn try_from(text: String) -> Result<TradeRule, String> {
        match text.as_str() {
            "request" => Ok(TradeRule::Request),
            _ => Pointer::try_from(text).map(TradeRule::At),
        }
    }
}

/// How it is known that the account is the target's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AccountRule {
    /// The statement answers a request that the host signed with the target's key.
    Request,
    /// The statement says so.
    Stated(Vec<AccountCheck>),
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountCheck {
    pub(crate) at: Pointer,
    pub(crate) setting: String,
    /// Only checked when the target has the setting.
    #[serde(default)]
    pub(crate) when_set: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmountRule {
    pub(crate) at: Pointer,
    pub(crate) unit: Unit,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Major units with decimals: `23.00`.
    Decimal,
    /// Whole minor units: `2300`.
    Minor,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CurrencyRule {
    Fixed(String),
    At(Pointer),
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateRule {
    pub(crate) at: Pointer,
    #[serde(default)]
    pub(crate) paid: Vec<String>,
    /// The buyer agreed, and the money moves when the host has it captured.
    #[serde(default)]
    pub(crate) approved: Vec<String>,
    #[serde(default)]
    pub(crate) waiting: Vec<String>,
    #[serde(default)]
    pub(crate) closed: Vec<String>,
    #[serde(default)]
    pub(crate) declined: Vec<String>,
    #[serde(default)]
    pub(crate) refunded: Vec<String>,
}

/// Where in a statement the facts of a refund stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundClaim {
    pub(crate) scheme: String,
    /// The operations whose answers it reads; none for notifications.
    #[serde(default)]
    pub(crate) operations: Vec<String>,
    pub(crate) trade: Pointer,
    /// The host's number of the refund.
    pub(crate) refund: Pointer,
    /// The platform's number of the refund.
    pub(crate) transaction: Option<Pointer>,
    pub(crate) account: AccountRule,
    /// Of this refund alone, not what was given back of the trade in all.
    pub(crate) amount: AmountRule,
    pub(crate) currency: CurrencyRule,
    pub(crate) state: RefundStateRule,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundStateRule {
    pub(crate) at: Pointer,
    pub(crate) done: Vec<String>,
    #[serde(default)]
    pub(crate) waiting: Vec<String>,
    /// The platform cannot give it back by itself; it may still be done by hand there.
    #[serde(default)]
    pub(crate) stuck: Vec<String>,
    /// It will not be given back: the money stays with the seller.
    #[serde(default)]
    pub(crate) failed: Vec<String>,
}

/// What the platform is answered when it notifies.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replies {
    /// It is recorded; do not send it again.
    pub taken: Reply,
    /// Send it again later.
    pub again: Reply,
}

/// One HTTP answer.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    #[serde(rename = "type")]
    pub content_type: String,
    /// Exactly these bytes.
    pub body: String,
}

impl<'de> Deserialize<'de> for AccountRule {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = AccountRule;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"request\", or a list of {\"at\": …, \"setting\": …}")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<AccountRule, E> {
                match word {
                    "request" => Ok(AccountRule::Request),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<AccountRule, A::Error> {
                let list = de::value::SeqAccessDeserializer::new(seq);
                Vec::deserialize(list).map(AccountRule::Stated)
            }
        }
        deserializer.deserialize_any(Words)
    }
}
