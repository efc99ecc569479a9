//! A payment with everything around it: what `create` and `change` write in one transaction.

use super::{attempt, content, delivery, field_key, history, idempotency, payment, refund};
use crate::payment::model::{Ams, Attempt, Case, Changes, Payment, PaymentId, State, TradeNo};
use crate::store::link::Link;
use crate::store::{Created, NewPayment, StoreError, invariants};

/// Stores a new payment, unless its idempotency key was used before.
pub(in crate::store) fn create(link: &dyn Link, new: &NewPayment) -> Result<Created, StoreError> {
    if let Some(key) = &new.idempotency
        && let Some(earlier) = idempotency::find(link, &new.payment.domain, key)?
    {
        return Ok(earlier.into());
    }
    invariants::check_new(new)?;
    if let Some(callback) = &new.payment.callback {
        content::bind(link, callback, new.callback_content.as_deref())?;
    }
    let ends_ms = ends_ms(&new.payment, &new.attempts);
    let seq = payment::insert(link, &new.payment, ends_ms)?
        .ok_or_else(|| StoreError::Exists(format!("payment {}", new.payment.id)))?;
    for attempt in &new.attempts {
        attempt::put(link, seq, attempt)?;
    }
    history::begin(link, seq, &new.history)?;
    field_key::keep(link, seq, &new.payment)?;
    if new.deliver {
        delivery::add(link, seq, &new.payment)?;
    }
    if let Some(key) = &new.idempotency {
        idempotency::keep(
            link,
            seq,
            &new.payment.domain,
            key,
            None,
            new.payment.created_ms,
        )?;
    }
    Ok(Created::Made)
}

/// A payment with its attempts and refunds; locked, where it is read to be changed.
pub(in crate::store) fn load(link: &dyn Link, id: PaymentId) -> Result<Option<Case>, StoreError> {
    let Some((seq, payment)) = payment::load(link, id)? else {
        return Ok(None);
    };
    Ok(Some(Case {
        payment,
        attempts: attempt::of(link, seq)?,
        refunds: refund::of(link, seq)?,
    }))
}

/// The payment that has this attempt, with all its attempts.
pub(in crate::store) fn load_by_trade(
    link: &dyn Link,
    trade_no: &TradeNo,
) -> Result<Option<Case>, StoreError> {
    match attempt::payment_of(link, trade_no)? {
        Some(id) => load(link, id),
        None => Ok(None),
    }
}

/// Whether any payment has this attempt.
pub(in crate::store) fn has_trade(link: &dyn Link, trade_no: &TradeNo) -> Result<bool, StoreError> {
    Ok(attempt::payment_of(link, trade_no)?.is_some())
}

/// Writes what a rule returned. The evidence goes first, since the history refers to it.
pub(in crate::store) fn apply(
    link: &dyn Link,
    before: &Case,
    changes: &Changes,
) -> Result<(), StoreError> {
    let id = changes.payment.id;
    let seq = payment::seq(link, id)?
        .ok_or_else(|| StoreError::Invariant(format!("payment {id} is gone")))?;
    if let Some(statement) = &changes.statement {
        history::keep_statement(link, statement)?;
    }
    let untouched = before.attempts.iter().filter(|known| {
        let mut changed = changes.attempts.iter();
        !changed.any(|attempt| attempt.trade_no == known.trade_no)
    });
    let ends_ms = ends_ms(&changes.payment, changes.attempts.iter().chain(untouched));
    payment::update(link, &changes.payment, ends_ms)?;
    for attempt in &changes.attempts {
        attempt::put(link, seq, attempt)?;
    }
    for refund in &changes.refunds {
        refund::put(link, seq, refund)?;
    }
    history::append(link, seq, &changes.history)?;
    if changes.deliver {
        delivery::add(link, seq, &changes.payment)?;
    }
    Ok(())
}

/// When the deadline alone ends a payment: one that was never sent, or has no attempt that the platform may still take
/// money for. 0 for any other; what is held waits for a person. It is kept with the payment, since whoever looks for
/// the next one cannot look at the attempts of all that wait.
fn ends_ms<'a>(payment: &Payment, attempts: impl IntoIterator<Item = &'a Attempt>) -> Ams {
    let idle = match payment.state {
        State::New => true,
        State::Wait => !attempts.into_iter().any(Attempt::is_open),
        State::Ok | State::Fail => false,
    };
    if idle && payment.hold.is_none() {
        payment.expires_ms
    } else {
        0
    }
}
