//! `AEAD_AES_256_GCM`: what is secret inside a notification or a list of certificates.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Seals with the APIv3 key: base64 of the ciphertext and its tag of 16 bytes. None unless the
/// key has 32 bytes and the nonce 12.
pub fn seal(
    api_v3_key: &str,
    nonce: &str,
    associated_data: &str,
    plaintext: &[u8],
) -> Option<String> {
    let mut bytes = plaintext.to_vec();
    key(api_v3_key)?
        .seal_in_place_append_tag(
            Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?,
            Aad::from(associated_data),
            &mut bytes,
        )
        .ok()?;
    Some(STANDARD.encode(bytes))
}

/// Opens what was sealed. None when anything of it is another: key, nonce, associated data or a
/// single bit of the ciphertext.
pub fn open(
    api_v3_key: &str,
    nonce: &str,
    associated_data: &str,
    ciphertext: &str,
) -> Option<Vec<u8>> {
    let mut bytes = STANDARD.decode(ciphertext).ok()?;
    let plaintext = key(api_v3_key)?
        .open_in_place(
            Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?,
            Aad::from(associated_data),
            &mut bytes,
        )
        .ok()?;
    Some(plaintext.to_vec())
}

fn key(api_v3_key: &str) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, api_v3_key.as_bytes())
        .map(LessSafeKey::new)
        .ok()
}
