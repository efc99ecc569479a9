//! A store that grew out of one machine: everything in the embedded engine's file into PostgreSQL.

use std::path::Path;
use std::sync::Arc;

use crate::payment::model::Ams;

use super::homes::HomeFiles;
use super::table::{care, home, transfer};
use super::{Store, StoreError, sqlite};

/// Takes one file of a domain's home: the domain, the path below the home, the bytes, and when it was changed.
pub(crate) type PutFile<'a> = dyn FnMut(&str, &str, &[u8], Ams) -> Result<(), StoreError> + 'a;

/// What came over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// How many payments there are.
    pub payments: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Files of homes.
    pub files: u64,
}

impl Store {
    /// Copies the store in `dir`, which no host may have open, into this one, which shares nothing yet: all tables, and
    /// what `homes` puts. All of it comes over in one transaction, is compared and looked through, or none does.
    /// `agreed` is what hosts will agree on, as [`Store::agree`] has it; `told` hears of each table how many
    /// of its rows are there.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when a host has `dir` open; [`StoreError::Exists`] when this store is in use;
    /// [`StoreError::Corrupt`] when what arrived is not what was sent, or the store was not sound.
    pub(crate) async fn migrate_from(
        &self,
        dir: &Path,
        agreed: Vec<(&'static str, Vec<u8>)>,
        homes: impl Fn(&mut PutFile<'_>) -> Result<u64, StoreError> + Send + 'static,
        told: impl Fn(&str, u64) + Send + 'static,
    ) -> Result<Migrated, StoreError> {
        let source = Arc::new(sqlite::Source::open(dir)?);
        self.database
            .write_long(move |link| {
                let rows = source.read(|from| transfer::all(from, link, &told))?;
                let mut domains = std::collections::BTreeSet::new();
                let files = homes(&mut |domain, path, bytes, changed| {
                    if domains.insert(domain.to_owned()) {
                        home::hold(link, domain)?;
                    }
                    HomeFiles::of(link, domain).write(path, bytes, changed)
                })?;
                told("home_file", files);
                for (name, value) in &agreed {
                    home::agree(link, name, value)?;
                }
                let checked = care::check(link)?;
                match checked.problems.first() {
                    None => Ok(Migrated {
                        payments: checked.payments,
                        rows,
                        files,
                    }),
                    Some(problem) => Err(StoreError::Corrupt(problem.clone())),
                }
            })
            .await
    }
}
