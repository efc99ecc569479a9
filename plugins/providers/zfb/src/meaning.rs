//! What the gateway's refusals mean. Sources: the official page of each operation, "公共错误码" and
//! "业务错误码".
//!
//! A refusal ends nothing unless it is in this table: a code that nobody knows leaves the payment
//! waiting, and the host asks.

use walnut_sdk::{Fault, Outcome};

use crate::gateway::Answer;

/// What is wrong, in the sense of [`Fault`].
enum Kind {
    /// The order itself: another brief or amount is needed.
    Order,
    /// The account or application.
    Account,
    /// Nobody can tell from this.
    Unknown,
}

use Kind::{Account, Order, Unknown};

/// Reasons of the business (`code` 40004), and what to do about each.
const REASONS: &[(&str, Kind, &str)] = &[
    // Alipay may have acted all the same.
    (
        "ACQ.SYSTEM_ERROR",
        Unknown,
        "Alipay had an error of its own: wait, the host asks again",
    ),
    // This number is ordered already, with other words: whose order it is, only asking tells.
    (
        "ACQ.CONTEXT_INCONSISTENT",
        Unknown,
        "Alipay knows this number with another amount or brief: the host asks how that order stands",
    ),
    (
        "ACQ.INVALID_PARAMETER",
        Order,
        "Alipay does not take the order: correct what its words name",
    ),
    (
        "ACQ.PARTNER_ERROR",
        Account,
        "the application's id or the seller's account is wrong: correct app_id or seller_id in the target's settings",
    ),
    (
        "ACQ.ACCESS_FORBIDDEN",
        Account,
        "the account has no contract for 当面付: sign it, and add it to the application",
    ),
    (
        "ACQ.SELLER_BEEN_BLOCKED",
        Account,
        "Alipay has blocked the seller's account: ask Alipay why",
    ),
    // What an earlier request of the same number has come to, only asking tells.
    (
        "ACQ.TRADE_BUYER_NOT_MATCH",
        Unknown,
        "another buyer began this payment: the host asks how it stands; for this buyer make a new one",
    ),
    (
        "ACQ.TRADE_HAS_SUCCESS",
        Unknown,
        "the trade is paid already: the host asks how it stands",
    ),
    (
        "ACQ.TRADE_HAS_CLOSE",
        Unknown,
        "the trade is closed already: the host asks how it stands",
    ),
    (
        "ACQ.TRADE_NOT_EXIST",
        Unknown,
        "Alipay does not know the trade yet: the host asks again",
    ),
    (
        "ACQ.TRADE_STATUS_ERROR",
        Unknown,
        "the trade's state does not allow this: the host asks how it stands",
    ),
    (
        "ACQ.CANCEL_NOT_ALLOWED",
        Unknown,
        "Alipay does not undo this trade: look at Alipay's console, and refund it there if it was paid",
    ),
    // Bills.
    (
        "isp.bill_not_exist",
        Unknown,
        "Alipay has no bill of that day yet: it is made about 9:00 of the next one, ask again after 10:00",
    ),
    (
        "isv.invalid_arguments",
        Order,
        "Alipay does not give out the bill of such a day: it has to be over",
    ),
];

/// What is wrong with an order, or with the buyer's code or account.
const ORDER_REASONS: &[(&str, Kind, &str)] = &[
    (
        "ACQ.EXIST_FORBIDDEN_WORD",
        Order,
        "the brief has a word that Alipay forbids: change it",
    ),
    (
        "ACQ.TOTAL_FEE_EXCEED",
        Order,
        "the amount is above what Alipay allows for one payment: split it",
    ),
    (
        "ACQ.BEYOND_PAY_RESTRICTION",
        Account,
        "the payment is above what the seller's account may take: ask Alipay for a higher limit",
    ),
    (
        "ACQ.BEYOND_PER_RECEIPT_RESTRICTION",
        Account,
        "the payment is above what the seller's account may take in a month: ask Alipay for a higher limit",
    ),
    (
        "ACQ.BUYER_SELLER_EQUAL",
        Order,
        "buyer and seller are the same account: let somebody else pay",
    ),
    (
        "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        Order,
        "the buyer has not enough money: let the buyer pick another way to pay",
    ),
    (
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        Order,
        "the buyer's card has not enough money: let the buyer pick another one",
    ),
    (
        "ACQ.PAYMENT_FAIL",
        Order,
        "Alipay could not take the money: let the buyer try again",
    ),
    // Nothing was taken, and another code may be scanned.
    (
        "ACQ.PAYMENT_AUTH_CODE_INVALID",
        Order,
        "the buyer's code is used or too old: scan a new one",
    ),
    (
        "ACQ.PULL_MOBILE_CASHIER_FAIL",
        Order,
        "Alipay could not ask the buyer for the password: scan a new code of the buyer's",
    ),
];

