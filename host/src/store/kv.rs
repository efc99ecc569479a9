//! What callbacks keep for their domain. It is written by finished deliveries alone.

use crate::payment::model::{Ams, PaymentId};

use super::sqlite::kv;
use super::{Store, StoreError};

/// A message that a finished delivery emitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The payment it is about.
    pub payment: PaymentId,
    /// As the callback named it.
    pub name: String,
    /// A JSON text.
    pub data: String,
    /// When the delivery committed.
    pub at: Ams,
}

impl Store {
    /// A value with its version. A version is never used twice in a domain, not even for a key that was
    /// deleted and set again; 0 stands for a missing key.
    pub async fn kv_get(
        &self,
        domain: &str,
        key: &str,
    ) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let (domain, key) = (domain.to_owned(), key.to_owned());
        self.database
            .read(move |connection| kv::get(connection, &domain, &key))
            .await
    }

    /// Bytes of all keys and values of a domain.
    pub async fn kv_size(&self, domain: &str) -> Result<u64, StoreError> {
        let domain = domain.to_owned();
        self.database
            .read(move |connection| kv::size(connection, &domain))
            .await
    }

    /// The events about one of the domain's payments, in the order they were emitted.
    pub async fn events(&self, domain: &str, payment: PaymentId) -> Result<Vec<Event>, StoreError> {
        let domain = domain.to_owned();
        self.database
            .read(move |connection| kv::events(connection, &domain, payment))
            .await
    }
}
