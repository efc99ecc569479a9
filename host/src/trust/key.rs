//! RSA keys: read in the forms in which platforms and their tools give them, used inside the host
//! only, and never shown. Beside them what kinds of keys there are, and what each is used for.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, PublicKey as RsaPublicKey};
use aws_lc_rs::signature::{self, KeyPair as _, ParsedPublicKey, RsaParameters, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::archive::is_archive;

/// The longest text that is tried as a key: an RSA key of 8192 bits in PEM has half of it.
const MAX_KEY_TEXT: usize = 16 * 1024;

/// What a setting's key is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyKind {
    /// The merchant's own RSA key; always a secret.
    RsaPrivate,
    /// The platform's RSA key.
    RsaPublic,
    /// A secret that both sides have, its bytes as they are written.
    Secret,
    /// A certificate, or several, in PEM.
    Certificate,
}

/// What a key may be used for; nothing else is done with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Usage {
    /// Signing requests to the platform.
    Request,
    /// Verifying what the platform signed.
    Verify,
    /// Decrypting what the platform encrypted for the target.
    Decrypt,
    /// Signing templates for the buyer's client.
    Client,
    /// Showing who the target is in mutual TLS.
    Identity,
    /// Being the authority that the platform's new certificates come from.
    Issuer,
    /// Being the authority for TLS at a test target's own address.
    Authority,
}

impl KeyKind {
    /// Whether a key of this kind can be used so at all.
    pub(crate) fn allows(self, usage: Usage) -> bool {
        match self {
            KeyKind::RsaPrivate => matches!(
                usage,
                Usage::Request | Usage::Decrypt | Usage::Client | Usage::Identity
            ),
            KeyKind::RsaPublic => usage == Usage::Verify,
            KeyKind::Secret => matches!(usage, Usage::Request | Usage::Verify | Usage::Decrypt),
            KeyKind::Certificate => !matches!(usage, Usage::Decrypt | Usage::Client),
        }
    }

    /// Whether nobody but the host may see it.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, KeyKind::RsaPrivate | KeyKind::Secret)
    }

    /// As the manifest writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            KeyKind::RsaPrivate => "rsa-private",
            KeyKind::RsaPublic => "rsa-public",
            KeyKind::Secret => "secret",
            KeyKind::Certificate => "certificate",
        }
    }
}

impl Usage {
    /// As the manifest writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Usage::Request => "request",
            Usage::Verify => "verify",
            Usage::Decrypt => "decrypt",
            Usage::Client => "client",
            Usage::Identity => "identity",
            Usage::Issuer => "issuer",
            Usage::Authority => "authority",
        }
    }
}

/// Why a text is not the key that was asked for. No part of the text is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("this is no key: give it in PEM, or as the base64 text that the platform's tool shows")]
    NotAKey,
    #[error("this is a certificate: give the public key that is in it")]
    Certificate,
    #[error("this private key is encrypted: give it without a passphrase")]
    Encrypted,
    #[error("this is a public key: give the private key")]
    Public,
    #[error("this is a private key: give the platform's public key, and keep this one secret")]
    Private,
    #[error("this is no certificate: give it in PEM, all of them one after the other")]
    NotACertificate,
    #[error(
        "this is a PKCS #12 archive (.p12): give its key and its certificate in PEM; they come beside it, such as \
         apiclient_key.pem and apiclient_cert.pem"
    )]
    Archive,
    #[error("this RSA key has {0} bits: give one of 2048 to 8192")]
    Size(usize),
}

/// An RSA private key, which signs with PKCS #1 v1.5 and SHA-256.
pub(crate) struct PrivateKey(KeyPair);

/// An RSA public key, which verifies the same.
#[derive(Clone)]
pub(crate) struct PublicKey {
    parsed: ParsedPublicKey,
    plain: RsaPublicKey,
}

/// The platform's signature does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadSignature;

