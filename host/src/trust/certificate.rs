//! X.509 certificates: what they name, who issued them, and the RSA key in them.

use std::fmt;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters,
};
use md5::{Digest as _, Md5};
use x509_parser::der_parser::asn1_rs::Oid;
use x509_parser::oid_registry::{
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::key::{KeyError, PublicKey, base64, pem_blocks};

/// Signatures with RSA (PKCS #1), of any digest.
const PKCS1: &str = "1.2.840.113549.1.1.";

/// The most certificates of one setting or one answer: Alipay's roots are four.
const MAX_CERTIFICATES: usize = 16;

/// One certificate.
#[derive(Clone)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    serial: String,
    sn: String,
    issuer_name: Option<String>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    not_before_s: i64,
    not_after_s: i64,
    is_authority: bool,
    rsa_signed: bool,
    key: Option<PublicKey>,
}

impl Certificate {
    /// Reads all certificates of a PEM text; at least one. Where OpenSSL took them out of another file it wrote before
    /// each whose it is: that is passed over.
    pub(crate) fn parse_all(pem: &str) -> Result<Vec<Certificate>, KeyError> {
        if !pem.contains("-----BEGIN ") {
            return match base64(pem) {
                Err(KeyError::Archive) => Err(KeyError::Archive),
                _ => Err(KeyError::NotACertificate),
            };
        }
        let blocks = pem_blocks(&without_notes(pem))?;
        if blocks.is_empty() || blocks.len() > MAX_CERTIFICATES {
            return Err(KeyError::NotACertificate);
        }
        blocks
            .into_iter()
            .map(|(label, der)| match label.as_str() {
                "CERTIFICATE" => Certificate::from_der(der.to_vec()),
                _ => Err(KeyError::NotACertificate),
            })
            .collect()
    }

    fn from_der(der: Vec<u8>) -> Result<Certificate, KeyError> {
        let (rest, read) =
            X509Certificate::from_der(&der).map_err(|_| KeyError::NotACertificate)?;
        if !rest.is_empty() {
            return Err(KeyError::NotACertificate);
        }
        let constraints = read.basic_constraints().ok().flatten();
        Ok(Certificate {
            serial: serial(read.raw_serial()),
            sn: sn(&read),
            issuer_name: only_common_name(read.issuer()),
            subject: read.subject().as_raw().to_vec(),
            issuer: read.issuer().as_raw().to_vec(),
            not_before_s: read.validity().not_before.timestamp(),
            not_after_s: read.validity().not_after.timestamp(),
            is_authority: constraints.is_some_and(|found| found.value.ca),
            rsa_signed: read
                .signature_algorithm
                .algorithm
                .to_id_string()
                .starts_with(PKCS1),
            key: PublicKey::from_der(read.public_key().raw).ok(),
            der: der.clone(),
        })
    }

    /// The serial number in upper-case hex, a leading zero kept.
    pub(crate) fn serial(&self) -> &str {
        &self.serial
    }

    /// Alipay's own number of it: MD5 of the issuer and the decimal serial number.
    pub(crate) fn sn(&self) -> &str {
        &self.sn
    }

    /// The RSA key that it certifies.
    pub(crate) fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// It is valid at this time, in milliseconds since 1970.
    pub(crate) fn is_valid_at(&self, now_ms: u64) -> bool {
        let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        (self.not_before_s..=self.not_after_s).contains(&now_s)
    }

    /// Until when it is valid, in milliseconds since 1970; 0 for a time before that.
    pub(crate) fn ends_ms(&self) -> u64 {
        u64::try_from(self.not_after_s)
            .unwrap_or(0)
            .saturating_mul(1000)
    }

    /// Its issuer is called one of these, and nothing else besides.
    pub(crate) fn issuer_is_one_of(&self, names: &[String]) -> bool {
        self.issuer_name
            .as_ref()
            .is_some_and(|name| names.contains(name))
    }

    /// It was issued by this authority itself.
    fn is_issued_by(&self, authority: &Certificate) -> bool {
        let Some(key) = authority
            .key
            .as_ref()
            .filter(|_| authority.is_authority && authority.subject == self.issuer)
        else {
            return false;
        };
        let Ok((_, read)) = X509Certificate::from_der(&self.der) else {
            return false;
        };
        let signed = read.tbs_certificate.as_ref();
        algorithm(&read.signature_algorithm.algorithm)
            .is_some_and(|algorithm| key.verifies(algorithm, signed, &read.signature_value.data))
    }

    /// A way leads from it over `between` to one of the `roots`, all valid at this time.
    pub(crate) fn is_trusted_by(
        &self,
        roots: &[Certificate],
        between: &[Certificate],
        now_ms: u64,
    ) -> bool {
        let mut here = self;
        // Each step uses another certificate, or goes in a circle and never arrives.
        for _ in 0..=between.len() {
            if !here.is_valid_at(now_ms) {
                return false;
            }
            if roots
                .iter()
                .any(|root| root.is_valid_at(now_ms) && here.is_issued_by(root))
            {
                return true;
            }
            match between.iter().find(|step| here.is_issued_by(step)) {
                Some(step) => here = step,
                None => return false,
            }
        }
        false
    }

    /// As PEM.
    pub(crate) fn pem(&self) -> String {
        super::key::pem("CERTIFICATE", &self.der)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.serial)
    }
}

/// Alipay's number of an authority's certificates: of those that are signed with RSA, joined by `_`.
pub(crate) fn root_sn(certificates: &[Certificate]) -> String {
    let numbers: Vec<&str> = certificates
        .iter()
        .filter(|certificate| certificate.rsa_signed)
        .map(Certificate::sn)
        .collect();
    numbers.join("_")
}

fn algorithm(oid: &Oid<'_>) -> Option<&'static RsaParameters> {
    if *oid == OID_PKCS1_SHA256WITHRSA {
        Some(&RSA_PKCS1_2048_8192_SHA256)
    } else if *oid == OID_PKCS1_SHA384WITHRSA {
        Some(&RSA_PKCS1_2048_8192_SHA384)
    } else if *oid == OID_PKCS1_SHA512WITHRSA {
        Some(&RSA_PKCS1_2048_8192_SHA512)
    } else {
        None
    }
}

/// A PEM text without the lines in which OpenSSL says whose a certificate is.
fn without_notes(pem: &str) -> String {
    let is_note = |line: &&str| line.starts_with("subject=") || line.starts_with("issuer=");
    let lines = pem.lines().filter(|line| !is_note(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// DER puts a zero before a number whose first bit is set: it belongs to the sign.
fn serial(raw: &[u8]) -> String {
    hex::encode_upper(match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        other => other,
    })
}

fn sn(certificate: &X509Certificate<'_>) -> String {
    let mut named = issuer_words(certificate.issuer());
    named.push_str(&certificate.tbs_certificate.serial.to_string());
    hex::encode(Md5::digest(named))
}

/// `CN=…,OU=…,O=…,C=…`: the last part first.
fn issuer_words(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_attributes()
        .map(|attribute| {
            let word = match attribute.attr_type().to_id_string().as_str() {
                "2.5.4.3" => "CN".to_owned(),
                "2.5.4.6" => "C".to_owned(),
                "2.5.4.7" => "L".to_owned(),
                "2.5.4.8" => "ST".to_owned(),
                "2.5.4.10" => "O".to_owned(),
                "2.5.4.11" => "OU".to_owned(),
                other => other.to_owned(),
            };
            format!("{word}={}", attribute.as_str().unwrap_or_default())
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn only_common_name(name: &X509Name<'_>) -> Option<String> {
    let mut names = name.iter_common_name();
    let found = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(found)
}
