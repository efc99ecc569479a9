//! The table `idempotency`: which request made what.

use rusqlite::{Connection, params};

use super::row::{Columns, integer};
use crate::payment::model::{Ams, PaymentId};
use crate::store::{Created, IdempotencyKey, StoreError};

/// What a domain used a key for before.
pub(in crate::store) enum Earlier {
    /// The same request.
    Same {
        /// The payment that it made or changed.
        payment: PaymentId,
        /// What it made besides, such as a refund's number.
        made: Option<String>,
    },
    /// Another request.
    OtherBody,
}

impl From<Earlier> for Created {
    fn from(earlier: Earlier) -> Created {
        match earlier {
            Earlier::Same { payment, .. } => Created::Repeated(payment),
            Earlier::OtherBody => Created::KeyUsedForOtherBody,
        }
    }
}

/// What the domain used this key for before.
pub(in crate::store) fn find(
    connection: &Connection,
    domain: &str,
    key: &IdempotencyKey,
) -> Result<Option<Earlier>, StoreError> {
    let sql = "SELECT body, payment.id, made FROM idempotency \
        JOIN payment ON payment.seq = idempotency.payment \
        WHERE idempotency.domain = ?1 AND verb = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([domain, &key.verb, &key.key])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut columns = Columns::of(row);
    let body = columns.digest()?;
    let payment = columns.id()?;
    let made = columns.next()?;
    Ok(Some(if body == key.body {
        Earlier::Same { payment, made }
    } else {
        Earlier::OtherBody
    }))
}

/// Remembers what this request made of the payment `seq`.
pub(in crate::store) fn keep(
    connection: &Connection,
    seq: i64,
    domain: &str,
    key: &IdempotencyKey,
    made: Option<&str>,
    now: Ams,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO idempotency (domain, verb, key, body, payment, made, created_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        domain,
        key.verb,
        key.key,
        key.body.0,
        seq,
        made,
        integer(now)?,
    ])?;
    Ok(())
}
