//! The issues by which PayPal refuses, and what becomes of each operation that they answer.

use super::*;

/// What becomes of an operation, and the words of its fault.
fn end(result: Result<Outcome, Fault>) -> (&'static str, String) {
    match result {
        Ok(Outcome::Pending) => ("pending", String::new()),
        Ok(Outcome::NotFound) => ("not found", String::new()),
        Ok(other) => panic!("{other:?}"),
        Err(Fault::Invalid(words)) => ("invalid", words),
        Err(Fault::Misconfigured(words)) => ("misconfigured", words),
        Err(Fault::Unknown(words)) => ("unknown", words),
        Err(other) => panic!("{other:?}"),
    }
}

fn refund() -> RefundOrder {
    RefundOrder {
        refund_no: REFUND_NO.to_owned(),
        amount: Money::new(500, Currency::parse("USD").unwrap()).unwrap(),
        reason: String::new(),
        paid: Money::new(1050, Currency::parse("USD").unwrap()).unwrap(),
        transaction_id: Some("R1".to_owned()),
    }
}

/// What ordering, capturing, asking, refunding and asking for the refund come to when they are refused with this.
fn ends(status: u16, issue: &str) -> [(&'static str, String); 5] {
    let refused = || Double::new().answering(refuses(status, issue));
    let paid = || Attempt {
        transaction_id: Some("C1".to_owned()),
        ..ordered()
    };
    let order = || PayPal::send(attempt(1050, "USD"), Vec::new()).map(|sent| sent.outcome);
    [
        end(run(refused(), order).0),
        end(run(refused(), || PayPal::capture(ordered())).0),
        end(run(refused(), || PayPal::check(ordered())).0),
        end(run(refused(), || PayPal::refund(paid(), refund())).0),
        end(run(refused(), || PayPal::check_refund(paid(), refund())).0),
    ]
}

/// The sentence says what to do, and repeats PayPal's own word.
fn advises(issue: &str, words: &str) {
    let (sentence, own) = words.rsplit_once(" (").unwrap();
    assert!(own.contains(issue), "{issue}: {words}");
    assert!(sentence.contains(": "), "{issue}: {words}");
    assert!(!sentence.contains("not known here"), "{issue}: {words}");
}

#[test]
fn every_issue_has_its_meaning_for_every_operation() {
    let all = |word| [word; 5];
    // The buyer may approve it again, with something else to pay by.
    let buyer = ["unknown", "pending", "unknown", "unknown", "unknown"];
    for (status, issue, expected) in [
        // order, capture, its query, refund, its query
        (400, "INVALID_PARAMETER_VALUE", all("invalid")),
        (400, "INVALID_PARAMETER_SYNTAX", all("invalid")),
        (400, "INVALID_STRING_LENGTH", all("invalid")),
        (400, "MISSING_REQUIRED_PARAMETER", all("invalid")),
        (400, "MALFORMED_REQUEST_JSON", all("invalid")),
        (422, "INCOMPATIBLE_PARAMETER_VALUE", all("invalid")),
        (422, "DECIMAL_PRECISION", all("invalid")),
        (422, "DECIMALS_NOT_SUPPORTED", all("invalid")),
        (422, "CANNOT_BE_ZERO_OR_NEGATIVE", all("invalid")),
        (422, "MAX_VALUE_EXCEEDED", all("invalid")),
        (422, "CURRENCY_NOT_SUPPORTED", all("invalid")),
        (400, "INVALID_CURRENCY_CODE", all("invalid")),
        (401, "AUTHENTICATION_FAILURE", all("misconfigured")),
        (401, "invalid_token", all("misconfigured")),
        (403, "PERMISSION_DENIED", all("misconfigured")),
        (403, "NOT_AUTHORIZED", all("misconfigured")),
        (422, "PAYEE_ACCOUNT_INVALID", all("misconfigured")),
        (422, "PAYEE_ACCOUNT_RESTRICTED", all("misconfigured")),
        (422, "PAYEE_NOT_CONSENTED", all("misconfigured")),
        (422, "PAYEE_BLOCKED_TRANSACTION", all("misconfigured")),
        (422, "CAPTURE_FULLY_REFUNDED", all("invalid")),
        (422, "REFUND_AMOUNT_EXCEEDED", all("invalid")),
        (422, "REFUND_CAPTURE_CURRENCY_MISMATCH", all("invalid")),
        (422, "REFUND_TIME_LIMIT_EXCEEDED", all("invalid")),
        (422, "REFUND_NOT_ALLOWED", all("unknown")),
        (422, "PENDING_CAPTURE", all("unknown")),
        (422, "DUPLICATE_INVOICE_ID", all("unknown")),
        (422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED", all("unknown")),
        (422, "TRANSACTION_REFUSED", all("unknown")),
        (422, "INSTRUMENT_DECLINED", buyer),
        (422, "ORDER_NOT_APPROVED", buyer),
        (422, "PAYER_ACTION_REQUIRED", buyer),
        (
            404,
            "INVALID_RESOURCE_ID",
            ["unknown", "unknown", "not found", "unknown", "not found"],
        ),
    ] {
        let ends = ends(status, issue);
        let found = ends.each_ref().map(|(end, _)| *end);
        assert_eq!(found, expected, "{status} {issue}");
        for (end, words) in &ends {
            if ["invalid", "misconfigured", "unknown"].contains(end) {
                advises(issue, words);
            }
        }
    }
}

#[test]
fn what_nobody_knows_ends_nothing() {
    for (status, issue) in [
        (429, "RATE_LIMIT_REACHED"),
        (500, "INTERNAL_SERVER_ERROR"),
        // A server that fails may have acted, whatever it says.
        (500, "INVALID_PARAMETER_VALUE"),
        (503, "INSTRUMENT_DECLINED"),
        (422, "NEVER_HEARD_OF"),
    ] {
        let found = ends(status, issue).map(|(end, _)| end);
        assert_eq!(found, ["unknown"; 5], "{status} {issue}");
    }
    // Somebody was first, or the answer was lost: it is asked for.
    for issue in ["ORDER_ALREADY_CAPTURED", "PREVIOUS_REQUEST_IN_PROGRESS"] {
        let double = Double::new()
            .answering(refuses(422, issue))
            .answering(says(404, json!({})));
        let (captured, requests) = run(double, || PayPal::capture(ordered()));
        assert_eq!((end(captured).0, requests.len()), ("not found", 2));
    }
}
