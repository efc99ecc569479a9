//! The provider components that the operator approved.

use std::sync::Arc;

use crate::payment::model::{Ams, Digest};

use super::table::provider;
use super::{Store, StoreError};

/// A provider with its component.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderRecord {
    /// Of the component.
    pub digest: Digest,
    /// The platform, such as `zfb`.
    pub name: String,
    /// As its manifest says.
    pub version: String,
    /// The manifest's JSON.
    pub manifest: String,
    /// The component.
    pub bytes: Arc<Vec<u8>>,
    /// When the operator approved it.
    pub approved_ms: Ams,
    /// New attempts on this platform use it; one of each name at most.
    pub current: bool,
    /// It came with a release of the host, which a later release may replace.
    pub shipped: bool,
}

/// A provider as it is listed, without its component.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovedProvider {
    /// Of the component.
    pub digest: Digest,
    /// The platform, such as `zfb`.
    pub name: String,
    /// As its manifest says.
    pub version: String,
    /// The manifest's JSON.
    pub manifest: String,
    /// When the operator approved it.
    pub approved_ms: Ams,
    /// New attempts on this platform use it.
    pub current: bool,
    /// It came with a release of the host.
    pub shipped: bool,
}

impl Store {
    /// Stores an approved provider; one that is stored already only gets its time, whether it is current and who put it.
    /// A current one takes the place of the one before, which stays for the attempts that use it.
    ///
    /// # Errors
    /// [`StoreError::Invariant`] when the bytes have another digest.
    pub async fn put_provider(&self, record: ProviderRecord) -> Result<(), StoreError> {
        self.database
            .write(move |link| provider::put(link, &record))
            .await
    }

    /// All approved providers, by name, the latest approved first.
    pub async fn providers(&self) -> Result<Vec<ApprovedProvider>, StoreError> {
        self.database.read(provider::list).await
    }

    /// A provider's component.
    pub async fn provider_bytes(&self, digest: Digest) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        self.database
            .read(move |link| provider::bytes(link, digest))
            .await
    }
}
