//! What can go wrong in the store.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};

use super::find::FindError;

/// Why a verb of the store did not happen. Each message carries its cause, so that one line of a log
/// tells everything; it can be cloned, since one failed commit fails every verb in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another part of this one, has the store open.
    #[error("the store in {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The schema is newer than this program.
    #[error(
        "{store} was written by a newer walnut (schema {found}; this one knows up to {known}): start that version, or restore a backup made before it"
    )]
    Newer {
        /// The database's file, or its address.
        store: String,
        /// Its schema's version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file is not a store, is damaged, or holds a value that walnut never writes.
    #[error("the store is damaged, or not a store: {0}")]
    Corrupt(String),
    /// A name or id is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no room on the disk; nothing was written.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The disk or the file cannot be written; nothing was.
    #[error("the store cannot be written: {0}")]
    ReadOnly(String),
    /// What was to be written breaks a rule that the store asserts; nothing was written. A bug of the caller.
    #[error("refused by the store: {0}")]
    Invariant(String),
    /// A text or number that the engine cannot keep; nothing was written.
    #[error("{0}")]
    Unkeepable(String),
    /// There are as many as the store keeps; nothing was written.
    #[error("{0}")]
    TooMany(String),
    /// The question cannot be asked like this.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The disk failed. What was under way is undone in this process.
    #[error("the disk fails: {0}")]
    Disk(Arc<rusqlite::Error>),
    /// The disk failed while it was synchronised, now or earlier: nobody knows what of the last changes it holds, and a
    /// second synchronisation that succeeds would prove nothing. Nothing is written until another process opens the store.
    #[error(
        "the disk failed while the store was synchronised, so that nothing is written any more: the host has to be \
         started again"
    )]
    Unsynced,
    /// Another program has the file open, and the host has to have it alone after its disk failed.
    #[error(
        "another program has {} open: after the disk failed, a host has to read the log alone first; end that program",
        .0.display()
    )]
    NotAlone(PathBuf),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A file or directory cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// Why it failed.
        source: Arc<std::io::Error>,
    },
    /// What was given as the store's address cannot be used.
    #[error("the store's address: {0}")]
    Address(String),
    /// The database's server does not answer; nothing was written. It makes sense to try again later.
    #[error("PostgreSQL does not answer: {0}")]
    Unavailable(String),
    /// The connection to the server was lost in the middle of a commit: it may have happened or not. Whoever tries again
    /// has to look first, or to use an idempotency key.
    #[error("the connection to PostgreSQL was lost while it committed: {0}")]
    Uncertain(String),
    /// Others held what was needed for too long; nothing was written. It makes sense to try again.
    #[error("too many changes of the same at the same time: {0}")]
    Contended(String),
    /// Any other refusal of PostgreSQL; nothing was written.
    #[error("PostgreSQL: {0}")]
    Postgres(String),
    /// Any other failure of SQLite; nothing was written as far as it can tell.
    #[error("SQLite: {0}")]
    Sqlite(Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full(error.to_string()),
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly(error.to_string()),
            Some(ErrorCode::SystemIoFailure) if is_of_synchronising(&error) => StoreError::Unsynced,
            Some(ErrorCode::SystemIoFailure) => StoreError::Disk(Arc::new(error)),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                StoreError::Corrupt(error.to_string())
            }
            // Only a reader's clock interrupts.
            Some(ErrorCode::OperationInterrupted) => StoreError::Find(FindError::TooSlow),
            // Uniqueness, references, checks and the append-only triggers: the schema's own invariants.
            Some(ErrorCode::ConstraintViolation) => StoreError::Invariant(error.to_string()),
            Some(_) => StoreError::Sqlite(Arc::new(error)),
            None => match error {
                // A stored value that has not the type its column promises.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt(error.to_string()),
                other => StoreError::Sqlite(Arc::new(other)),
            },
        }
    }
}

fn is_of_synchronising(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        extended,
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

impl StoreError {
    /// Whether somebody else has what it takes.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            StoreError::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
            _ => false,
        }
    }

    /// An I/O failure and what was tried.
    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> StoreError {
        StoreError::Io {
            what: what.into(),
            source: Arc::new(source),
        }
    }
}
