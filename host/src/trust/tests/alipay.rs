//! Alipay's certificates, encrypted content and addresses for the buyer, by the manifest of its provider.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::json;

use super::authorities::Authority;
use super::*;
use crate::trust::certificate::{Certificate, root_sn};
use crate::trust::key::PublicKey;
use crate::trust::{Outgoing, Prepared, prepare, renew, sealed, sign_template};

const PROVIDER: &str = include_str!("../../../../plugins/providers/zfb/manifest.json");
const QUERY: &str = "alipay.trade.query";
const DOWNLOAD: &str = "alipay.open.app.alipaycert.download";
const GATEWAY: &str = "https://openapi.alipay.com/gateway.do";

/// 16 bytes.
const CONTENT_KEY: &str = "aa4BtZ4tspm2wnXLb1ThQA==";

/// The authority's keys, and those that Alipay takes next.
fn authority() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

fn next() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

fn alipay() -> &'static Authority {
    static ALIPAY: LazyLock<Authority> = LazyLock::new(|| {
        Authority::new(
            "Ant Financial Certification Authority Class 2 R1",
            authority(),
        )
    });
    &ALIPAY
}

fn manifest() -> Manifest {
    Manifest::parse(PROVIDER.as_bytes()).unwrap()
}

fn certified() -> Map<String, Value> {
    let mut settings = settings();
    settings.remove("alipay_public_key");
    for (name, pem) in [
        (
            "app_certificate",
            alipay().certify(merchant(), "2001", (-1, 5)),
        ),
        (
            "alipay_certificate",
            alipay().certify(platform(), "2002", (-1, 5)),
        ),
        ("alipay_root_certificate", alipay().pem.clone()),
    ] {
        settings.insert(name.to_owned(), json!(pem));
    }
    settings
}

fn target(more: &[(&str, &str)]) -> Target {
    let mut settings = certified();
    for (name, value) in more {
        settings.insert((*name).to_owned(), json!(value));
    }
    assemble(&manifest(), false, settings).unwrap()
}

fn sn(pem: &str) -> String {
    Certificate::parse_all(pem).unwrap()[0].sn().to_owned()
}

/// An answer to an operation, signed by these keys, that names this certificate.
fn signed(operation: &str, content: &str, keys: &Keys, sn: &str) -> Message {
    let member = operation.replace('.', "_");
    let signature = keys.sign(content);
    let body = format!(
        "{{\"{member}_response\":{content},\"alipay_cert_sn\":\"{sn}\",\"sign\":\"{signature}\"}}"
    );
    answer(operation, body.into_bytes())
}

fn brought(pem: &str, keys: &Keys, sn: &str) -> Message {
    let content = json!({"code": "10000", "alipay_cert_content": STANDARD.encode(pem)});
    signed(DOWNLOAD, &content.to_string(), keys, sn)
}

