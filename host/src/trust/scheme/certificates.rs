//! `certificates`: an answer that brings the platform's certificates.
//!
//! A new key cannot vouch for itself. What speaks for a certificate is that it was encrypted for this target, or that
//! the authority of the target's settings issued it; that its issuer has the right name, and that it is valid. The
//! answer as a whole has to be signed, by a key that the target had or by one that it brings. A certificate that is
//! published for everybody comes over TLS from the platform's granted host, and verifies what proves nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::{json_substring, lines};
use crate::trust::certificate::Certificate;
use crate::trust::json::Object;
use crate::trust::key::{PublicKey, Usage};
use crate::trust::manifest::{
    Certificates, CertificatesAt, EncryptedCertificates, Manifest, Scheme,
};
use crate::trust::message::{Failure, Message, Origin};
use crate::trust::pointer::Pointer;
use crate::trust::sealed;
use crate::trust::target::Target;

/// The most certificates of one answer.
const MAX: usize = 8;

/// Takes the platform's certificates out of an answer, checks them, and keeps them with the target. Gives the serial
/// numbers of those that came.
pub async fn renew(
    manifest: &Manifest,
    target: &Target,
    message: &Message,
    scheme: &str,
    now_ms: u64,
) -> Result<Vec<String>, Failure> {
    let renewed = keep(manifest, target, message, scheme, now_ms).await;
    target.platform.asked();
    renewed
}

async fn keep(
    manifest: &Manifest,
    target: &Target,
    message: &Message,
    scheme: &str,
    now_ms: u64,
) -> Result<Vec<String>, Failure> {
    let new = checked(manifest, target, message, scheme, now_ms)?;
    let serials = new.iter().map(|new| new.serial().to_owned()).collect();
    target
        .platform
        .add(new, now_ms)
        .await
        .map_err(|why| Failure::Malformed(format!("the certificates could not be kept: {why}")))?;
    Ok(serials)
}

/// The certificates of an answer that may be believed.
pub(crate) fn checked(
    manifest: &Manifest,
    target: &Target,
    message: &Message,
    scheme: &str,
    now_ms: u64,
) -> Result<Vec<Certificate>, Failure> {
    let Some(Scheme::Certificates(rule)) = manifest.scheme(scheme) else {
        return Err(Failure::UnknownScheme(format!(
            "{scheme:?} is not a scheme that renews keys"
        )));
    };
    let in_the_open = matches!(rule.at, CertificatesAt::Pem);
    match &message.origin {
        Origin::Answer {
            operation, signed, ..
        } if rule.operations.contains(operation) && (*signed || in_the_open) => {}
        _ => {
            return Err(Failure::UnknownScheme(format!(
                "the scheme {scheme:?} is for signed answers to {}",
                rule.operations.join(" and ")
            )));
        }
    }
    let body = str::from_utf8(&message.body)
        .map_err(|_| Failure::Malformed("the answer is not UTF-8".to_owned()))?;
    let answer = match &rule.answer {
        Some(name) => Some(Answer::of(manifest, name, message, body)?),
        None => None,
    };
    let stated = match &answer {
        Some(answer) => answer.stated(target)?,
        None => body.to_owned(),
    };
    let brought = match &rule.at {
        CertificatesAt::Encrypted(list) => decrypted(list, target, &stated)?,
        CertificatesAt::Base64(pointer) => vec![decoded(&stated, pointer)?],
        CertificatesAt::Pem => vec![
            Certificate::parse_all(&stated)
                .map_err(|error| Failure::Malformed(error.to_string()))?,
        ],
    };
    let mut good = Vec::new();
    for chain in brought {
        let Some((leaf, between)) = chain.split_first() else {
            continue;
        };
        if is_good(rule, target, leaf, between, now_ms) {
            good.push(leaf.clone());
        }
    }
    if good.is_empty() {
        return Err(Failure::Malformed(
            "no certificate came that is valid now, and issued by whom the manifest names"
                .to_owned(),
        ));
    }
    if let Some(answer) = answer {
        answer.check(target, message, &good, now_ms)?;
    }
    Ok(good)
}

fn is_good(
    rule: &Certificates,
    target: &Target,
    leaf: &Certificate,
    between: &[Certificate],
    now_ms: u64,
) -> bool {
    let authority = rule
        .authority
        .as_ref()
        .and_then(|name| target.keys.certificates(name, Usage::Issuer));
    // Without an authority only the target's own secret can speak for it, or the platform's own TLS.
    let trusted = match (authority, &rule.at) {
        (Some(roots), _) => leaf.is_trusted_by(roots, between, now_ms),
        (None, CertificatesAt::Encrypted(_) | CertificatesAt::Pem) => true,
        (None, CertificatesAt::Base64(_)) => false,
    };
    trusted
        && leaf.is_valid_at(now_ms)
        && (rule.issuer.is_empty() || leaf.issuer_is_one_of(&rule.issuer))
        && leaf.key().is_some()
}

/// How the answer is signed.
enum Answer<'a> {
    Lines(
        lines::Signed<'a>,
        &'a crate::trust::manifest::Lines,
        &'a str,
    ),
    Substring(
        json_substring::Extract<'a>,
        &'a crate::trust::manifest::JsonSubstring,
    ),
}

