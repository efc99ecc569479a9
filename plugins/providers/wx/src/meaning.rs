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

/// Reasons of v3 and v2, each with its spellings, and what to do about it.
const REASONS: &[(&[&str], Kind, &str)] = &[
    (
        &["PARAM_ERROR"],
        Order,
        "WeChat Pay does not take the request: correct what its words name",
    ),
    // The same number with other words is refused in this way too: whose order it is, only asking tells.
    (
        &["INVALID_REQUEST"],
        Unknown,
        "WeChat Pay does not take this request now: the host asks how the order stands",
    ),
    (
        &["OUT_TRADE_NO_USED"],
        Unknown,
        "WeChat Pay knows this number with another order: the host asks how that one stands",
    ),
    (
        &["APPID_MCHID_NOT_MATCH"],
        Account,
        "appid and mchid are not bound to each other: bind them at the merchant platform",
    ),
    (
        &["MCH_NOT_EXISTS", "MCHID_NOT_EXIST"],
        Account,
        "WeChat Pay does not know this mchid: correct it in the target's settings",
    ),
    (
        &["APPID_NOT_EXIST"],
        Account,
        "WeChat does not know this appid: correct it in the target's settings",
    ),
    (
        &["SIGN_ERROR"],
        Account,
        "mch_private_key and mch_serial_no do not belong to a certificate of this merchant, or the clock of this \
         machine is wrong: correct them",
    ),
    (
        &["SIGNERROR"],
        Account,
        "api_key is not the merchant's API key (API密钥), or sign_type is not its own: correct them in the target's \
         settings",
    ),
    (
        &["NO_AUTH", "NOAUTH"],
        Account,
        "the merchant may not do this: apply for the product at the merchant platform",
    ),
    (
        &["LACK_PARAMS"],
        Account,
        "WeChat Pay misses a parameter: complete the target's settings",
    ),
    (
        &["XML_FORMAT_ERROR", "REQUIRE_POST_METHOD", "NOT_UTF8"],
        Account,
        "WeChat Pay cannot read the request: look whether something between here and there changes it",
    ),
    (
        &["RULE_LIMIT", "RULELIMIT"],
        Unknown,
        "a rule of WeChat Pay's limits this: its words say which; the host asks again",
    ),
    (
        &["TRADE_ERROR"],
        Unknown,
        "WeChat Pay refuses because of the order's state: the host asks for it",
    ),
    (
        &["ORDER_PAID", "ORDERPAID"],
        Unknown,
        "the order is paid already: the host asks how it stands",
    ),
    (
        &["ORDER_CLOSED", "ORDERCLOSED", "ORDERREVERSED"],
        Unknown,
        "the order is over already: the host asks how it stands",
    ),
    (
        &["ORDER_NOT_EXIST", "ORDERNOTEXIST"],
        Unknown,
        "WeChat Pay does not know the order yet: the host asks again",
    ),
    (
        &["USERPAYING"],
        Unknown,
        "the buyer has not confirmed yet: wait, the host asks again",
    ),
    (
        &["INVALID_TRANSACTIONID"],
        Unknown,
        "WeChat Pay knows no paid order of this number: the host asks again",
    ),
    (
        &["RESOURCE_NOT_EXISTS"],
        Unknown,
        "WeChat Pay does not know of it: the host asks again",
    ),
    (
        &["FREQUENCY_LIMITED"],
        Unknown,
        "WeChat Pay wants fewer calls: wait, the host asks again",
    ),
    (
        &["SYSTEM_ERROR", "SYSTEMERROR", "BIZERR_NEED_RETRY"],
        Unknown,
        "WeChat Pay had an error of its own: wait, the host asks again",
    ),
    (
        &["BANK_ERROR", "BANKERROR"],
        Unknown,
        "the bank had an error, nobody knows yet: wait, the host asks again",
    ),
    (
        &["NO_STATEMENT_EXIST"],
        Unknown,
        "WeChat Pay has no bill of that day yet: it is made about 10:00 of the next one, ask again then",
    ),
    (
        &["STATEMENT_CREATING"],
        Unknown,
        "WeChat Pay is making the bill of that day: ask again after 10:00 of the next one",
    ),
];

