//! The manifest's parts, as they are written.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::trust::pointer::Pointer;
use crate::trust::timestamp::TimestampRule;

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
    /// Exactly this path.
    pub(crate) path: String,
    /// The form field that names the operation, where one address serves many.
    pub(crate) operation: Option<OperationRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationRule {
    pub(crate) field: String,
    pub(crate) one_of: Vec<String>,
}

/// How messages are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Scheme {
    SortedForm(SortedForm),
    JsonSubstring(JsonSubstring),
}

impl Scheme {
    pub(crate) fn purpose(&self) -> Purpose {
        match self {
            Scheme::SortedForm(rule) => rule.purpose,
            Scheme::JsonSubstring(rule) => rule.purpose,
        }
    }

    pub(crate) fn key(&self) -> &str {
        match self {
            Scheme::SortedForm(rule) => &rule.key,
            Scheme::JsonSubstring(rule) => &rule.key,
        }
    }
}

/// Which messages a scheme is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    Request,
    Answer,
    Notification,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
}

/// Fields sorted by name and joined as `name=value&…`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SortedForm {
    #[serde(rename = "use")]
    pub(crate) purpose: Purpose,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    /// The setting that is the key.
    pub(crate) key: String,
    /// The field that carries the signature.
    pub(crate) signature: String,
    /// Fields that are not signed; the signature's own is among them.
    pub(crate) omit: Vec<String>,
    /// Fields that the host sets on a request.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, SetValue>,
    /// The field in which the host writes the time on a request.
    pub(crate) timestamp: Option<TimestampRule>,
    /// Fields of a notification that must have these values, in any case of letters.
    #[serde(default)]
    pub(crate) expect: BTreeMap<String, String>,
}

/// A member of a JSON object, signed as it stands, with the signature beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonSubstring {
    #[serde(rename = "use")]
    pub(crate) purpose: Purpose,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    pub(crate) key: String,
    /// The member that carries the signature.
    pub(crate) signature: String,
    /// The signed member's name is the operation, with `_` for `.`, and this behind it.
    pub(crate) content_suffix: String,
}

/// What the host puts into a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SetValue {
    Literal(String),
    Setting {
        name: String,
        /// Left out when the target does not have the setting.
        when_set: bool,
    },
}

/// Where in a statement the facts of a trade stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) scheme: String,
    /// The operations whose answers it reads; none for notifications.
    #[serde(default)]
    pub(crate) operations: Vec<String>,
    pub(crate) trade: Pointer,
    pub(crate) transaction: Option<Pointer>,
    pub(crate) account: AccountRule,
    pub(crate) amount: AmountRule,
    pub(crate) currency: CurrencyRule,
    pub(crate) refunded: Option<AmountRule>,
    pub(crate) state: StateRule,
    /// A closed trade in which one of these is stated was paid and given back.
    #[serde(default)]
    pub(crate) was_paid: Vec<Pointer>,
    #[serde(default)]
    pub(crate) notes: BTreeMap<String, Pointer>,
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

/// A text that the host signs for the buyer's client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    pub(crate) kind: TemplateKind,
    /// All fields, in the order of the text.
    pub(crate) fields: Vec<String>,
    /// Those of them that the host sets.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, SetValue>,
    pub(crate) key: String,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TemplateKind {
    /// Each value with a line break behind it.
    Lines,
    /// `name=value&…`, sorted by name, without empty values.
    SortedForm,
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

impl<'de> Deserialize<'de> for SetValue {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct FromSetting {
            setting: String,
            #[serde(default)]
            when_set: bool,
        }
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = SetValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or {\"setting\": …}")
            }
            fn visit_str<E>(self, literal: &str) -> Result<SetValue, E> {
                Ok(SetValue::Literal(literal.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SetValue, A::Error> {
                let from = FromSetting::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(SetValue::Setting {
                    name: from.setting,
                    when_set: from.when_set,
                })
            }
        }
        deserializer.deserialize_any(Words)
    }
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
