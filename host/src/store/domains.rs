//! Domains, and the API keys by which they are known.

use std::fmt;

use crate::payment::model::Ams;

use super::table::domain;
use super::{Store, StoreError};

/// A merchant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Domain {
    /// 32 lower-case hex digits (`seller_id`).
    pub id: String,
    /// `seller_nm`
    pub name: String,
    /// When it was added.
    pub created_ms: Ams,
    /// The hosts that the operator lets its callbacks send requests to.
    pub web: Vec<String>,
}

/// An API key as it is stored: the secret itself is known to its owner alone.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The part of the key by which it is found.
    pub id: String,
    /// `None` for a key of root.
    pub domain: Option<String>,
    /// What the key may do.
    pub role: String,
    /// Makes and touches test payments only.
    pub test: bool,
    /// Of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_ms: Ams,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("id", &self.id)
            .field("domain", &self.domain)
            .field("role", &self.role)
            .field("test", &self.test)
            .field("created_ms", &self.created_ms)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Adds a domain and gives it an id.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken.
    pub async fn add_domain(&self, name: &str, now: Ams) -> Result<Domain, StoreError> {
        let name = name.to_owned();
        self.database
            .write(move |link| domain::add(link, &name, now))
            .await
    }

    /// The domain of this name.
    pub async fn domain(&self, name: &str) -> Result<Option<Domain>, StoreError> {
        let name = name.to_owned();
        self.database
            .read(move |link| domain::get(link, &name))
            .await
    }

    /// All domains, by name.
    pub async fn domains(&self) -> Result<Vec<Domain>, StoreError> {
        self.database.read(domain::list).await
    }

    /// Lets the callbacks of the domain send requests to these hosts and to no others; `false` when there is no such
    /// domain.
    pub async fn set_web(&self, name: &str, hosts: Vec<String>) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.database
            .write(move |link| domain::set_web(link, &name, &hosts))
            .await
    }

    /// Stores an API key.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its id is taken, also by a revoked key; [`StoreError::Invariant`] when it
    /// names a domain that does not exist.
    pub async fn add_key(&self, key: StoredKey) -> Result<(), StoreError> {
        self.database
            .write(move |link| domain::add_key(link, &key))
            .await
    }

    /// The key of this id, unless it was revoked.
    pub async fn key(&self, id: &str) -> Result<Option<StoredKey>, StoreError> {
        let id = id.to_owned();
        self.database.read(move |link| domain::key(link, &id)).await
    }

    /// The keys of a domain, or those of root, the oldest first, without revoked ones.
    pub async fn keys(&self, domain: Option<&str>) -> Result<Vec<StoredKey>, StoreError> {
        let domain = domain.map(str::to_owned);
        self.database
            .read(move |link| domain::keys(link, domain.as_deref()))
            .await
    }

    /// Makes a key useless from `now` on; `false` when there is none or it was revoked before.
    pub async fn revoke_key(&self, id: &str, now: Ams) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.database
            .write(move |link| domain::revoke_key(link, &id, now))
            .await
    }
}
