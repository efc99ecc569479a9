//! What PayPal's refusals mean. Source: the official page "Orders v2 / Payments v2: errors".
//!
//! A refusal ends nothing unless it is in this table: an issue that nobody knows leaves the payment waiting, and the
//! host asks.

use walnut_sdk::Fault;

use crate::api::Answer;

/// What is wrong, in the sense of [`Fault`].
enum Kind {
    /// The order itself: another amount, currency or buyer is needed.
    Order,
    /// The account or its settings.
    Account,
    /// Nobody can tell from this.
    Unknown,
}

use Kind::{Account, Order, Unknown};

/// Issues, and what to do about each.
const ISSUES: &[(&str, Kind, &str)] = &[
    (
        "INVALID_PARAMETER_VALUE",
        Order,
        "PayPal does not take the order: correct what its words name",
    ),
    (
        "INVALID_PARAMETER_SYNTAX",
        Order,
        "PayPal does not take the order: correct what its words name",
    ),
    (
        "INVALID_STRING_LENGTH",
        Order,
        "PayPal does not take the order: correct what its words name",
    ),
    (
        "MISSING_REQUIRED_PARAMETER",
        Order,
        "PayPal does not take the order: correct what its words name",
    ),
    (
        "DECIMAL_PRECISION",
        Order,
        "the amount has too many decimals for PayPal: round it",
    ),
    (
        "DECIMALS_NOT_SUPPORTED",
        Order,
        "PayPal takes no decimals in this currency: use whole units or another currency",
    ),
    (
        "CANNOT_BE_ZERO_OR_NEGATIVE",
        Order,
        "PayPal takes no payment of nothing: use free for a fee of 0",
    ),
    (
        "MAX_VALUE_EXCEEDED",
        Order,
        "the amount is above what PayPal allows: split it",
    ),
    (
        "CURRENCY_NOT_SUPPORTED",
        Order,
        "PayPal does not take this currency for this account: use another one, or add it at PayPal",
    ),
    (
        "INVALID_CURRENCY_CODE",
        Order,
        "PayPal does not know this currency: use another one",
    ),
    (
        "AUTHENTICATION_FAILURE",
        Account,
        "PayPal does not take the app's client_id and client_secret: correct them in the target's settings",
    ),
    (
        "invalid_client",
        Account,
        "PayPal does not take the app's client_id and client_secret: correct them in the target's settings",
    ),
    (
        "invalid_token",
        Account,
        "PayPal does not take the token that it gave: try again, and correct client_id and client_secret if it stays so",
    ),
    (
        "PERMISSION_DENIED",
        Account,
        "the app may not do this: add the permission at PayPal",
    ),
    (
        "NOT_AUTHORIZED",
        Account,
        "the app may not do this: add the permission at PayPal",
    ),
    (
        "PAYEE_ACCOUNT_INVALID",
        Account,
        "the seller's account is not in order: look at it at PayPal",
    ),
    (
        "PAYEE_ACCOUNT_RESTRICTED",
        Account,
        "PayPal has restricted the seller's account: look at it at PayPal",
    ),
    (
        "PAYEE_NOT_CONSENTED",
        Account,
        "the seller's account does not allow this app: let the seller consent at PayPal",
    ),
    (
        "PAYEE_BLOCKED_TRANSACTION",
        Account,
        "the seller's settings block such payments: change them at PayPal",
    ),
    (
        "CAPTURE_FULLY_REFUNDED",
        Order,
        "all of it was given back already: there is nothing left to refund",
    ),
    (
        "REFUND_AMOUNT_EXCEEDED",
        Order,
        "more would be given back than was paid: refund less",
    ),
    (
        "REFUND_CAPTURE_CURRENCY_MISMATCH",
        Order,
        "a refund has the currency of its payment: refund in that one",
    ),
    (
        "REFUND_TIME_LIMIT_EXCEEDED",
        Order,
        "it was paid too long ago: give the money back in another way",
    ),
    (
        "MALFORMED_REQUEST_JSON",
        Order,
        "PayPal cannot read the request: look whether something between here and there changes it",
    ),
    (
        "INCOMPATIBLE_PARAMETER_VALUE",
        Order,
        "PayPal does not take the order: correct what its words name",
    ),
    (
        "INVALID_RESOURCE_ID",
        Unknown,
        "PayPal does not know of it: the host asks again",
    ),
    (
        "ORDER_ALREADY_CAPTURED",
        Unknown,
        "the money was taken already: the host asks how it stands",
    ),
    (
        "ORDER_NOT_APPROVED",
        Unknown,
        "the buyer has not approved it yet: wait, the host asks again",
    ),
    (
        "INSTRUMENT_DECLINED",
        Unknown,
        "the buyer's card or account was declined: let the buyer pick another one on PayPal's page",
    ),
    (
        "PAYER_ACTION_REQUIRED",
        Unknown,
        "the buyer has to confirm something more: let the buyer go back to PayPal's page",
    ),
    // The payment is not settled yet, or disputed: later it may be.
    (
        "REFUND_NOT_ALLOWED",
        Unknown,
        "PayPal does not give it back now: look at it at PayPal; the host asks again",
    ),
    (
        "PENDING_CAPTURE",
        Unknown,
        "the payment is not settled yet: it can be given back later",
    ),
    (
        "DUPLICATE_INVOICE_ID",
        Unknown,
        "PayPal knows this number: whose it is, only asking tells",
    ),
    (
        "PAYPAL_REQUEST_ID_PREVIOUSLY_USED",
        Unknown,
        "PayPal knows this number: whose it is, only asking tells",
    ),
    (
        "PREVIOUS_REQUEST_IN_PROGRESS",
        Unknown,
        "PayPal still works on it: wait, the host asks again",
    ),
    (
        "TRANSACTION_REFUSED",
        Unknown,
        "PayPal refused the payment: let the buyer try another way",
    ),
    (
        "Data for the given start date is not available.",
        Unknown,
        "PayPal's reports are up to three hours behind: ask again then",
    ),
    (
        "RATE_LIMIT_REACHED",
        Unknown,
        "PayPal wants fewer calls: wait, the host asks again",
    ),
    (
        "INTERNAL_SERVER_ERROR",
        Unknown,
        "PayPal had an error of its own: wait, the host asks again",
    ),
];

/// What a refusal means.
pub(crate) fn of_refusal(answer: &Answer) -> Fault {
    let found = ISSUES.iter().find(|(issue, ..)| *issue == answer.issue);
    let (kind, what) = match found {
        Some((_, kind, what)) => ((answer.status < 500).then_some(kind), *what),
        None => (
            None,
            "PayPal refuses for a reason that is not known here: the host asks how it stands",
        ),
    };
    let words = format!("{what} ({})", answer.in_words());
    match kind {
        Some(Order) => Fault::Invalid(words),
        Some(Account) => Fault::Misconfigured(words),
        Some(Unknown) | None => Fault::Unknown(words),
    }
}
