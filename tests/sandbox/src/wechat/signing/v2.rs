//! The rules of v2: one key, the API key, that merchant and platform share. Whoever has something
//! signed with it can have anything signed with it.

use std::collections::BTreeMap;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// `sign_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignType {
    /// `MD5`, also when nothing is said.
    #[default]
    Md5,
    /// `HMAC-SHA256`.
    HmacSha256,
}

impl SignType {
    /// Reads `sign_type`; an empty one is MD5.
    pub fn parse(text: &str) -> Option<SignType> {
        match text {
            "" | "MD5" => Some(SignType::Md5),
            "HMAC-SHA256" => Some(SignType::HmacSha256),
            _ => None,
        }
    }
}

/// What a v2 signature covers: every field but `sign` that is not empty, sorted by name, `k=v`
/// joined by `&`, then `&key=` and the API key.
pub fn text<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, api_key: &str) -> String {
    let kept: BTreeMap<&str, &str> = fields
        .into_iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .collect();
    let joined: Vec<String> = kept
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{}&key={api_key}", joined.join("&"))
}

/// The `sign` of fields: upper-case hex.
pub fn sign<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    api_key: &str,
    sign_type: SignType,
) -> String {
    let text = text(fields, api_key);
    match sign_type {
        SignType::Md5 => hex::encode_upper(Md5::digest(text)),
        SignType::HmacSha256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, api_key.as_bytes());
            hex::encode_upper(hmac::sign(&key, text.as_bytes()))
        }
    }
}

/// Seals `req_info` of a refund's notification: AES-256-ECB with PKCS#7 padding, in base64, the
/// key being the lower-case hex MD5 of the API key. None when the cipher fails.
pub fn seal_refund(api_key: &str, plaintext: &str) -> Option<String> {
    let key = PaddedBlockEncryptingKey::ecb_pkcs7(refund_key(api_key)?).ok()?;
    let mut bytes = plaintext.as_bytes().to_vec();
    key.encrypt(&mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// Opens `req_info`; the XML inside. None when it was sealed with another key or is damaged.
pub fn open_refund(api_key: &str, req_info: &str) -> Option<String> {
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(refund_key(api_key)?).ok()?;
    let mut bytes = STANDARD.decode(req_info).ok()?;
    let plaintext = key.decrypt(&mut bytes, DecryptionContext::None).ok()?;
    String::from_utf8(plaintext.to_vec()).ok()
}

fn refund_key(api_key: &str) -> Option<UnboundCipherKey> {
    let key = hex::encode(Md5::digest(api_key));
    UnboundCipherKey::new(&AES_256, key.as_bytes()).ok()
}
