//! Payments that leave the store by the operator's policy, with everything that was written for them. What callbacks
//! keep for their domain stays, and so does content: other payments may be bound to it.

use super::row::integer;
use super::{field_key, payment};
use crate::payment::model::{Ams, Digest, Payment, PaymentId, State};
use crate::store::link::{Bind, Dialect, Link, all_rows, one_row, params};
use crate::store::{Ended, StoreError};

/// The next that ended in this state and did not change since `before`, behind `after` in the order of their last change.
pub(in crate::store) fn next(
    link: &dyn Link,
    state: State,
    before: Ams,
    after: Option<&Ended>,
    limit: u32,
) -> Result<Vec<Ended>, StoreError> {
    let sql = sql(state);
    let (changed, seq) = after.map_or((-1, -1), |after| (after.changed, after.seq));
    let before = integer(before)?;
    all_rows(link, sql, &params![changed, seq, before, limit], |row| {
        Ok(Ended {
            changed: row.next()?,
            seq: row.next()?,
            id: row.parsed(PaymentId::parse)?,
        })
    })
}

fn sql(state: State) -> &'static str {
    match state {
        State::Fail => {
            "SELECT changed_ms, seq, id FROM payment WHERE state = 'FAIL' \
            AND (changed_ms, seq) > (?1, ?2) AND changed_ms < ?3 ORDER BY changed_ms, seq LIMIT ?4"
        }
        // Of those that are so old, nearly all were paid.
        State::New | State::Wait | State::Ok => {
            "SELECT changed_ms, seq, id FROM payment WHERE state = 'OK' \
            AND (changed_ms, seq) > (?1, ?2) AND changed_ms < ?3 ORDER BY changed_ms, seq LIMIT ?4"
        }
    }
}

/// Whether a callback is still to run, or waits for its owner.
pub(in crate::store) fn owes_delivery(link: &dyn Link, id: PaymentId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM delivery WHERE state <> 'DONE' \
        AND payment = (SELECT seq FROM payment WHERE id = ?1)";
    Ok(one_row(link, sql, &params![id.to_string()], |_| Ok(()))?.is_some())
}

/// Removes a payment that is locked, with all its rows.
pub(in crate::store) fn remove(link: &dyn Link, gone: &Payment) -> Result<(), StoreError> {
    let id = gone.id;
    let seq = payment::seq(link, id)?
        .ok_or_else(|| StoreError::Invariant(format!("payment {id} is gone")))?;
    let run = |sql: &str| link.execute(sql, &params![seq]).map(drop);
    run("INSERT INTO leaving (payment) VALUES (?1)")?;
    let sql = "SELECT DISTINCT statement FROM history WHERE payment = ?1 AND statement IS NOT NULL";
    let statements: Vec<Digest> = all_rows(link, sql, &params![seq], |row| row.digest())?;
    for table in ["history", "idempotency", "event", "delivery", "refund"] {
        run(&format!("DELETE FROM {table} WHERE payment = ?1"))?;
    }
    for Digest(digest) in statements {
        let sql = "DELETE FROM statement WHERE digest = ?1";
        link.execute(sql, &[digest.bind()])?;
    }
    run("DELETE FROM attempt WHERE payment = ?1")?;
    field_key::forget(link, seq, gone)?;
    if link.dialect() == Dialect::Sqlite
        && let Some(callback) = &gone.callback
    {
        let sql = "UPDATE content SET uses = uses - 1 WHERE digest = ?1 AND uses > 0";
        link.execute(sql, &params![callback.digest.0])?;
    }
    run("DELETE FROM leaving WHERE payment = ?1")?;
    run("DELETE FROM payment WHERE seq = ?1")
}
