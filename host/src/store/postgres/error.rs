//! What the server's refusals mean to the store.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::{FindError, StoreError};

/// The whole of an error in one line. The server's `DETAIL` is left out: it may quote rows.
pub(super) fn told(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        let message = format!("{} ({})", said.message(), said.code().code());
        return match said.constraint() {
            Some(constraint) => format!("{message}, by {constraint}"),
            None => message,
        };
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

/// What it means.
pub(super) fn of(error: &Error) -> StoreError {
    let text = told(error);
    let Some(code) = error.code() else {
        // Not the server's word: the connection is gone, or could not be made.
        return match error.is_closed() || is_io(error) {
            true => StoreError::Unavailable(text),
            false => StoreError::Postgres(text),
        };
    };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => StoreError::Contended(text),
        // Only finders have a clock.
        SqlState::QUERY_CANCELED => StoreError::Find(FindError::TooSlow),
        SqlState::DISK_FULL => StoreError::Full(text),
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly(text),
        // The triggers of what is only appended to.
        SqlState::RAISE_EXCEPTION => StoreError::Invariant(text),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => StoreError::Corrupt(text),
        SqlState::TOO_MANY_CONNECTIONS
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW => StoreError::Unavailable(text),
        // Uniqueness, references, checks: the schema's own invariants.
        ref code if code.code().starts_with("23") => StoreError::Invariant(text),
        ref code if code.code().starts_with("08") => StoreError::Unavailable(text),
        _ => StoreError::Postgres(text),
    }
}

fn is_io(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    // A time-out of the attempt to connect has no cause of its own.
    error.to_string().contains("connect")
}
