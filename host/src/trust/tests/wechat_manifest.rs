//! What WeChat Pay's manifest and the settings of its targets may say.

use serde_json::json;

use super::wechat::{WX, tenpay, wx, wx_settings};
use super::*;

#[test]
fn settings_of_wechat_are_checked_by_field() {
    let manifest = wx();
    let field = |name: &str, value: Value| {
        let mut settings = wx_settings();
        match value {
            Value::Null => drop(settings.remove(name)),
            value => drop(settings.insert(name.to_owned(), value)),
        }
        assemble(&manifest, false, settings).unwrap_err().remove(0)
    };
    for (name, value) in [
        ("api_v3_key", json!("short")),
        ("mch_private_key", json!("x")),
        ("wechatpay_certificate", json!(platform().spki_pem)),
        ("mch_certificate", json!("x")),
        ("gateway", json!("http://127.0.0.1:1")),
        ("tls_authority", json!(tenpay().pem)),
    ] {
        assert_eq!(field(name, value).field, name);
    }
    assert!(
        field("wechatpay_public_key_id", Value::Null)
            .to_string()
            .contains("wechatpay_public_key_id")
    );
}

#[test]
fn a_manifest_of_the_new_kinds_is_refused_where_it_makes_no_sense() {
    for (path, value, at, says) in [
        (
            "/schemes/request/key",
            json!(["mch_private_key", "x"]),
            "/schemes/request/key",
            "one key",
        ),
        (
            "/schemes/request/key",
            json!("api_v3_key"),
            "/schemes/request/key",
            "rsa-private",
        ),
        (
            "/schemes/request/window_s",
            json!(300),
            "/schemes/request/window_s",
            "what the platform sends",
        ),
        (
            "/schemes/request/authorization/nonce",
            json!("mchid"),
            "/schemes/request/authorization",
            "once",
        ),
        (
            "/schemes/answer/window_s",
            Value::Null,
            "/schemes/answer/window_s",
            "3600",
        ),
        (
            "/schemes/answer/headers/probe",
            json!("WECHATPAY/SIGNTEST/"),
            "/schemes/answer/headers/probe",
            "notifications alone",
        ),
        (
            "/schemes/notify/headers/probe",
            json!("WE"),
            "/schemes/notify/headers/probe",
            "8 characters",
        ),
        (
            "/schemes/answer/headers",
            Value::Null,
            "/schemes/answer/headers",
            "must be there",
        ),
        (
            "/schemes/answer/renewed_by",
            json!("notify"),
            "/schemes/answer/renewed_by",
            "certificates",
        ),
        (
            "/schemes/answer/key",
            json!([]),
            "/schemes/answer/key",
            "must name a key",
        ),
        (
            "/schemes/resource/of",
            json!("v2-answer"),
            "/schemes/resource/of",
            "signed",
        ),
        (
            "/schemes/resource/key",
            json!("api_key"),
            "/schemes/resource/key",
            "decrypt",
        ),
        (
            "/schemes/certificates/answer",
            json!("v2-answer"),
            "/schemes/certificates/answer",
            "lines",
        ),
        (
            "/schemes/certificates/issuer",
            json!([]),
            "/schemes/certificates/issuer",
            "issues",
        ),
        (
            "/schemes/certificates/operations",
            json!(["GET /x"]),
            "/schemes/certificates/operations",
            "reach",
        ),
        (
            "/schemes/v2-answer/use",
            json!("notification"),
            "/claims/micropay/scheme",
            "shared secret",
        ),
        (
            "/schemes/v2-answer/nonce",
            json!("x"),
            "/schemes/v2-answer/set",
            "only requests",
        ),
        (
            "/schemes/v2-request/key",
            json!("mch_private_key"),
            "/schemes/v2-request/key",
            "secret",
        ),
        (
            "/claims/query/scheme",
            json!("certificates"),
            "/claims/query/scheme",
            "states nothing",
        ),
        (
            "/identities/merchant/certificate",
            json!("tls_authority"),
            "/identities/merchant/certificate",
            "identity",
        ),
        ("/bill/auth", json!("answer"), "/bill/auth", "requests"),
        ("/reach/5/parts", json!({}), "/reach/5/parts", "each part"),
        (
            "/reach/5/path",
            json!("/v3/{trade_no}/{trade_no}"),
            "/reach/5/path",
            "once",
        ),
        (
            "/reach/15/test_authority",
            json!("mch_certificate"),
            "/reach/15/test_authority",
            "authority",
        ),
        (
            "/settings/properties/api_key/writeOnly",
            Value::Null,
            "/settings/properties/api_key/writeOnly",
            "secret",
        ),
        (
            "/settings/properties/mch_certificate/x-key/usages",
            json!(["decrypt"]),
            "/settings/properties/mch_certificate/x-key/usages",
            "cannot be used",
        ),
        (
            "/settings/properties/api_key/x-key/id",
            json!("mchid"),
            "/settings/properties/api_key/x-key/id",
            "rsa-public",
        ),
        (
            "/settings/properties/wechatpay_public_key/x-key/id",
            json!("api_key"),
            "/settings/properties/wechatpay_public_key/x-key/id",
            "public setting",
        ),
        (
            "/templates/app/query",
            json!("sign"),
            "/templates/app/query",
            "sorted-form",
        ),
    ] {
        let mut manifest: Value = serde_json::from_str(WX).unwrap();
        let (parent, name) = path.rsplit_once('/').unwrap();
        let place = manifest
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap();
        match value {
            Value::Null => drop(place.remove(name)),
            value => drop(place.insert(name.to_owned(), value)),
        }
        let found = match Manifest::parse(manifest.to_string().as_bytes()) {
            Err(crate::trust::ManifestError::Invalid(problems)) => problems,
            other => panic!("{path}: {other:?}"),
        };
        let fits =
            |problem: &crate::trust::Problem| problem.path == at && problem.problem.contains(says);
        assert!(found.iter().any(fits), "{path}: {found:?}");
    }
}

