use std::rc::Rc;

use walnut_sdk::http::{Failure, Request};
use walnut_sdk::native::{Double, with};
use walnut_sdk::serde_json::json;
use walnut_sdk::{Currency, Money, Statement, trust};

use super::*;

mod codes;
mod reports;

const TRADE: &str = "0190f1c0a7a47000a000000000000001";
const REFUND_NO: &str = "0190f1c0a7a47000a000000000000002";
const NUMBER: &str = "5O190127TN364715T";

fn attempt(minor: i64, currency: &str) -> Attempt {
    Attempt {
        trade_no: TRADE.to_owned(),
        brief: "two teas".to_owned(),
        total: Money::new(minor, Currency::parse(currency).unwrap()).unwrap(),
        pay_type: "paypal.page".to_owned(),
        target: "shop".to_owned(),
        client_ip: None,
        notify_url: format!("https://pay.example.com/pay/re/{TRADE}"),
        created_ms: 1_735_660_800_000,
        expires_ms: 1_735_660_800_000 + 60_000,
        meta_json: "{}".to_owned(),
        notes_json: "{}".to_owned(),
        transaction_id: None,
    }
}

/// An attempt whose order is known.
fn ordered() -> Attempt {
    Attempt {
        notes_json: json!({"order": NUMBER}).to_string(),
        ..attempt(1050, "USD")
    }
}

fn says(status: u16, body: Value) -> Result<Message, Failure> {
    Ok(Message::new(status, Vec::new(), body.to_string()))
}

fn refuses(status: u16, issue: &str) -> Result<Message, Failure> {
    says(
        status,
        json!({"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": issue, "description": "d"}]}),
    )
}

fn run<T>(double: Double, guest: impl FnOnce() -> T) -> (T, Vec<Request>) {
    let double = Rc::new(double);
    let result = with(double.clone(), guest);
    (result, double.requests())
}

fn word<T>(result: &Result<T, Fault>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Fault::Invalid(_)) => "invalid",
        Err(Fault::Unknown(_)) => "unknown",
        Err(Fault::Unverified(_)) => "unverified",
        Err(Fault::Misconfigured(_)) => "misconfigured",
        Err(Fault::Unsupported) => "unsupported",
    }
}