impl PrivateKey {
    /// Reads PKCS #8 or PKCS #1, in PEM or as bare base64 (Alipay's tool gives both so).
    pub(crate) fn parse(text: &str) -> Result<PrivateKey, KeyError> {
        let der = der(text)?;
        let pair = KeyPair::from_pkcs8(&der)
            .or_else(|_| KeyPair::from_der(&der))
            .map_err(|_| match RsaPublicKey::from_der(&der) {
                Ok(_) => KeyError::Public,
                Err(_) => KeyError::NotAKey,
            })?;
        let bits = pair.public_modulus_len() * 8;
        if (2048..=8192).contains(&bits) {
            Ok(PrivateKey(pair))
        } else {
            Err(KeyError::Size(bits))
        }
    }

    /// The signature in base64; `None` when the library fails, which it does not for a key it read.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<String> {
        let mut signed = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &signature::RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signed,
            )
            .ok()?;
        Some(STANDARD.encode(signed))
    }

    /// Whether `other` is the public half of this key.
    pub(crate) fn is_pair_of(&self, other: &PublicKey) -> bool {
        self.0.public_key().as_ref() == other.plain.as_ref()
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo or PKCS #1, in PEM or as bare base64.
    pub(crate) fn parse(text: &str) -> Result<PublicKey, KeyError> {
        PublicKey::from_der(&der(text)?)
    }

    /// Reads the same in DER.
    pub(crate) fn from_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        let plain = RsaPublicKey::from_der(der).map_err(|_| {
            match KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der)) {
                Ok(_) => KeyError::Private,
                Err(_) => KeyError::NotAKey,
            }
        })?;
        let bits = plain.modulus_len() * 8;
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::Size(bits));
        }
        let parsed = ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, plain.as_ref())
            .map_err(|_| KeyError::NotAKey)?;
        Ok(PublicKey { parsed, plain })
    }

    /// Checks a signature given in base64. What is no base64 is a bad signature: WeChat probes with
    /// such ones.
    pub(crate) fn verify(&self, message: &[u8], signature: &str) -> Result<(), BadSignature> {
        let signature = STANDARD.decode(signature).map_err(|_| BadSignature)?;
        self.parsed
            .verify_sig(message, &signature)
            .map_err(|_| BadSignature)
    }
}

impl PublicKey {
    /// Checks a signature of another digest, given in its bytes.
    pub(crate) fn verifies(
        &self,
        algorithm: &'static RsaParameters,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, self.plain.as_ref())
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PrivateKey(RSA, {} bits)",
            self.0.public_modulus_len() * 8
        )
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(RSA)")
    }
}

/// The DER inside a PEM block or a bare base64 text.
fn der(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text.trim();
    if !text.starts_with("-----BEGIN ") {
        return base64(text);
    }
    let mut blocks = pem_blocks(text)?;
    let (label, der) = blocks.pop().ok_or(KeyError::NotAKey)?;
    // More behind the block would be a second key of which nobody knows that it is ignored.
    if !blocks.is_empty() {
        return Err(KeyError::NotAKey);
    }
    match label.as_str() {
        "CERTIFICATE" => Err(KeyError::Certificate),
        _ => Ok(der),
    }
}

/// A label and the DER below it.
type Block = (String, Zeroizing<Vec<u8>>);

/// The blocks of a PEM text with their labels, and nothing between them.
pub(crate) fn pem_blocks(text: &str) -> Result<Vec<Block>, KeyError> {
    let mut rest = text.trim();
    if rest.len() > MAX_KEY_TEXT {
        return Err(KeyError::NotAKey);
    }
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let begun = rest.strip_prefix("-----BEGIN ").ok_or(KeyError::NotAKey)?;
        let (label, begun) = begun.split_once("-----").ok_or(KeyError::NotAKey)?;
        let (body, end) = begun.split_once("-----END ").ok_or(KeyError::NotAKey)?;
        let behind = end
            .strip_prefix(label)
            .and_then(|end| end.strip_prefix("-----"))
            .ok_or(KeyError::NotAKey)?;
        if label == "ENCRYPTED PRIVATE KEY" || body.contains("Proc-Type:") {
            return Err(KeyError::Encrypted);
        }
        blocks.push((label.to_owned(), base64(body)?));
        rest = behind.trim_start();
    }
    Ok(blocks)
}