fn asked(target: &Target, auth: Option<&str>) -> (BTreeMap<String, String>, Prepared) {
    let request = Outgoing {
        method: "POST".to_owned(),
        url: format!("{GATEWAY}?method={QUERY}"),
        headers: Vec::new(),
        body: form::write([("biz_content", r#"{"out_trade_no":"1"}"#)]).into_bytes(),
        auth: auth.map(str::to_owned),
        identity: None,
    };
    let prepared = prepare(&manifest(), target, request, NOW_MS).unwrap();
    let query = form::read(prepared.url.query().unwrap().as_bytes()).unwrap();
    let body = form::read(&prepared.body).unwrap();
    (query.into_iter().chain(body).collect(), prepared)
}

/// Whether the merchant signed all of these fields but the signature.
fn is_signed(mut fields: BTreeMap<String, String>) -> bool {
    let signature = fields.remove("sign").unwrap();
    let text: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let key = PublicKey::parse(&merchant().spki_pem).unwrap();
    key.verify(text.join("&").as_bytes(), &signature).is_ok()
}

#[test]
fn a_request_in_certificate_mode_names_the_certificates() {
    let settings = certified();
    let (fields, _) = asked(&target(&[]), Some("gateway"));
    let app = settings["app_certificate"].as_str().unwrap();
    let roots = Certificate::parse_all(&alipay().pem).unwrap();
    assert_eq!(fields["app_cert_sn"], sn(app));
    assert_eq!(fields["alipay_root_cert_sn"], root_sn(&roots));
    assert!(is_signed(fields));
    let in_key_mode = live(&manifest());
    let (fields, _) = asked(&in_key_mode, Some("gateway"));
    assert!(fields.keys().all(|name| !name.ends_with("cert_sn")));
    assert!(is_signed(fields));
}

#[test]
fn content_is_encrypted_before_it_is_signed_and_opened_after_it_was_verified() {
    let manifest = manifest();
    let target = target(&[("content_key", CONTENT_KEY)]);
    let (fields, _) = asked(&target, Some("gateway"));
    assert_eq!(fields["encrypt_type"], "AES");
    assert_eq!(
        sealed::open_cbc(CONTENT_KEY, &fields["biz_content"]).unwrap(),
        r#"{"out_trade_no":"1"}"#
    );
    assert!(is_signed(fields));

    let known = sn(certified()["alipay_certificate"].as_str().unwrap());
    let plain = r#"{"code":"10000","out_trade_no":"1"}"#;
    let content = json!(sealed::seal_cbc(CONTENT_KEY, plain).unwrap()).to_string();
    let check = |message: &Message| verify(&manifest, &target, message, "answer", NOW_MS);
    let statement = check(&signed(QUERY, &content, platform(), &known)).unwrap();
    assert_eq!(statement.text(), plain.as_bytes());
    // A refusal of the gateway comes in the open.
    let refusal = r#"{"code":"40002"}"#;
    let statement = check(&signed(QUERY, refusal, platform(), &known)).unwrap();
    assert_eq!(statement.text(), refusal.as_bytes());
    assert_eq!(
        check(&signed(QUERY, &content, next(), &known)).unwrap_err(),
        Failure::BadSignature
    );
    let junk = signed(QUERY, "\"bm8ga2V5\"", platform(), &known);
    assert!(matches!(check(&junk), Err(Failure::Malformed(_))));
}

#[tokio::test]
async fn a_new_certificate_is_taken_by_its_way_to_the_root() {
    let manifest = manifest();
    let pem = alipay().certify(next(), "2003", (-1, 5));
    let new = sn(&pem);
    let plain = brought(&pem, next(), &new);
    let content = json!({"code": "10000", "alipay_cert_content": STANDARD.encode(&pem)});
    let content = sealed::seal_cbc(CONTENT_KEY, &content.to_string()).unwrap();
    let encrypted = signed(DOWNLOAD, &json!(content).to_string(), next(), &new);
    for (answer, more) in [
        (plain, &[][..]),
        (encrypted, &[("content_key", CONTENT_KEY)]),
    ] {
        let target = target(more);
        let message = signed(QUERY, "{}", next(), &new);
        let check = || verify(&manifest, &target, &message, "answer", NOW_MS);
        assert!(matches!(check(), Err(Failure::UnknownKey(_))));
        renew(&manifest, &target, &answer, "certificates", NOW_MS)
            .await
            .unwrap();
        check().unwrap();
        let known = sn(certified()["alipay_certificate"].as_str().unwrap());
        let message = signed(QUERY, "{}", platform(), &known);
        verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
    }
}

#[tokio::test]
async fn a_certificate_of_another_kind_or_another_root_is_not_taken() {
    let manifest = manifest();
    let strange = Authority::new("Ant Financial Certification Authority Class 2 R1", next());
    // The authority of applications: a merchant's certificate has the same roots.
    let apps = Authority::new(
        "Ant Financial Certification Authority Class 1 R1",
        authority(),
    );
    let both = format!("{}{}", alipay().pem, apps.pem);
    for (pem, why) in [
        (strange.certify(next(), "2003", (-1, 5)), "another root"),
        (apps.certify(next(), "2003", (-1, 5)), "an application's"),
        (alipay().certify(next(), "2003", (-5, -1)), "over"),
    ] {
        let target = target(&[("alipay_root_certificate", &both)]);
        let answer = brought(&pem, next(), &sn(&pem));
        let failure = renew(&manifest, &target, &answer, "certificates", NOW_MS)
            .await
            .unwrap_err();
        assert!(matches!(failure, Failure::Malformed(_)), "{why}: {failure}");
    }
    // A good one, in an answer that somebody else signed.
    let pem = alipay().certify(next(), "2003", (-1, 5));
    let answer = brought(&pem, merchant(), &sn(&pem));
    let failure = renew(&manifest, &target(&[]), &answer, "certificates", NOW_MS).await;
    assert_eq!(failure.unwrap_err(), Failure::BadSignature);
}

#[test]
fn an_address_for_the_buyer_is_signed_as_it_stands() {
    let manifest = manifest();
    let values = |back: &str| {
        [
            ("timestamp", "2025-01-01 00:00:00"),
            ("notify_url", "https://pay.example.com/pay/re/1"),
            ("return_url", back),
            ("biz_content", r#"{"subject":"茶 a=b"}"#),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let sign = |target: &Target, template: &str, back: &str| {
        let query = sign_template(&manifest, target, template, &values(back), NOW_MS).unwrap();
        let fields = form::read(query.as_bytes()).unwrap();
        let again = sign_template(&manifest, target, template, &values(back), NOW_MS + 60_000);
        assert_eq!(again.unwrap(), query, "the time does not change it");
        fields.into_iter().collect::<BTreeMap<_, _>>()
    };
    for (template, method) in [
        ("page", "alipay.trade.page.pay"),
        ("wap", "alipay.trade.wap.pay"),
    ] {
        let fields = sign(&target(&[]), template, "https://shop.example/?a=b");
        assert_eq!(fields["method"], method);
        assert_eq!(fields["biz_content"], r#"{"subject":"茶 a=b"}"#);
        assert!(fields.contains_key("app_cert_sn") && !fields.contains_key("encrypt_type"));
        assert!(is_signed(fields));

        let fields = sign(&live(&manifest), template, "");
        assert!(!fields.contains_key("app_cert_sn") && !fields.contains_key("return_url"));
        assert!(is_signed(fields));

        let fields = sign(&target(&[("content_key", CONTENT_KEY)]), template, "");
        assert_eq!(fields["encrypt_type"], "AES");
        let content = sealed::open_cbc(CONTENT_KEY, &fields["biz_content"]).unwrap();
        assert_eq!(content, r#"{"subject":"茶 a=b"}"#);
        assert!(is_signed(fields));
    }
}

#[test]
fn a_template_that_cannot_encrypt_is_refused() {
    let with = |encrypt: Value| {
        let mut text: Value = serde_json::from_str(PROVIDER).unwrap();
        text["templates"]["page"]["encrypt"] = encrypt;
        Manifest::parse(text.to_string().as_bytes())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let set = json!({"encrypt_type": "AES"});
    assert_eq!(
        with(json!({"field": "biz_content", "key": "content_key", "set": set})),
        Ok(())
    );
    for bad in [
        json!({"field": "biz_content", "key": "app_private_key", "set": set}),
        json!({"field": "app_id", "key": "content_key", "set": set}),
        json!({"field": "other", "key": "content_key", "set": set}),
        json!({"field": "biz_content", "key": "content_key", "set": {"notify_url": "x"}}),
    ] {
        let error = with(bad.clone()).unwrap_err();
        assert!(error.contains("/templates/page/encrypt"), "{bad}: {error}");
    }
}

#[test]
fn settings_are_of_one_mode_and_of_one_application() {
    let manifest = manifest();
    let other = alipay().certify(next(), "2004", (-1, 5));
    let own = certified()["app_certificate"].as_str().unwrap().to_owned();
    let all = [
        "app_certificate",
        "alipay_certificate",
        "alipay_root_certificate",
    ];
    for (remove, set, field) in [
        (&all[..1], None, "app_certificate"),
        (&all[1..2], None, "alipay_certificate"),
        (&all[2..], None, "alipay_root_certificate"),
        (&all[..], None, "alipay_public_key"),
        (
            &[],
            Some(("app_certificate", other.as_str())),
            "app_certificate",
        ),
        (
            &[],
            Some(("alipay_certificate", own.as_str())),
            "alipay_certificate",
        ),
        (&[], Some(("content_key", "bm8ga2V5")), "content_key"),
        (
            &[],
            Some(("return_url", "javascript:alert(1)")),
            "return_url",
        ),
    ] {
        let mut settings = certified();
        for name in remove {
            settings.remove(*name);
        }
        settings.extend(set.map(|(name, value)| (name.to_owned(), json!(value))));
        let errors = assemble(&manifest, false, settings).unwrap_err();
        assert!(
            errors
                .iter()
                .any(|error| error.field == field || error.problem.contains(field)),
            "{field}: {errors:?}"
        );
    }
}

#[test]
fn the_file_of_a_bill_is_reached_beside_a_test_targets_gateway() {
    let manifest = manifest();
    let mut settings = settings();
    settings.insert(
        "gateway".to_owned(),
        json!("http://127.0.0.1:4000/gateway.do"),
    );
    let test = assemble(&manifest, true, settings).unwrap();
    let get = |target: &Target, url: &str| {
        let request = Outgoing {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            auth: None,
            identity: None,
        };
        prepare(&manifest, target, request, NOW_MS).map(|prepared| prepared.signed)
    };
    let (here, there) = (
        "http://127.0.0.1:4000/downloadBillFile.resource?token=x",
        "https://dwbillcenter.alipay.com/downloadBillFile.resource?token=x",
    );
    assert_eq!(get(&test, here), Ok(false));
    assert!(get(&test, there).is_err());
    assert!(get(&test, "http://127.0.0.1:4000/gateway.do?token=x").is_err());
    assert_eq!(get(&live(&manifest), there), Ok(false));
    assert!(get(&live(&manifest), here).is_err());
}
