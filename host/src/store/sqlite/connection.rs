//! How SQLite is set up, with the reasons.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::lock::make_private_file;
use crate::store::StoreError;

/// Only a foreign tool (such as an online backup) can make us wait; then not for ever.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The schema's statements, with the shapes of `find`.
const CACHED_STATEMENTS: usize = 128;

/// Pages of 4 KiB, the size that disks and the page cache write whole.
const PAGE_SIZE: i64 = 4096;

/// Pages in the log before they are carried into the file: 16 MiB. A page that many commits touch is
/// carried once, and a restart reads back at most this much.
pub(super) const CHECKPOINT_PAGES: i64 = 4096;

/// A log that grew beyond this while a long read held it is cut back.
const LOG_BYTES: i64 = 64 << 20;

/// In KiB: the writer walks all indexes with every row. Memory is taken as it is needed.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// In KiB, for each reader.
const READER_CACHE_KIB: i64 = 4 << 10;

/// Makes the one connection that writes durable, and strict.
pub(super) fn prepare_for_writing(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Corrupt(format!(
            "{} cannot have a write-ahead log (its journal mode is {mode})",
            path.display()
        )));
    }
    // FULL synchronises the log at every commit: what was answered survives a power failure. On macOS
    // only a full fsync reaches the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // REPLACE deletes without asking the append-only triggers otherwise.
    connection.pragma_update(None, "recursive_triggers", true)?;
    // The writer does it: SQLite by itself would keep from us that it failed.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    Ok(())
}

/// A connection that keeps everybody else out, and takes nothing over from whoever had the file open before.
///
/// What it does first is busy ([`StoreError::is_busy`]) while another program has the file open.
pub(super) fn open_alone(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path)?;
    connection.busy_timeout(Duration::from_millis(500))?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(connection)
}

/// How much of the log is carried into the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Carried {
    /// Pages in the log.
    pub(super) pages: i64,
    /// Of these, in the file.
    pub(super) carried: i64,
}

/// Looks at the log, or carries it into the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Checkpoint {
    /// Only looks.
    Look,
    /// Carries what nobody reads.
    Passive,
    /// Carries all of it and empties the log, unless somebody reads an earlier moment.
    Truncate,
}

/// # Errors
/// [`StoreError::Unsynced`] when the disk failed beneath it.
pub(super) fn checkpoint(connection: &Connection, how: Checkpoint) -> Result<Carried, StoreError> {
    let sql = match how {
        Checkpoint::Look => "PRAGMA wal_checkpoint(NOOP)",
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    let carried = connection.prepare_cached(sql)?.query_row([], |row| {
        Ok(Carried {
            pages: row.get(1)?,
            carried: row.get(2)?,
        })
    })?;
    Ok(carried)
}

/// A connection that cannot write.
pub(super) fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// A connection to the file, which is made when it is missing.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    make_private_file(path)?;
    // Every connection belongs to one thread, so SQLite needs no mutex of its own.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Otherwise a value that is bound to a statement may bring another plan, and each run compiles it anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A damaged file is noticed where it is read, and a schema that somebody tampered with runs nothing.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Sorting never leaves payments in a temporary file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}
