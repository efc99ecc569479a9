//! What WeChat's, Alipay's and PayPal's own tools publish about lines, shared keys, certificates and encryption.

use std::collections::BTreeMap;

use super::vectors::{Vector, vectors};
use super::wechat::{wx, wx_settings, wx_target};
use super::*;
use crate::trust::certificate::{Certificate, root_sn};
use crate::trust::key::PublicKey;
use crate::trust::scheme::{lines, sorted_form, sorted_xml};
use crate::trust::{sealed, verify};

fn one(id: &str) -> Vector {
    vectors(id).remove(0)
}

fn first(pem: &str) -> Certificate {
    Certificate::parse_all(pem).unwrap().remove(0)
}

#[test]
fn requests_of_wechat_are_signed_over_the_same_lines() {
    for vector in vectors("wx3-authorization-") {
        let timestamp = vector.inputs["timestamp"].to_string();
        let method = vector.input("method");
        let url = match vector.inputs.get("canonical_url") {
            Some(url) => url.as_str().unwrap().to_owned(),
            None => {
                let url: url::Url = vector.input("url").parse().unwrap();
                format!("{}?{}", url.path(), url.query().unwrap())
            }
        };
        let nonce = vector.input("nonce");
        let body = vector.input("body").as_bytes();
        let text = lines::request_text(method, &url, &timestamp, nonce, body);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, vector.expected("message"), "{}", vector.id);
        let (name, signature) = match vector.id.as_str() {
            "wx3-authorization-query" => ("WECHATPAY2-fake-algorithm", "fake-sign".to_owned()),
            "wx3-authorization-official-doc" => continue,
            _ => ("WECHATPAY2-Mock", format!("Sign:{text}")),
        };
        let items = [
            ("mchid", vector.input("mchid").to_owned()),
            ("nonce_str", nonce.to_owned()),
            ("timestamp", timestamp),
            ("serial_no", vector.input("serial_no").to_owned()),
            ("signature", signature),
        ];
        let expected = vector
            .expected
            .iter()
            .find(|(name, _)| name.starts_with("authorization"));
        assert_eq!(
            lines::written(name, &items),
            expected.unwrap().1.as_str().unwrap()
        );
    }
    let query = one("wx3-canonical-url-query");
    let fields = query.inputs["query"].as_object().unwrap();
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    assert_eq!(
        format!("/v3/resource?{}", form::write(fields)),
        query.expected("canonical_url")
    );
}

#[test]
fn signatures_of_wechat_hold_by_key_and_by_certificate() {
    let source = one("wx3-rsa-sign-source");
    let key = PublicKey::parse(source.input("public_key_pem")).unwrap();
    assert_eq!(key.verify(b"source", source.expected("signature")), Ok(()));
    let java = one("wx3-java-rsa-message");
    let signature = java.expected("signature");
    let certificate = first(java.input("merchant_certificate_pem"));
    assert_eq!(certificate.serial(), java.expected("merchant_cert_serial"));
    assert_eq!(
        certificate.key().unwrap().verify(b"message", signature),
        Ok(())
    );
    let other = PublicKey::parse(java.input("other_public_key_pem")).unwrap();
    assert!(other.verify(b"message", signature).is_err());
    for id in ["wx3-rsa-verify-pubkey-mode", "wx3-rsa-verify-platform-cert"] {
        let vector = one(id);
        let key = match vector.inputs.get("certificate_pem") {
            Some(pem) => {
                let certificate = first(pem.as_str().unwrap());
                assert_eq!(certificate.serial(), vector.input("serial_header"));
                certificate.key().unwrap().clone()
            }
            None => PublicKey::parse(vector.input("public_key_pem")).unwrap(),
        };
        let signature = vector.input("signature");
        assert_eq!(key.verify(b"source", signature), Ok(()), "{id}");
        for (text, signature) in [
            (&b"wrong source"[..], signature),
            (b"", signature),
            (b"source", ""),
            (b"source", "invalid base64 signature"),
        ] {
            assert!(key.verify(text, signature).is_err(), "{id}");
        }
    }
    let serial = one("wx3-cert-serial");
    assert_eq!(
        first(serial.input("certificate_pem")).serial(),
        serial.expected("serial")
    );
}

