//! The tables `content` and `content_bytes`: what payments' callbacks were at their creation.

use std::sync::Arc;

use super::row::integer;
use crate::payment::model::{BoundCallback, Digest};
use crate::store::StoreError;
use crate::store::link::{Dialect, Link, one_row, params};

/// Counts one more payment that is bound to this callback, and stores the content when it is new.
pub(super) fn bind(
    link: &dyn Link,
    callback: &BoundCallback,
    bytes: Option<&Vec<u8>>,
) -> Result<(), StoreError> {
    if count(link, callback)? {
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
    keep(link, callback.digest, bytes)?;
    if count(link, callback)? {
        Ok(())
    } else {
        Err(refused("has another length"))
    }
}

fn count(link: &dyn Link, callback: &BoundCallback) -> Result<bool, StoreError> {
    if link.dialect() == Dialect::Postgres {
        // There the payments are counted when somebody asks: a number in this row would make all who create payments with
        // the same content wait for each other.
        let sql = "SELECT 1 FROM content WHERE digest = ?1 AND len = ?2";
        let len = integer(callback.len)?;
        let found = one_row(link, sql, &params![callback.digest.0, len], |_| Ok(()))?;
        return Ok(found.is_some());
    }
    let sql = "UPDATE content SET uses = uses + 1 WHERE digest = ?1 AND len = ?2";
    let counted = link.execute(sql, &params![callback.digest.0, integer(callback.len)?])?;
    Ok(counted == 1)
}

/// Stores content that no payment is bound to yet, unless it is stored.
pub(in crate::store) fn keep(
    link: &dyn Link,
    digest: Digest,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let sql = "INSERT INTO content (digest, len) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if link.execute(sql, &params![digest.0, len])? == 1 {
        let sql = "INSERT INTO content_bytes (digest, bytes) VALUES (?1, ?2)";
        link.execute(sql, &params![digest.0, bytes])?;
    }
    Ok(())
}

/// The bytes of this digest.
pub(in crate::store) fn bytes(
    link: &dyn Link,
    digest: Digest,
) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
    let sql = "SELECT bytes FROM content_bytes WHERE digest = ?1";
    let bytes = one_row(link, sql, &params![digest.0], |row| row.next())?;
    Ok(bytes.map(Arc::new))
}

/// How many payments are bound to it.
pub(in crate::store) fn uses(link: &dyn Link, digest: Digest) -> Result<Option<u64>, StoreError> {
    let sql = match link.dialect() {
        Dialect::Sqlite => "SELECT uses FROM content WHERE digest = ?1",
        Dialect::Postgres => {
            "SELECT (SELECT count(*) FROM payment WHERE callback_digest = content.digest) \
            FROM content WHERE digest = ?1"
        }
    };
    one_row(link, sql, &params![digest.0], |row| row.unsigned())
}
