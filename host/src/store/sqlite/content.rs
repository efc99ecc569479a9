//! The tables `content` and `content_bytes`: what payments' callbacks were at their creation.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::row::integer;
use crate::payment::model::{BoundCallback, Digest};
use crate::store::StoreError;

/// Counts one more payment that is bound to this callback, and stores the content when it is new.
pub(super) fn bind(
    connection: &Connection,
    callback: &BoundCallback,
    bytes: Option<&Vec<u8>>,
) -> Result<(), StoreError> {
    if count(connection, callback)? {
        return Ok(());
    }
    let refused = |why: &str| {
        let name = &callback.name;
        StoreError::Invariant(format!("the content of callback {name} {why}"))
    };
    let bytes = bytes.ok_or_else(|| refused("is not stored"))?;
    // Hashing is left to the first payment that brings the content; the others find the digest.
    if Digest::of(bytes) != callback.digest {
        return Err(refused("has another digest"));
    }
    keep(connection, callback.digest, bytes)?;
    if count(connection, callback)? {
        Ok(())
    } else {
        Err(refused("has another length"))
    }
}

fn count(connection: &Connection, callback: &BoundCallback) -> Result<bool, StoreError> {
    let sql = "UPDATE content SET uses = uses + 1 WHERE digest = ?1 AND len = ?2";
    let counted = connection
        .prepare_cached(sql)?
        .execute(params![callback.digest.0, integer(callback.len)?])?;
    Ok(counted == 1)
}

/// Stores content that no payment is bound to yet, unless it is stored.
pub(in crate::store) fn keep(
    connection: &Connection,
    digest: Digest,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let sql = "INSERT INTO content (digest, len) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if connection
        .prepare_cached(sql)?
        .execute(params![digest.0, len])?
        == 1
    {
        let sql = "INSERT INTO content_bytes (digest, bytes) VALUES (?1, ?2)";
        connection
            .prepare_cached(sql)?
            .execute(params![digest.0, bytes])?;
    }
    Ok(())
}

/// The bytes of this digest.
pub(in crate::store) fn bytes(
    connection: &Connection,
    digest: Digest,
) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
    let sql = "SELECT bytes FROM content_bytes WHERE digest = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement
        .query_row([digest.0], |row| row.get(0))
        .optional()?
        .map(Arc::new))
}

/// How many payments are bound to it.
pub(in crate::store) fn uses(
    connection: &Connection,
    digest: Digest,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT uses FROM content WHERE digest = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([digest.0])?;
    rows.next()?
        .map(|row| super::row::Columns::of(row).unsigned())
        .transpose()
}
