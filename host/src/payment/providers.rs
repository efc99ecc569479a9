//! Which provider speaks for which pay type. New attempts use the current component of a
//! platform; an attempt that was made stays with the component that it was made by.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context as _;

use super::error::{PayError, Result};
use super::model::Digest;
use super::{Payments, now_ms, view};
use crate::plugin::{Kind, NotLoaded, Plugins, Provider, check_author};
use crate::store::{ApprovedProvider, ProviderRecord, Store, StoreError};
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
pub struct Providers {
    current: RwLock<BTreeMap<String, Current>>,
    /// What is wrong with the signatures of those that were looked at; neither they nor the operator's wishes change.
    signatures: Mutex<BTreeMap<Digest, Option<String>>>,
}

impl Providers {
    /// Approves the providers that come with this host where the store does not know them yet, and
    /// reads which ones are current. One takes the place of an earlier release's; what an operator put there stays.
    pub async fn load(store: &Store, plugins: &Plugins) -> anyhow::Result<Providers> {
        let known = store.providers().await?;
        for shipped in walnut_bundle::providers() {
            let digest = Digest::of(shipped.bytes);
            let mut of_platform = known.iter().filter(|known| known.name == shipped.name);
            let operators_own = of_platform.any(|known| known.current && !known.shipped);
            let own = known.iter().find(|provider| provider.digest == digest);
            if own.is_some_and(|own| own.current || operators_own) {
                continue;
            }
            let bytes = Arc::new(shipped.bytes.to_vec());
            let admitted = plugins
                .admit_shipped_provider(bytes.clone())
                .await
                .with_context(|| format!("the shipped provider {}", shipped.name))?;
            store
                .put_provider(ProviderRecord {
                    current: !operators_own,
                    shipped: true,
                    ..record(&admitted.manifest, digest, bytes)
                })
                .await?;
            if operators_own {
                tracing::info!(
                    provider = shipped.name,
                    version = admitted.manifest.version(),
                    "the shipped provider waits: another component was put in its place"
                );
            }
        }
        let providers = Providers::default();
        for provider in current(store).await? {
            providers.set(read(&provider)?);
        }
        Ok(providers)
    }

    /// Reads those that became current since, and gives their platforms.
    pub(super) async fn catch_up(&self, store: &Store) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        for provider in current(store).await? {
            let known = self.of_platform(&provider.name);
            if known.is_some_and(|known| known.digest == provider.digest) {
                continue;
            }
            match read(&provider) {
                Ok(current) => self.set(current),
                // A newer host may approve what this one cannot read: it stays with what it has.
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "a provider of another host");
                    continue;
                }
            }
            changed.push(provider.name);
        }
        Ok(changed)
    }

    fn set(&self, current: Current) {
        let mut all = self.current.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(current.manifest.name().to_owned(), current);
    }

    /// The platforms' names.
    pub fn platforms(&self) -> Vec<String> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// All current providers, by platform.
    pub fn all(&self) -> Vec<Current> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// The current provider of a platform.
    pub fn of_platform(&self, platform: &str) -> Option<Current> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(platform)
            .cloned()
    }

    /// The provider that speaks this pay type.
    pub fn of_pay_type(&self, pay_type: &str) -> Option<Current> {
        let all = self.current.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .find(|current| current.manifest.pay_type(pay_type).is_some())
            .cloned()
    }
}

async fn current(store: &Store) -> std::result::Result<Vec<ApprovedProvider>, StoreError> {
    let mut all = store.providers().await?;
    all.retain(|provider| provider.current);
    Ok(all)
}

fn read(provider: &ApprovedProvider) -> anyhow::Result<Current> {
    let manifest = Manifest::parse(provider.manifest.as_bytes())
        .with_context(|| format!("the stored manifest of {}", provider.name))?;
    Ok(Current {
        digest: provider.digest,
        manifest: Arc::new(manifest),
    })
}

/// As an operator puts one.
fn record(manifest: &Manifest, digest: Digest, bytes: Arc<Vec<u8>>) -> ProviderRecord {
    ProviderRecord {
        digest,
        name: manifest.name().to_owned(),
        version: manifest.version().to_owned(),
        manifest: manifest.source().to_owned(),
        bytes,
        approved_ms: now_ms(),
        current: true,
        shipped: false,
    }
}

impl Payments {
    /// The current providers.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// The provider component of this digest, from memory, from its compiled form or from the store.
    ///
    /// # Errors
    /// [`PayError::provider_unusable`] where it is here and cannot be run, which only the operator can set right.
    pub(super) async fn provider(&self, digest: Digest) -> Result<Provider> {
        let load = || async {
            let bytes = self.0.store.provider_bytes(digest).await;
            let bytes = bytes.map_err(|error| NotLoaded::Down(error.to_string()))?;
            if let Some(bytes) = &bytes {
                self.may_run(digest, bytes).await?;
            }
            Ok(bytes)
        };
        let loaded = self.0.plugins.provider(digest, load).await;
        loaded.map_err(|error| match error.kind {
            Kind::Unavailable => {
                tracing::error!(%error, "a provider cannot be run");
                PayError::provider_unusable(format!(
                    "the provider {} cannot be run at this host: its operator has to look at it (walnut doctor)",
                    self.name_of(digest)
                ))
            }
            _ => error.into(),
        })
    }

