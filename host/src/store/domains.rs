//! Domains.

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
}
