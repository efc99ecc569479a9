//! The master key: what it seals opens only in the place that it was sealed for.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use cap_std::fs::{Dir, MetadataExt};
use zeroize::Zeroizing;

use super::{HomeError, disk};

/// Its file in the data root.
const FILE: &str = "master.key";

/// The form of sealed bytes: this byte, the nonce, the ciphertext with its tag.
const SEAL_VERSION: u8 = 1;

const NONCE_BYTES: usize = 12;

const TAG_BYTES: usize = 16;

/// 32 random bytes from which every other key of the host is derived. It is never written anywhere
/// but into its own file, and `Debug` shows nothing.
#[derive(Clone)]
pub struct MasterKey(Arc<Zeroizing<[u8; 32]>>);

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Result<MasterKey, HomeError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| HomeError::Random)?;
        Ok(MasterKey(Arc::new(bytes)))
    }

    /// Where the key of the data root at `path` lies.
    pub(super) fn path_in(path: &str) -> String {
        format!("{path}/{FILE}")
    }

    /// The key of the data root `dir`. It is made when there is none and `fresh` says that nothing
    /// can have been sealed yet.
    pub(super) fn of_root(dir: &Dir, path: &str, fresh: bool) -> Result<MasterKey, HomeError> {
        let path = || MasterKey::path_in(path);
        let Some(text) = disk::read(dir, FILE, 128)? else {
            if !fresh {
                return Err(HomeError::KeyMissing { path: path() });
            }
            let key = MasterKey::generate()?;
            let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(hex::encode(key.bytes()))));
            disk::write(dir, FILE, text.as_bytes())?;
            return Ok(key);
        };
        let mode = dir
            .symlink_metadata(FILE)
            .map_err(HomeError::io(format!("look at {}", path())))?
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(HomeError::LoosePermissions { path: path(), mode });
        }
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_ascii_end(), bytes.as_mut_slice())
            .map_err(|_| HomeError::KeyDamaged { path: path() })?;
        Ok(MasterKey(Arc::new(bytes)))
    }

    /// A key for one purpose, always the same for the same purpose: HKDF-SHA256 (RFC 5869) with the
    /// purpose as its info.
    pub fn subkey(&self, purpose: &str) -> [u8; 32] {
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
        let key = Zeroizing::new(self.subkey("seal"));
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice())
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// HKDF-SHA256 for one block of output, where expanding is a single HMAC: unlike the library's
/// general form it has nothing that could fail.
fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), secret);
    let mut context =
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref()));
    context.update(info);
    context.update(&[1]);
    let mut out = [0; 32];
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
            hex::encode(derived),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        );
        let key = MasterKey::generate().unwrap();
        assert_eq!(key.subkey("tickets"), key.subkey("tickets"));
        assert_ne!(key.subkey("tickets"), key.subkey("seal"));
    }

    #[test]
    fn sealed_bytes_open_only_where_they_belong() {
        let key = MasterKey::generate().unwrap();
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
            MasterKey::generate()
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
        let key = MasterKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "MasterKey");
    }
}
