//! Giving money back: `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`.
//!
//! The answer to a refund tells how much went back in all, and not whether this one did: only the query states a
//! refund by its number.

use serde::Serialize;
use walnut_sdk::{Attempt, Fault, Outcome, RefundOrder, text};

use crate::gateway::call;
use crate::{REFUND, meaning};

/// The longest reason, in characters.
const REASON_CHARS: usize = 256;

#[derive(Serialize)]
struct Order<'a> {
    out_trade_no: &'a str,
    refund_amount: String,
    out_request_no: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    refund_reason: &'a str,
}

#[derive(Serialize)]
struct Question<'a> {
    out_trade_no: &'a str,
    out_request_no: &'a str,
}

/// Orders a refund. With the same number Alipay gives the money back once.
pub(crate) fn order(attempt: &Attempt, refund: &RefundOrder) -> Result<Outcome, Fault> {
    let order = Order {
        out_trade_no: &attempt.trade_no,
        refund_amount: refund.amount.to_decimal(),
        out_request_no: &refund.refund_no,
        refund_reason: text::first_chars(refund.reason.trim(), REASON_CHARS),
    };
    let answer = call("alipay.trade.refund", &order, None)?;
    if answer.is_done() {
        return Ok(Outcome::Pending);
    }
    Err(meaning::of_refused_refund(&answer))
}

/// Asks for a refund. What Alipay has not given back yet it may not even name.
pub(crate) fn ask(attempt: &Attempt, refund: &RefundOrder) -> Result<Outcome, Fault> {
    let question = Question {
        out_trade_no: &attempt.trade_no,
        out_request_no: &refund.refund_no,
    };
    let answer = call("alipay.trade.fastpay.refund.query", &question, None)?;
    if answer.says("ACQ.TRADE_NOT_EXIST") {
        return Ok(Outcome::NotFound);
    }
    if !answer.is_done() {
        return Err(meaning::of_refusal(&answer));
    }
    match answer.out_request_no {
        Some(_) => Ok(Outcome::refund(REFUND, answer.statement)),
        None => Ok(Outcome::NotFound),
    }
}
