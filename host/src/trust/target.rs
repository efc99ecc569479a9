//! A domain's account at a platform, with its keys read and ready. Keys never leave it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::gateway::Gateway;
use super::key::{KeyKind, PrivateKey, PublicKey, Usage};
use super::manifest::{FieldError, KeyRule, Manifest, Secrets, wipe};
use super::message::Failure;
use crate::payment::model::TargetRef;

/// One version of a domain's target.
pub struct Target {
    /// The domain that owns it.
    pub domain: String,
    /// Platform, name and version.
    pub reference: TargetRef,
    /// It settles test payments and never a live one.
    pub test: bool,
    settings: Map<String, Value>,
    gateways: BTreeMap<String, Gateway>,
    keys: Keyring,
}

#[derive(Default, Debug)]
struct Keyring {
    private: BTreeMap<String, Key<PrivateKey>>,
    public: BTreeMap<String, Key<PublicKey>>,
}

#[derive(Debug)]
struct Key<K> {
    key: K,
    usages: Vec<Usage>,
}

impl Target {
    /// Checks the settings against the manifest and reads the keys. The secrets are wiped.
    ///
    /// Reading a private key costs some 100 µs: keep the target while it is in use.
    pub fn assemble(
        manifest: &Manifest,
        domain: String,
        reference: TargetRef,
        test: bool,
        public: Map<String, Value>,
        secrets: Secrets,
    ) -> Result<Target, Vec<FieldError>> {
        let mut whole = public.clone();
        for (name, secret) in &secrets {
            whole.insert(name.clone(), Value::String(secret.as_str().to_owned()));
        }
        let checked = manifest.check_settings(&whole);
        let assembled = checked.and_then(|()| {
            let mut target = Target {
                domain,
                reference,
                test,
                settings: public,
                gateways: BTreeMap::new(),
                keys: Keyring::default(),
            };
            target.read_keys(manifest, &whole)?;
            target.read_gateways(manifest)?;
            Ok(target)
        });
        whole.values_mut().for_each(wipe);
        assembled
    }

    fn read_keys(
        &mut self,
        manifest: &Manifest,
        whole: &Map<String, Value>,
    ) -> Result<(), Vec<FieldError>> {
        for (name, setting) in manifest.settings().iter() {
            let Some(KeyRule { kind, usages }) = &setting.key else {
                continue;
            };
            let Some(text) = whole.get(name).and_then(Value::as_str) else {
                continue;
            };
            let (name_of, usages) = (name.to_owned(), usages.clone());
            let read = match kind {
                KeyKind::RsaPrivate => PrivateKey::parse(text)
                    .map(|key| drop(self.keys.private.insert(name_of, Key { key, usages }))),
                KeyKind::RsaPublic => PublicKey::parse(text)
                    .map(|key| drop(self.keys.public.insert(name_of, Key { key, usages }))),
            };
            read.map_err(|error| one_error(name, &error.to_string()))?;
        }
        Ok(())
    }

    fn read_gateways(&mut self, manifest: &Manifest) -> Result<(), Vec<FieldError>> {
        for name in manifest.gateway_settings() {
            let Some(text) = self.setting(name).filter(|text| !text.is_empty()) else {
                continue;
            };
            if !self.test {
                return Err(one_error(
                    name,
                    "only a test target may have an address of its own",
                ));
            }
            let gateway =
                Gateway::parse(&text).map_err(|error| one_error(name, &error.to_string()))?;
            self.gateways.insert(name.to_owned(), gateway);
        }
        Ok(())
    }

    /// A public setting: texts as they are, everything else as JSON; `None` when it is not set.
    /// Secrets are not among them.
    pub fn setting(&self, name: &str) -> Option<String> {
        match self.settings.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// All public settings.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    pub(super) fn gateway(&self, setting: &str) -> Option<&Gateway> {
        self.gateways.get(setting)
    }

    /// The platform's key of this name.
    pub(super) fn verifying_key(&self, name: &str) -> Result<&PublicKey, Failure> {
        match self.keys.public.get(name) {
            Some(Key { key, usages }) if usages.contains(&Usage::Verify) => Ok(key),
            _ => Err(Failure::UnknownKey(format!(
                "the target has no key {name:?} to verify with"
            ))),
        }
    }

    /// The merchant's own key of this name, if it may be used so.
    pub(super) fn signing_key(&self, name: &str, usage: Usage) -> Result<&PrivateKey, Failure> {
        match self.keys.private.get(name) {
            Some(Key { key, usages }) if usages.contains(&usage) => Ok(key),
            _ => Err(Failure::UnknownKey(format!(
                "the target has no key {name:?} for the use {:?}",
                usage.as_str()
            ))),
        }
    }
}

fn one_error(field: &str, problem: &str) -> Vec<FieldError> {
    vec![FieldError {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }]
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("domain", &self.domain)
            .field("reference", &self.reference)
            .field("test", &self.test)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
