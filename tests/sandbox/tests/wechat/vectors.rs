//! The published vectors that concern WeChat Pay.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::Value;
use walnut_sandbox::wechat::signing::v2::{self, SignType};
use walnut_sandbox::wechat::signing::{
    Authorization, VerifyingKey, answer_text, call_text, open, request_text, seal,
};

use crate::merchant::public_key_of;

/// The vectors of a rule; there must be so many.
fn vectors(rule: &str, count: usize) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../vectors/wechat.json")).unwrap();
    let all = file["vectors"].as_array().unwrap().iter();
    let found: Vec<Value> = all.filter(|v| v["rule"] == rule).cloned().collect();
    assert_eq!(found.len(), count, "{rule}");
    found
}

/// A text inside a vector's `inputs` or `expected`.
fn text<'a>(part: &'a Value, name: &str) -> &'a str {
    part[name].as_str().unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn signatures_of_sdks_verify_with_their_keys_alone() {
    for vector in vectors("rsa", 4) {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let (message, signature) = (text(inputs, "message"), text(expected, "signature"));
        let mut keys = Vec::new();
        if let Some(pem) = inputs["public_key_pem"].as_str() {
            keys.push(VerifyingKey::from_pem(pem).unwrap());
        }
        if let Some(pem) = inputs["certificate_pem"].as_str() {
            let (serial, key) = public_key_of(pem);
            assert_eq!(serial, text(expected, "cert_serial_upper_hex"));
            keys.push(key);
        }
        for key in keys {
            assert!(
                key.verify(message.as_bytes(), signature),
                "{}",
                vector["id"]
            );
            for (wrong, signature) in [
                ("wrong source", signature),
                ("", signature),
                (message, ""),
                (message, "invalid base64 signature"),
            ] {
                assert!(!key.verify(wrong.as_bytes(), signature), "{}", vector["id"]);
            }
        }
        if let Some(pem) = inputs["other_public_key_pem"].as_str() {
            let other = VerifyingKey::from_pem(pem).unwrap();
            assert!(!other.verify(message.as_bytes(), signature));
        }
    }
}

#[test]
fn serial_numbers_keep_their_leading_zero() {
    for vector in vectors("serial", 1) {
        let (serial, _) = public_key_of(text(&vector["inputs"], "certificate_pem"));
        assert_eq!(serial, text(&vector["expected"], "serial"));
    }
}

#[test]
fn requests_are_signed_line_by_line_and_authorized_in_any_order() {
    const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
    for vector in vectors("authorization", 4) {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let timestamp = inputs["timestamp"].to_string();
        let message = request_text(
            text(inputs, "method"),
            text(inputs, "canonical_url"),
            &timestamp,
            text(inputs, "nonce"),
            text(inputs, "body").as_bytes(),
        );
        assert_eq!(
            message,
            text(expected, "message").as_bytes(),
            "{}",
            vector["id"]
        );
        let header = text(expected, "authorization");
        let (scheme, items) = header.split_once(' ').unwrap();
        let (_, signature) = header.split_once("signature=\"").unwrap();
        let (signature, _) = signature.split_once('"').unwrap();
        let authorization = Authorization {
            mchid: text(inputs, "mchid").to_owned(),
            serial_no: text(inputs, "serial_no").to_owned(),
            nonce_str: text(inputs, "nonce").to_owned(),
            timestamp,
            signature: signature.to_owned(),
        };
        let read = Authorization::parse(&format!("{SCHEME} {items}"));
        assert_eq!(read, Some(authorization.clone()), "{}", vector["id"]);
        if scheme != SCHEME {
            // The SDKs' own order, with a mocked signature.
            let written = authorization.to_string().replace(SCHEME, scheme);
            assert_eq!(written, header, "{}", vector["id"]);
        }
    }
}

