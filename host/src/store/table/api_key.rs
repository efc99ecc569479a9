//! The table `api_key`.

use super::row::{Columns, integer};
use crate::payment::model::{Ams, Digest};
use crate::store::link::{Link, all_rows, one_row, params};
use crate::store::{MOST_KEYS, StoreError, StoredKey};

const KEY: &str = "SELECT id, domain, role, test, hash, created_ms, name, refunds, expires_ms, used_ms, successor \
    FROM api_key WHERE revoked_ms = 0";

/// The newest of those that have ended are kept, for whoever looks which there were.
pub(in crate::store) const KEPT_ENDED: u32 = 1_000;
/// Those that one transaction removes: more than it adds, and few enough to wait for.
const REMOVED_AT_ONCE: u32 = 256;

/// Adds a key beside those that are in use when it is made, and removes what ended longest ago where that is too much.
pub(in crate::store) fn add(link: &dyn Link, key: &StoredKey) -> Result<(), StoreError> {
    hold(link, key)?;
    let now = integer(key.created_ms)?;
    let sql = "SELECT count(*) FROM api_key WHERE domain IS NOT DISTINCT FROM ?1 AND test = ?2 \
        AND revoked_ms = 0 AND (expires_ms = 0 OR expires_ms > ?3)";
    let values = params![key.domain, key.test, now];
    let in_use = one_row(link, sql, &values, |row| row.unsigned())?.unwrap_or(0);
    if in_use >= u64::from(MOST_KEYS) {
        return Err(StoreError::TooMany(format!(
            "{in_use} keys are in use, and {MOST_KEYS} may be: revoke those that are not needed, or let one end when \
             another follows it (overlap_ms 0)"
        )));
    }
    insert(link, key)?;
    forget(link, key, now)
}

/// Who adds one to the same keys waits: they are counted.
fn hold(link: &dyn Link, key: &StoredKey) -> Result<(), StoreError> {
    let domain = key.domain.as_deref().unwrap_or_default();
    link.lock_name(&format!("api_key {} {domain}", key.test))
}

fn insert(link: &dyn Link, key: &StoredKey) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_key (id, domain, role, test, hash, created_ms, name, refunds, expires_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING";
    let (created, expires) = (integer(key.created_ms)?, integer(key.expires_ms)?);
    let values = params![
        key.id,
        key.domain,
        key.role,
        key.test,
        key.hash,
        created,
        key.name,
        key.refunds,
        expires,
    ];
    match link.execute(sql, &values)? {
        1 => Ok(()),
        _ => Err(StoreError::Exists(format!("key {}", key.id))),
    }
}

/// Removes keys that have ended, the earliest ended first, where there are more than are kept.
fn forget(link: &dyn Link, of: &StoredKey, now: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM api_key WHERE id IN (SELECT id FROM api_key \
        WHERE domain IS NOT DISTINCT FROM ?1 AND test = ?2 \
        AND (revoked_ms > 0 OR (expires_ms > 0 AND expires_ms <= ?3)) \
        ORDER BY CASE WHEN revoked_ms = 0 OR (expires_ms > 0 AND expires_ms < revoked_ms) \
        THEN expires_ms ELSE revoked_ms END DESC, id LIMIT ?4 OFFSET ?5)";
    let values = params![of.domain, of.test, now, REMOVED_AT_ONCE, KEPT_ENDED];
    link.execute(sql, &values).map(drop)
}

/// The key of this id; where a session is named that was made from it, only while that has not been ended.
pub(in crate::store) fn get(
    link: &dyn Link,
    id: &str,
    session: Option<Digest>,
) -> Result<Option<StoredKey>, StoreError> {
    let Some(Digest(session)) = session else {
        let sql = format!("{KEY} AND id = ?1");
        return one_row(link, &sql, &params![id], decode);
    };
    let sql = format!(
        "{KEY} AND id = ?1 AND NOT EXISTS (SELECT 1 FROM ended_session WHERE ended_session.id = ?2)"
    );
    one_row(link, &sql, &params![id, session], decode)
}

pub(in crate::store) fn list(
    link: &dyn Link,
    domain: Option<&str>,
) -> Result<Vec<StoredKey>, StoreError> {
    let sql = format!("{KEY} AND domain IS NOT DISTINCT FROM ?1 ORDER BY created_ms, id");
    all_rows(link, &sql, &params![domain], decode)
}

/// Puts a key beside the one that it follows, which ends at `until` at the latest. `false` where that one is none any
/// more, or was followed already.
pub(in crate::store) fn succeed(
    link: &dyn Link,
    of: &str,
    new: &StoredKey,
    until: Ams,
) -> Result<bool, StoreError> {
    hold(link, new)?;
    let sql = "UPDATE api_key SET successor = ?2, \
        expires_ms = CASE WHEN expires_ms = 0 OR expires_ms > ?3 THEN ?3 ELSE expires_ms END \
        WHERE id = ?1 AND revoked_ms = 0 AND successor IS NULL AND (expires_ms = 0 OR expires_ms > ?4)";
    let (until, now) = (integer(until)?, integer(new.created_ms)?);
    let values = params![of, new.id, until, now];
    if link.execute(sql, &values)? != 1 {
        return Ok(false);
    }
    add(link, new)?;
    Ok(true)
}

pub(in crate::store) fn revoke(link: &dyn Link, id: &str, now: Ams) -> Result<bool, StoreError> {
    let sql = "UPDATE api_key SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms = 0";
    // At least 1, since 0 stands for a key that is good.
    let revoked = link.execute(sql, &params![id, integer(now.max(1))?])?;
    Ok(revoked == 1)
}

pub(in crate::store) fn used(link: &dyn Link, id: &str, at: Ams) -> Result<(), StoreError> {
    let sql = "UPDATE api_key SET used_ms = ?2 WHERE id = ?1 AND used_ms < ?2";
    link.execute(sql, &params![id, integer(at)?]).map(drop)
}

fn decode(columns: &mut Columns<'_>) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        id: columns.next()?,
        domain: columns.next()?,
        role: columns.next()?,
        test: columns.next()?,
        hash: columns.next()?,
        created_ms: columns.unsigned()?,
        name: columns.next()?,
        refunds: columns.next()?,
        expires_ms: columns.unsigned()?,
        used_ms: columns.unsigned()?,
        successor: columns.next()?,
    })
}
