//! PayPal's webhooks, by the manifest of its provider.

use serde_json::json;

use super::authorities::Authority;
use super::vectors::vectors;
use super::*;
use crate::trust::scheme::webhook;
use crate::trust::{ManifestError, Outgoing, prepare, renew};

const PAYPAL: &str = include_str!("../../../../plugins/providers/paypal/manifest.json");
const WEBHOOK: &str = "4JH86294D6297924G";
const CERTIFICATE: &str = "GET /v1/notifications/certs/{certificate}";

pub(super) fn manifest() -> Manifest {
    Manifest::parse(PAYPAL.as_bytes()).unwrap()
}

pub(super) fn target(manifest: &Manifest, authority: Option<&str>) -> Target {
    let mut settings = json!({
        "client_id": "client-of-the-shop", "client_secret": "secret-of-the-shop", "webhook_id": WEBHOOK,
    });
    if let Some(pem) = authority {
        settings["webhook_authority"] = json!(pem);
    }
    assemble(manifest, false, settings.as_object().unwrap().clone()).unwrap()
}

pub(super) fn event(keys: &Keys, body: &str) -> Message {
    let text = webhook::text("t-1", "2026-11-25T00:00:00Z", WEBHOOK, body.as_bytes());
    let headers = [
        ("PAYPAL-TRANSMISSION-ID", "t-1".to_owned()),
        (
            "PAYPAL-TRANSMISSION-TIME",
            "2026-11-25T00:00:00Z".to_owned(),
        ),
        ("PAYPAL-TRANSMISSION-SIG", keys.sign(&text)),
        ("PAYPAL-AUTH-ALGO", "SHA256withRSA".to_owned()),
    ];
    Message {
        headers: headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        ..notification(body.as_bytes().to_vec())
    }
}

fn certificate(pem: &str) -> Message {
    Message {
        origin: Origin::Answer {
            operation: CERTIFICATE.to_owned(),
            signed: false,
            trade: None,
        },
        ..answer(CERTIFICATE, pem.as_bytes().to_vec())
    }
}

#[test]
fn the_checksum_is_signed_as_published() {
    let vector = vectors("paypal-webhook-message-crc32").remove(0);
    let text = webhook::text(
        vector.input("transmission_id"),
        vector.input("transmission_time"),
        vector.input("webhook_id"),
        vector.input("event_body").as_bytes(),
    );
    assert_eq!(text, vector.expected("message"));
}

#[tokio::test]
async fn without_the_webhook_s_id_nothing_verifies() {
    let manifest = manifest();
    let settings =
        json!({"client_id": "client-of-the-shop", "client_secret": "secret-of-the-shop"});
    let target = assemble(&manifest, false, settings.as_object().unwrap().clone()).unwrap();
    let pem =
        Authority::new("Some CA", merchant()).certify(platform(), "1111111111111111", (-1, 5));
    let pem = certificate(&pem);
    renew(&manifest, &target, &pem, "certificates", NOW_MS)
        .await
        .unwrap();
    let text = webhook::text("t-1", "2026-11-25T00:00:00Z", "", b"{}");
    let mut message = event(platform(), "{}");
    message.headers[2].1 = platform().sign(&text);
    for message in [message, event(platform(), "{}")] {
        match verify(&manifest, &target, &message, "webhook", NOW_MS) {
            Err(Failure::Malformed(why)) => assert!(why.contains("webhook_id"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_webhook_is_verified_by_a_certificate_of_the_platform_s_own_host() {
    let manifest = manifest();
    let authority = Authority::new("Some CA", merchant());
    let pem = authority.certify(platform(), "1111111111111111", (-1, 5));
    for root in [None, Some(authority.pem.as_str())] {
        let target = target(&manifest, root);
        let message = event(platform(), "{\"event_type\":\"X\"}");
        let check = |message: &Message| verify(&manifest, &target, message, "webhook", NOW_MS);
        assert!(matches!(check(&message), Err(Failure::UnknownKey(_))));
        renew(
            &manifest,
            &target,
            &certificate(&pem),
            "certificates",
            NOW_MS,
        )
        .await
        .unwrap();
        assert_eq!(check(&message).unwrap().text(), message.body);
        assert!(check(&event(merchant(), "{}")).is_err());
        let mut changed = message.clone();
        changed.body = b"{\"event_type\":\"Y\"}".to_vec();
        assert!(check(&changed).is_err());
        let mut odd = message.clone();
        odd.headers[3].1 = "SHA1withRSA".to_owned();
        assert!(matches!(check(&odd), Err(Failure::Malformed(_))));
        let mut cut = message;
        cut.headers[0].1 = "t-1|2026".to_owned();
        assert!(matches!(check(&cut), Err(Failure::Malformed(_))));
    }
    let stranger = Authority::new("Other CA", platform());
    let target = target(&manifest, Some(&stranger.pem));
    let refused = renew(
        &manifest,
        &target,
        &certificate(&pem),
        "certificates",
        NOW_MS,
    )
    .await;
    assert!(matches!(refused, Err(Failure::Malformed(_))));
}

#[test]
fn a_webhook_proves_nothing_and_its_certificate_comes_from_nowhere_else() {
    let mut text: Value = serde_json::from_str(PAYPAL).unwrap();
    text["claims"]["capture"]["scheme"] = json!("webhook");
    text["claims"]["capture"]["operations"] = json!([]);
    match Manifest::parse(text.to_string().as_bytes()) {
        Err(ManifestError::Invalid(problems)) => {
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.problem.contains("checksum")),
                "{problems:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    let manifest = manifest();
    let target = target(&manifest, None);
    let get = |url: &str| Outgoing {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        auth: None,
        identity: None,
    };
    let good = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77";
    assert_eq!(
        prepare(&manifest, &target, get(good), NOW_MS)
            .unwrap()
            .operation,
        CERTIFICATE
    );
    for bad in [
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../x",
    ] {
        assert!(
            prepare(&manifest, &target, get(bad), NOW_MS + 120_000).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn a_person_can_check_what_paypal_s_manifest_says() {
    let words = manifest().in_words().join("\n");
    for line in [
        "Scheme token: the host adds a token to a request; it fetches it by POST at /v1/oauth2/token of the same host \
         with the setting client_id and the secret client_secret, and shows it to nobody. The provider may set the \
         headers paypal-request-id and prefer.",
        "Scheme answer: an answer counts, without a signature, when the host authenticated the request by token.",
        "with 1 to 64 letters, digits and dashes for {order}.",
    ] {
        assert!(words.contains(line), "{line}\nin\n{words}");
    }
}
