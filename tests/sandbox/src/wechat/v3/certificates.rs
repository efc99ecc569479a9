//! `GET /v3/certificates`: the platform's certificates, sealed with the merchant's APIv3 key.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::clock;
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::platform::Platform;
use super::super::signing::seal;
use super::Asked;
use super::answer::Answer;

/// Lists them all, old and new.
pub(super) fn list(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
) -> Result<Answer, Failure> {
    let none = || {
        let why = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。";
        Failure::new(Problem::NoResource, why)
    };
    match asked.parameter("algorithm_type") {
        None | Some("RSA" | "ALL") => {}
        Some("SM2") => return Err(none()),
        Some(_) => {
            let issue = "只能是RSA、SM2、ALL";
            return Err(Failure::in_url("query", "algorithm_type", issue));
        }
    }
    let listed: Vec<Value> = shop
        .identities
        .certified()
        .iter()
        .filter_map(|identity| {
            let certificate = identity.certificate.as_ref()?;
            let nonce = platform.numbers.seal_nonce();
            let pem = certificate.pem();
            let sealed = seal(&shop.api_v3_key, &nonce, "certificate", pem.as_bytes())?;
            Some(json!({
                "serial_no": certificate.serial_no,
                "effective_time": clock::rfc3339(certificate.effective),
                "expire_time": clock::rfc3339(certificate.expires),
                "encrypt_certificate": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "nonce": nonce,
                    "associated_data": "certificate",
                    "ciphertext": sealed,
                },
            }))
        })
        .collect();
    if listed.is_empty() {
        return Err(none());
    }
    Ok(Answer::json(json!({"data": listed})))
}
