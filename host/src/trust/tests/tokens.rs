//! Tokens that the host fetches, and the answers to requests that carry one.

use serde_json::json;

use super::*;
use crate::trust::{Outgoing, Prepared, forget_token, keep_token, prepare, token_request};

/// A platform with tokens, cut down to what the tests need.
fn manifest() -> Manifest {
    let text = json!({
        "manifest": 1, "name": "coin", "version": "1", "title": {"en": "Coin"},
        "pay_types": {"coin.link": {
            "title": {"en": "Coin"}, "notifies": false, "closable": false, "resend": "same", "valid_s": 60
        }},
        "settings": {
            "type": "object", "additionalProperties": false,
            "properties": {
                "client_id": {"type": "string"},
                "client_secret": {
                    "type": "string", "writeOnly": true,
                    "x-key": {"kind": "secret", "usages": ["request"]}
                },
            },
            "required": ["client_id", "client_secret"],
        },
        "reach": [{"method": "GET", "live": ["api.coin.example"], "path": "/orders/{id}", "parts": {"id": "word"}}],
        "schemes": {
            "token": {
                "kind": "bearer", "path": "/token", "form": {"grant_type": "client_credentials"},
                "user": "client_id", "password": "client_secret",
                "token": "/access_token", "expires": "/expires_in",
            },
            "answer": {"kind": "authenticated-json", "to": "token"},
        },
        "claims": {"order": {
            "scheme": "answer", "operations": ["GET /orders/{id}"], "trade": "/trade", "account": "request",
            "amount": {"at": "/value", "unit": "decimal"}, "currency": {"at": "/currency"},
            "state": {"at": "/status", "paid": [], "approved": ["APPROVED"]},
        }},
    });
    Manifest::parse(text.to_string().as_bytes()).unwrap()
}

fn target(manifest: &Manifest) -> Target {
    let settings = json!({"client_id": "shop", "client_secret": "s3cret"});
    assemble(manifest, false, settings.as_object().unwrap().clone()).unwrap()
}

fn order() -> Outgoing {
    Outgoing {
        method: "GET".to_owned(),
        url: "https://api.coin.example/orders/7Z".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        auth: Some("token".to_owned()),
        identity: None,
    }
}

fn header<'a>(sent: &'a Prepared, name: &str) -> &'a str {
    let found = sent.headers.iter().find(|(have, _)| have == name);
    &found.unwrap().1
}

#[test]
fn a_token_is_fetched_once_and_used_until_its_end() {
    let manifest = manifest();
    let target = target(&manifest);
    assert!(
        prepare(&manifest, &target, order(), NOW_MS).is_err(),
        "there is none yet"
    );
    let fetch = token_request(&manifest, &target, &order(), NOW_MS)
        .unwrap()
        .unwrap();
    assert_eq!(fetch.url.as_str(), "https://api.coin.example/token");
    assert_eq!(
        header(&fetch, "authorization"),
        format!("Basic {}", STANDARD.encode("shop:s3cret"))
    );
    assert_eq!(fetch.body, b"grant_type=client_credentials");
    let body = br#"{"access_token":"A21AAF","expires_in":600}"#;
    keep_token(&manifest, &target, "token", 200, body, NOW_MS).unwrap();
    assert!(
        token_request(&manifest, &target, &order(), NOW_MS)
            .unwrap()
            .is_none()
    );
    let sent = prepare(&manifest, &target, order(), NOW_MS).unwrap();
    assert_eq!(header(&sent, "authorization"), "Bearer A21AAF");
    assert!(sent.signed && sent.operation == "GET /orders/{id}");
    let at_end = NOW_MS + 540_000;
    assert!(
        token_request(&manifest, &target, &order(), at_end)
            .unwrap()
            .is_some()
    );
    assert!(forget_token(&manifest, &target, Some("token")));
    assert!(
        token_request(&manifest, &target, &order(), NOW_MS)
            .unwrap()
            .is_some()
    );
    assert!(
        !forget_token(&manifest, &target, Some("answer"))
            && !forget_token(&manifest, &target, None)
    );
}

#[test]
fn a_refused_token_tells_no_secret() {
    let manifest = manifest();
    let target = target(&manifest);
    for (status, body) in [
        (401, &br#"{"error":"s3cret"}"#[..]),
        (200, br#"{"expires_in":600}"#),
        (200, br#"{"access_token":"a\nb","expires_in":600}"#),
        (200, b"\xff"),
        (200, b"[]"),
    ] {
        let refused = keep_token(&manifest, &target, "token", status, body, NOW_MS).unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
        assert!(prepare(&manifest, &target, order(), NOW_MS).is_err());
    }
}

#[test]
fn the_secret_goes_nowhere_but_to_the_granted_host() {
    let manifest = manifest();
    let target = target(&manifest);
    for url in [
        "https://evil.example/orders/7Z",
        "https://api.coin.example/token",
    ] {
        let request = Outgoing {
            url: url.to_owned(),
            ..order()
        };
        assert!(
            token_request(&manifest, &target, &request, NOW_MS).is_err(),
            "{url}"
        );
    }
    let unsigned = Outgoing {
        auth: None,
        ..order()
    };
    assert!(
        token_request(&manifest, &target, &unsigned, NOW_MS)
            .unwrap()
            .is_none()
    );
}

#[test]
fn an_answer_counts_when_the_host_authenticated_the_request() {
    let manifest = manifest();
    let target = target(&manifest);
    let body = json!({"trade": TRADE, "value": "1.50", "currency": "USD", "status": "APPROVED"});
    let mut message = answer("GET /orders/{id}", body.to_string().into_bytes());
    let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
    let read = crate::trust::read_claim(&manifest, &target, TRADE, "order", &statement).unwrap();
    assert_eq!(read.state, crate::trust::Stated::Approved);
    assert_eq!(read.amount.unwrap().minor(), 150);
    message.origin = Origin::Answer {
        operation: "GET /orders/{id}".to_owned(),
        signed: false,
        trade: None,
    };
    let failure = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap_err();
    assert!(matches!(failure, Failure::UnknownScheme(_)));
    let failure = verify(
        &manifest,
        &target,
        &notification(message.body),
        "answer",
        NOW_MS,
    )
    .unwrap_err();
    assert!(matches!(failure, Failure::UnknownScheme(_)));
}
