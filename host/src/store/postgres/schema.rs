//! The schema and its versions. A released migration never changes; the next one goes behind it.

use crate::store::StoreError;
use crate::store::link::{Link, Value, one_row};

use super::address::Address;
use super::session::{Ended, Session};

/// Each brings the schema from its index to the next version.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_first.sql"),
    include_str!("schema/0002_homes.sql"),
    include_str!("schema/0003_leaving.sql"),
    include_str!("schema/0004_keys.sql"),
    include_str!("schema/0005_audit.sql"),
    include_str!("schema/0006_held.sql"),
    include_str!("schema/0007_sessions.sql"),
];

/// The version that this program works with.
pub(super) fn current() -> usize {
    MIGRATIONS.len()
}

/// Of hosts that start at the same time, one migrates: "WLNT".
const LOCK: i64 = 0x574c_4e54;

/// The oldest server whose words are used here: version 13.
const OLDEST: i64 = 130_000;

/// Checks the server and the database, and brings its schema up to date.
///
/// # Errors
/// [`StoreError::Newer`], and [`StoreError::Corrupt`] for another program's tables.
pub(super) fn prepare(session: &Session, address: &Address) -> Result<(), StoreError> {
    session.begin();
    let prepared = in_transaction(session, address);
    if let Err(error) = prepared {
        session.undo();
        return Err(error);
    }
    match session.commit() {
        Ended::Committed => Ok(()),
        Ended::Undone(error) | Ended::Uncertain(error) => Err(error),
    }
}

fn in_transaction(session: &Session, address: &Address) -> Result<(), StoreError> {
    let link = session.writing();
    let number = |sql: &str| one_row(&link, sql, &[], |columns| columns.next::<i64>());
    let version = number("SELECT current_setting('server_version_num')::bigint")?;
    if version.is_none_or(|version| version < OLDEST) {
        let why = format!("{address}: PostgreSQL 13 or later is needed");
        return Err(StoreError::Address(why));
    }
    let utf8 = number("SELECT 1::bigint WHERE current_setting('server_encoding') = 'UTF8'")?;
    if utf8.is_none() {
        let why = format!("{address}: the database has to have the encoding UTF8");
        return Err(StoreError::Address(why));
    }
    let sql = "SELECT pg_advisory_xact_lock(?1) IS NULL";
    one_row(&link, sql, &[Value::Integer(LOCK)], |_| Ok(()))?;
    let found = found(&link, address)?;
    let known = MIGRATIONS.len();
    let version = usize::try_from(found).unwrap_or(usize::MAX);
    if version > known {
        return Err(StoreError::Newer {
            store: address.to_string(),
            found,
            known: i64::try_from(known).unwrap_or(i64::MAX),
        });
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(version) {
        session.batch(migration)?;
        link.execute("UPDATE walnut SET schema = ?1", &[Value::Integer(version)])?;
    }
    Ok(())
}

/// That the store is there, and of this version.
pub(super) fn expect_current(link: &dyn Link, address: &Address) -> Result<(), StoreError> {
    let version = match is_there(link, "walnut")? {
        true => one_row(link, "SELECT schema FROM walnut", &[], |columns| {
            columns.next::<i64>()
        })?,
        false => None,
    };
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match version {
        Some(found) if found == known => Ok(()),
        Some(found) => Err(StoreError::Corrupt(format!(
            "{address} is of schema {found}, this walnut is of {known}: start it once with this version, which brings it up to date"
        ))),
        None => Err(StoreError::Corrupt(format!(
            "there is no store at {address}"
        ))),
    }
}

fn is_there(link: &dyn Link, table: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 WHERE to_regclass(?1) IS NOT NULL";
    let found = one_row(link, sql, &[Value::Text(table)], |_| Ok(()))?;
    Ok(found.is_some())
}

/// The version of the schema, 0 for a database without one.
fn found(link: &dyn Link, address: &Address) -> Result<i64, StoreError> {
    if is_there(link, "walnut")? {
        let sql = "SELECT schema FROM walnut";
        let version = one_row(link, sql, &[], |columns| columns.next())?;
        let nothing = || StoreError::Corrupt(format!("{address}: the table walnut is empty"));
        return version.ok_or_else(nothing);
    }
    if is_there(link, "payment")? {
        return Err(StoreError::Corrupt(format!(
            "{address} has tables of another program"
        )));
    }
    let sql = "CREATE TABLE walnut (schema BIGINT NOT NULL)";
    link.execute(sql, &[])?;
    link.execute("INSERT INTO walnut (schema) VALUES (0)", &[])?;
    Ok(0)
}
