//! The rules of refunds, without any I/O: what may be ordered, and what a verified statement makes of it.

pub(super) mod outside;

use serde_json::{Map, json};

use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, AttemptState, Case, Change, Changes, Payment, Refund, RefundCause, RefundNo,
    RefundState, State, StoredStatement, TradeNo,
};
use crate::trust::{RefundReading, RefundStated};

const SECOND: Ams = 1_000;
const HOUR: Ams = 3_600 * SECOND;
const DAY: Ams = 24 * HOUR;

/// Alipay answers about a refund from 10 s after it was ordered.
const FIRST_QUESTION: Ams = 10 * SECOND;
/// Where asking has grown to.
const SLOWEST: Ams = 6 * HOUR;
/// Platforms keep a refund's end for a year.
const ASKED_FOR: Ams = 365 * DAY;

/// A refund of an attempt, not yet known to the platform.
pub(super) fn order(
    attempt: &Attempt,
    amount_minor: i64,
    reason: &str,
    cause: RefundCause,
    now: Ams,
) -> Refund {
    Refund {
        refund_no: RefundNo::generate(),
        payment: attempt.payment,
        trade_no: attempt.trade_no.clone(),
        amount_minor,
        reason: reason.to_owned(),
        cause,
        state: RefundState::Intent,
        created_ms: now,
        ended_ms: 0,
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms: now,
        asks: 0,
        last_error: None,
    }
}

/// When to call the platform about a refund next: after 10 s, then after a quarter of its age, at most every 6 h, for a
/// year; 0 for never.
pub(super) fn next_ask(refund: &Refund, now: Ams) -> Ams {
    let age = now.saturating_sub(refund.created_ms);
    if !refund.is_open() || age > ASKED_FOR {
        return 0;
    }
    now + (age / 4).clamp(FIRST_QUESTION, SLOWEST)
}

/// What can still be given back of an attempt, in minor units.
pub(super) fn left_minor(case: &Case, attempt: &Attempt) -> i64 {
    let paid = attempt.paid_minor.unwrap_or(0);
    paid - case.reserved_minor(&attempt.trade_no) - outside::total_minor(&case.payment, attempt)
}

/// Orders a refund of what was paid, or says why not. Without an amount all that is left.
pub(super) fn rule(
    case: &Case,
    amount_minor: Option<i64>,
    reason: &str,
    who: &str,
    now: Ams,
) -> Result<(Changes, Refund)> {
    let payment = &case.payment;
    if payment.hold.is_some() {
        return Err(PayError::held(
            "the payment is held for a decision by hand (resolve)",
        ));
    }
    if payment.state != State::Ok {
        return Err(PayError::not_paid(
            "only a payment that is OK can be refunded",
        ));
    }
    // The attempt that made it OK; an extra one is given back by the host itself.
    let paid = case.attempts.iter().find(|attempt| {
        attempt.state == AttemptState::Ok
            && payment.pay_type.as_deref() == Some(&attempt.pay_type)
            && payment.target.as_deref() == Some(&attempt.target.name)
    });
    let Some(attempt) = paid.filter(|attempt| attempt.paid_minor.is_some_and(|paid| paid > 0))
    else {
        return Err(PayError::nothing_to_refund(
            "nothing was paid for this payment",
        ));
    };
    let left = left_minor(case, attempt);
    let amount = amount_minor.unwrap_or(left);
    if left <= 0 {
        return Err(PayError::nothing_to_refund(
            "everything that was paid is given back or on its way",
        ));
    }
    if amount <= 0 || amount > left {
        return Err(PayError::refund_too_much(format!(
            "at most {left} (minor units) can be given back: what was paid, less what is given back or on its way"
        )));
    }
    let refund = order(attempt, amount, reason, RefundCause::Asked, now);
    let mut changed = payment.clone();
    changed.changed_ms = now;
    let mut line = line(payment, &refund, "refund", now);
    line.detail.insert("amount".into(), json!(amount));
    line.detail.insert("reason".into(), json!(reason));
    line.detail.insert("by".into(), json!(who));
    let changes = Changes {
        refunds: vec![refund.clone()],
        history: vec![line],
        ..Changes::of(changed)
    };
    Ok((changes, refund))
}

/// What came of a statement about a refund.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RefundSettled {
    /// The money is back.
    Done,
    /// It will not go back.
    Failed,
    /// The platform needs a person.
    Stuck,
    /// The platform works on it, or says nothing that is known.
    Waiting,
    /// It was given back at the platform's own console; recorded.
    Outside,
    /// It says what is committed already, or nothing that matters.
    Repeated,
    /// The platform states another amount: a person has to look.
    Contradiction,
}