/// What is wrong with a refund.
const REFUND_REASONS: &[(&str, Kind, &str)] = &[
    (
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        Order,
        "the seller's balance does not cover the refund: fill it up, then refund again",
    ),
    (
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
        Order,
        "more than what is left of the trade cannot be given back: refund less",
    ),
    (
        "ACQ.REASON_TRADE_BEEN_FREEZEN",
        Order,
        "Alipay has frozen the trade: ask Alipay why",
    ),
    (
        "ACQ.TRADE_HAS_FINISHED",
        Order,
        "the time for refunds is over: give the money back in another way",
    ),
];

/// What a refused `precreate` says of the trade. An order that was paid or closed before is worth
/// asking about.
pub(crate) fn of_refused_order(answer: &Answer) -> Result<Outcome, Fault> {
    if answer.says("ACQ.TRADE_HAS_SUCCESS") || answer.says("ACQ.TRADE_HAS_CLOSE") {
        return Ok(Outcome::Ask);
    }
    Err(by_reason(answer, &[ORDER_REASONS, REASONS]))
}

/// What a refused refund means.
pub(crate) fn of_refused_refund(answer: &Answer) -> Fault {
    by_reason(answer, &[REFUND_REASONS, REASONS])
}

/// What any other refusal means.
pub(crate) fn of_refusal(answer: &Answer) -> Fault {
    by_reason(answer, &[REASONS])
}

fn by_reason(answer: &Answer, tables: &[&[(&str, Kind, &str)]]) -> Fault {
    let mut reasons = tables.iter().flat_map(|table| table.iter());
    let (kind, what) = match answer.code.as_str() {
        "40004" => match reasons.find(|(reason, ..)| *reason == answer.sub_code) {
            Some((_, kind, what)) => (kind, *what),
            // Missing rights can come this way too.
            None if answer.sub_code.starts_with("isv.") => (&Account, advice(&answer.sub_code)),
            None => (
                &Unknown,
                "Alipay refuses for a reason that is not known here: the host asks how it stands",
            ),
        },
        // 20000: not available, and it may have acted. 40005: too many calls.
        "20000" => (
            &Unknown,
            "Alipay is not available at the moment: wait, the host asks again",
        ),
        "40005" => (
            &Unknown,
            "Alipay wants fewer calls: wait, the host asks again",
        ),
        "20001" | "40001" | "40002" | "40003" | "40006" => (&Account, advice(&answer.sub_code)),
        _ => (
            &Unknown,
            "Alipay answers in a way that is not known here: the host asks how it stands",
        ),
    };
    let words = format!("{what} ({})", answer.in_words());
    match kind {
        Order => Fault::Invalid(words),
        Account => Fault::Misconfigured(words),
        Unknown => Fault::Unknown(words),
    }
}

/// What to look after when the gateway does not take the request as such.
fn advice(sub_code: &str) -> &'static str {
    match sub_code {
        "isv.invalid-signature" | "isv.missing-signature" => {
            "app_private_key does not belong to the public key that the application has at Alipay: upload its own there"
        }
        "isv.invalid-app-id" | "isv.missing-app-id" => {
            "Alipay does not know this app_id: correct it in the target's settings"
        }
        "isv.missing-signature-key" => {
            "the application has no public key at Alipay: upload it there first"
        }
        "isv.missing-app-cert-sn" | "isv.missing-alipay-root-cert-sn" => {
            "the application is in certificate mode: put its certificates into the settings"
        }
        "isv.app-cert-not-exist" => {
            "app_certificate is not the application's, or the application is not in certificate mode: correct the settings"
        }
        "isv.invalid-alipay-root-cert-sn" => {
            "alipay_root_certificate is not Alipay's: download alipayRootCert.crt anew"
        }
        code if code.starts_with("isv.decryption-error") => {
            "content_key is not the application's key for content (接口内容加密): copy it anew"
        }
        "isv.invalid-timestamp" => "the clock of this machine is wrong: set it",
        "isv.insufficient-isv-permissions" | "isv.insufficient-user-permissions" => {
            "the application lacks a permission: add 当面付 to it and put it online"
        }
        _ => "Alipay refuses the application's settings: its words say which, correct them",
    }
}
