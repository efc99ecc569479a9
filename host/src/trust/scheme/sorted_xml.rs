//! `sorted-xml`: the fields of a flat XML document, sorted by name and joined as `name=value&…`, with a secret that
//! both sides have behind them (WeChat Pay's v2).
//!
//! Whoever can have a request signed can have anything signed that looks like a notification: only an answer counts,
//! since the host itself asked for it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::sorted_form;
use crate::trust::key::Usage;
use crate::trust::manifest::{SharedAlgorithm, SortedXml};
use crate::trust::message::{Failure, Message, Statement};
use crate::trust::target::Target;
use crate::trust::{scheme, set_value, xml};

/// The root of every document.
pub(crate) const ROOT: &str = "xml";

/// What is computed of text and secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Digest {
    Md5,
    HmacSha256,
}

/// The digest that the target's settings ask for.
fn digest_of(algorithm: &SharedAlgorithm, target: &Target) -> Result<Digest, String> {
    let name = match algorithm {
        SharedAlgorithm::Md5 => return Ok(Digest::Md5),
        SharedAlgorithm::HmacSha256 => return Ok(Digest::HmacSha256),
        SharedAlgorithm::Setting(name) => name,
    };
    match target.setting(name).as_deref() {
        None | Some("" | "MD5") => Ok(Digest::Md5),
        Some("HMAC-SHA256") => Ok(Digest::HmacSha256),
        Some(_) => Err(format!("the setting {name} must be MD5 or HMAC-SHA256")),
    }
}

/// The signature in upper-case hex.
pub(crate) fn sign(digest: Digest, signed: &sorted_form::Signed<'_>, secret: &str) -> String {
    let mut text = Zeroizing::new(sorted_form::text(signed));
    text.push_str("&key=");
    text.push_str(secret);
    match digest {
        Digest::Md5 => hex::encode_upper(Md5::digest(text.as_bytes())),
        Digest::HmacSha256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hex::encode_upper(hmac::sign(&key, text.as_bytes()))
        }
    }
}

/// Completes and signs the body of a request; the fields are read by `xml`.
pub(crate) fn complete(
    rule: &SortedXml,
    target: &Target,
    mut fields: xml::Fields,
) -> Result<Vec<u8>, String> {
    for (field, value) in &rule.set {
        if let Some(text) = set_value::resolve(value, target)? {
            fields.push((field.clone(), text));
        }
    }
    if let Some(nonce) = &rule.nonce {
        fields.push((nonce.clone(), super::lines::nonce()?));
    }
    let digest = digest_of(&rule.algorithm, target)?;
    let secret = target
        .keys
        .secret(&rule.key, Usage::Request)
        .map_err(|failure| failure.to_string())?;
    let signed = sorted_form::signed(pairs(&fields), &[]);
    if sorted_form::ambiguous(&signed).is_some() {
        return Err("a value of the request can be read as several fields".to_owned());
    }
    let signature = sign(digest, &signed, secret);
    fields.push((rule.signature.clone(), signature));
    Ok(xml::write(ROOT, pairs(&fields)).into_bytes())
}

/// Checks an answer to a request of the host's own.
pub(super) fn verify(
    rule: &SortedXml,
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
) -> Result<Statement, Failure> {
    scheme::require_utf8(message)?;
    let fields =
        xml::read(&message.body, ROOT).map_err(|error| Failure::Malformed(error.to_string()))?;
    let signature = fields
        .iter()
        .find(|(name, _)| *name == rule.signature)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Failure::Malformed(format!("the XML has no {}", rule.signature)))?;
    let signed = sorted_form::signed(pairs(&fields), std::slice::from_ref(&rule.signature));
    if let Some(field) = sorted_form::ambiguous(&signed) {
        return Err(Failure::Malformed(format!(
            "{field:?} can be read as several fields"
        )));
    }
    let digest = digest_of(&rule.algorithm, target).map_err(Failure::Malformed)?;
    let secret = target.keys.secret(&rule.key, Usage::Verify)?;
    let right = sign(digest, &signed, secret);
    verify_slices_are_equal(right.as_bytes(), signature.as_bytes())
        .map_err(|_| Failure::BadSignature)?;
    let stated = signed
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Ok(Statement::of_form(
        stated,
        provider,
        target,
        name,
        &message.origin,
    ))
}

fn pairs(fields: &xml::Fields) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}