fn claim(outcome: Result<Outcome, Fault>) -> String {
    match outcome {
        Ok(Outcome::Trade(evidence) | Outcome::Refund(evidence)) => evidence.claim,
        Ok(Outcome::Pending) => "pending".to_owned(),
        Ok(Outcome::NotFound) => "not found".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_becomes_a_page_for_the_buyer() {
    let page = "https://www.paypal.com/checkoutnow?token=5O190127TN364715T";
    for rel in ["approve", "payer-action"] {
        let answer = json!({"id": NUMBER, "status": "CREATED", "links": [{"rel": "self", "href": "x"}, {"rel": rel, "href": page}]});
        let double = Double::new().setting("return_url", "https://shop.example.com/back");
        let (sent, requests) = run(double.answering(says(201, answer)), || {
            PayPal::send(attempt(1050, "USD"), Vec::new())
        });
        let sent = sent.unwrap();
        assert_eq!(sent.presentation, Some(Presentation::Link(page.to_owned())));
        assert_eq!(sent.notes.unwrap()["order"], NUMBER);
        let request = &requests[0];
        assert_eq!(
            (request.url.as_str(), request.auth.as_deref()),
            ("https://api-m.paypal.com/v2/checkout/orders", Some("token"))
        );
        assert!(
            request
                .headers
                .contains(&("paypal-request-id".to_owned(), TRADE.to_owned()))
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            body["purchase_units"][0]["amount"],
            json!({"currency_code": "USD", "value": "10.50"})
        );
        assert_eq!(body["purchase_units"][0]["custom_id"], TRADE);
        assert_eq!(
            body["application_context"]["return_url"],
            "https://shop.example.com/back"
        );
    }
}

#[test]
fn amounts_have_the_decimals_that_paypal_takes() {
    for (minor, currency, value) in [
        (1, "USD", "0.01"),
        (1000, "JPY", "1000"),
        (10_000, "HUF", "100"),
        (10_000, "TWD", "100"),
    ] {
        let order = with(Rc::new(Double::new()), || {
            order::of(&attempt(minor, currency))
        });
        assert_eq!(
            order.unwrap()["purchase_units"][0]["amount"]["value"],
            value,
            "{currency}"
        );
    }
    for (minor, currency) in [(0, "USD"), (10_050, "HUF"), (1, "TWD"), (1000, "KWD")] {
        let (sent, requests) = run(Double::new(), || {
            PayPal::send(attempt(minor, currency), Vec::new())
        });
        assert_eq!((word(&sent), requests.len()), ("invalid", 0), "{currency}");
    }
}

#[test]
fn the_capture_counts_and_not_the_order() {
    let order = |captures: Value| json!({"id": NUMBER, "status": "COMPLETED", "purchase_units": [{"payments": {"captures": captures}}]});
    let (checked, _) = run(
        Double::new().answering(says(
            200,
            json!({"status": "APPROVED", "purchase_units": [{}]}),
        )),
        || PayPal::check(ordered()),
    );
    assert_eq!(claim(checked), "order");
    for (captures, asked) in [
        (json!([{"id": "A1", "status": "PENDING"}]), "A1"),
        (
            json!([{"id": "A1", "status": "DECLINED"}, {"id": "B2", "status": "COMPLETED"}]),
            "B2",
        ),
        (
            json!([{"id": "A1", "status": "COMPLETED"}, {"id": "B2", "status": "DECLINED"}]),
            "A1",
        ),
        (
            json!([{"id": "A1", "status": "DECLINED"}, {"id": "B2", "status": "DECLINED"}]),
            "B2",
        ),
    ] {
        let double = Double::new()
            .answering(says(200, order(captures)))
            .answering(says(200, json!({"id": asked})));
        let (checked, requests) = run(double, || PayPal::check(ordered()));
        assert_eq!(claim(checked), "capture");
        assert!(
            requests[1]
                .url
                .ends_with(&format!("/v2/payments/captures/{asked}"))
        );
    }
    let (checked, requests) = run(Double::new(), || PayPal::check(attempt(1, "USD")));
    assert_eq!(
        (claim(checked), requests.len()),
        ("not found".to_owned(), 0)
    );
    let (checked, _) = run(
        Double::new().answering(refuses(404, "INVALID_RESOURCE_ID")),
        || PayPal::check(ordered()),
    );
    assert_eq!(claim(checked), "not found");
}

#[test]
fn an_approved_order_is_captured() {
    let order = json!({"status": "COMPLETED", "purchase_units": [{"payments": {"captures": [{"id": "A1", "status": "COMPLETED"}]}}]});
    let double = Double::new()
        .answering(says(201, order.clone()))
        .answering(says(200, order.clone()))
        .answering(says(200, json!({"id": "A1"})));
    let (captured, requests) = run(double, || PayPal::capture(ordered()));
    assert_eq!(claim(captured), "capture");
    assert!(
        requests[0]
            .url
            .ends_with(&format!("/v2/checkout/orders/{NUMBER}/capture"))
    );
    assert!(
        requests[0]
            .headers
            .contains(&("paypal-request-id".to_owned(), TRADE.to_owned()))
    );
    for (issue, meaning) in [
        ("ORDER_NOT_APPROVED", "ok"),
        ("INSTRUMENT_DECLINED", "ok"),
        ("PERMISSION_DENIED", "misconfigured"),
        ("TRANSACTION_REFUSED", "unknown"),
        ("NEVER_HEARD_OF", "unknown"),
    ] {
        let (captured, _) = run(Double::new().answering(refuses(422, issue)), || {
            PayPal::capture(ordered())
        });
        assert_eq!(word(&captured), meaning, "{issue}");
    }
    let double = Double::new()
        .answering(refuses(422, "ORDER_ALREADY_CAPTURED"))
        .answering(says(200, order))
        .answering(says(200, json!({"id": "A1"})));
    assert_eq!(
        claim(run(double, || PayPal::capture(ordered())).0),
        "capture"
    );
}

#[test]
fn what_is_no_answer_of_paypal_s_says_nothing() {
    for (answer, meaning) in [
        (Err(Failure::NotSent("x".to_owned())), "unknown"),
        (Err(Failure::Denied("no token".to_owned())), "misconfigured"),
        (says(201, json!({"id": NUMBER})), "unknown"),
        (says(201, json!({"id": "../x", "links": []})), "unknown"),
        (Ok(Message::new(200, Vec::new(), "<html>")), "unknown"),
    ] {
        let (sent, _) = run(Double::new().answering(answer), || {
            PayPal::send(attempt(1, "USD"), Vec::new())
        });
        assert_eq!(word(&sent), meaning);
    }
}

fn webhook(event: &str, address: &str) -> Message {
    let headers = vec![("PAYPAL-CERT-URL".to_owned(), address.to_owned())];
    let body = json!({"event_type": event, "resource": {"custom_id": TRADE}});
    Message::new(0, headers, body.to_string())
}

#[test]
fn a_verified_webhook_makes_the_host_ask() {
    let address = "https://api.paypal.com/v1/notifications/certs/CERT-1";
    let order = json!({"status": "APPROVED", "purchase_units": [{}]});
    let (heard, requests) = run(Double::new().answering(says(200, order.clone())), || {
        PayPal::complete(ordered(), &webhook("CHECKOUT.ORDER.APPROVED", address))
    });
    assert_eq!((claim(heard), requests.len()), ("order".to_owned(), 1));
    let (other, requests) = run(Double::new(), || {
        PayPal::complete(ordered(), &webhook("BILLING.PLAN.CREATED", address))
    });
    assert!(matches!(other, Ok(Outcome::Ignored)) && requests.is_empty());
    // One that does not verify makes nobody ask but for the certificate, once.
    let unknown = || {
        Double::new().verifying(|message, scheme| match scheme {
            "webhook" => Err(trust::Failure::UnknownKey("x".to_owned())),
            _ => Ok(Statement::new(message.body())),
        })
    };
    let double = unknown()
        .answering(says(200, json!("PEM")))
        .renewing(|_, scheme| {
            assert_eq!(scheme, "certificates");
            Ok(Vec::new())
        });
    let (heard, requests) = run(double, || {
        PayPal::complete(ordered(), &webhook("PAYMENT.CAPTURE.COMPLETED", address))
    });
    assert_eq!((word(&heard), requests.len()), ("unverified", 1));
    assert_eq!(
        (requests[0].url.as_str(), &requests[0].auth),
        (address, &None)
    );
    let (heard, _) = run(unknown(), || {
        PayPal::complete(
            ordered(),
            &webhook("PAYMENT.CAPTURE.COMPLETED", "https://evil.example/x"),
        )
    });
    assert_eq!(word(&heard), "unverified");
    let hint = PayPal::identify(&webhook("PAYMENT.CAPTURE.COMPLETED", address));
    assert_eq!(hint, Hint::Trade(TRADE.to_owned()));
    assert_eq!(
        PayPal::identify(&Message::new(0, Vec::new(), "{}")),
        Hint::None
    );
}

#[test]
fn a_refund_names_the_trade_and_itself() {
    let order = || RefundOrder {
        refund_no: REFUND_NO.to_owned(),
        amount: Money::new(500, Currency::parse("USD").unwrap()).unwrap(),
        reason: "cold\ntea".to_owned(),
        paid: Money::new(1050, Currency::parse("USD").unwrap()).unwrap(),
        transaction_id: None,
    };
    let paid = Attempt {
        transaction_id: Some("A1".to_owned()),
        ..ordered()
    };
    let (refunded, requests) = run(
        Double::new().answering(says(201, json!({"id": "R1"}))),
        || PayPal::refund(paid.clone(), order()),
    );
    assert_eq!(claim(refunded), "refund");
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(
        body,
        json!({"amount": {"currency_code": "USD", "value": "5.00"}, "custom_id": TRADE, "invoice_id": REFUND_NO, "note_to_payer": "cold tea"})
    );
    assert!(requests[0].url.ends_with("/v2/payments/captures/A1/refund"));
    let (early, requests) = run(Double::new(), || PayPal::refund(ordered(), order()));
    assert_eq!((word(&early), requests.len()), ("unknown", 0));
    for (issue, meaning) in [
        ("REFUND_AMOUNT_EXCEEDED", "invalid"),
        ("CAPTURE_FULLY_REFUNDED", "invalid"),
        ("REFUND_NOT_ALLOWED", "unknown"),
        ("PENDING_CAPTURE", "unknown"),
    ] {
        let (refunded, _) = run(Double::new().answering(refuses(422, issue)), || {
            PayPal::refund(paid.clone(), order())
        });
        assert_eq!(word(&refunded), meaning, "{issue}");
    }
    // Its number was lost with the answer: it is found by the host's own.
    let listed = json!({"purchase_units": [{"payments": {"refunds": [{"id": "R0", "invoice_id": "x"}, {"id": "R1", "invoice_id": REFUND_NO}]}}]});
    let double = Double::new()
        .answering(says(200, listed))
        .answering(says(200, json!({"id": "R1"})));
    let (asked, requests) = run(double, || PayPal::check_refund(ordered(), order()));
    assert_eq!(claim(asked), "refund");
    assert!(requests[1].url.ends_with("/v2/payments/refunds/R1"));
    let (asked, _) = run(Double::new().answering(says(200, json!({}))), || {
        PayPal::check_refund(ordered(), order())
    });
    assert_eq!(claim(asked), "not found");
}

#[test]
fn the_probe_asks_for_what_cannot_be() {
    let (probed, _) = run(
        Double::new().answering(refuses(404, "INVALID_RESOURCE_ID")),
        PayPal::probe,
    );
    assert!(probed.unwrap().contains("does not exist"));
    let (probed, _) = run(
        Double::new().answering(refuses(401, "AUTHENTICATION_FAILURE")),
        PayPal::probe,
    );
    assert_eq!(word(&probed), "misconfigured");
}
