//! Alipay's rules of signing, RSA2 only: what is signed in a request, a notification and an
//! answer, and the keys in the forms that Alipay hands out.
//!
//! | message | signed text |
//! |---|---|
//! | request | every parameter but `sign` that is not empty, sorted by name, `k=v` joined by `&` |
//! | notification | the same without `sign_type` |
//! | answer | the bytes of the response object as they stand in the body |
//!
//! Values are raw UTF-8, never percent-encoded. The signature is RSASSA-PKCS1-v1_5 with SHA-256
//! in base64.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The random source or the generation of a key failed.
    #[error("an RSA key cannot be generated")]
    Generate,
    /// The text is not bare base64 of the key's DER form.
    #[error("the key is not base64 of a DER document")]
    Form,
}

/// What a request's signature covers.
pub fn request_text<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    sorted(parameters, &["sign"])
}

/// What a notification's signature covers.
pub fn notification_text<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    sorted(fields, &["sign", "sign_type"])
}

fn sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, omit: &[&str]) -> String {
    let kept: BTreeMap<&str, &str> = pairs
        .into_iter()
        .filter(|(name, value)| !name.is_empty() && !value.is_empty() && !omit.contains(name))
        .collect();
    let mut text = String::new();
    for (name, value) in kept {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The part of an answer's body that its signature covers: the object, or for an encrypted answer
/// the string with its quotes, that follows the first occurrence of the key.
pub fn signed_part<'a>(body: &'a str, key: &str) -> Option<&'a str> {
    let quoted = format!("\"{key}\"");
    let after = body.get(body.find(&quoted)? + quoted.len()..)?;
    let start = after.find(['{', '"'])?;
    let value = after.get(start..)?;
    let encrypted = value.starts_with('"');
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                if encrypted && !in_string {
                    return value.get(..=at);
                }
            }
            b'{' if !in_string => depth += 1,
            b'}' if !in_string => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return value.get(..=at);
                }
            }
            _ => {}
        }
    }
    None
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

    /// Reads bare base64 of PKCS#8, as Alipay's own key tool writes it.
    ///
    /// # Errors
    /// [`KeyError::Form`] when it is anything else.
    pub fn from_pkcs8_base64(text: &str) -> Result<SigningKey, KeyError> {
        let der = STANDARD.decode(text).map_err(|_| KeyError::Form)?;
        KeyPair::from_pkcs8(&der)
            .map(SigningKey)
            .map_err(|_| KeyError::Form)
    }

    /// PKCS#8 in DER: a secret.
    pub(super) fn pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| KeyError::Form)?;
        Ok(der.as_ref().to_vec())
    }

    /// Bare base64 of PKCS#8: a secret.
    ///
    /// # Errors
    /// [`KeyError::Form`] when the key cannot be written, which does not happen to a generated one.
    pub fn pkcs8_base64(&self) -> Result<String, KeyError> {
        self.pkcs8().map(|der| STANDARD.encode(der))
    }

    /// Bare base64 of the public key's SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError::Form`] when the key cannot be written, which does not happen to a generated one.
    pub fn public_base64(&self) -> Result<String, KeyError> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(|_| KeyError::Form)?;
        Ok(STANDARD.encode(der.as_ref()))
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
    /// Reads bare base64 of SubjectPublicKeyInfo. Whether it is an RSA key shows at the first use.
    ///
    /// # Errors
    /// [`KeyError::Form`] when it is not base64.
    pub fn from_base64(text: &str) -> Result<VerifyingKey, KeyError> {
        STANDARD
            .decode(text)
            .map(VerifyingKey)
            .map_err(|_| KeyError::Form)
    }

    /// SubjectPublicKeyInfo as it stands in a certificate.
    pub(super) fn from_der(der: Vec<u8>) -> VerifyingKey {
        VerifyingKey(der)
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::certificate;
    use super::*;

    fn vectors() -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../../vectors/alipay.json")).unwrap();
        file["vectors"].as_array().unwrap().clone()
    }

    fn key(inputs: &Value) -> VerifyingKey {
        if let Some(pem) = inputs["certificate_pem"].as_str() {
            return certificate::public_key(pem).unwrap();
        }
        let text = inputs["alipay_public_key_der_b64"]
            .as_str()
            .or(inputs["alipay_public_key_pem"].as_str());
        let bare: String = text
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        VerifyingKey::from_base64(&bare).unwrap()
    }

    fn pairs(inputs: &Value) -> Vec<(&str, &str)> {
        let form = inputs["form"].as_object().unwrap();
        form.iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect()
    }

    #[test]
    fn published_notifications_verify_as_their_sources_say() {
        let mut seen = 0;
        for vector in vectors().iter().filter(|v| v["rule"] == "notification") {
            let (id, inputs, expected) = (&vector["id"], &vector["inputs"], &vector["expected"]);
            let text = notification_text(pairs(inputs));
            if let Some(content) = expected["sign_content"].as_str() {
                assert_eq!(text, content, "{id}");
            }
            let sign = inputs["form"]["sign"].as_str().unwrap();
            assert_eq!(
                key(inputs).verify(text.as_bytes(), sign),
                expected["valid"],
                "{id}"
            );
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn published_texts_with_sign_type_are_the_rule_of_requests() {
        let mut seen = 0;
        for vector in vectors().iter().filter(|v| v["rule"] == "request") {
            let (id, inputs, expected) = (&vector["id"], &vector["inputs"], &vector["expected"]);
            let text = request_text(pairs(inputs));
            assert_eq!(text, expected["sign_content"].as_str().unwrap(), "{id}");
            let sign = inputs["form"]["sign"].as_str().unwrap();
            let key = key(inputs);
            assert_eq!(key.verify(text.as_bytes(), sign), expected["valid"], "{id}");
            assert!(!key.verify(notification_text(pairs(inputs)).as_bytes(), sign));
            seen += 1;
        }
        assert_eq!(seen, 4);
    }

    #[test]
    fn a_published_text_of_an_answer_verifies() {
        let vectors = vectors();
        let vector = vectors.iter().find(|v| v["rule"] == "text").unwrap();
        let inputs = &vector["inputs"];
        let text = inputs["sign_content"].as_str().unwrap();
        let sign = inputs["sign"].as_str().unwrap();
        assert!(key(inputs).verify(text.as_bytes(), sign));
        assert!(!key(inputs).verify(text.replace("0.01", "0.02").as_bytes(), sign));
    }

    #[test]
    fn published_answers_give_the_signed_part_byte_for_byte() {
        let mut seen = 0;
        for vector in vectors().iter().filter(|v| v["rule"] == "answer") {
            let (id, inputs, expected) = (&vector["id"], &vector["inputs"], &vector["expected"]);
            let body = inputs["response_body"].as_str().unwrap();
            let part = signed_part(body, inputs["response_key"].as_str().unwrap()).unwrap();
            assert_eq!(part, expected["sign_content"].as_str().unwrap(), "{id}");
            if expected["valid"] == true {
                let answer: Value = serde_json::from_str(body).unwrap();
                assert!(
                    key(inputs).verify(part.as_bytes(), answer["sign"].as_str().unwrap()),
                    "{id}"
                );
            }
            seen += 1;
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn a_made_key_signs_and_verifies_in_the_forms_that_are_handed_out() {
        let made = SigningKey::generate().unwrap();
        let secret = made.pkcs8_base64().unwrap();
        let read = SigningKey::from_pkcs8_base64(&secret).unwrap();
        let public = VerifyingKey::from_base64(&made.public_base64().unwrap()).unwrap();
        let signature = read.sign("支付".as_bytes());
        assert_eq!(signature.len(), 344);
        assert!(public.verify("支付".as_bytes(), &signature));
        assert!(!public.verify("支付宝".as_bytes(), &signature));
        assert!(!public.verify("支付".as_bytes(), "not base64"));
    }
}
