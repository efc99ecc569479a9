//! The tables `home` and `home_file`: the domains' homes, where several hosts share them, and `setting`.

use super::row::integer;
use crate::payment::model::Ams;
use crate::store::StoreError;
use crate::store::link::{Link, all_rows, one_row, params};

/// How often the home was changed; 0 before the first time.
pub(in crate::store) fn version(link: &dyn Link, domain: &str) -> Result<u64, StoreError> {
    let sql = "SELECT version FROM home WHERE domain = ?1";
    let version = one_row(link, sql, &params![domain], |row| row.unsigned())?;
    Ok(version.unwrap_or(0))
}

/// Of every home that has anything in it.
pub(in crate::store) fn versions(link: &dyn Link) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT domain, version FROM home ORDER BY domain";
    all_rows(link, sql, &[], |row| Ok((row.next()?, row.unsigned()?)))
}

/// Takes the next version; the home is held until the end of the transaction.
pub(in crate::store) fn hold(link: &dyn Link, domain: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO home (domain, version) VALUES (?1, 1) \
        ON CONFLICT (domain) DO UPDATE SET version = home.version + 1";
    link.execute(sql, &params![domain]).map(drop)
}

pub(in crate::store) fn read(
    link: &dyn Link,
    domain: &str,
    path: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM home_file WHERE domain = ?1 AND path = ?2";
    one_row(link, sql, &params![domain, path], |row| row.next())
}

/// How long a file is, and when it was changed.
pub(in crate::store) fn look(
    link: &dyn Link,
    domain: &str,
    path: &str,
) -> Result<Option<(u64, Ams)>, StoreError> {
    let sql = "SELECT octet_length(bytes), changed_ms FROM home_file \
        WHERE domain = ?1 AND path = ?2";
    one_row(link, sql, &params![domain, path], |row| {
        Ok((row.unsigned()?, row.unsigned()?))
    })
}

/// All paths that begin with `below`, which is empty or ends with a slash.
pub(in crate::store) fn paths(
    link: &dyn Link,
    domain: &str,
    below: &str,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT path FROM home_file WHERE domain = ?1 AND path >= ?2 AND path < ?3";
    all_rows(link, sql, &params![domain, below, behind(below)], |row| {
        row.next()
    })
}

pub(in crate::store) fn write(
    link: &dyn Link,
    domain: &str,
    path: &str,
    bytes: &[u8],
    now: Ams,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO home_file (domain, path, bytes, changed_ms) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (domain, path) DO UPDATE SET bytes = excluded.bytes, \
        changed_ms = excluded.changed_ms";
    link.execute(sql, &params![domain, path, bytes, integer(now)?])
        .map(drop)
}

/// `false` where there was none.
pub(in crate::store) fn remove(
    link: &dyn Link,
    domain: &str,
    path: &str,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM home_file WHERE domain = ?1 AND path = ?2";
    Ok(link.execute(sql, &params![domain, path])? == 1)
}

/// Removes everything whose path begins with `below`, as in [`paths`].
pub(in crate::store) fn remove_below(
    link: &dyn Link,
    domain: &str,
    below: &str,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM home_file WHERE domain = ?1 AND path >= ?2 AND path < ?3";
    link.execute(sql, &params![domain, below, behind(below)])
        .map(drop)
}

/// The first text behind all that begin with `below`.
fn behind(below: &str) -> String {
    match below.strip_suffix('/') {
        // '0' follows the slash.
        Some(folder) => format!("{folder}0"),
        None => char::MAX.to_string(),
    }
}

/// What hosts agree on, once for all: keeps `value` unless there is one already, and gives the one that stands.
pub(in crate::store) fn agree(
    link: &dyn Link,
    name: &str,
    value: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
    link.execute(sql, &params![name, value])?;
    let kept = setting(link, name)?;
    kept.ok_or_else(|| StoreError::Corrupt(format!("the setting {name} does not stay")))
}

/// Puts `now` in the place of `before`; `false` where something else stands there.
pub(in crate::store) fn agree_anew(
    link: &dyn Link,
    name: &str,
    before: &[u8],
    now: &[u8],
) -> Result<bool, StoreError> {
    let sql = "UPDATE setting SET value = ?3 WHERE name = ?1 AND value = ?2";
    Ok(link.execute(sql, &params![name, before, now])? == 1)
}

pub(in crate::store) fn setting(
    link: &dyn Link,
    name: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT value FROM setting WHERE name = ?1";
    one_row(link, sql, &params![name], |row| row.next())
}
