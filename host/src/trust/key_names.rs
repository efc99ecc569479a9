//! What messages call the keys that verify for a target: enough to find the target by, and no secret.

use serde_json::{Map, Value};

use super::certificate::Certificate;
use super::key::{KeyKind, Usage};
use super::manifest::Manifest;

/// The names by which messages call the keys that verify with these settings, and with the certificates that the host
/// fetched (PEM, empty for none): ids of public keys, serial numbers of certificates, and Alipay's numbers of them.
/// What cannot be read has no name.
pub fn verifying_key_names(
    manifest: &Manifest,
    settings: &Map<String, Value>,
    fetched: &str,
) -> Vec<String> {
    let given = |name: &str| settings.get(name).and_then(Value::as_str);
    let mut names = Vec::new();
    for (name, setting) in manifest.settings().iter() {
        let Some(rule) = &setting.key else { continue };
        let Some(text) = given(name).filter(|_| rule.usages.contains(&Usage::Verify)) else {
            continue;
        };
        match rule.kind {
            KeyKind::RsaPublic => {
                let id = rule.id.as_deref().and_then(given);
                names.extend(id.map(str::to_owned));
            }
            // What else is in the file certifies the first one.
            KeyKind::Certificate => names.extend(read(text).first().into_iter().flat_map(called)),
            KeyKind::RsaPrivate | KeyKind::Secret => {}
        }
    }
    names.extend(read(fetched).iter().flat_map(called));
    names
}

/// The same of certificates alone.
pub fn certificate_names(pem: &str) -> Vec<String> {
    read(pem).iter().flat_map(called).collect()
}

fn read(pem: &str) -> Vec<Certificate> {
    Certificate::parse_all(pem).unwrap_or_default()
}

fn called(certificate: &Certificate) -> [String; 2] {
    [certificate.serial().to_owned(), certificate.sn().to_owned()]
}
