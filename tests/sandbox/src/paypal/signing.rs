//! PayPal's rule of signing webhooks, for whoever writes or checks one by hand.
//!
//! What is signed is `transmission_id|transmission_time|webhook_id|crc32`: the first two from the
//! headers, the third known to the receiver alone, the last the CRC-32 of the body's very bytes,
//! in decimal. The signature is RSASSA-PKCS1-v1_5 with SHA-256 (`SHA256withRSA`) in base64, by
//! the key of the certificate that `PAYPAL-CERT-URL` leads to.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What `PAYPAL-AUTH-ALGO` says.
pub const ALGORITHM: &str = "SHA256withRSA";

/// What a webhook's signature covers.
pub fn signed_text(
    transmission_id: &str,
    transmission_time: &str,
    webhook_id: &str,
    body: &[u8],
) -> String {
    let crc32 = crc32fast::hash(body);
    format!("{transmission_id}|{transmission_time}|{webhook_id}|{crc32}")
}

/// Whether a signature, in base64, over a text is by the key of this SubjectPublicKeyInfo.
pub fn verifies(public_key: &[u8], text: &str, signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key)
        .verify(text.as_bytes(), &signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_published_message_comes_out() {
        let file: Value = serde_json::from_str(include_str!("../../vectors/paypal.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 1);
        for vector in vectors {
            let input = |name: &str| vector["inputs"][name].as_str().unwrap();
            let text = signed_text(
                input("transmission_id"),
                input("transmission_time"),
                input("webhook_id"),
                input("event_body").as_bytes(),
            );
            assert_eq!(text, vector["expected"]["message"].as_str().unwrap());
        }
    }

    #[test]
    fn the_crc_is_in_decimal_and_over_the_bytes() {
        assert!(signed_text("a", "b", "c", b"123456789").ends_with("|3421780262"));
        assert!(signed_text("a", "b", "c", b"").ends_with("|0"));
        assert!(!verifies(b"no key", "text", "no base64"));
    }
}
