//! AES content encryption (接口内容加密): AES-128 in CBC with an IV of zeros and PKCS#7 padding,
//! the key and the ciphertext in base64.

use aws_lc_rs::cipher::{
    AES_128, AES_128_KEY_LEN, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::signing::KeyError;

const ZERO_IV: [u8; 16] = [0; 16];

/// The key that a merchant and Alipay share for one app.
#[derive(Clone)]
pub struct ContentKey([u8; AES_128_KEY_LEN]);

impl ContentKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`KeyError::Generate`] when the random source fails.
    pub fn generate() -> Result<ContentKey, KeyError> {
        let mut key = [0; AES_128_KEY_LEN];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| KeyError::Generate)?;
        Ok(ContentKey(key))
    }

    /// Reads base64 of 16 bytes, as Alipay's console shows it.
    ///
    /// # Errors
    /// [`KeyError::Form`] when it is anything else.
    pub fn from_base64(text: &str) -> Result<ContentKey, KeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| KeyError::Form)?;
        bytes.try_into().map(ContentKey).map_err(|_| KeyError::Form)
    }

    /// Base64 of the key: a secret.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Encrypts a text; base64. None only if AES itself failed.
    pub fn encrypt(&self, text: &str) -> Option<String> {
        let key = UnboundCipherKey::new(&AES_128, &self.0).ok()?;
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?;
        let mut bytes = text.as_bytes().to_vec();
        // The same IV every time is Alipay's rule; the signature is what protects the content.
        let iv = EncryptionContext::Iv128(FixedLength::from(ZERO_IV));
        key.less_safe_encrypt(&mut bytes, iv).ok()?;
        Some(STANDARD.encode(bytes))
    }

    /// Decrypts base64; None when it is no ciphertext of a UTF-8 text by this key.
    pub fn decrypt(&self, ciphertext: &str) -> Option<String> {
        let key = UnboundCipherKey::new(&AES_128, &self.0).ok()?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        let mut bytes = STANDARD.decode(ciphertext).ok()?;
        let iv = DecryptionContext::Iv128(FixedLength::from(ZERO_IV));
        let text = key.decrypt(&mut bytes, iv).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn published_ciphertexts_are_made_and_read() {
        let file: Value = serde_json::from_str(include_str!("../../vectors/alipay.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        let mut seen = 0;
        for vector in vectors.iter().filter(|v| v["rule"] == "encryption") {
            let key =
                ContentKey::from_base64(vector["inputs"]["aes_key_b64"].as_str().unwrap()).unwrap();
            let plaintext = vector["inputs"]["plaintext"].as_str().unwrap();
            let ciphertext = vector["expected"]["ciphertext"].as_str().unwrap();
            let id = &vector["id"];
            assert_eq!(key.encrypt(plaintext).as_deref(), Some(ciphertext), "{id}");
            assert_eq!(key.decrypt(ciphertext).as_deref(), Some(plaintext), "{id}");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn what_is_no_ciphertext_of_this_key_is_nothing() {
        let (key, other) = (
            ContentKey::generate().unwrap(),
            ContentKey::from_base64("AAAAAAAAAAAAAAAAAAAAAA==").unwrap(),
        );
        let secret = key.encrypt(r#"{"out_trade_no":"a1"}"#).unwrap();
        assert!(
            other
                .decrypt(&secret)
                .is_none_or(|text| !text.starts_with('{'))
        );
        for wrong in ["", "not base64", "AAAA", r#"{"out_trade_no":"a1"}"#] {
            assert_eq!(key.decrypt(wrong), None, "{wrong}");
        }
        assert!(ContentKey::from_base64("AAAA").is_err());
    }
}
