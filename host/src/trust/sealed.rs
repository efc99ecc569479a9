//! What a platform and a target encrypt for each other.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::message::Failure;

/// Opens AES-256-GCM: the ciphertext is base64, the tag of 16 bytes at its end (WeChat's resources).
pub(crate) fn open_gcm(
    key: &str,
    nonce: &str,
    associated_data: &str,
    ciphertext: &str,
) -> Result<String, Failure> {
    let malformed = |what: &str| Failure::Malformed(what.to_owned());
    let mut bytes = STANDARD
        .decode(ciphertext)
        .map_err(|_| malformed("the ciphertext is not base64"))?;
    let nonce: [u8; NONCE_LEN] = nonce
        .as_bytes()
        .try_into()
        .map_err(|_| malformed("the nonce does not have 12 bytes"))?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_bytes())
        .map_err(|_| Failure::UnknownKey("the key does not have 32 bytes".to_owned()))?;
    let plain = LessSafeKey::new(key)
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated_data.as_bytes()),
            &mut bytes,
        )
        .map_err(|_| Failure::BadSignature)?;
    let plain = str::from_utf8(plain).map_err(|_| malformed("what was encrypted is not UTF-8"))?;
    Ok(plain.to_owned())
}

/// Opens AES-128-CBC with a zero vector and PKCS #7, both in base64 (Alipay's content).
pub(crate) fn open_cbc(key: &str, ciphertext: &str) -> Result<String, Failure> {
    let malformed = |what: &str| Failure::Malformed(what.to_owned());
    let mut bytes = STANDARD
        .decode(ciphertext)
        .map_err(|_| malformed("the ciphertext is not base64"))?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(cbc_key(key)?)
        .map_err(|_| malformed("the key is not one of AES"))?;
    let context = DecryptionContext::Iv128(FixedLength::from([0; 16]));
    let plain = key
        .decrypt(&mut bytes, context)
        .map_err(|_| malformed("it is encrypted with another key than the target's"))?;
    let plain = str::from_utf8(plain).map_err(|_| malformed("what was encrypted is not UTF-8"))?;
    Ok(plain.to_owned())
}

/// The same in the other direction.
pub(crate) fn seal_cbc(key: &str, plain: &str) -> Result<String, Failure> {
    let malformed = |_| Failure::Malformed("it cannot be encrypted".to_owned());
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(cbc_key(key)?).map_err(malformed)?;
    let mut bytes = plain.as_bytes().to_vec();
    // The platform fixes the vector: each of its users has to.
    let context = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    key.less_safe_encrypt(&mut bytes, context)
        .map_err(malformed)?;
    Ok(STANDARD.encode(bytes))
}

fn cbc_key(key: &str) -> Result<UnboundCipherKey, Failure> {
    let unknown = || Failure::UnknownKey("the key is not 16 bytes in base64".to_owned());
    let bytes = Zeroizing::new(STANDARD.decode(key.trim()).map_err(|_| unknown())?);
    UnboundCipherKey::new(&AES_128, &bytes).map_err(|_| unknown())
}
