//! The tables `kv`, `kv_space` and `event`: what callbacks leave for their domain.

use rusqlite::{Connection, OptionalExtension, params};

use super::row::{Columns, integer};
use crate::payment::model::{Ams, PaymentId};
use crate::store::{Effects, Event, Space, StoreError};

/// A value with its version.
pub(in crate::store) fn get(
    connection: &Connection,
    space: &Space,
    key: &str,
) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
    let sql = "SELECT value, version FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![space.domain, space.test, key])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut columns = Columns::of(row);
    Ok(Some((columns.next()?, columns.unsigned()?)))
}

/// Bytes of the space's keys and values.
pub(in crate::store) fn size(connection: &Connection, space: &Space) -> Result<u64, StoreError> {
    let sql = "SELECT bytes FROM kv_space WHERE domain = ?1 AND test = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![space.domain, space.test])?;
    rows.next()?
        .map_or(Ok(0), |row| Columns::of(row).unsigned())
}

/// Whether everything that was read is still as it was.
pub(super) fn unchanged(
    connection: &Connection,
    space: &Space,
    reads: &[(String, u64)],
) -> Result<bool, StoreError> {
    let sql = "SELECT version FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    for (key, seen) in reads {
        let version: Option<i64> = statement
            .query_row(params![space.domain, space.test, key], |row| row.get(0))
            .optional()?;
        if version.unwrap_or(0) != integer(*seen)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes what a delivery left.
pub(super) fn apply(
    connection: &Connection,
    space: &Space,
    seq: i64,
    effects: &Effects,
    now: Ams,
) -> Result<(), StoreError> {
    for (key, value) in &effects.writes {
        write(connection, space, key, value.as_deref())?;
    }
    let sql = "INSERT INTO event (payment, domain, name, data, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = connection.prepare_cached(sql)?;
    for (name, data) in &effects.events {
        insert.execute(params![seq, space.domain, name, data, integer(now)?])?;
    }
    Ok(())
}

fn write(
    connection: &Connection,
    Space { domain, test }: &Space,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let bytes = |len: usize| i64::try_from(key.len() + len).unwrap_or(i64::MAX);
    let known = "SELECT length(value) FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
    let before: Option<usize> = connection
        .prepare_cached(known)?
        .query_row(params![domain, test, key], |row| row.get::<_, i64>(0))
        .optional()?
        .and_then(|len| usize::try_from(len).ok());
    let grown = value.map_or(0, |value| bytes(value.len())) - before.map_or(0, bytes);
    // Every write takes a version of its own, so that a key which was deleted and set again is not taken
    // for the one that was read.
    let next = "INSERT INTO kv_space (domain, test, version, bytes) VALUES (?1, ?2, 1, max(?3, 0)) \
        ON CONFLICT (domain, test) DO UPDATE SET version = version + 1, bytes = bytes + ?3 \
        RETURNING version";
    let version: i64 = connection
        .prepare_cached(next)?
        .query_row(params![domain, test, grown], |row| row.get(0))?;
    match value {
        Some(value) => {
            let sql = "INSERT INTO kv (domain, test, key, value, version) VALUES (?1, ?2, ?3, ?4, ?5) \
                ON CONFLICT (domain, test, key) DO UPDATE SET value = excluded.value, \
                version = excluded.version";
            connection
                .prepare_cached(sql)?
                .execute(params![domain, test, key, value, version])?;
        }
        None => {
            let sql = "DELETE FROM kv WHERE domain = ?1 AND test = ?2 AND key = ?3";
            connection
                .prepare_cached(sql)?
                .execute(params![domain, test, key])?;
        }
    }
    Ok(())
}

/// The events about one of the domain's payments.
pub(in crate::store) fn events(
    connection: &Connection,
    domain: &str,
    payment: PaymentId,
) -> Result<Vec<Event>, StoreError> {
    let sql = "SELECT payment.id, event.name, event.data, event.at_ms FROM event \
        JOIN payment ON payment.seq = event.payment \
        WHERE payment.id = ?1 AND event.domain = ?2 ORDER BY event.seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![payment.to_string(), domain])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        events.push(Event {
            payment: columns.id()?,
            name: columns.next()?,
            data: columns.next()?,
            at: columns.unsigned()?,
        });
    }
    Ok(events)
}
