//! Money that goes back.

use super::*;

#[test]
fn a_refund_is_ordered_and_asked_for() {
    let order = || RefundOrder {
        refund_no: REFUND.to_owned(),
        amount: yuan(500),
        reason: format!("cold\ntea {}", "茶".repeat(40)),
        paid: yuan(2300),
        transaction_id: None,
    };
    let (refunded, requests) = run(
        host().answering(v3(200, json!({"status": "PROCESSING"}))),
        || Wx::refund(attempt("wx.qrcode", "茶"), order()),
    );
    assert!(matches!(refunded, Ok(Outcome::Refund(evidence)) if evidence.claim == "refund"));
    let sent = body(&requests[0]);
    assert_eq!(
        sent["amount"],
        json!({"refund": 500, "total": 2300, "currency": "CNY"})
    );
    let reason = sent["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("cold tea 茶") && reason.len() <= 80,
        "{reason}"
    );
    let (asked, requests) = run(
        host().answering(refusal(404, "RESOURCE_NOT_EXISTS")),
        || Wx::check_refund(attempt("wx.qrcode", "茶"), order()),
    );
    assert!(matches!(asked, Ok(Outcome::NotFound)));
    assert!(
        requests[0]
            .url
            .ends_with(&format!("/v3/refund/domestic/refunds/{REFUND}"))
    );
}
