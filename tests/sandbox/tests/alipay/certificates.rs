//! Certificate mode, the rotation of Alipay's certificate, and encrypted content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use walnut_sandbox::alipay::certificate;
use walnut_sandbox::alipay::{AnswerFault, Issuer, Misbehaviour};
use x509_parser::pem::parse_x509_pem;

use crate::merchant::{Merchant, named, order};

/// The certificates of a file, each in PEM of its own.
fn split(file: &str) -> Vec<String> {
    let end = "-----END CERTIFICATE-----";
    file.split_inclusive(end)
        .map(str::trim)
        .filter(|pem| pem.ends_with(end))
        .map(str::to_owned)
        .collect()
}

/// Whether one certificate signed the other; both are RSA with SHA-256.
fn signed(issuer: &str, pem: &str) -> bool {
    let (_, block) = parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = block.parse_x509().unwrap();
    let signature = STANDARD.encode(&certificate.signature_value.data);
    let issuer = certificate::public_key(issuer).unwrap();
    issuer.verify(certificate.tbs_certificate.as_ref(), &signature)
}

/// Whether a certificate holds now.
fn holds(pem: &str) -> bool {
    let (_, block) = parse_x509_pem(pem.as_bytes()).unwrap();
    block.parse_x509().unwrap().validity().is_valid()
}

/// Whether a file of a certificate and its intermediate is signed up to the first root, and holds.
fn is_good(file: &str, roots: &str) -> bool {
    let (chain, roots) = (split(file), split(roots));
    assert_eq!((chain.len(), roots.len()), (2, 3));
    signed(&chain[1], &chain[0]) && signed(&roots[0], &chain[1]) && chain.iter().all(|c| holds(c))
}

#[tokio::test]
async fn requests_name_their_certificates_and_answers_alipays() {
    let shop = Merchant::open_certified().await;
    let files = shop.account.certificates().unwrap();
    assert!(is_good(files.alipay(), files.root()));
    let qr_code = shop.order("a1").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    let own = certificate::cert_sn(files.alipay()).unwrap();
    for _ in 0..4 {
        let answer = shop.query("a1").await;
        assert_eq!(
            (answer.cert_sn.as_str(), answer.verified),
            (own.as_str(), true)
        );
    }
    let told = shop
        .alipay
        .until(|alipay| alipay.notifications().into_iter().next())
        .await;
    assert!(shop.verify(&told.body).0);

    let other = shop.alipay.open_certified_account().await.unwrap();
    let foreign = certificate::cert_sn(other.certificates().unwrap().app()).unwrap();
    for (name, value, code) in [
        ("app_cert_sn", "", "isv.missing-app-cert-sn"),
        ("app_cert_sn", foreign.as_str(), "isv.app-cert-not-exist"),
        ("app_cert_sn", &own, "isv.app-cert-not-exist"),
        ("alipay_root_cert_sn", "", "isv.missing-alipay-root-cert-sn"),
        (
            "alipay_root_cert_sn",
            &own,
            "isv.invalid-alipay-root-cert-sn",
        ),
    ] {
        let mut parameters = shop.parameters("alipay.trade.query", &named("a1"));
        parameters.insert(name.to_owned(), value.to_owned());
        shop.sign(&mut parameters);
        let answer = shop.read(shop.send(&parameters).await.unwrap().text().await.unwrap());
        assert_eq!(answer.codes(), ("40002", code), "{name}={value}");
    }

    // Key mode knows no certificates.
    let shop = shop.with_new_account().await;
    let mut parameters = shop.parameters("alipay.trade.query", &named("a1"));
    parameters.insert("app_cert_sn".to_owned(), own);
    shop.sign(&mut parameters);
    let answer = shop.read(shop.send(&parameters).await.unwrap().text().await.unwrap());
    assert_eq!(answer.codes(), ("40002", "isv.app-cert-not-exist"));
    assert_eq!(shop.query("a1").await.cert_sn, "");
}

