//! Which provider speaks for which pay type. New attempts use the current component of a
//! platform; an attempt that was made stays with the component that it was made by.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;

use super::error::{PayError, Result};
use super::model::Digest;
use super::{Payments, now_ms};
use crate::plugin::{Plugins, Provider, Refusal};
use crate::store::{ProviderRecord, Store};
use crate::trust::Manifest;

/// The current provider of a platform.
#[derive(Clone)]
pub struct Current {
    /// Of its component.
    pub digest: Digest,
    /// What the operator approved.
    pub manifest: Arc<Manifest>,
}

/// The current providers, by platform.
#[derive(Default)]
pub struct Providers(RwLock<BTreeMap<String, Current>>);

impl Providers {
    /// Approves the providers that come with this host where the store does not know them yet, and
    /// reads which ones are current. What an operator put in their place stays.
    pub async fn load(store: &Store, plugins: &Plugins) -> anyhow::Result<Providers> {
        let known = store.providers().await?;
        for shipped in walnut_bundle::providers() {
            let digest = Digest::of(shipped.bytes);
            if known.iter().any(|provider| provider.digest == digest) {
                continue;
            }
            let bytes = Arc::new(shipped.bytes.to_vec());
            let admitted = plugins
                .admit_shipped_provider(bytes.clone())
                .await
                .with_context(|| format!("the shipped provider {}", shipped.name))?;
            store
                .put_provider(record(&admitted.manifest, digest, bytes)?)
                .await?;
        }
        let providers = Providers::default();
        for provider in store
            .providers()
            .await?
            .into_iter()
            .filter(|provider| provider.current)
        {
            let manifest = Manifest::parse(provider.manifest.as_bytes())
                .with_context(|| format!("the stored manifest of {}", provider.name))?;
            providers.set(Current {
                digest: provider.digest,
                manifest: Arc::new(manifest),
            });
        }
        Ok(providers)
    }

    fn set(&self, current: Current) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(current.manifest.name().to_owned(), current);
    }

    /// The platforms' names.
    pub fn platforms(&self) -> Vec<String> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// All current providers, by platform.
    pub fn all(&self) -> Vec<Current> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// The current provider of a platform.
    pub fn of_platform(&self, platform: &str) -> Option<Current> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(platform)
            .cloned()
    }

    /// The provider that speaks this pay type.
    pub fn of_pay_type(&self, pay_type: &str) -> Option<Current> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .find(|current| current.manifest.pay_type(pay_type).is_some())
            .cloned()
    }
}

fn record(
    manifest: &Manifest,
    digest: Digest,
    bytes: Arc<Vec<u8>>,
) -> anyhow::Result<ProviderRecord> {
    Ok(ProviderRecord {
        digest,
        name: manifest.name().to_owned(),
        version: manifest.version().to_owned(),
        manifest: manifest.source().to_owned(),
        bytes,
        approved_ms: now_ms(),
        current: true,
    })
}

impl Payments {
    /// The current providers.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// The provider component of this digest, from memory, from its compiled form or from the store.
    pub(super) async fn provider(&self, digest: Digest) -> Result<Provider> {
        let store = self.0.store.clone();
        let load = || async move { store.provider_bytes(digest).await.ok().flatten() };
        Ok(self.0.plugins.provider(digest, load).await?)
    }

    /// Looks a provider component over without keeping it.
    pub async fn inspect_provider(&self, bytes: Arc<Vec<u8>>) -> Result<Current> {
        let admitted = self
            .0
            .plugins
            .admit_provider(bytes)
            .await
            .map_err(refused)?;
        Ok(Current {
            digest: admitted.digest,
            manifest: admitted.manifest,
        })
    }

    /// Makes a component the current provider of its platform. `approved` is the digest that the
    /// operator saw, together with the manifest's words.
    pub async fn approve_provider(&self, bytes: Arc<Vec<u8>>, approved: Digest) -> Result<Current> {
        let current = self.inspect_provider(bytes.clone()).await?;
        if current.digest != approved {
            return Err(PayError::bad_provider(format!(
                "the component's digest is {}, which is not the approved one",
                current.digest
            )));
        }
        let record = record(&current.manifest, current.digest, bytes)
            .map_err(|error| PayError::internal(error.to_string()))?;
        self.0.store.put_provider(record).await?;
        self.0.providers.set(current.clone());
        tracing::info!(provider = current.manifest.name(), digest = %current.digest, "provider approved");
        Ok(current)
    }
}

fn refused(refusal: Refusal) -> PayError {
    PayError::bad_provider(refusal.to_string())
}
