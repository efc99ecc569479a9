//! Looking after a store from outside: nobody has to stop the host for it.

use std::path::Path;

use super::sqlite::care;
use super::{Address, Store, StoreError, postgres};

/// What a look through a whole store found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// How many payments there are.
    pub payments: u64,
    /// What is wrong, a sentence each; empty when all is well.
    pub problems: Vec<String>,
}

impl Store {
    /// Looks through the store in `dir`: the file's pages, and rules that hold between its rows. Blocks, and reads
    /// everything.
    ///
    /// # Errors
    /// When it cannot be read as a store of this version. What is wrong in one that can is told in [`Checked`].
    pub fn check(dir: &Path) -> Result<Checked, StoreError> {
        care::check(dir)
    }

    /// Looks through the store at a PostgreSQL address: rules that hold between its rows, at one moment. Whether the
    /// server's own files are sound is for its own tools to say. Blocks, and reads everything; hosts go on meanwhile.
    ///
    /// # Errors
    /// As those of [`Store::check`].
    pub fn check_at(address: &Address) -> Result<Checked, StoreError> {
        postgres::check(address)
    }

    /// Writes the store in `dir`, as it is at this moment, into the directory `to`, which must not hold one. Blocks for
    /// the time that it takes to write it; a host goes on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is a store in `to`.
    pub fn copy(dir: &Path, to: &Path) -> Result<(), StoreError> {
        care::copy(dir, to)
    }
}