#[test]
fn a_whole_notification_of_wechat_is_verified() {
    let vector = one("wx3-notify-full-go");
    let manifest = wx();
    let target = wx_target(
        &manifest,
        &[("wechatpay_certificate", vector.input("certificate_pem"))],
    );
    let headers: BTreeMap<String, String> =
        serde_json::from_value(vector.inputs["headers"].clone()).unwrap();
    let mut message = notification(vector.input("body").as_bytes().to_vec());
    message.headers = headers.into_iter().collect();
    let now_ms = vector.inputs["now_unix"].as_u64().unwrap() * 1000;
    let statement = verify(&manifest, &target, &message, "notify", now_ms).unwrap();
    assert_eq!(statement.text(), message.body);
    let late = verify(&manifest, &target, &message, "notify", now_ms + 301_000);
    assert_eq!(late.unwrap_err(), Failure::Stale);
    message.body.push(b' ');
    let changed = verify(&manifest, &target, &message, "notify", now_ms);
    assert_eq!(changed.unwrap_err(), Failure::BadSignature);
}

#[test]
fn wechat_s_certificates_and_resources_are_opened() {
    let vector = one("wx3-aes256gcm-java");
    let (key, nonce) = (vector.input("api_v3_key"), vector.input("nonce"));
    let (aad, ciphertext) = (
        vector.input("associated_data"),
        vector.expected("ciphertext"),
    );
    assert_eq!(
        sealed::open_gcm(key, nonce, aad, ciphertext).unwrap(),
        "message"
    );
    assert!(sealed::open_gcm(key, nonce, "bad-associatedData", ciphertext).is_err());
    assert!(sealed::open_gcm(key, "bad-4a9R25RW", aad, ciphertext).is_err());
    assert!(sealed::open_gcm(key, nonce, aad, &STANDARD.encode([0; 128])).is_err());
    assert!(sealed::open_gcm("short", nonce, aad, ciphertext).is_err());
    // A vector of 16 bytes is none that the platform sends.
    let odd = one("wx3-aes256gcm-16byte-iv-hello");
    assert!(
        sealed::open_gcm(
            odd.input("key"),
            odd.input("nonce"),
            "world",
            odd.expected("ciphertext")
        )
        .is_err()
    );

    let vector = one("wx3-certificates-download-java");
    let body: Value = serde_json::from_str(vector.input("response_body")).unwrap();
    let item = &body["data"][0]["encrypt_certificate"];
    let text = |name: &str| item[name].as_str().unwrap();
    let pem = sealed::open_gcm(
        vector.input("api_v3_key"),
        text("nonce"),
        text("associated_data"),
        text("ciphertext"),
    )
    .unwrap();
    assert_eq!(pem.trim(), vector.expected("certificate_pem").trim());
    let certificate = first(&pem);
    assert_eq!(certificate.serial(), vector.expected("serial_no"));
    assert!(certificate.issuer_is_one_of(&["Tenpay.com Root CA".to_owned()]));
}

#[test]
fn v2_is_signed_as_published() {
    for (id, digest) in [
        ("wx2-sign-md5", sorted_xml::Digest::Md5),
        ("wx2-sign-hmac-sha256", sorted_xml::Digest::HmacSha256),
    ] {
        let vector = one(id);
        let signed = sorted_form::signed(vector.fields("params"), &[]);
        let signature = sorted_xml::sign(digest, &signed, vector.input("key"));
        assert_eq!(signature, vector.expected("sign"), "{id}");
        if let Some(text) = vector.expected.get("string_a") {
            assert_eq!(sorted_form::text(&signed), text.as_str().unwrap());
        }
    }
}

#[test]
fn alipay_s_certificates_have_its_numbers() {
    for id in ["ali-cert-sn-app", "ali-cert-sn-alipay"] {
        let vector = one(id);
        assert_eq!(
            first(vector.input("certificate_pem")).sn(),
            vector.expected("sn"),
            "{id}"
        );
    }
    let roots = one("ali-root-cert-sn");
    let certificates = Certificate::parse_all(roots.input("root_cert_pem")).unwrap();
    assert_eq!(root_sn(&certificates), roots.expected("sn"));
}

#[test]
fn alipay_s_content_is_encrypted_as_published() {
    let response = one("ali-aes-response");
    let key = response.input("aes_key_b64");
    assert_eq!(
        sealed::open_cbc(key, response.input("ciphertext")).unwrap(),
        response.expected("plaintext_json")
    );
    for id in ["ali-aes-easysdk", "ali-aes-across-utf8"] {
        let vector = one(id);
        let (key, plain) = (vector.input("aes_key_b64"), vector.input("plaintext"));
        let ciphertext = sealed::seal_cbc(key, plain).unwrap();
        assert_eq!(ciphertext, vector.expected("ciphertext"), "{id}");
        assert_eq!(sealed::open_cbc(key, &ciphertext).unwrap(), plain, "{id}");
        assert!(sealed::open_cbc("bm8ga2V5", &ciphertext).is_err());
    }
}

#[test]
fn a_target_of_the_vectors_is_complete() {
    assemble(&wx(), false, wx_settings()).unwrap();
}