    /// What people call it: its platform, or its digest where another one is current.
    fn name_of(&self, digest: Digest) -> String {
        let current = self.0.providers.all();
        let known = current.iter().find(|current| current.digest == digest);
        known.map_or_else(
            || digest.to_string(),
            |current| current.manifest.name().to_owned(),
        )
    }

    /// A component that was approved before the operator asked for signatures may not run any more without one; what
    /// came with a release needs none.
    async fn may_run(&self, digest: Digest, bytes: &[u8]) -> std::result::Result<(), NotLoaded> {
        let Err(why) = check_author(bytes, &self.0.options.provider_authors) else {
            return Ok(());
        };
        let known = self.0.store.providers().await;
        let known = known.map_err(|error| NotLoaded::Down(error.to_string()))?;
        let mut of_digest = known.iter().filter(|known| known.digest == digest);
        if of_digest.any(|known| known.shipped) {
            return Ok(());
        }
        Err(NotLoaded::Refused(why.to_string()))
    }

    /// The current providers that lack the signature which the operator asks for, each with what is wrong: they do not run.
    pub async fn unsigned_providers(&self) -> Result<Vec<(ApprovedProvider, String)>> {
        let authors = &self.0.options.provider_authors;
        let mut found = Vec::new();
        if authors.is_empty() {
            return Ok(found);
        }
        for provider in self.0.store.providers().await? {
            if !provider.current || provider.shipped {
                continue;
            }
            if let Some(why) = self.lacks_signature(provider.digest).await? {
                found.push((provider, why));
            }
        }
        Ok(found)
    }

    async fn lacks_signature(&self, digest: Digest) -> Result<Option<String>> {
        let signatures = || {
            let signatures = &self.0.providers.signatures;
            signatures.lock().unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = signatures().get(&digest) {
            return Ok(known.clone());
        }
        let Some(bytes) = self.0.store.provider_bytes(digest).await? else {
            return Ok(None);
        };
        let checked = check_author(&bytes, &self.0.options.provider_authors);
        let why = checked.err().map(|why| why.to_string());
        signatures().insert(digest, why.clone());
        Ok(why)
    }

    /// Looks a provider component over without keeping it.
    pub async fn inspect_provider(&self, bytes: Arc<Vec<u8>>) -> Result<Current> {
        let admitted = self
            .0
            .plugins
            .admit_provider(bytes)
            .await
            .map_err(|refusal| PayError::of_refusal(refusal, PayError::bad_provider))?;
        let name = admitted.manifest.name();
        // What a platform tells stands in the payment under the platform's name.
        if view::is_reserved(name, &[]) {
            return Err(PayError::bad_provider(format!(
                "{name:?} is a name of the payment itself: a provider cannot be called so"
            )));
        }
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
        check_author(&bytes, &self.0.options.provider_authors)
            .map_err(|why| PayError::bad_provider(why.to_string()))?;
        let record = record(&current.manifest, current.digest, bytes);
        self.0.store.put_provider(record).await?;
        self.0.providers.set(current.clone());
        // Another manifest may call other settings keys.
        self.learn_accounts(Some(current.manifest.name())).await?;
        tracing::info!(provider = current.manifest.name(), digest = %current.digest, "provider approved");
        Ok(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::PluginOptions;

    /// A store in which the platform's current component is another than this host's, and this host started on it.
    async fn started_beside(shipped: bool) -> (Digest, Digest) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("payment")).unwrap();
        let plugins = Plugins::start(PluginOptions {
            instances: 1,
            cache_dir: dir.path().join("cache"),
            cache_key: [1; 32],
            allow_local_gateways: false,
            compiler: None,
        })
        .unwrap();
        let own = walnut_bundle::providers()
            .iter()
            .find(|provider| provider.name == "free")
            .unwrap();
        let admitted = plugins
            .admit_provider(Arc::new(own.bytes.to_vec()))
            .await
            .unwrap();
        // An empty custom section makes other bytes of the same component.
        let other = Arc::new([own.bytes, b"\0\x02\x01x"].concat());
        let before = ProviderRecord {
            shipped,
            ..record(&admitted.manifest, Digest::of(&other), other)
        };
        store.put_provider(before.clone()).await.unwrap();
        let mut current = None;
        // A second start changes nothing.
        for _ in 0..2 {
            let providers = Providers::load(&store, &plugins).await.unwrap();
            current = providers.of_platform("free").map(|current| current.digest);
            assert!(providers.of_platform("zfb").is_some());
        }
        store.close().await;
        (before.digest, current.unwrap())
    }

    #[tokio::test]
    async fn a_new_release_replaces_what_a_release_put_and_not_what_the_operator_did() {
        let (before, current) = started_beside(false).await;
        assert_eq!(current, before);
        let (before, current) = started_beside(true).await;
        assert_ne!(current, before);
    }
}
