//! The table `idempotency`: which request made which payment.

use rusqlite::{Connection, params};

use super::row::{Columns, integer};
use crate::payment::model::Payment;
use crate::store::{Created, IdempotencyKey, StoreError};

/// What the domain used this key for before.
pub(in crate::store) fn find(
    connection: &Connection,
    domain: &str,
    key: &IdempotencyKey,
) -> Result<Option<Created>, StoreError> {
    let sql = "SELECT body, payment.id FROM idempotency \
        JOIN payment ON payment.seq = idempotency.payment \
        WHERE idempotency.domain = ?1 AND verb = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([domain, &key.verb, &key.key])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut columns = Columns::of(row);
    let body = columns.digest()?;
    let id = columns.id()?;
    Ok(Some(if body == key.body {
        Created::Repeated(id)
    } else {
        Created::KeyUsedForOtherBody
    }))
}

/// Remembers that this request made the payment `seq`.
pub(super) fn keep(
    connection: &Connection,
    seq: i64,
    payment: &Payment,
    key: &IdempotencyKey,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO idempotency (domain, verb, key, body, payment, created_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        payment.domain,
        key.verb,
        key.key,
        key.body.0,
        seq,
        integer(payment.created_ms)?,
    ])?;
    Ok(())
}
