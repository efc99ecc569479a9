//! The certificates that WeChat Pay sends: which are kept, and which are not.

use serde_json::json;

use super::authorities::{Authority, sealed};
use super::wechat::{
    API_V3_KEY, PUBLIC_ID, QUERY, SERIAL, authority, get, signed, tenpay, wx, wx_settings,
    wx_target,
};
use super::*;
use crate::trust::certificate::Certificate;
use crate::trust::scheme::certificates;
use crate::trust::{certificate_names, prepare, renew, verifying_key_names};

/// `GET /v3/certificates` answered with these, signed by these keys.
fn list(certificates: &[(&str, &str)], keys: &Keys, serial: &str) -> Message {
    let data: Vec<Value> = certificates
        .iter()
        .map(|(serial, pem)| {
            json!({
                "serial_no": serial,
                "encrypt_certificate": {
                    "algorithm": "AEAD_AES_256_GCM", "associated_data": "certificate",
                    "nonce": "uluk4a9R25RW",
                    "ciphertext": sealed(API_V3_KEY, "uluk4a9R25RW", "certificate", pem),
                },
            })
        })
        .collect();
    let body = json!({ "data": data }).to_string();
    signed(
        answer("GET /v3/certificates", body.into_bytes()),
        keys,
        serial,
        0,
    )
}

#[tokio::test]
async fn a_new_certificate_vouches_for_its_successors_and_both_verify() {
    let manifest = wx();
    let target = wx_target(
        &manifest,
        &[
            ("wechatpay_public_key", ""),
            ("wechatpay_public_key_id", ""),
        ],
    );
    let (old, new) = ("1111111111111111", "2222222222222222");
    let first = tenpay().certify(authority(), old, (-1, 5));
    let second = tenpay().certify(platform(), new, (-1, 5));
    let message = |keys, serial: &str| signed(answer(QUERY, b"{}".to_vec()), keys, serial, 0);
    let check = |message: &Message| verify(&manifest, &target, message, "answer", NOW_MS);
    assert!(matches!(
        check(&message(authority(), old)),
        Err(Failure::UnknownKey(_))
    ));
    let answer = list(&[(old, &first)], authority(), old);
    let came = renew(&manifest, &target, &answer, "certificates", NOW_MS)
        .await
        .unwrap();
    assert_eq!(came, [old]);
    check(&message(authority(), old)).unwrap();
    // Signed by the old one, and by the new one itself.
    for (keys, serial) in [(authority(), old), (platform(), new)] {
        let answer = list(&[(new, &second)], keys, serial);
        renew(&manifest, &target, &answer, "certificates", NOW_MS)
            .await
            .unwrap();
        check(&message(authority(), old)).unwrap();
        check(&message(platform(), new)).unwrap();
    }
    assert_eq!(
        check(&message(platform(), old)).unwrap_err(),
        Failure::BadSignature
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_kept() {
    let manifest = wx();
    let rogue = Authority::new("Tenpay.com Root CA", platform());
    let stranger = Authority::new("Somebody Else CA", authority());
    let serial = "1111111111111111";
    let good = tenpay().certify(authority(), serial, (-1, 5));
    let target = wx_target(&manifest, &[("wechatpay_authority", &tenpay().pem)]);
    let bare = wx_target(&manifest, &[]);
    let check = |target: &Target, message: &Message| {
        certificates::checked(&manifest, target, message, "certificates", NOW_MS)
    };
    check(&target, &list(&[(serial, &good)], authority(), serial)).unwrap();
    for (why, pem) in [
        ("expired", tenpay().certify(authority(), serial, (-5, -1))),
        (
            "not yet valid",
            tenpay().certify(authority(), serial, (1, 5)),
        ),
        (
            "of another issuer",
            stranger.certify(authority(), serial, (-1, 5)),
        ),
        (
            "of the issuer's name alone",
            rogue.certify(authority(), serial, (-1, 5)),
        ),
    ] {
        let message = list(&[(serial, &pem)], authority(), serial);
        let failure = check(&target, &message).unwrap_err();
        assert!(matches!(failure, Failure::Malformed(_)), "{why}: {failure}");
    }
    let other_serial = list(&[("3333333333333333", &good)], authority(), serial);
    assert!(matches!(
        check(&bare, &other_serial),
        Err(Failure::Malformed(_))
    ));
    let forged = list(&[(serial, &good)], merchant(), serial);
    assert_eq!(check(&bare, &forged).unwrap_err(), Failure::BadSignature);
    let mut unsigned = list(&[(serial, &good)], authority(), serial);
    unsigned.origin = Origin::Answer {
        operation: "GET /v3/certificates".to_owned(),
        signed: false,
        trade: None,
    };
    assert!(matches!(
        check(&bare, &unsigned),
        Err(Failure::UnknownScheme(_))
    ));
    let elsewhere = wx_target(
        &manifest,
        &[("api_v3_key", "another-key-of-thirty-two-chars!")],
    );
    let failure = check(&elsewhere, &list(&[(serial, &good)], authority(), serial)).unwrap_err();
    assert_eq!(failure, Failure::BadSignature);
}

#[test]
fn certificates_are_asked_for_once_a_minute() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let ask = |now_ms| prepare(&manifest, &target, get("/v3/certificates"), now_ms);
    ask(NOW_MS).unwrap();
    assert!(ask(NOW_MS + 59_999).is_err());
    ask(NOW_MS + 60_000).unwrap();
}

#[test]
fn a_bundle_of_certificates_is_read_whole() {
    let first = tenpay().certify(authority(), SERIAL, (-1, 1));
    let both = format!("{first}\n{}", tenpay().pem);
    let read = Certificate::parse_all(&both).unwrap();
    assert_eq!((read.len(), read[0].serial()), (2, SERIAL));
    assert!(read[0].is_trusted_by(&read[1..], &[], NOW_MS));
    assert!(!read[0].is_trusted_by(&read[..1], &read[1..], NOW_MS));
    assert_eq!(Certificate::parse_all(&read[0].pem()).unwrap().len(), 1);
    for bad in ["", "x", &merchant().spki_pem, &format!("{first}x")] {
        assert!(Certificate::parse_all(bad).is_err());
    }
}

#[test]
fn keys_are_known_by_what_messages_call_them_and_no_secret_is_needed() {
    let manifest = wx();
    let certificate = |serial| tenpay().certify(platform(), serial, (-1, 5));
    let (own, fetched) = (
        certificate("1111111111111111"),
        certificate("2222222222222222"),
    );
    let (public, _) = manifest.split_settings(wx_settings());
    let by_id = verifying_key_names(&manifest, &public, "");
    assert_eq!(by_id, [PUBLIC_ID]);
    let Value::Object(public) = json!({"wechatpay_certificate": own, "mch_certificate": fetched})
    else {
        panic!("an object");
    };
    let names = verifying_key_names(&manifest, &public, &fetched);
    assert_eq!(
        (names.len(), names[0].as_str(), names[2].as_str()),
        (4, "1111111111111111", "2222222222222222"),
        "each by both of its numbers: {names:?}"
    );
    assert_eq!(certificate_names(&fetched), names[2..]);
    for unreadable in ["", "x", "-----BEGIN CERTIFICATE-----"] {
        assert!(certificate_names(unreadable).is_empty());
        let Value::Object(public) = json!({"wechatpay_certificate": unreadable}) else {
            panic!("an object");
        };
        assert!(verifying_key_names(&manifest, &public, unreadable).is_empty());
    }
}
