//! A provider's manifest: everything that the provider may do with money. It is static JSON beside
//! the component, and an operator approves it together with the component's digest.

mod args;
mod check;
mod error;
mod parts;
mod schemes;
mod settings;
mod templates;
mod words;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) use check::is_field;
pub use error::{ManifestError, Problem};
pub(crate) use parts::{
    AccountRule, AmountRule, Claim, CurrencyRule, IdentityRule, Reach, RefundClaim,
    RefundStateRule, RequestTrade, StateRule, Unit,
};
pub use parts::{Errand, PayType, Replies, Reply, Resend, Titles};
pub(crate) use schemes::{
    Bearer, Certificates, CertificatesAt, EncryptedCertificates, Encryption, JsonSubstring,
    KeyNames, Lines, Purpose, Scheme, SharedAlgorithm, SortedForm, SortedXml, Webhook,
};
pub use settings::{FieldError, Secrets};
pub(crate) use settings::{KeyRule, Settings, wipe};
pub(crate) use templates::{SetValue, Template, TemplateKind};

use super::gateway::Gateway;
use super::json;

/// The longest manifest that is read, in bytes: ten times what Alipay's has.
pub const MAX_BYTES: usize = 64 * 1024;

/// A manifest that was read and found sound.
#[derive(Debug)]
pub struct Manifest {
    source: String,
    name: String,
    version: String,
    title: Titles,
    pay_types: BTreeMap<String, PayType>,
    settings: Settings,
    reach: Vec<Reach>,
    schemes: BTreeMap<String, Scheme>,
    claims: BTreeMap<String, Claim>,
    refunds: BTreeMap<String, RefundClaim>,
    templates: BTreeMap<String, Template>,
    identities: BTreeMap<String, IdentityRule>,
    bill: Option<parts::BillRule>,
    refund_days: Option<u32>,
    replies: Replies,
}

