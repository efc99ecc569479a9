//! RSA keys in the PEM forms that WeChat Pay hands out.

use std::fmt::Write as _;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The random source, or the generation of a key or of a certificate failed.
    #[error("a key or a certificate cannot be made")]
    Generate,
    /// The text is not the PEM form of such a key.
    #[error("the key is not in its PEM form")]
    Form,
}

/// A private key of 2048 bits, with its public half.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// Makes a new key. Takes some tenths of a second: not for an async thread.
    ///
    /// # Errors
    /// [`KeyError::Generate`] when the random source fails.
    pub fn generate() -> Result<SigningKey, KeyError> {
        KeyPair::generate(KeySize::Rsa2048)
            .map(SigningKey)
            .map_err(|_| KeyError::Generate)
    }

    /// Reads `apiclient_key.pem`: PKCS#8.
    ///
    /// # Errors
    /// [`KeyError::Form`] when it is anything else.
    pub fn from_pem(text: &str) -> Result<SigningKey, KeyError> {
        let der = unwrapped(PRIVATE, text).ok_or(KeyError::Form)?;
        KeyPair::from_pkcs8(&der)
            .map(SigningKey)
            .map_err(|_| KeyError::Form)
    }

    /// `apiclient_key.pem`, PKCS#8: a secret.
    ///
    /// # Errors
    /// [`KeyError::Form`] when the key cannot be written, which does not happen to a generated one.
    pub fn pem(&self) -> Result<String, KeyError> {
        self.pkcs8().map(|der| pem(PRIVATE, &der))
    }

    /// PKCS#8 in DER: a secret.
    pub(crate) fn pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| KeyError::Form)?;
        Ok(der.as_ref().to_vec())
    }

    /// `pub_key.pem`: SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError::Form`] when the key cannot be written, which does not happen to a generated one.
    pub fn public_pem(&self) -> Result<String, KeyError> {
        self.public_der().map(|der| pem(PUBLIC, &der))
    }

    fn public_der(&self) -> Result<Vec<u8>, KeyError> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(|_| KeyError::Form)?;
        Ok(der.as_ref().to_vec())
    }

    /// The public half.
    ///
    /// # Errors
    /// [`KeyError::Form`] when the key cannot be written, which does not happen to a generated one.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        self.public_der().map(VerifyingKey)
    }

    /// Signs a text; base64, 344 characters. An empty text comes back only if RSA itself failed,
    /// and nothing verifies it.
    pub fn sign(&self, text: &[u8]) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        match self.0.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text,
            &mut signature,
        ) {
            Ok(()) => STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }
}

/// A public key.
#[derive(Clone, Debug)]
pub struct VerifyingKey(Vec<u8>);

impl VerifyingKey {
    /// Reads `pub_key.pem`: SubjectPublicKeyInfo. Whether it is an RSA key shows at the first use.
    ///
    /// # Errors
    /// [`KeyError::Form`] when it is anything else.
    pub fn from_pem(text: &str) -> Result<VerifyingKey, KeyError> {
        unwrapped(PUBLIC, text)
            .map(VerifyingKey)
            .ok_or(KeyError::Form)
    }

    /// Takes the DER form of SubjectPublicKeyInfo, as a certificate contains it.
    pub fn from_der(der: &[u8]) -> VerifyingKey {
        VerifyingKey(der.to_vec())
    }

    /// Whether the signature, in base64, is this key's over the text.
    pub fn verify(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0)
            .verify(text, &signature)
            .is_ok()
    }
}

/// Writes a document in lines of 64 characters between its two marks.
pub(in super::super) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at.is_multiple_of(64) {
            pem.push('\n');
        }
        pem.push(letter);
    }
    let _ = write!(pem, "\n-----END {label}-----\n");
    pem
}

fn unwrapped(label: &str, pem: &str) -> Option<Vec<u8>> {
    let inner = pem
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))?
        .strip_suffix(&format!("-----END {label}-----"))?;
    let text: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_signs_and_verifies_in_the_forms_that_are_handed_out() {
        let made = SigningKey::generate().unwrap();
        let secret = made.pem().unwrap();
        assert!(secret.lines().all(|line| line.len() <= 64));
        let read = SigningKey::from_pem(&secret).unwrap();
        let public = VerifyingKey::from_pem(&made.public_pem().unwrap()).unwrap();
        let signature = read.sign("支付".as_bytes());
        assert_eq!(signature.len(), 344);
        assert!(public.verify("支付".as_bytes(), &signature));
        assert!(!public.verify("微信支付".as_bytes(), &signature));
        assert!(!public.verify("支付".as_bytes(), "WECHATPAY/SIGNTEST/abc"));
        assert!(SigningKey::from_pem(&made.public_pem().unwrap()).is_err());
        assert!(VerifyingKey::from_pem(&secret).is_err());
    }
}