#[test]
fn a_person_can_check_what_wechat_s_manifest_says() {
    let words = wx().in_words().join("\n");
    for line in [
        "It may send GET to https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/{trade_no} for live targets; \
         to nowhere, or to the address in their setting gateway for test targets, with 32 hex digits for {trade_no}; \
         the trade that it is about stands at {trade_no}.",
        "It may send POST to https://api.mch.weixin.qq.com/v3/refund/domestic/refunds for live targets; to nowhere, or to the \
         address in their setting gateway for test targets; the trade that it is about stands at /out_trade_no of the \
         body, and only to give money back.",
        "Scheme answer: an answer counts when its header Wechatpay-Signature signs time, number used once and body, is \
         verified with the key that Wechatpay-Serial names among wechatpay_public_key or wechatpay_certificate, or a \
         certificate that came by certificates (RSA, SHA-256), and is not 300 s from the host's time.",
        "Scheme notify: a notification counts when its header Wechatpay-Signature signs time, number used once and body, is \
         verified with the key that Wechatpay-Serial names among wechatpay_public_key or wechatpay_certificate, or a \
         certificate that came by certificates (RSA, SHA-256), and is not 300 s from the host's time. One whose \
         Wechatpay-Signature begins with WECHATPAY/SIGNTEST/ is refused without a warning.",
        "Scheme resource: what stands at /resource/ciphertext in a statement of notify is decrypted with api_v3_key \
         (AES-256-GCM).",
        "Scheme v2-answer: an XML answer counts when its field sign signs all others with the secret api_key (MD5 or \
         HMAC-SHA256, as the setting sign_type says).",
        "Identity merchant: where the provider asks for it, the host shows the certificate mch_certificate with the key \
         mch_private_key in TLS.",
        "A bill that the provider finds is fetched by the host, signed by request.",
    ] {
        assert!(words.contains(line), "{line}\nin\n{words}");
    }
}
