//! A whole store looked through, and copied while a host writes to it.

use std::fs::File;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::link::SqliteLink;
use super::{FILE, connection, lock, schema};
use crate::store::{Checked, StoreError, table};

/// Looks through the store in `dir`, whether a host has it open or not.
pub(in crate::store) fn check(dir: &Path) -> Result<Checked, StoreError> {
    let connection = opened(dir)?;
    // Everything is of one moment.
    connection.execute_batch("BEGIN")?;
    let mut problems = Vec::new();
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            problems.push(said);
        }
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let lost = statement.query_map([], |row| {
        let (table, other): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("of {table} to {other}"))
    })?;
    let lost = lost.collect::<Result<_, _>>()?;
    let mut checked = Checked {
        payments: 0,
        problems,
    };
    checked.tell("a row refers to a missing one", lost);
    let rows = table::care::check(&SqliteLink::reading(&connection))?;
    checked.payments = rows.payments;
    checked.problems.extend(rows.problems);
    connection.execute_batch("COMMIT")?;
    Ok(checked)
}

/// Writes the store in `dir` as it is at this moment into the directory `to`, where none may be yet. A host may write to
/// it meanwhile.
pub(in crate::store) fn copy(dir: &Path, to: &Path) -> Result<(), StoreError> {
    let connection = opened(dir)?;
    let place = lock::DirectoryLock::take(to)?;
    let file = to.join(FILE);
    if file.exists() {
        return Err(StoreError::Exists(file.display().to_string()));
    }
    lock::make_private_file(&file)?;
    let path = file.to_str().ok_or_else(|| {
        let problem = std::io::Error::other("the path is not UTF-8");
        StoreError::io(file.display().to_string(), problem)
    })?;
    connection.execute("VACUUM INTO ?1", params![path])?;
    File::open(&file)
        .and_then(|written| written.sync_all())
        .map_err(|error| StoreError::io(format!("cannot synchronise {}", file.display()), error))?;
    place.sync()
}

/// A connection to a store that exists and is of this version.
fn opened(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    std::fs::metadata(&path)
        .map_err(|error| StoreError::io(format!("cannot open {}", path.display()), error))?;
    let connection = connection::open(&path)?;
    // Its end is no reason to carry the log into the file: that is the host's, which knows whether the disk failed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let found = schema::version(&connection, &path)?;
    if found != schema::current() {
        return Err(StoreError::Corrupt(format!(
            "{} is of schema {found}, this walnut is of {}: start it once with this version, which brings it up to date",
            path.display(),
            schema::current()
        )));
    }
    Ok(connection)
}
