//! Refunds, of all pay types by v3. Called again with the same number, WeChat Pay gives the money back once.

use serde::Serialize;
use walnut_sdk::{Attempt, Currency, Fault, Outcome, RefundOrder, text};

use crate::{meaning, v3};

/// The claim of the manifest about an answer.
pub(crate) const REFUND: &str = "refund";

const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// The longest reason, in bytes.
const REASON_BYTES: usize = 80;

#[derive(Serialize)]
struct Order<'a> {
    out_trade_no: &'a str,
    out_refund_no: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    notify_url: &'a str,
    amount: Amount,
}

#[derive(Serialize)]
struct Amount {
    refund: i64,
    total: i64,
    currency: &'static str,
}

/// Gives money back. An answer says that it was accepted, or already how it went.
pub(crate) fn refund(attempt: &Attempt, order: &RefundOrder) -> Result<Outcome, Fault> {
    if order.amount.currency() != Currency::CNY || order.paid.currency() != Currency::CNY {
        return Err(Fault::Invalid("WeChat Pay takes yuan here".to_owned()));
    }
    let reason = order.reason.replace(char::is_control, " ");
    let body = Order {
        out_trade_no: &attempt.trade_no,
        out_refund_no: &order.refund_no,
        reason: text::first_bytes(reason.trim(), REASON_BYTES).trim_end(),
        notify_url: &attempt.notify_url,
        amount: Amount {
            refund: order.amount.minor(),
            total: order.paid.minor(),
            currency: "CNY",
        },
    };
    let answer = v3::post(REFUNDS, &body)?;
    if answer.is_done() {
        return Ok(Outcome::refund(REFUND, answer.statement));
    }
    Err(meaning::of_refused_refund(&answer))
}

/// Asks how a refund stands.
pub(crate) fn check(order: &RefundOrder) -> Result<Outcome, Fault> {
    let answer = v3::get(&format!("{REFUNDS}/{}", order.refund_no))?;
    match answer.code.as_str() {
        "" if answer.is_done() => Ok(Outcome::refund(REFUND, answer.statement)),
        "RESOURCE_NOT_EXISTS" => Ok(Outcome::NotFound),
        _ => Err(meaning::of_refused_refund(&answer)),
    }
}
