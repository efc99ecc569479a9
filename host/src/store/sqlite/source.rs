//! A store that goes over to another engine.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::link::SqliteLink;
use super::lock::DirectoryLock;
use super::{FILE, open};
use crate::store::StoreError;
use crate::store::link::Link;

/// A store that nobody else has open meanwhile.
pub(in crate::store) struct Source {
    connection: Mutex<Connection>,
    _lock: DirectoryLock,
}

impl Source {
    /// Opens the store in `dir`, as a host does: it is brought up to date, and no lease holds any more.
    ///
    /// # Errors
    /// As [`Store::open`](crate::store::Store::open), and when there is none.
    pub(in crate::store) fn open(dir: &Path) -> Result<Source, StoreError> {
        let path = dir.join(FILE);
        std::fs::metadata(&path)
            .map_err(|error| StoreError::io(format!("cannot open {}", path.display()), error))?;
        let lock = DirectoryLock::take(dir)?;
        Ok(Source {
            connection: Mutex::new(open(&path)?),
            _lock: lock,
        })
    }

    /// Looks at one moment of it.
    pub(in crate::store) fn read<T>(
        &self,
        work: impl FnOnce(&dyn Link) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        work(&SqliteLink::reading(&connection))
    }
}
