//! What holds for every payment, whatever a rule says: asserted before anything is written.

use crate::payment::model::{
    Attempt, AttemptState, Case, Change, Changes, Payment, RefundState, State,
};
use crate::payment::state::may_follow;

use super::{NewPayment, StoreError};

fn holds(condition: bool, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if condition {
        Ok(())
    } else {
        Err(StoreError::Invariant(what()))
    }
}

/// Checks a payment that is to be created.
pub(super) fn check_new(new: &NewPayment) -> Result<(), StoreError> {
    let payment = &new.payment;
    let id = payment.id;
    holds(!new.history.is_empty(), || {
        format!("payment {id} would have no history")
    })?;
    check_attempts(payment, &new.attempts)?;
    check_delivery(payment, new.deliver)?;
    holds(payment.applied_ms == 0, || {
        format!("payment {id} would be applied at creation")
    })?;
    holds(
        payment.callback.is_some() || new.callback_content.is_none(),
        || format!("payment {id} has content, but no callback"),
    )
}

/// Checks what a rule made of a case.
pub(super) fn check_change(before: &Case, changes: &Changes) -> Result<(), StoreError> {
    let (old, new) = (&before.payment, &changes.payment);
    let id = old.id;
    holds(may_follow(old.state, new.state), || {
        format!(
            "payment {id} may not go from {} to {}",
            old.state.as_str(),
            new.state.as_str()
        )
    })?;
    if let Some(field) = changed_for_ever(old, new) {
        return Err(StoreError::Invariant(format!(
            "{field} of payment {id} may not change"
        )));
    }
    holds(
        !changes.history.is_empty() || is_no_news(before, changes),
        || format!("a change of payment {id} has no history"),
    )?;
    holds(
        old.state == new.state || tells(&changes.history, old.state, new.state),
        || format!("the history of payment {id} does not tell its change of state"),
    )?;
    check_attempts(new, &changes.attempts)?;
    for attempt in &changes.attempts {
        let earlier = before
            .attempts
            .iter()
            .find(|known| known.trade_no == attempt.trade_no);
        if let Some(earlier) = earlier {
            check_attempt_change(earlier, attempt)?;
        }
    }
    check_refunds(before, changes)?;
    check_delivery(new, changes.deliver)
}

/// Whether only the bookkeeping of known attempts changes: who calls the platform until when, and when it is
/// asked next. That happens every few seconds and is no part of the payment's history.
fn is_no_news(before: &Case, changes: &Changes) -> bool {
    before.payment == changes.payment
        && changes.statement.is_none()
        && !changes.deliver
        && changes.refunds.iter().all(|refund| {
            before
                .refund(&refund.refund_no)
                .is_some_and(|known| known.state == refund.state)
        })
        && changes.attempts.iter().all(|attempt| {
            let known = before
                .attempts
                .iter()
                .find(|known| known.trade_no == attempt.trade_no);
            known.is_some_and(|known| {
                known.state == attempt.state && known.fail_why == attempt.fail_why
            })
        })
}

/// The first field that is fixed at creation (or, for `apply_at`, written with the callback's effects alone)
/// and that differs.
fn changed_for_ever(old: &Payment, new: &Payment) -> Option<&'static str> {
    let fixed = [
        ("id", old.id == new.id),
        ("seller_nm", old.domain == new.domain),
        ("seller_id", old.domain_id == new.domain_id),
        ("test", old.test == new.test),
        ("brief", old.brief == new.brief),
        ("fee", old.total == new.total),
        ("price", old.price_minor == new.price_minor),
        ("ct", old.created_ms == new.created_ms),
        ("callback", old.callback == new.callback),
        ("the offers", old.offers == new.offers),
        ("the metadata", old.meta == new.meta),
        ("apply_at", old.applied_ms == new.applied_ms),
        ("apply_re", old.applied_result == new.applied_result),
        ("the revision", old.revision == new.revision),
    ];
    fixed
        .iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| *field)
}

fn tells(history: &[Change], from: State, to: State) -> bool {
    history
        .iter()
        .any(|line| line.from == Some(from) && line.to == to)
}

fn check_attempts(payment: &Payment, attempts: &[Attempt]) -> Result<(), StoreError> {
    for attempt in attempts {
        holds(attempt.payment == payment.id, || {
            format!(
                "attempt {} is not one of payment {}",
                attempt.trade_no, payment.id
            )
        })?;
    }
    Ok(())
}

fn check_attempt_change(old: &Attempt, new: &Attempt) -> Result<(), StoreError> {
    let same = old.number == new.number
        && old.pay_type == new.pay_type
        && old.target == new.target
        && old.provider == new.provider
        && old.created_ms == new.created_ms
        && old.notify_url == new.notify_url;
    holds(same, || {
        format!("what attempt {} was sent with may not change", old.trade_no)
    })?;
    holds(new.fence >= old.fence, || {
        format!("the fence of attempt {} shrinks", old.trade_no)
    })?;
    holds(
        old.state != AttemptState::Ok || new.state == AttemptState::Ok,
        || {
            format!(
                "attempt {} was paid; that is never taken back",
                old.trade_no
            )
        },
    )
}

/// No attempt gives back more than was paid for it, what was ordered stays as it was, and what ended stays ended.
fn check_refunds(before: &Case, changes: &Changes) -> Result<(), StoreError> {
    if changes.refunds.is_empty() {
        return Ok(());
    }
    let mut after = before.clone();
    for attempt in &changes.attempts {
        match after
            .attempts
            .iter_mut()
            .find(|known| known.trade_no == attempt.trade_no)
        {
            Some(known) => *known = attempt.clone(),
            None => after.attempts.push(attempt.clone()),
        }
    }
    for refund in &changes.refunds {
        let number = &refund.refund_no;
        match after
            .refunds
            .iter_mut()
            .find(|known| known.refund_no == *number)
        {
            None => after.refunds.push(refund.clone()),
            Some(known) => {
                let same = known.trade_no == refund.trade_no
                    && known.amount_minor == refund.amount_minor
                    && known.reason == refund.reason
                    && known.cause == refund.cause
                    && known.created_ms == refund.created_ms;
                holds(same, || {
                    format!("what refund {number} was ordered with may not change")
                })?;
                holds(
                    known.state != RefundState::Ok || refund.state == RefundState::Ok,
                    || format!("refund {number} was made; that is never taken back"),
                )?;
                *known = refund.clone();
            }
        }
    }
    for refund in &changes.refunds {
        let attempt = after.attempt(&refund.trade_no);
        let paid = attempt.and_then(|attempt| attempt.paid_minor).unwrap_or(0);
        let reserved = after.reserved_minor(&refund.trade_no);
        holds(reserved <= paid, || {
            format!(
                "attempt {} would give back {reserved} of {paid}",
                refund.trade_no
            )
        })?;
    }
    Ok(())
}

fn check_delivery(payment: &Payment, deliver: bool) -> Result<(), StoreError> {
    holds(
        !deliver || (payment.state == State::Ok && payment.callback.is_some()),
        || {
            format!(
                "payment {} is not OK or has no callback, and would be delivered",
                payment.id
            )
        },
    )
}