/// What is wrong with an order, or with the buyer's code or account.
const ORDER_REASONS: &[(&[&str], Kind, &str)] = &[
    (
        &["RULE_LIMIT", "RULELIMIT"],
        Order,
        "a rule of WeChat Pay's limits this (amount, buyer or how often): its words say which; try later or otherwise",
    ),
    (
        &["OPENID_MISMATCH"],
        Order,
        "this openid is not one of the appid's: fetch the buyer's anew",
    ),
    (
        &["ACCOUNT_ERROR", "ACCOUNTERROR"],
        Order,
        "the buyer's account is not in order: let the buyer pay with another one",
    ),
    (
        &["NOT_ENOUGH", "NOTENOUGH"],
        Order,
        "the buyer has not enough money: let the buyer pick another way to pay",
    ),
    (
        &["NOTSUPORTCARD"],
        Order,
        "the buyer's card cannot be used for this: let the buyer pick another one",
    ),
    (
        &["AUTHCODEEXPIRE"],
        Order,
        "the buyer's code has expired: scan it again once the buyer has refreshed it",
    ),
    (
        &["AUTH_CODE_ERROR"],
        Order,
        "this payment code is used or none at all: scan the buyer's again",
    ),
    (
        &["AUTH_CODE_INVALID"],
        Order,
        "this is no payment code of WeChat's: scan the buyer's again",
    ),
    // There is an order of this number, and somebody may have paid it.
    (
        &["BUYER_MISMATCH"],
        Unknown,
        "another buyer began to pay this order: the host asks how it stands; for this buyer make a new payment",
    ),
];

/// What is wrong with a refund.
const REFUND_REASONS: &[(&[&str], Kind, &str)] = &[
    (
        &["NOT_ENOUGH", "NOTENOUGH"],
        Account,
        "the merchant's balance does not cover the refund: fill it up, then refund again",
    ),
    // It failed at the buyer's account; the host keeps asking, since an earlier request of it may have been taken.
    (
        &["USER_ACCOUNT_ABNORMAL"],
        Unknown,
        "the buyer's account is not in order: look at the merchant platform, and give the money back in another way",
    ),
    (
        &["TRADE_OVERDUE"],
        Order,
        "it was paid more than a year ago: give the money back in another way",
    ),
    (
        &["INVALID_REQ_TOO_MUCH"],
        Unknown,
        "WeChat Pay got too many bad requests for this order: wait, the host asks again",
    ),
    (
        &["ERROR"],
        Unknown,
        "WeChat Pay refuses the refund for reasons of business: look at the merchant platform; the host asks again",
    ),
];

/// What a refused order says of the trade. One that was paid or closed before is worth asking about.
pub(crate) fn of_refused_order(answer: &Answer) -> Result<Outcome, Fault> {
    match answer.code.as_str() {
        code if ends_the_trade(code) => Ok(Outcome::Ask),
        "USERPAYING" => Ok(Outcome::Pending),
        _ => Err(refused(answer, &[ORDER_REASONS, REASONS])),
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
    refused(answer, &[REASONS])
}

/// What the refusal of a refund, or of a question about one, means.
pub(crate) fn of_refused_refund(answer: &Answer) -> Fault {
    refused(answer, &[REFUND_REASONS, REASONS])
}

/// The same by a code of v2.
pub(crate) fn of_code(code: &str, words: &str) -> Fault {
    by_code(code, words, &[REASONS])
}

/// What a code of v2 means when the till charges.
pub(crate) fn of_refused_charge(code: &str, words: &str) -> Fault {
    by_code(code, words, &[ORDER_REASONS, REASONS])
}

type Reasons = [(&'static [&'static str], Kind, &'static str)];

fn refused(answer: &Answer, tables: &[&Reasons]) -> Fault {
    let by_code = by_code(&answer.code, &answer.in_words(), tables);
    match by_code {
        Fault::Unknown(_) => by_code,
        // Busy, or broken: it may have acted, whatever its code says.
        _ if answer.status == 429 || answer.status >= 500 => fault(
            Unknown,
            "WeChat Pay is not available at the moment: wait, the host asks again",
            &answer.in_words(),
        ),
        _ => by_code,
    }
}

fn by_code(code: &str, words: &str, tables: &[&Reasons]) -> Fault {
    let mut all = tables.iter().flat_map(|table| table.iter());
    let found = all.find(|(codes, ..)| codes.contains(&code));
    match found {
        Some((_, kind, what)) => fault(*kind, what, words),
        None => fault(
            Unknown,
            "WeChat Pay refuses for a reason that is not known here: the host asks how it stands",
            words,
        ),
    }
}

fn fault(kind: Kind, what: &str, words: &str) -> Fault {
    let words = format!("{what} ({words})");
    match kind {
        Order => Fault::Invalid(words),
        Account => Fault::Misconfigured(words),
        Unknown => Fault::Unknown(words),
    }
}
