//! What callbacks keep for their domain. It is written by finished deliveries alone.

use crate::payment::model::{Ams, Payment, PaymentId};

use super::table::kv;
use super::{Store, StoreError};

/// Whose data: those of a domain's live payments, or those of its test payments. Neither sees the other's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Space {
    /// The domain's name.
    pub domain: String,
    /// Of test payments.
    pub test: bool,
}

impl Space {
    /// That of this payment.
    pub fn of(payment: &Payment) -> Space {
        Space {
            domain: payment.domain.clone(),
            test: payment.test,
        }
    }
}

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
    /// A value with its version. A version is never used twice in a space, not even for a key that was
    /// deleted and set again; 0 stands for a missing key.
    pub async fn kv_get(
        &self,
        space: &Space,
        key: &str,
    ) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let (space, key) = (space.clone(), key.to_owned());
        self.database
            .read(move |link| kv::get(link, &space, &key))
            .await
    }

    /// Bytes of all keys and values of a space.
    pub async fn kv_size(&self, space: &Space) -> Result<u64, StoreError> {
        let space = space.clone();
        self.database.read(move |link| kv::size(link, &space)).await
    }

    /// The events about one of the domain's payments, in the order they were emitted.
    pub async fn events(&self, domain: &str, payment: PaymentId) -> Result<Vec<Event>, StoreError> {
        let domain = domain.to_owned();
        self.database
            .read(move |link| kv::events(link, &domain, payment))
            .await
    }
}
