//! The domains' homes in a store that several hosts share. What lies in a home, and what a path means, is for `home` to
//! say; here are bytes under a domain and a path.

use std::sync::{Arc, Mutex, PoisonError};

use crate::payment::model::Ams;

use super::link::Link;
use super::table::home;
use super::{Store, StoreError};

/// The files of one domain's home, inside a transaction.
pub(crate) struct HomeFiles<'l> {
    link: &'l dyn Link,
    domain: &'l str,
}

impl<'l> HomeFiles<'l> {
    pub(super) fn of(link: &'l dyn Link, domain: &'l str) -> HomeFiles<'l> {
        HomeFiles { link, domain }
    }

    /// The domain whose home it is.
    pub(crate) fn domain(&self) -> &str {
        self.domain
    }

    /// How often the home was changed.
    pub(crate) fn version(&self) -> Result<u64, StoreError> {
        home::version(self.link, self.domain)
    }

    /// The bytes of a file.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        home::read(self.link, self.domain, path)
    }

    /// A file's length, and when it was changed.
    pub(crate) fn look(&self, path: &str) -> Result<Option<(u64, Ams)>, StoreError> {
        home::look(self.link, self.domain, path)
    }

    /// All paths that begin with `below`, which is empty or ends with a slash.
    pub(crate) fn paths(&self, below: &str) -> Result<Vec<String>, StoreError> {
        home::paths(self.link, self.domain, below)
    }

    /// Puts a file in the place of the one before.
    pub(crate) fn write(&self, path: &str, bytes: &[u8], now: Ams) -> Result<(), StoreError> {
        home::write(self.link, self.domain, path, bytes, now)
    }

    /// Removes a file; `false` where there was none.
    pub(crate) fn remove(&self, path: &str) -> Result<bool, StoreError> {
        home::remove(self.link, self.domain, path)
    }

    /// Removes what [`HomeFiles::paths`] gives.
    pub(crate) fn remove_below(&self, below: &str) -> Result<(), StoreError> {
        home::remove_below(self.link, self.domain, below)
    }
}

impl Store {
    /// Looks at one moment of a home. `work` may be run more than once.
    pub(crate) async fn read_home<T: Send + 'static>(
        &self,
        domain: &str,
        work: impl Fn(&HomeFiles<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let domain = domain.to_owned();
        self.database
            .read(move |link| work(&HomeFiles::of(link, &domain)))
            .await
    }

    /// Changes a home, which has the next version then. Nobody else does so meanwhile, on no host; and when `work` refuses or
    /// fails, nothing was changed. It may be run more than once, as if it had not been run before.
    pub(crate) async fn change_home<T, E>(
        &self,
        domain: &str,
        work: impl Fn(&HomeFiles<'_>) -> Result<Result<T, E>, StoreError> + Send + 'static,
    ) -> Result<Result<T, E>, StoreError>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let domain = domain.to_owned();
        let refused = Arc::new(Mutex::new(None));
        let refusing = Arc::clone(&refused);
        let changed = self
            .database
            .write(move |link| {
                home::hold(link, &domain)?;
                work(&HomeFiles::of(link, &domain))?.map_err(|error| {
                    *refusing.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    StoreError::Invariant("the change of a home was refused".to_owned())
                })
            })
            .await;
        let refused = refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match refused {
            Some(error) => Ok(Err(error)),
            None => changed.map(Ok),
        }
    }

    /// Every home that was ever changed, with how often.
    pub(crate) async fn home_versions(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.database.read(home::versions).await
    }

    /// What all hosts of this store agree on under a name, if anything.
    pub(crate) async fn agreed(&self, name: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.database
            .read(move |link| home::setting(link, name))
            .await
    }

    /// The same after proposing `value`: the first one stands.
    pub(crate) async fn agree(
        &self,
        name: &'static str,
        value: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        self.database
            .write(move |link| home::agree(link, name, &value))
            .await
    }

    /// Puts `now` in the place of what they agree on; `false` where that is not `before` any more.
    pub(crate) async fn agree_anew(
        &self,
        name: &'static str,
        before: Vec<u8>,
        now: Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.database
            .write(move |link| home::agree_anew(link, name, &before, &now))
            .await
    }
}

#[cfg(test)]
impl Store {
    /// The embedded engine's store with the tables that hosts share. What is told of homes holds in any engine.
    pub(crate) async fn with_homes(dir: &std::path::Path) -> Store {
        let store = Store::open(dir).unwrap();
        let tables = |link: &dyn Link| {
            for sql in [
                "CREATE TABLE home (domain TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
                "CREATE TABLE home_file (domain TEXT NOT NULL REFERENCES home (domain), path TEXT NOT NULL, \
                bytes BLOB NOT NULL, changed_ms INTEGER NOT NULL, PRIMARY KEY (domain, path)) STRICT",
                "CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
            ] {
                link.execute(sql, &[])?;
            }
            Ok(())
        };
        store.database.write(tables).await.unwrap();
        store
    }
}
