//! A target's keys by the names of their settings, each for its usages alone.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::certificate::{Certificate, root_sn};
use super::key::{KeyKind, PrivateKey, PublicKey, Usage};
use super::manifest::{FieldError, KeyNames, KeyRule, Manifest};
use super::message::Failure;
use super::target::one_error;

#[derive(Default)]
pub(super) struct Keyring {
    private: BTreeMap<String, Key<PrivateKey>>,
    public: BTreeMap<String, Key<Named>>,
    secrets: BTreeMap<String, Key<Zeroizing<String>>>,
    certificates: BTreeMap<String, Key<Vec<Certificate>>>,
}

struct Key<K> {
    key: K,
    usages: Vec<Usage>,
}

/// A public key, and how messages call it.
struct Named {
    key: PublicKey,
    id: Option<String>,
}

impl Keyring {
    pub(super) fn read(
        manifest: &Manifest,
        whole: &Map<String, Value>,
    ) -> Result<Keyring, Vec<FieldError>> {
        let mut keys = Keyring::default();
        for (name, setting) in manifest.settings().iter() {
            let Some(KeyRule { kind, usages, id }) = &setting.key else {
                continue;
            };
            let given = |name: &str| whole.get(name).and_then(Value::as_str);
            let Some(text) = given(name) else {
                continue;
            };
            let (named, usages) = (name.to_owned(), usages.clone());
            let read = match kind {
                KeyKind::RsaPrivate => PrivateKey::parse(text)
                    .map(|key| drop(keys.private.insert(named, Key { key, usages }))),
                KeyKind::RsaPublic => PublicKey::parse(text).map(|key| {
                    let id = id.as_deref().and_then(given).map(str::to_owned);
                    let key = Named { key, id };
                    drop(keys.public.insert(named, Key { key, usages }));
                }),
                KeyKind::Secret => {
                    let key = Zeroizing::new(text.to_owned());
                    drop(keys.secrets.insert(named, Key { key, usages }));
                    Ok(())
                }
                KeyKind::Certificate => Certificate::parse_all(text)
                    .map(|key| drop(keys.certificates.insert(named, Key { key, usages }))),
            };
            read.map_err(|error| one_error(name, &error.to_string()))?;
        }
        Ok(keys)
    }

    /// Every scheme that names several keys finds one of them, and a certificate that requests name is their key's.
    pub(super) fn has_what_is_needed(&self, manifest: &Manifest) -> Result<(), Vec<FieldError>> {
        for names in manifest.alternative_keys() {
            let has = |name: &String| {
                self.public.contains_key(name) || self.certificates.contains_key(name)
            };
            if !names.0.iter().any(has) {
                let first = names.0.first().map_or("", String::as_str);
                return Err(one_error(first, &format!("give one of {names}")));
            }
        }
        for (key, name) in manifest.named_pairs() {
            let leaf = self
                .certificates(name, Usage::Request)
                .and_then(<[_]>::first);
            let own = self.signing(key, Usage::Request).ok();
            if let (Some(leaf), Some(own)) = (leaf, own)
                && !leaf.key().is_some_and(|public| own.is_pair_of(public))
            {
                let problem = format!("it is not the certificate of the key {key:?}");
                return Err(one_error(name, &problem));
            }
        }
        Ok(())
    }

    /// The merchant's own key of this name, if it may be used so.
    pub(super) fn signing(&self, name: &str, usage: Usage) -> Result<&PrivateKey, Failure> {
        self.private
            .get(name)
            .filter(|key| key.usages.contains(&usage))
            .map(|key| &key.key)
            .ok_or_else(|| lacks(name, usage))
    }

    /// The shared secret of this name, if it may be used so.
    pub(super) fn secret(&self, name: &str, usage: Usage) -> Result<&Zeroizing<String>, Failure> {
        self.secrets
            .get(name)
            .filter(|key| key.usages.contains(&usage))
            .map(|key| &key.key)
            .ok_or_else(|| lacks(name, usage))
    }

    /// The certificates of this name, if they may be used so.
    pub(super) fn certificates(&self, name: &str, usage: Usage) -> Option<&[Certificate]> {
        self.certificates
            .get(name)
            .filter(|key| key.usages.contains(&usage))
            .map(|key| key.key.as_slice())
    }

    /// The platform's keys of these names that are valid now; with an id, those that have it.
    pub(super) fn verifying(
        &self,
        names: &KeyNames,
        id: Option<&str>,
        now_ms: u64,
    ) -> Vec<PublicKey> {
        let mut found = Vec::new();
        for name in &names.0 {
            if let Some(Key { key, usages }) = self.public.get(name)
                && usages.contains(&Usage::Verify)
                && id.is_none_or(|id| key.id.as_deref() == Some(id))
            {
                found.push(key.key.clone());
            }
            // What else is in the file certifies the first one.
            let leaf = self
                .certificates(name, Usage::Verify)
                .and_then(<[_]>::first);
            if let Some(leaf) = leaf
                && leaf.is_valid_at(now_ms)
                && id.is_none_or(|id| leaf.serial() == id || leaf.sn() == id)
            {
                found.extend(leaf.key().cloned());
            }
        }
        found
    }

    /// Alipay's number of a certificate: of the first in the file, or of all that are an authority's.
    pub(super) fn certificate_sn(&self, name: &str) -> Option<String> {
        let Key { key, usages } = self.certificates.get(name)?;
        if usages.contains(&Usage::Issuer) {
            return Some(root_sn(key));
        }
        key.first().map(|leaf| leaf.sn().to_owned())
    }

    /// The certificates of the settings, without those of authorities: the name of each, and until when it is valid.
    pub(super) fn ends_ms(&self) -> impl Iterator<Item = (&str, u64)> {
        let own = self
            .certificates
            .iter()
            .filter(|(_, key)| !key.usages.contains(&Usage::Issuer));
        own.filter_map(|(name, Key { key, .. })| Some((name.as_str(), key.first()?.ends_ms())))
    }

    /// Whether the certificate is the private key's.
    pub(super) fn is_pair(&self, private: &str, certificate: &str) -> bool {
        let leaf = self
            .certificates(certificate, Usage::Identity)
            .and_then(<[_]>::first);
        let key = self.signing(private, Usage::Identity);
        match (key, leaf.and_then(Certificate::key)) {
            (Ok(private), Some(public)) => private.is_pair_of(public),
            _ => false,
        }
    }
}

fn lacks(name: &str, usage: Usage) -> Failure {
    Failure::UnknownKey(format!(
        "the target has no key {name:?} for the use {:?}",
        usage.as_str()
    ))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("private", &self.private.keys())
            .field("public", &self.public.keys())
            .field("secrets", &self.secrets.keys())
            .field("certificates", &self.certificates.keys())
            .finish()
    }
}
