//! Certificates as Alipay reads them: the numbers that name them, and the keys in them.
//!
//! | number | of |
//! |---|---|
//! | `app_cert_sn`, `alipay_cert_sn` | the first certificate of a file: MD5 over its issuer's name and its serial number |
//! | `alipay_root_cert_sn` | every certificate of the root file that is signed with RSA, joined by `_` |
//!
//! The issuer's name is written from the last attribute to the first, `CN=…,OU=…,O=…,C=…`; the
//! serial number in decimal digits; the MD5 in 32 lower-case hex digits.

use md5::{Digest as _, Md5};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

use super::signing::VerifyingKey;

/// Signature algorithms of RSA begin with this: PKCS#1.
const RSA_SIGNATURES: &str = "1.2.840.113549.1.1.";

/// The text holds no certificate that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no readable certificate")]
pub struct CertificateError;

/// `app_cert_sn` or `alipay_cert_sn`: the number of a file's first certificate.
///
/// # Errors
/// [`CertificateError`] when there is none.
pub fn cert_sn(pem: &str) -> Result<String, CertificateError> {
    let first = blocks(pem).next().ok_or(CertificateError)??;
    number(&first.parse_x509().map_err(|_| CertificateError)?)
}

/// `alipay_root_cert_sn`: the numbers of a file's certificates that are signed with RSA.
///
/// # Errors
/// [`CertificateError`] when one cannot be read, or none is signed with RSA.
pub fn root_cert_sn(pem: &str) -> Result<String, CertificateError> {
    let mut numbers = Vec::new();
    for block in blocks(pem) {
        let block = block?;
        let certificate = block.parse_x509().map_err(|_| CertificateError)?;
        let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
        if algorithm.starts_with(RSA_SIGNATURES) {
            numbers.push(number(&certificate)?);
        }
    }
    if numbers.is_empty() {
        return Err(CertificateError);
    }
    Ok(numbers.join("_"))
}

/// The public key in a file's first certificate. Whether somebody trusted signed the certificate
/// is not looked at.
///
/// # Errors
/// [`CertificateError`] when there is none.
pub fn public_key(pem: &str) -> Result<VerifyingKey, CertificateError> {
    let first = blocks(pem).next().ok_or(CertificateError)??;
    let certificate = first.parse_x509().map_err(|_| CertificateError)?;
    Ok(VerifyingKey::from_der(
        certificate.public_key().raw.to_vec(),
    ))
}

fn blocks(pem: &str) -> impl Iterator<Item = Result<Pem, CertificateError>> {
    Pem::iter_from_buffer(pem.as_bytes()).map(|block| block.map_err(|_| CertificateError))
}

fn number(certificate: &X509Certificate<'_>) -> Result<String, CertificateError> {
    let mut attributes = Vec::new();
    for attribute in certificate.issuer().iter_attributes() {
        let name =
            oid2abbrev(attribute.attr_type(), oid_registry()).map_err(|_| CertificateError)?;
        let value = attribute.as_str().map_err(|_| CertificateError)?;
        attributes.push(format!("{name}={value}"));
    }
    attributes.reverse();
    let text = format!(
        "{}{}",
        attributes.join(","),
        certificate.tbs_certificate.serial
    );
    Ok(hex::encode(Md5::digest(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn published_certificates_have_their_published_numbers() {
        let file: Value = serde_json::from_str(include_str!("../../vectors/alipay.json")).unwrap();
        let mut seen = 0;
        for vector in file["vectors"].as_array().unwrap() {
            let inputs = &vector["inputs"];
            let number = match vector["rule"].as_str().unwrap() {
                "certificate" => cert_sn(inputs["certificate_pem"].as_str().unwrap()),
                "root_certificate" => root_cert_sn(inputs["root_cert_pem"].as_str().unwrap()),
                _ => continue,
            };
            assert_eq!(
                number.as_deref(),
                Ok(vector["expected"]["sn"].as_str().unwrap())
            );
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn what_is_no_certificate_has_no_number() {
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "no PEM", garbage] {
            assert_eq!(cert_sn(text), Err(CertificateError), "{text}");
            assert_eq!(root_cert_sn(text), Err(CertificateError), "{text}");
            assert!(public_key(text).is_err(), "{text}");
        }
    }
}