impl Manifest {
    /// Reads a manifest and checks that it makes sense as a whole.
    pub fn parse(json: &[u8]) -> Result<Manifest, ManifestError> {
        if json.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge);
        }
        let text = str::from_utf8(json)
            .map_err(|_| ManifestError::NotJson("it is not UTF-8".to_owned()))?;
        // What a person reads and what the host reads must be the same.
        json::refuse_repeated_names(text)
            .map_err(|error| ManifestError::NotJson(error.to_string()))?;
        let mut track = serde_path_to_error::Track::new();
        let mut reader = serde_json::Deserializer::from_str(text);
        let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
        let written = parts::Written::deserialize(tracked).map_err(|error| {
            let path = pointer(&track.path());
            ManifestError::Invalid(vec![Problem {
                path,
                problem: error.to_string(),
            }])
        })?;
        let manifest = check::check(written)?;
        Ok(Manifest {
            source: text.to_owned(),
            ..manifest
        })
    }

    /// The JSON text that was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The platform's name, such as `zfb`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The provider's own version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What people see, by language.
    pub fn title(&self) -> &Titles {
        &self.title
    }

    /// A pay type by its full name, such as `zfb.qrcode`.
    pub fn pay_type(&self, name: &str) -> Option<&PayType> {
        self.pay_types.get(name)
    }

    /// All pay types, sorted by name.
    pub fn pay_types(&self) -> impl Iterator<Item = (&str, &PayType)> {
        self.pay_types
            .iter()
            .map(|(name, pay_type)| (name.as_str(), pay_type))
    }

    /// What the platform is answered when it notifies.
    pub fn replies(&self) -> &Replies {
        &self.replies
    }

    /// How many days after it was paid the platform gives money back; `None` where that is not known.
    pub fn refund_days(&self) -> Option<u32> {
        self.refund_days
    }

    /// The names of all claims, sorted.
    pub fn claim_names(&self) -> impl Iterator<Item = &str> {
        self.claims.keys().map(String::as_str)
    }

    /// The JSON Schema of a target's settings.
    pub fn settings_schema(&self) -> &Value {
        self.settings.schema()
    }

    /// Whether a payment by this provider needs a target with settings of the domain.
    pub fn has_settings(&self) -> bool {
        self.settings.iter().next().is_some()
    }

    /// What the manifest allows, in English lines that a person can check.
    pub fn in_words(&self) -> Vec<String> {
        words::in_words(self)
    }

    /// Checks a target's settings, secrets included: by the JSON Schema, and that every key can be
    /// read. No value is repeated in an error.
    pub fn check_settings(&self, settings: &Map<String, Value>) -> Result<(), Vec<FieldError>> {
        let mut errors = self.settings.check(settings);
        for name in self.gateway_settings() {
            let Some(text) = settings.get(name).and_then(Value::as_str) else {
                continue;
            };
            if let Err(problem) = Gateway::parse(text).map(drop) {
                errors.push(FieldError {
                    field: name.to_owned(),
                    problem: problem.to_string(),
                });
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Parts the public settings from the secret ones.
    pub fn split_settings(&self, settings: Map<String, Value>) -> (Map<String, Value>, Secrets) {
        self.settings.split(settings)
    }

    /// Whether a setting is secret; not where the manifest has none of this name.
    pub fn is_secret(&self, name: &str) -> bool {
        self.settings
            .get(name)
            .is_some_and(|setting| setting.secret)
    }

    /// The settings in which test targets name where requests go and whom there they believe.
    pub fn own_addresses(&self) -> impl Iterator<Item = &str> {
        self.gateway_settings().chain(self.authority_settings())
    }

    /// The settings in which test targets name an address of their own.
    pub(crate) fn gateway_settings(&self) -> impl Iterator<Item = &str> {
        self.reach
            .iter()
            .filter_map(|reach| reach.test_gateway.as_deref())
    }

    /// The settings in which test targets name an authority of their own.
    pub(crate) fn authority_settings(&self) -> impl Iterator<Item = &str> {
        self.reach
            .iter()
            .filter_map(|reach| reach.test_authority.as_deref())
    }

    /// The scheme by which the host signs the request for a bill that the provider found; none where it
    /// is fetched without a signature.
    pub fn bill_auth(&self) -> Option<&str> {
        self.bill.as_ref().map(|rule| rule.auth.as_str())
    }

    /// Whether a file of a bill is read as a whole, as a JSON document is, and not by its lines.
    pub fn bill_is_whole(&self) -> bool {
        self.bill.as_ref().is_some_and(|rule| rule.whole)
    }

    pub(crate) fn identities(&self) -> impl Iterator<Item = (&str, &IdentityRule)> {
        self.identities
            .iter()
            .map(|(name, rule)| (name.as_str(), rule))
    }

    /// The keys of schemes that need one of several. Where certificates come encrypted for the target it may begin
    /// without any.
    pub(crate) fn alternative_keys(&self) -> impl Iterator<Item = &KeyNames> {
        self.schemes
            .values()
            .filter_map(|scheme| match scheme {
                Scheme::SortedForm(rule) => Some((&rule.key, &rule.renewed_by)),
                Scheme::JsonSubstring(rule) => Some((&rule.key, &rule.renewed_by)),
                Scheme::Lines(rule) => Some((&rule.key, &rule.renewed_by)),
                _ => None,
            })
            .filter(|(names, renewed_by)| {
                let renewal = renewed_by.as_ref().and_then(|name| self.schemes.get(name));
                let in_the_open = matches!(
                    renewal,
                    Some(Scheme::Certificates(rule)) if matches!(rule.at, CertificatesAt::Base64(_))
                );
                names.0.len() > 1 && (renewal.is_none() || in_the_open)
            })
            .map(|(names, _)| names)
    }

    /// The certificates by which requests name the key that signs them: key and certificate.
    pub(crate) fn named_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.schemes.values().flat_map(|scheme| {
            let rule = match scheme {
                Scheme::SortedForm(rule) if rule.purpose == Purpose::Request => Some(rule),
                _ => None,
            };
            rule.into_iter().flat_map(|rule| {
                let key = rule.key.0.first().map_or("", String::as_str);
                rule.set.values().filter_map(move |value| match value {
                    SetValue::CertificateSn { name, .. } => Some((key, name.as_str())),
                    _ => None,
                })
            })
        })
    }

    /// Whether the answers to this operation bring certificates.
    pub fn renews(&self, operation: &str) -> bool {
        self.renewal(operation).is_some()
    }

    /// The scheme by which the answers to this operation bring certificates.
    pub(crate) fn renewal(&self, operation: &str) -> Option<&Certificates> {
        self.schemes.values().find_map(|scheme| match scheme {
            Scheme::Certificates(rule) if rule.operations.iter().any(|name| name == operation) => {
                Some(rule)
            }
            _ => None,
        })
    }

    pub(crate) fn schemes(&self) -> &BTreeMap<String, Scheme> {
        &self.schemes
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn reach(&self) -> &[Reach] {
        &self.reach
    }

    pub(crate) fn scheme(&self, name: &str) -> Option<&Scheme> {
        self.schemes.get(name)
    }

    pub(crate) fn claim(&self, name: &str) -> Option<&Claim> {
        self.claims.get(name)
    }

    pub(crate) fn refund_claim(&self, name: &str) -> Option<&RefundClaim> {
        self.refunds.get(name)
    }

    pub(crate) fn template(&self, name: &str) -> Option<&Template> {
        self.templates.get(name)
    }
}

/// A path within the document as a JSON Pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/?".to_owned(),
        })
        .collect()
}
