//! The tables `kv`, `kv_space` and `event`: what callbacks leave for their domain.

use super::row::integer;
use crate::payment::model::{Ams, PaymentId};
use crate::store::link::{Link, all_rows, one_row, params};
use crate::store::{Effects, Event, Space, StoreError};

/// A value with its version.
pub(in crate::store) fn get(
    link: &dyn Link,
    space: &Space,
    key: &str,
) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
    let sql = "SELECT value, version FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
    one_row(link, sql, &params![space.domain, space.test, key], |row| {
        Ok((row.next()?, row.unsigned()?))
    })
}

/// Bytes of the space's keys and values.
pub(in crate::store) fn size(link: &dyn Link, space: &Space) -> Result<u64, StoreError> {
    let sql = "SELECT bytes FROM kv_space WHERE domain = ?1 AND test = ?2";
    let size = one_row(link, sql, &params![space.domain, space.test], |row| {
        row.unsigned()
    })?;
    Ok(size.unwrap_or(0))
}

/// Holds the space until the end of the transaction. A key that was read as missing has no row that could be locked, and
/// every write takes the next version of the space anyhow.
pub(super) fn hold(link: &dyn Link, Space { domain, test }: &Space) -> Result<(), StoreError> {
    link.lock_name(&format!("kv {test} {domain}"))
}

/// Whether everything that was read is still as it was, in a space that is held.
pub(super) fn unchanged(
    link: &dyn Link,
    space: &Space,
    reads: &[(String, u64)],
) -> Result<bool, StoreError> {
    let sql = "SELECT version FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
    for (key, seen) in reads {
        let key = params![space.domain, space.test, key];
        let version = one_row(link, sql, &key, |row| row.unsigned())?;
        if version.unwrap_or(0) != *seen {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes what a delivery left.
pub(super) fn apply(
    link: &dyn Link,
    space: &Space,
    seq: i64,
    effects: &Effects,
    now: Ams,
) -> Result<(), StoreError> {
    for (key, value) in &effects.writes {
        write(link, space, key, value.as_deref())?;
    }
    let sql = "INSERT INTO event (payment, domain, name, data, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    for (name, data) in &effects.events {
        link.execute(sql, &params![seq, space.domain, name, data, integer(now)?])?;
    }
    Ok(())
}

fn write(
    link: &dyn Link,
    Space { domain, test }: &Space,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let bytes = |len: usize| i64::try_from(key.len() + len).unwrap_or(i64::MAX);
    let known = "SELECT length(value) FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
    let before = one_row(link, known, &params![domain, test, key], |row| {
        row.unsigned()
    })?
    .and_then(|len| usize::try_from(len).ok());
    let grown = value.map_or(0, |value| bytes(value.len())) - before.map_or(0, bytes);
    // Every write takes a version of its own, so that a key which was deleted and set again is not taken
    // for the one that was read.
    let next = "INSERT INTO kv_space (domain, test, version, bytes) VALUES (?1, ?2, 1, ?3) \
        ON CONFLICT (domain, test) DO UPDATE SET version = kv_space.version + 1, \
        bytes = kv_space.bytes + ?4 RETURNING version";
    let version: Option<i64> = one_row(
        link,
        next,
        &params![domain, test, grown.max(0), grown],
        |row| row.next(),
    )?;
    match value {
        Some(value) => {
            let sql = "INSERT INTO kv (domain, test, key, value, version) VALUES (?1, ?2, ?3, ?4, ?5) \
                ON CONFLICT (domain, test, key) DO UPDATE SET value = excluded.value, \
                version = excluded.version";
            link.execute(sql, &params![domain, test, key, value, version])?;
        }
        None => {
            let sql = "DELETE FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
            link.execute(sql, &params![domain, test, key])?;
        }
    }
    Ok(())
}

/// The events about one of the domain's payments.
pub(in crate::store) fn events(
    link: &dyn Link,
    domain: &str,
    payment: PaymentId,
) -> Result<Vec<Event>, StoreError> {
    let sql = "SELECT payment.id, event.name, event.data, event.at_ms FROM event \
        JOIN payment ON payment.seq = event.payment \
        WHERE payment.id = ?1 AND event.domain = ?2 ORDER BY event.seq";
    all_rows(link, sql, &params![payment.to_string(), domain], |row| {
        Ok(Event {
            payment: row.id()?,
            name: row.next()?,
            data: row.next()?,
            at: row.unsigned()?,
        })
    })
}