impl<'a> Answer<'a> {
    fn of(
        manifest: &'a Manifest,
        scheme: &str,
        message: &'a Message,
        body: &'a str,
    ) -> Result<Answer<'a>, Failure> {
        match manifest.scheme(scheme) {
            Some(Scheme::Lines(lines)) => Ok(Answer::Lines(
                lines::Signed::of(lines, message)?,
                lines,
                body,
            )),
            Some(Scheme::JsonSubstring(substring)) => Ok(Answer::Substring(
                json_substring::extract_of(substring, message, body)?,
                substring,
            )),
            _ => Err(Failure::UnknownScheme(format!(
                "{scheme:?} is not a scheme for such answers"
            ))),
        }
    }

    fn stated(&self, target: &Target) -> Result<String, Failure> {
        match self {
            Answer::Lines(_, _, body) => Ok((*body).to_owned()),
            Answer::Substring(extract, rule) => {
                json_substring::opened(rule, target, extract.content)
            }
        }
    }

    /// Checks the signature with the target's keys and the new ones.
    fn check(
        &self,
        target: &Target,
        message: &Message,
        new: &[Certificate],
        now_ms: u64,
    ) -> Result<(), Failure> {
        let (keys, id, text, signature) = match self {
            Answer::Lines(signed, rule, _) => {
                signed.check_time(rule, now_ms)?;
                let text = signed.text(message);
                (&rule.key, Some(signed.serial), text, signed.signature)
            }
            Answer::Substring(extract, rule) => (
                &rule.key,
                extract.serial.as_deref(),
                extract.content.as_bytes().to_vec(),
                extract.signature.as_str(),
            ),
        };
        let brought = new
            .iter()
            .filter(|new| id.is_none_or(|id| new.serial() == id || new.sn() == id))
            .filter_map(|new| new.key().cloned());
        let known = target.verifying_keys(keys, true, id, now_ms);
        let known = known.or_else(|failure| match new.is_empty() {
            true => Err(failure),
            false => Ok(Vec::new()),
        })?;
        let mut all: Vec<PublicKey> = known;
        all.extend(brought);
        if all.iter().any(|key| key.verify(&text, signature).is_ok()) {
            Ok(())
        } else {
            Err(Failure::BadSignature)
        }
    }
}

/// Each item of the list, decrypted; one that is not what it says is passed over with all others.
fn decrypted(
    rule: &EncryptedCertificates,
    target: &Target,
    stated: &str,
) -> Result<Vec<Vec<Certificate>>, Failure> {
    let EncryptedCertificates {
        list,
        key,
        serial,
        ciphertext,
        nonce,
        associated_data,
    } = rule;
    let malformed = |what: String| Failure::Malformed(what);
    let missing = |pointer: &Pointer| malformed(format!("the answer has nothing at {pointer}"));
    let whole = Object::parse(stated).map_err(|error| malformed(error.to_string()))?;
    let items = whole
        .raw_at(list)
        .map_err(|error| malformed(error.to_string()))?
        .ok_or_else(|| missing(list))?;
    let items: Vec<&RawValue> =
        serde_json::from_str(items).map_err(|error| malformed(error.to_string()))?;
    if items.len() > MAX {
        return Err(malformed(format!("more than {MAX} certificates came")));
    }
    let key = target.keys.secret(key, Usage::Decrypt)?;
    let mut brought = Vec::new();
    for item in items {
        let item = Object::parse(item.get()).map_err(|error| malformed(error.to_string()))?;
        let text = |pointer: &Pointer| {
            let found = item
                .at(pointer)
                .map_err(|error| malformed(error.to_string()))?;
            found.text().ok_or_else(|| missing(pointer))
        };
        let aad = item
            .at(associated_data)
            .map_err(|error| malformed(error.to_string()))?;
        let pem = sealed::open_gcm(
            key,
            &text(nonce)?,
            &aad.text().unwrap_or_default(),
            &text(ciphertext)?,
        )?;
        let chain = Certificate::parse_all(&pem).map_err(|error| malformed(error.to_string()))?;
        let stated = text(serial)?;
        if chain.first().map(Certificate::serial) != Some(stated.as_str()) {
            return Err(malformed(
                "a certificate has another serial number than the answer says".to_owned(),
            ));
        }
        brought.push(chain);
    }
    Ok(brought)
}

fn decoded(stated: &str, pointer: &Pointer) -> Result<Vec<Certificate>, Failure> {
    let malformed = |what: String| Failure::Malformed(what);
    let whole = Object::parse(stated).map_err(|error| malformed(error.to_string()))?;
    let text = whole
        .at(pointer)
        .map_err(|error| malformed(error.to_string()))?
        .text()
        .ok_or_else(|| malformed(format!("the answer has nothing at {pointer}")))?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| malformed("the certificates are not base64".to_owned()))?;
    let pem = String::from_utf8(bytes)
        .map_err(|_| malformed("the certificates are not PEM".to_owned()))?;
    Certificate::parse_all(&pem).map_err(|error| malformed(error.to_string()))
}
