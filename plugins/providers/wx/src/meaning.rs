//! What APIv3's refusals mean. Sources: the official page of each operation, "错误码" and "公共错误码".
//!
//! A refusal ends nothing unless it is in this table: a code that nobody knows leaves the payment waiting, and the
//! host asks.

use walnut_sdk::{Fault, Outcome};

use crate::v3::Answer;

/// What is wrong, in the sense of [`Fault`].
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The order itself: another brief, amount, buyer or code is needed.
    Order,
    /// The account or its settings.
    Account,
    /// Nobody can tell from this.
    Unknown,
}

use Kind::{Account, Order, Unknown};

/// Reasons, and what to do about each.
const REASONS: &[(&str, Kind, &str)] = &[
    ("PARAM_ERROR", Order, "WeChat Pay does not take the order"),
    // The same number with other words is refused in this way too: whose order it is, only asking tells.
    (
        "INVALID_REQUEST",
        Unknown,
        "WeChat Pay does not take this request now",
    ),
    (
        "OUT_TRADE_NO_USED",
        Unknown,
        "WeChat Pay knows this number with another order",
    ),
    (
        "APPID_MCHID_NOT_MATCH",
        Account,
        "appid and mchid are not bound to each other: bind them at the merchant platform",
    ),
    (
        "MCH_NOT_EXISTS",
        Account,
        "WeChat Pay does not know this mchid",
    ),
    (
        "MCHID_NOT_EXIST",
        Account,
        "WeChat Pay does not know this mchid",
    ),
    (
        "APPID_NOT_EXIST",
        Account,
        "WeChat does not know this appid",
    ),
    (
        "SIGN_ERROR",
        Account,
        "mch_private_key and mch_serial_no do not belong to a certificate of this merchant, or the clock of this \
         machine is wrong",
    ),
    (
        "NO_AUTH",
        Account,
        "the merchant may not do this: apply for the product at the merchant platform",
    ),
    (
        "NOAUTH",
        Account,
        "the merchant may not do this: apply for the product at the merchant platform",
    ),
    (
        "ACCOUNT_ERROR",
        Account,
        "the merchant's account is not in order",
    ),
    (
        "ACCOUNTERROR",
        Account,
        "the merchant's account is not in order",
    ),
    (
        "RULE_LIMIT",
        Order,
        "the payment is above a limit of the merchant or the buyer",
    ),
    (
        "RULELIMIT",
        Order,
        "the payment is above a limit of the merchant or the buyer",
    ),
    (
        "OPENID_MISMATCH",
        Order,
        "this openid is not one of the appid's",
    ),
    (
        "NOT_ENOUGH",
        Account,
        "the merchant has not enough money for this",
    ),
    (
        "NOTENOUGH",
        Order,
        "the buyer has not enough money: another way to pay is needed",
    ),
    (
        "NOTSUPORTCARD",
        Order,
        "the buyer's card cannot be used for this: another one is needed",
    ),
    (
        "AUTHCODEEXPIRE",
        Order,
        "the buyer's code has expired: the buyer has to refresh it",
    ),
    (
        "AUTH_CODE_ERROR",
        Order,
        "this is no payment code: scan the buyer's again",
    ),
    (
        "AUTH_CODE_INVALID",
        Order,
        "this is no payment code of WeChat's: scan the buyer's again",
    ),
    (
        "BUYER_MISMATCH",
        Order,
        "another buyer began to pay this order: make a new payment",
    ),
    (
        "USER_ACCOUNT_ABNORMAL",
        Unknown,
        "the buyer's account is not in order: give the money back in another way",
    ),
    (
        "TRADE_OVERDUE",
        Order,
        "it was paid more than a year ago: it cannot be given back any more",
    ),
    (
        "TRADE_ERROR",
        Unknown,
        "WeChat Pay refuses because of the order's state",
    ),
    ("FREQUENCY_LIMITED", Unknown, "WeChat Pay wants fewer calls"),
    (
        "SYSTEM_ERROR",
        Unknown,
        "WeChat Pay had an error of its own",
    ),
    ("SYSTEMERROR", Unknown, "WeChat Pay had an error of its own"),
    (
        "BANKERROR",
        Unknown,
        "the bank had an error: nobody knows yet",
    ),
    (
        "RESOURCE_NOT_EXISTS",
        Unknown,
        "WeChat Pay does not know of it",
    ),
    (
        "NO_STATEMENT_EXIST",
        Unknown,
        "WeChat Pay has no bill of that day yet: it is made about 10:00 of the next one, ask again then",
    ),
    (
        "STATEMENT_CREATING",
        Unknown,
        "WeChat Pay is making the bill of that day: ask again after 10:00 of the next one",
    ),
];

/// What v2 says in its own words, where v3 does not.
const V2_REASONS: &[(&str, Kind, &str)] = &[
    (
        "SIGNERROR",
        Account,
        "api_key is not the merchant's API key (API密钥), or sign_type is not its own",
    ),
    ("LACK_PARAMS", Account, "WeChat Pay misses a parameter"),
    (
        "XML_FORMAT_ERROR",
        Account,
        "WeChat Pay cannot read the request",
    ),
    (
        "REQUIRE_POST_METHOD",
        Account,
        "WeChat Pay cannot read the request",
    ),
    ("NOT_UTF8", Account, "WeChat Pay cannot read the request"),
    (
        "INVALID_TRANSACTIONID",
        Unknown,
        "WeChat Pay knows no paid order of this number",
    ),
];

/// What a refused order says of the trade. One that was paid or closed before is worth asking about.
pub(crate) fn of_refused_order(answer: &Answer) -> Result<Outcome, Fault> {
    match answer.code.as_str() {
        code if ends_the_trade(code) => Ok(Outcome::Ask),
        "USERPAYING" => Ok(Outcome::Pending),
        _ => Err(of_refusal(answer)),
    }
}

/// Whether the order came to its end before: only asking tells to which.
pub(crate) fn ends_the_trade(code: &str) -> bool {
    matches!(
        code,
        "ORDER_PAID" | "ORDERPAID" | "ORDER_CLOSED" | "ORDERCLOSED" | "ORDERREVERSED"
    )
}

/// What any other refusal means.
pub(crate) fn of_refusal(answer: &Answer) -> Fault {
    // Busy, or broken: it may have acted.
    if answer.status == 429 || answer.status >= 500 {
        return fault(
            Unknown,
            "WeChat Pay is not available at the moment",
            &answer.in_words(),
        );
    }
    of_code(&answer.code, &answer.in_words())
}

/// The same by the code alone.
pub(crate) fn of_code(code: &str, words: &str) -> Fault {
    match find(code) {
        Some((kind, what)) => fault(kind, what, words),
        None => fault(
            Unknown,
            "WeChat Pay refuses for a reason that is not known here",
            words,
        ),
    }
}

/// Whether the code says that nothing was paid, whatever comes later.
pub(crate) fn is_definite(code: &str) -> bool {
    matches!(find(code), Some((Order | Account, _)))
}

fn find(code: &str) -> Option<(Kind, &'static str)> {
    REASONS
        .iter()
        .chain(V2_REASONS)
        .find(|(reason, ..)| *reason == code)
        .map(|(_, kind, what)| (*kind, *what))
}

fn fault(kind: Kind, what: &str, words: &str) -> Fault {
    let words = format!("{what} ({words})");
    match kind {
        Order => Fault::Invalid(words),
        Account => Fault::Misconfigured(words),
        Unknown => Fault::Unknown(words),
    }
}