impl RefundSettled {
    /// The word for logs and audit lines.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            RefundSettled::Done => "refunded",
            RefundSettled::Failed => "refund failed",
            RefundSettled::Stuck => "refund stuck",
            RefundSettled::Waiting => "refund waiting",
            RefundSettled::Outside => "refunded at the platform",
            RefundSettled::Repeated => "repeated",
            RefundSettled::Contradiction => "contradiction",
        }
    }

    /// Whether an operator has to look at it.
    pub(super) fn is_alert(&self) -> bool {
        matches!(self, RefundSettled::Stuck | RefundSettled::Contradiction)
    }
}

/// Decides what a verified statement about a refund changes. It was read for this payment's attempt and target.
pub(super) fn settle(
    case: &Case,
    attempt: &Attempt,
    reading: &RefundReading,
    statement: StoredStatement,
    cause: &str,
    now: Ams,
) -> (Option<Changes>, RefundSettled) {
    let refund = RefundNo::parse(&reading.refund).and_then(|number| case.refund(&number));
    let Some(refund) = refund else {
        return outside::settle(case, attempt, reading, statement, cause, now);
    };
    if !refund.is_open() {
        return (None, RefundSettled::Repeated);
    }
    let mut after = refund.clone();
    after.transaction_id = reading.transaction.clone().or(after.transaction_id);
    let stated = reading
        .amount
        .map(|amount| (amount.minor(), amount.currency()));
    let ordered = (refund.amount_minor, case.payment.total.currency());
    let (state, settled) = match &reading.state {
        RefundStated::Done if stated != Some(ordered) => {
            after.last_error =
                Some("the platform states another amount than was ordered".to_owned());
            (RefundState::Stuck, RefundSettled::Contradiction)
        }
        RefundStated::Done => (RefundState::Ok, RefundSettled::Done),
        RefundStated::Failed => {
            after.last_error = Some("the platform says that it will not be given back".to_owned());
            (RefundState::Fail, RefundSettled::Failed)
        }
        RefundStated::Stuck => {
            after.last_error =
                Some("the platform cannot do it by itself: finish it at its console".to_owned());
            (RefundState::Stuck, RefundSettled::Stuck)
        }
        RefundStated::Waiting => (RefundState::Wait, RefundSettled::Waiting),
        RefundStated::Other(_) => (refund.state, RefundSettled::Waiting),
    };
    let news = state != refund.state;
    after.state = state;
    after.ask_at_ms = next_ask(&after, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    match state {
        RefundState::Ok => {
            after.ended_ms = now;
            after.last_error = None;
            payment.refunded_minor = payment.refunded_minor.saturating_add(refund.amount_minor);
        }
        RefundState::Fail => after.ended_ms = now,
        _ => {}
    }
    if !news {
        let settled = if settled == RefundSettled::Waiting {
            settled
        } else {
            RefundSettled::Repeated
        };
        let changes = Changes {
            refunds: vec![after],
            ..Changes::of(case.payment.clone())
        };
        return (Some(changes), settled);
    }
    let mut line = line(&case.payment, &after, cause, now);
    line.statement = Some(statement.digest.to_string());
    line.detail.insert("refund".into(), json!(state.as_str()));
    line.detail
        .insert("amount".into(), json!(refund.amount_minor));
    let changes = Changes {
        refunds: vec![after],
        history: vec![line],
        statement: Some(statement),
        ..Changes::of(payment)
    };
    (Some(changes), settled)
}

/// The refund is over without a statement: the platform never took it.
pub(super) fn refused(case: &Case, refund: &Refund, why: String, now: Ams) -> Changes {
    let mut after = refund.clone();
    after.state = RefundState::Fail;
    after.ended_ms = now;
    after.leased_until_ms = 0;
    after.ask_at_ms = 0;
    after.last_error = Some(why.clone());
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(&case.payment, &after, "refund refused", now);
    line.detail.insert("error".into(), json!(why));
    Changes {
        refunds: vec![after],
        history: vec![line],
        ..Changes::of(payment)
    }
}

fn line(payment: &Payment, refund: &Refund, cause: &str, now: Ams) -> Change {
    let number = refund.refund_no.to_string();
    line_of(payment, &refund.trade_no, &number, cause, now)
}

fn line_of(
    payment: &Payment,
    trade_no: &TradeNo,
    refund_no: &str,
    cause: &str,
    now: Ams,
) -> Change {
    let mut detail = Map::new();
    detail.insert("refund_no".into(), json!(refund_no));
    Change {
        at: now,
        cause: cause.to_owned(),
        from: Some(payment.state),
        to: payment.state,
        trade_no: Some(trade_no.to_string()),
        statement: None,
        detail,
    }
}
