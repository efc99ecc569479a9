//! The certificates by which webhooks are verified: an authority, and what it issues.
//!
//! PayPal serves its certificates at `/v1/notifications/certs/{id}` and names the one that holds
//! in `PAYPAL-CERT-URL`. Theirs come from a public authority; here the platform has one of its
//! own, whose root each account is given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize, SigningKey as _,
};
use time::Duration;

use super::clock;
use super::numbers::Numbers;

/// The name that PayPal's certificates carry.
const SUBJECT: &str = "messageverificationcerts.sandbox.paypal.com";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A key or a certificate cannot be made.
    #[error("a key or a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// The making was interrupted.
    #[error("the making of a certificate was interrupted")]
    Interrupted,
}

/// Who issues certificates.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(super) struct SigningCertificate {
    /// The last part of its address.
    pub(super) id: String,
    /// The certificate, and the authority's after it.
    pub(super) pem: String,
    pub(super) validity: Validity,
    key: KeyPair,
}

/// How long a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// From yesterday for a year.
    Now,
    /// It ended yesterday.
    Over,
}

impl Authority {
    /// Makes an authority. Takes some tenths of a second: not for an async thread.
    pub(super) fn new(name: &str) -> Result<Authority, CertificateError> {
        let mut params = params(name, Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Authority(CertifiedIssuer::self_signed(params, key()?)?))
    }

    /// The root, as PEM.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate with a new key. Takes some tenths of a second.
    pub(super) fn issue(
        &self,
        numbers: &Numbers,
        validity: Validity,
    ) -> Result<SigningCertificate, CertificateError> {
        let mut params = params(SUBJECT, validity);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(SUBJECT.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = key()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(SigningCertificate {
            id: numbers.certificate_id(),
            pem: format!("{}{}", certificate.pem(), self.pem()),
            validity,
            key,
        })
    }
}

impl SigningCertificate {
    /// Signs a text; base64. An empty text comes back only if RSA itself failed, and nothing
    /// verifies it.
    pub(super) fn sign(&self, text: &str) -> String {
        match self.key.sign(text.as_bytes()) {
            Ok(signature) => STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }

    /// The key's SubjectPublicKeyInfo.
    pub(super) fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }
}

fn key() -> Result<KeyPair, CertificateError> {
    Ok(KeyPair::generate_rsa_for(
        &PKCS_RSA_SHA256,
        RsaKeySize::_2048,
    )?)
}

fn params(name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (part, value) in [
        (DnType::CountryName, "US"),
        (DnType::OrganizationName, "Simulated PayPal"),
        (DnType::CommonName, name),
    ] {
        params.distinguished_name.push(part, value);
    }
    params.use_authority_key_identifier_extension = true;
    let now = clock::now();
    let (from, until) = match validity {
        Validity::Now => (now - Duration::DAY, now + Duration::days(365)),
        Validity::Over => (now - Duration::days(366), now - Duration::DAY),
    };
    params.not_before = from;
    params.not_after = until;
    params
}

#[cfg(test)]
mod tests {
    use super::super::signing;
    use super::*;

    #[test]
    fn a_certificates_key_signs_what_its_public_half_verifies() {
        let numbers = Numbers::new().unwrap();
        let authority = Authority::new("Simulated PayPal Root").unwrap();
        let one = authority.issue(&numbers, Validity::Now).unwrap();
        let other = authority.issue(&numbers, Validity::Over).unwrap();
        let signature = one.sign("text");
        assert_eq!(signature.len(), 344);
        assert!(signing::verifies(&one.public_key(), "text", &signature));
        assert!(!signing::verifies(&one.public_key(), "texts", &signature));
        assert!(!signing::verifies(&other.public_key(), "text", &signature));
        assert_eq!(one.pem.matches("BEGIN CERTIFICATE").count(), 2);
        assert!(one.pem.ends_with(&authority.pem()) && one.id != other.id);
    }
}