/// The bytes of a base64 text that has the size of a key.
pub(crate) fn base64(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if text.is_empty() || text.len() > MAX_KEY_TEXT {
        return Err(KeyError::NotAKey);
    }
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    compact.extend(text.bytes().filter(|b| !b.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; compact.len()]);
    let len = STANDARD
        .decode_slice(compact.as_slice(), der.as_mut_slice())
        .map_err(|_| KeyError::NotAKey)?;
    der.truncate(len);
    if is_archive(&der) {
        return Err(KeyError::Archive);
    }
    Ok(der)
}

/// Writes DER as a PEM block.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// A private key in the PEM form that TLS reads.
pub(crate) fn private_pem(text: &str) -> Result<Zeroizing<String>, KeyError> {
    let der = der(text)?;
    let label = match KeyPair::from_pkcs8(&der) {
        Ok(_) => "PRIVATE KEY",
        Err(_) => "RSA PRIVATE KEY",
    };
    Ok(Zeroizing::new(pem(label, &der)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::tests::{merchant, platform};

    #[test]
    fn keys_come_in_every_form_that_tools_give() {
        let keys = merchant();
        let signature = PrivateKey::parse(&keys.pkcs8_pem)
            .unwrap()
            .sign(b"x")
            .unwrap();
        for text in [&keys.pkcs8_base64, &keys.pkcs1_pem, &keys.pkcs1_base64] {
            let key = PrivateKey::parse(text).unwrap();
            assert_eq!(key.sign(b"x").unwrap(), signature);
        }
        for text in [&keys.spki_pem, &keys.spki_base64, &keys.public_pkcs1_base64] {
            let key = PublicKey::parse(text).unwrap();
            assert_eq!(key.verify(b"x", &signature), Ok(()));
            assert_eq!(key.verify(b"y", &signature), Err(BadSignature));
            assert!(PrivateKey::parse(&keys.pkcs8_pem).unwrap().is_pair_of(&key));
            assert!(
                !PrivateKey::parse(&platform().pkcs8_pem)
                    .unwrap()
                    .is_pair_of(&key)
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_to_do() {
        let keys = merchant();
        let twice = format!("{0}\n{0}", keys.spki_pem);
        for (text, error) in [
            ("", KeyError::NotAKey),
            ("hello", KeyError::NotAKey),
            ("aGVsbG8=", KeyError::NotAKey),
            ("-----BEGIN PUBLIC KEY-----", KeyError::NotAKey),
            (&twice, KeyError::NotAKey),
            (&"A".repeat(MAX_KEY_TEXT + 1), KeyError::NotAKey),
            (
                "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
                KeyError::Certificate,
            ),
            (&keys.pkcs8_pem, KeyError::Private),
            (&keys.pkcs1_base64, KeyError::Private),
        ] {
            assert_eq!(PublicKey::parse(text).unwrap_err(), error, "{text:.40}");
        }
        assert_eq!(
            PrivateKey::parse(&keys.spki_pem).unwrap_err(),
            KeyError::Public
        );
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----";
        assert_eq!(
            PrivateKey::parse(encrypted).unwrap_err(),
            KeyError::Encrypted
        );
    }

    #[test]
    fn a_short_key_is_refused() {
        let mut der = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
        der.extend([0xc5; 128]);
        der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
        let short = PublicKey::parse(&STANDARD.encode(der));
        assert_eq!(short.unwrap_err(), KeyError::Size(1024));
    }

    #[test]
    fn a_key_is_never_printed() {
        let keys = merchant();
        let key = PrivateKey::parse(&keys.pkcs8_pem).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(RSA, 2048 bits)");
    }

    #[test]
    fn a_signature_that_is_no_base64_is_a_bad_one() {
        let key = PublicKey::parse(&platform().spki_pem).unwrap();
        for signature in ["", "WECHATPAY/SIGNTEST/abc=", "====", "é", "AAAA"] {
            assert_eq!(
                key.verify(b"x", signature),
                Err(BadSignature),
                "{signature}"
            );
        }
    }
}