#[test]
fn an_address_is_signed_as_it_is_encoded() {
    for vector in vectors("url", 1) {
        let inputs = &vector["inputs"];
        let query: BTreeMap<&str, &str> = inputs["query"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let url = format!("{}?{query}", text(inputs, "path"));
        assert_eq!(url, text(&vector["expected"], "canonical_url"));
        let message = request_text("GET", &url, "1", "N", b"");
        assert!(message.starts_with(format!("GET\n{url}\n").as_bytes()));
    }
}

#[test]
fn what_sdks_seal_opens_and_what_the_platform_never_sends_does_not() {
    for vector in vectors("sealed", 2) {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let part = |name: &str| text(inputs, name);
        let (key, nonce, associated) = (part("api_v3_key"), part("nonce"), part("associated_data"));
        let (plain, sealed) = (part("plaintext"), text(expected, "ciphertext"));
        // Line ends of a certificate are its SDK's own.
        let opened = String::from_utf8(open(key, nonce, associated, sealed).unwrap()).unwrap();
        assert_eq!(opened.trim(), plain.trim(), "{}", vector["id"]);
        let again = seal(key, nonce, associated, opened.as_bytes());
        assert_eq!(again.as_deref(), Some(sealed), "{}", vector["id"]);
        assert_eq!(open(key, nonce, "bad-associatedData", sealed), None);
        assert_eq!(open(key, "bad-4a9R25RW", associated, sealed), None);
        assert_eq!(open(key, nonce, associated, &"A".repeat(172)), None);
        if let Some(serial) = inputs["serial_no"].as_str() {
            assert_eq!(public_key_of(&opened).0, serial);
        }
    }
    for vector in vectors("not sealed", 4) {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let part = |name: &str| text(inputs, name);
        let (key, nonce) = (part("api_v3_key"), part("nonce"));
        let (associated, sealed) = (part("associated_data"), text(expected, "ciphertext"));
        assert_eq!(
            open(key, nonce, associated, sealed),
            None,
            "{}",
            vector["id"]
        );
        assert_eq!(
            seal(key, nonce, associated, part("plaintext").as_bytes()),
            None
        );
    }
}

#[test]
fn a_whole_notification_verifies_and_is_sealed_with_a_key_that_is_too_short() {
    for vector in vectors("notification", 1) {
        let inputs = &vector["inputs"];
        let header = |name: &str| text(&inputs["headers"], name);
        let (serial, key) = public_key_of(text(inputs, "certificate_pem"));
        assert_eq!(serial, header("Wechatpay-Serial"));
        let body = text(inputs, "body");
        let message = answer_text(
            header("Wechatpay-Timestamp"),
            header("Wechatpay-Nonce"),
            body.as_bytes(),
        );
        assert!(key.verify(&message, header("Wechatpay-Signature")));
        let said: Value = serde_json::from_str(body).unwrap();
        for name in ["id", "event_type", "summary"] {
            assert_eq!(said[name], vector["expected"][name]);
        }
        let part = |name: &str| text(&said["resource"], name);
        let opened = open(
            text(inputs, "api_v3_key"),
            part("nonce"),
            part("associated_data"),
            part("ciphertext"),
        );
        assert_eq!(opened, None);
    }
}

#[test]
fn calls_of_the_payment_are_signed_as_the_platform_publishes() {
    for vector in vectors("client", 2) {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let page = inputs["appId"].is_string();
        let (message, signature) = if page {
            let message = call_text(
                text(inputs, "appId"),
                text(inputs, "timeStamp"),
                text(inputs, "nonceStr"),
                text(inputs, "package"),
            );
            (message, text(expected, "paySign"))
        } else {
            let message = call_text(
                text(inputs, "appid"),
                text(inputs, "timestamp"),
                text(inputs, "noncestr"),
                text(inputs, "prepayid"),
            );
            (message, text(expected, "sign"))
        };
        assert_eq!(message, text(expected, "message"));
        let key = VerifyingKey::from_pem(text(inputs, "public_key_pem")).unwrap();
        assert!(
            key.verify(message.as_bytes(), signature),
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn the_shared_key_signs_as_the_platform_publishes() {
    for vector in vectors("v2", 3) {
        let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
        let fields = inputs["params"].as_object().unwrap();
        let fields = || {
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        };
        let key = text(inputs, "key");
        if let Some(whole) = expected["string_sign_temp"].as_str() {
            assert_eq!(v2::text(fields(), key), whole);
        }
        let hmac = vector["id"] == "wx2-sign-hmac-sha256";
        let sign_type = if hmac {
            SignType::HmacSha256
        } else {
            SignType::Md5
        };
        let sign = v2::sign(fields(), key, sign_type);
        match expected["md5"].as_str() {
            Some(md5) => assert_eq!(sign, md5.to_uppercase()),
            None => assert_eq!(sign, text(expected, "sign")),
        }
        // What is empty and the signature itself are left out.
        let more = fields().chain([("attach", ""), ("sign", "X")]);
        assert_eq!(v2::sign(more, key, sign_type), sign);
    }
}

#[test]
fn a_notice_of_a_refund_in_v2_opens_and_seals_again() {
    for vector in vectors("v2 refund", 1) {
        let inputs = &vector["inputs"];
        let (key, sealed) = (text(inputs, "api_key"), text(inputs, "req_info"));
        let plain = text(&vector["expected"], "plaintext_xml");
        assert_eq!(v2::open_refund(key, sealed).as_deref(), Some(plain));
        assert_eq!(v2::seal_refund(key, plain).as_deref(), Some(sealed));
        assert_ne!(
            v2::open_refund("another key", sealed).as_deref(),
            Some(plain)
        );
        assert_eq!(v2::open_refund(key, "not base64"), None);
    }
}

#[test]
fn a_bills_hash_is_sha1_in_small_letters() {
    for vector in vectors("bill", 1) {
        let hash = digest(
            &SHA1_FOR_LEGACY_USE_ONLY,
            text(&vector["inputs"], "content").as_bytes(),
        );
        assert_eq!(hex::encode(hash), text(&vector["expected"], "sha1"));
    }
}
