//! A domain's account at a platform, with its keys read and ready. Keys never leave it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::certificate::Certificate;
use super::gateway::Gateway;
use super::key::{PublicKey, private_pem};
use super::keyring::Keyring;
use super::manifest::{FieldError, KeyNames, Manifest, Secrets, wipe};
use super::message::Failure;
use super::platform_keys::{KeepCertificates, PlatformKeys};
use super::tls::Tls;
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
    identities: BTreeMap<String, Arc<str>>,
    pub(super) keys: Keyring,
    pub(super) platform: PlatformKeys,
}

/// Until when a certificate is valid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateEnd {
    /// The setting that it stands in.
    pub setting: String,
    /// Milliseconds since 1970.
    pub ends_ms: u64,
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
                identities: BTreeMap::new(),
                keys: Keyring::read(manifest, &whole)?,
                platform: PlatformKeys::default(),
            };
            target.keys.has_what_is_needed(manifest)?;
            target.read_identities(manifest, &whole)?;
            target.read_gateways(manifest)?;
            Ok(target)
        });
        whole.values_mut().for_each(wipe);
        assembled
    }

    /// With certificates that the host fetched from the platform earlier (PEM, empty for none), and with somebody
    /// who keeps those that come. What cannot be read any more is fetched again.
    #[must_use]
    pub fn with_certificates(self, kept: &str, keeper: Arc<dyn KeepCertificates>) -> Target {
        let certificates = Certificate::parse_all(kept).unwrap_or_default();
        Target {
            platform: PlatformKeys::new(certificates, Some(keeper)),
            ..self
        }
    }

    fn read_identities(
        &mut self,
        manifest: &Manifest,
        whole: &Map<String, Value>,
    ) -> Result<(), Vec<FieldError>> {
        for (name, rule) in manifest.identities() {
            let text = |setting: &str| whole.get(setting).and_then(Value::as_str);
            let (Some(certificate), Some(key)) = (text(&rule.certificate), text(&rule.key)) else {
                continue;
            };
            if !self.keys.is_pair(&rule.key, &rule.certificate) {
                let problem = format!("it is not the certificate of the key {:?}", rule.key);
                return Err(one_error(&rule.certificate, &problem));
            }
            let key = private_pem(key).map_err(|error| one_error(&rule.key, &error.to_string()))?;
            let mut both =
                zeroize::Zeroizing::new(String::with_capacity(certificate.len() + key.len() + 1));
            both.push_str(certificate.trim());
            both.push('\n');
            both.push_str(&key);
            self.identities
                .insert(name.to_owned(), Arc::from(both.as_str()));
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
        for name in manifest.authority_settings() {
            if !self.test && self.setting(name).is_some_and(|text| !text.is_empty()) {
                return Err(one_error(
                    name,
                    "only a test target may have an authority of its own",
                ));
            }
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

    /// Until when the certificates of the settings are valid. Those that the host fetches itself it renews by itself.
    pub fn certificates_end(&self) -> Vec<CertificateEnd> {
        let ends = self
            .keys
            .ends_ms()
            .map(|(setting, ends_ms)| CertificateEnd {
                setting: setting.to_owned(),
                ends_ms,
            });
        ends.collect()
    }

    /// All public settings.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    pub(super) fn gateway(&self, setting: &str) -> Option<&Gateway> {
        self.gateways.get(setting)
    }

    /// What a connection of this target's own needs: the client certificate of this name, and the
    /// authority in this setting. `None` where it needs neither.
    pub(super) fn tls(
        &self,
        identity: Option<&str>,
        authority: Option<&str>,
    ) -> Result<Option<Tls>, String> {
        let identity_pem = match identity {
            None => None,
            Some(name) => Some(self.identities.get(name).cloned().ok_or_else(|| {
                format!("the target has no client certificate {name:?}: put it into its settings")
            })?),
        };
        let authority_pem = authority
            .and_then(|name| self.setting(name))
            .filter(|text| !text.is_empty());
        if identity_pem.is_none() && authority_pem.is_none() {
            return Ok(None);
        }
        let TargetRef {
            platform,
            name,
            version,
        } = &self.reference;
        let named = identity.unwrap_or_default();
        let owner = format!("{}/{platform}/{name}/{version}/{named}", self.domain);
        Ok(Some(Tls {
            owner,
            identity_pem,
            authority_pem,
        }))
    }

    /// The platform's keys of these names, or the ones that the host fetched where `renewed`. With an id, those
    /// that have it.
    pub(super) fn verifying_keys(
        &self,
        names: &KeyNames,
        renewed: bool,
        id: Option<&str>,
        now_ms: u64,
    ) -> Result<Vec<PublicKey>, Failure> {
        let mut found = self.keys.verifying(names, id, now_ms);
        if renewed {
            found.extend(
                self.platform
                    .certificates()
                    .iter()
                    .filter(|kept| kept.is_valid_at(now_ms))
                    .filter(|kept| id.is_none_or(|id| kept.serial() == id || kept.sn() == id))
                    .filter_map(|kept| kept.key().cloned()),
            );
        }
        if found.is_empty() {
            let id: String = id.unwrap_or_default().chars().take(64).collect();
            return Err(Failure::UnknownKey(match id.as_str() {
                "" => format!("the target has no key {names} to verify with"),
                id => format!("the target has no key {id} to verify with"),
            }));
        }
        Ok(found)
    }

    /// The keys of all certificates that the host fetched and that are valid now.
    pub(super) fn fetched_keys(&self, now_ms: u64) -> Vec<PublicKey> {
        let certificates = self.platform.certificates();
        let valid = certificates.iter().filter(|kept| kept.is_valid_at(now_ms));
        valid.filter_map(|kept| kept.key().cloned()).collect()
    }

    /// Checks a signature in base64 by one of the keys that are meant.
    pub(super) fn check_signature(
        &self,
        names: &KeyNames,
        renewed: bool,
        id: Option<&str>,
        signed: (&[u8], &str),
        now_ms: u64,
    ) -> Result<(), Failure> {
        let keys = self.verifying_keys(names, renewed, id, now_ms)?;
        let (text, signature) = signed;
        if keys.iter().any(|key| key.verify(text, signature).is_ok()) {
            Ok(())
        } else {
            Err(Failure::BadSignature)
        }
    }

    /// Whether the platform may be asked for its certificates now.
    pub(super) fn may_renew(&self, now_ms: u64) -> bool {
        self.platform.may_ask(now_ms)
    }

    /// The platform was asked for its certificates and gave none.
    pub fn not_renewed(&self) {
        self.platform.asked();
    }

    /// Waits while somebody asks the platform for its certificates. It may not end: whoever asks may never read what
    /// came.
    pub async fn renewed(&self) {
        self.platform.until_asked().await;
    }
}

pub(super) fn one_error(field: &str, problem: &str) -> Vec<FieldError> {
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
