//! A key of the host's: others are derived from it, and what it seals opens only in the place that it was sealed for.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use super::HomeError;

/// The form of sealed bytes: this byte, the nonce, the ciphertext with its tag.
const SEAL_VERSION: u8 = 1;

const NONCE_BYTES: usize = 12;

const TAG_BYTES: usize = 16;

/// 32 random bytes, wiped when the last clone is dropped; `Debug` shows nothing. The *data key* of a host is one, from
/// which all its other keys are derived: it is written nowhere but sealed, into the vault ([`super::vault`]).
#[derive(Clone)]
pub struct SecretKey(Arc<Zeroizing<[u8; 32]>>);

impl SecretKey {
    /// A new random key.
    pub fn generate() -> Result<SecretKey, HomeError> {
        SecretKey::filled(|bytes| rand::fill(bytes).map_err(|_| HomeError::Random))
    }

    /// A key whose bytes `fill` writes to where they stay, so that no copy is left where they were.
    pub(super) fn filled<E>(
        fill: impl FnOnce(&mut [u8; 32]) -> Result<(), E>,
    ) -> Result<SecretKey, E> {
        let mut bytes = Arc::new(Zeroizing::new([0; 32]));
        // Nobody else has it yet.
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            fill(bytes)?;
        }
        Ok(SecretKey(bytes))
    }

    /// The key of these bytes.
    pub(super) fn of(from: &[u8; 32]) -> SecretKey {
        let filled = SecretKey::filled(|bytes| {
            bytes.copy_from_slice(from);
            Ok::<_, std::convert::Infallible>(())
        });
        match filled {
            Ok(key) => key,
            Err(never) => match never {},
        }
    }

    /// A key for one purpose, always the same for the same purpose: HKDF-SHA256 (RFC 5869) with the
    /// purpose as its info.
    pub fn subkey(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        hkdf_sha256(b"walnut master key", self.bytes(), purpose.as_bytes())
    }

    /// Encrypts `plaintext` with AES-256-GCM and a random nonce. It opens only with the same `aad`,
    /// which names the place that it belongs to. At most 2³² calls for one key (NIST SP 800-38D,
    /// 8.3), far more than a host ever makes.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, HomeError> {
        let mut buffer = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_BYTES));
        buffer.extend_from_slice(plaintext);
        let nonce = self
            .sealing_key()
            .and_then(|key| key.seal_in_place_append_tag(Aad::from(aad), &mut *buffer))
            .map_err(|_| HomeError::Random)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + buffer.len());
        sealed.push(SEAL_VERSION);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&buffer);
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made with the same key and `aad`; anything else, whatever
    /// is wrong with it, is [`HomeError::Sealed`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        self.open_or_none(aad, sealed)
            .ok_or_else(|| HomeError::Sealed {
                what: String::from_utf8_lossy(aad).into_owned(),
            })
    }

    fn open_or_none(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&version, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES)?;
        if version != SEAL_VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .sealing_key()
            .ok()?
            .open_in_place(nonce, Aad::from(aad), &mut buffer)
            .ok()?
            .len();
        buffer.truncate(length);
        Some(buffer)
    }

    fn sealing_key(&self) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
        let key = self.subkey("seal");
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

/// HKDF-SHA256 for one block of output, where expanding is a single HMAC: unlike the library's
/// general form it has nothing that could fail.
fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), secret);
    let mut context =
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref()));
    context.update(info);
    context.update(&[1]);
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_derived_as_rfc_5869_says() {
        // Appendix A.1: the first 32 of its 42 bytes.
        let derived = hkdf_sha256(
            &hex::decode("000102030405060708090a0b0c").unwrap(),
            &[0x0b; 22],
            &hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap(),
        );
        assert_eq!(
            hex::encode(*derived),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        );
        let key = SecretKey::generate().unwrap();
        assert_eq!(key.subkey("tickets"), key.subkey("tickets"));
        assert_ne!(key.subkey("tickets"), key.subkey("seal"));
    }

    #[test]
    fn sealed_bytes_open_only_where_they_belong() {
        let key = SecretKey::generate().unwrap();
        let sealed = key.seal(b"shop/zfb/main/v1", b"secret").unwrap();
        assert_eq!(
            key.open(b"shop/zfb/main/v1", &sealed).unwrap().as_slice(),
            b"secret"
        );
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(
            sealed,
            key.seal(b"shop/zfb/main/v1", b"secret").unwrap(),
            "random nonce"
        );

        assert!(key.open(b"other/zfb/main/v1", &sealed).is_err());
        assert!(
            SecretKey::generate()
                .unwrap()
                .open(b"shop/zfb/main/v1", &sealed)
                .is_err()
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(
                key.open(b"shop/zfb/main/v1", &changed).is_err(),
                "byte {at}"
            );
            assert!(
                key.open(b"shop/zfb/main/v1", &sealed[..at]).is_err(),
                "first {at}"
            );
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let key = SecretKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "SecretKey");
    }
}