#[tokio::test]
async fn a_new_certificate_is_downloaded_by_its_number_and_judged_by_its_roots() {
    let mut shop = Merchant::open_certified().await;
    let app = shop.account.app_id().to_owned();
    let roots = shop.account.certificates().unwrap().root().to_owned();
    let first = shop.query("a1").await.cert_sn;
    for (issuer, good) in [
        (Issuer::Stranger, false),
        (Issuer::AlipayLongAgo, false),
        (Issuer::Alipay, true),
    ] {
        let renewed = shop.alipay.renew_certificate(&app, issuer).await.unwrap();
        let answer = shop.query("a1").await;
        assert!(!answer.verified && answer.cert_sn != first);
        let content = format!(r#"{{"alipay_cert_sn":"{}"}}"#, answer.cert_sn);
        let download = shop
            .call("alipay.open.app.alipaycert.download", &content)
            .await;
        // By the very key whose certificate it brings.
        assert_eq!(
            (download.codes(), download.verified),
            (("10000", ""), false)
        );
        assert_eq!(download.cert_sn, answer.cert_sn);
        let bytes = STANDARD
            .decode(download.get("alipay_cert_content"))
            .unwrap();
        let pem = String::from_utf8(bytes).unwrap();
        assert_eq!(pem, renewed);
        assert_eq!(certificate::cert_sn(&pem).unwrap(), answer.cert_sn);
        // A stranger uses the same names, so that only the signatures tell.
        assert_eq!(is_good(&pem, &roots), good, "{issuer:?}");
    }
    // Who trusts the last one reads on; the first can still be had.
    let renewed = shop
        .alipay
        .renew_certificate(&app, Issuer::Alipay)
        .await
        .unwrap();
    shop.alipay_key = certificate::public_key(&renewed).unwrap();
    assert!(shop.query("a1").await.verified);
    let old = format!(r#"{{"alipay_cert_sn":"{first}"}}"#);
    let old = shop.call("alipay.open.app.alipaycert.download", &old).await;
    assert!(old.verified && !old.get("alipay_cert_content").is_empty());
    let unknown = r#"{"alipay_cert_sn":"00000000000000000000000000000000"}"#;
    let unknown = shop
        .call("alipay.open.app.alipaycert.download", unknown)
        .await;
    assert_eq!(unknown.codes(), ("40002", "isv.alipay-cert-not-exist"));
    let key_mode = shop.alipay.open_account().await.unwrap();
    let refused = shop
        .alipay
        .renew_certificate(key_mode.app_id(), Issuer::Alipay)
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn an_answer_may_name_a_certificate_that_nobody_issued() {
    let shop = Merchant::open_certified().await;
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::UnknownCertificate));
    let answer = shop.query("a1").await;
    assert!(!answer.verified && answer.cert_sn.len() == 32);
    let content = format!(r#"{{"alipay_cert_sn":"{}"}}"#, answer.cert_sn);
    let download = shop
        .call("alipay.open.app.alipaycert.download", &content)
        .await;
    assert_eq!(download.codes(), ("40002", "isv.alipay-cert-not-exist"));
    // A forger who names Alipay's own is found out by the signature alone.
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::SignedByStranger));
    let forged = shop.query("a1").await;
    assert!(!forged.verified && forged.cert_sn == shop.query("a1").await.cert_sn);
}

#[tokio::test]
async fn content_is_encrypted_both_ways_where_the_request_asks_for_it() {
    let shop = Merchant::open().await;
    for _ in 0..4 {
        let made = shop
            .call_encrypted("alipay.trade.precreate", &order("a1"))
            .await;
        assert_eq!(
            (made.codes(), made.verified),
            (("10000", ""), true),
            "{}",
            made.body
        );
        assert!(!made.body.contains("qr_code"));
    }
    // A refusal by the operation is encrypted too, and a misbehaviour finds its order.
    let refused = shop
        .call_encrypted("alipay.trade.query", &named("a1"))
        .await;
    assert_eq!(
        (refused.codes(), refused.verified),
        (("40004", "ACQ.TRADE_NOT_EXIST"), true)
    );
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::Busy { processed: false }).for_trade("a1"));
    let busy = shop
        .call_encrypted("alipay.trade.query", &named("a1"))
        .await;
    assert_eq!(busy.codes().0, "20000");
    assert_eq!(shop.query("a1").await.codes().1, "ACQ.TRADE_NOT_EXIST");

    // What the gateway cannot read it answers in the clear.
    for (kind, content, codes) in [
        (
            "AES",
            order("a1"),
            ("40003", "isv.decryption-error-unknown"),
        ),
        (
            "AES",
            "AAAAAAAAAAAAAAAAAAAAAA==".to_owned(),
            ("40003", "isv.decryption-error-unknown"),
        ),
        ("SM4", order("a1"), ("40002", "isv.invalid-encrypt-type")),
    ] {
        let mut parameters = shop.parameters("alipay.trade.precreate", &content);
        parameters.insert("encrypt_type".to_owned(), kind.to_owned());
        shop.sign(&mut parameters);
        let answer = shop.read(shop.send(&parameters).await.unwrap().text().await.unwrap());
        assert_eq!((answer.codes(), answer.verified), (codes, true), "{kind}");
    }
}
