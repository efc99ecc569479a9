//! The table `idempotency`: which request made what.

use super::row::integer;
use crate::payment::model::{Ams, PaymentId};
use crate::store::link::{Link, one_row, params};
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

/// What the domain used this key for before. Whoever may keep it next holds it from here on, so that one request makes
/// one payment.
pub(in crate::store) fn find(
    link: &dyn Link,
    domain: &str,
    key: &IdempotencyKey,
) -> Result<Option<Earlier>, StoreError> {
    let sql = "SELECT body, payment.id, made FROM idempotency \
        JOIN payment ON payment.seq = idempotency.payment \
        WHERE idempotency.domain = ?1 AND verb = ?2 AND key = ?3";
    if link.writes() {
        link.lock_name(&format!("idempotency {domain} {} {}", key.verb, key.key))?;
    }
    one_row(link, sql, &params![domain, key.verb, key.key], |row| {
        let body = row.digest()?;
        let payment = row.id()?;
        let made = row.next()?;
        Ok(if body == key.body {
            Earlier::Same { payment, made }
        } else {
            Earlier::OtherBody
        })
    })
}

/// Remembers what this request made of the payment `seq`.
pub(in crate::store) fn keep(
    link: &dyn Link,
    seq: i64,
    domain: &str,
    key: &IdempotencyKey,
    made: Option<&str>,
    now: Ams,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO idempotency (domain, verb, key, body, payment, made, created_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    link.execute(
        sql,
        &params![
            domain,
            key.verb,
            key.key,
            key.body.0,
            seq,
            made,
            integer(now)?,
        ],
    )?;
    Ok(())
}
