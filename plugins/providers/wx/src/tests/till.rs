//! Payments at the till, and undoing them.

use super::*;

#[test]
fn a_code_that_is_none_is_refused_before_anything_is_sent() {
    for bad in [
        "",
        "164567890123456789",
        "094567890123456789",
        "13456789012345678",
        "1345678901234567890",
        "13456789012345678a",
        "１３４５６７８９０１２３４５６７８９",
    ] {
        let (sent, requests) = run(host(), || {
            Wx::send(attempt("wx.scan", "茶"), vec![bad.to_owned()])
        });
        assert_eq!((word(&sent), requests.len()), ("invalid", 0), "{bad}");
    }
    let (sent, requests) = run(host(), || Wx::send(attempt("wx.scan", "茶"), Vec::new()));
    assert_eq!((word(&sent), requests.len()), ("invalid", 0));
    // Without the certificate it could not be undone.
    let (sent, requests) = scanned(host().setting("mch_certificate", ""));
    assert_eq!((word(&sent), requests.len()), ("misconfigured", 0));
}

#[test]
fn the_till_charges_by_v2() {
    let paid = v2(&[("result_code", "SUCCESS"), ("out_trade_no", TRADE)]);
    let (sent, requests) = scanned(host().answering(paid));
    match sent.unwrap().outcome {
        Outcome::Trade(evidence) => assert_eq!(evidence.claim, "micropay"),
        other => panic!("{other:?}"),
    }
    assert_eq!(requests[0].auth.as_deref(), Some("v2-request"));
    let sent = String::from_utf8(requests[0].body.clone()).unwrap();
    assert_eq!(
        sent,
        format!(
            "<xml><body>茶</body><out_trade_no>{TRADE}</out_trade_no><total_fee>2300</total_fee>\
             <spbill_create_ip>127.0.0.1</spbill_create_ip><auth_code>{CODE}</auth_code></xml>"
        )
    );
    let waiting = v2(&[("result_code", "FAIL"), ("err_code", "USERPAYING")]);
    assert!(matches!(
        scanned(host().answering(waiting)).0.unwrap().outcome,
        Outcome::Pending
    ));
}

#[test]
fn a_refusal_at_the_till_that_proves_nothing_says_nothing() {
    let unsigned = Ok(Message::new(
        200,
        Vec::new(),
        "<xml><return_code>FAIL</return_code><return_msg>签名错误</return_msg></xml>",
    ));
    let (sent, _) = scanned(host().answering(unsigned));
    assert!(matches!(sent, Err(Fault::Unverified(why)) if why.contains("签名错误")));
    let (sent, _) = scanned(host().answering(Ok(Message::new(502, Vec::new(), ""))));
    assert_eq!(word(&sent), "unknown");
}

#[test]
fn the_till_charges_by_v3_where_the_target_says_so() {
    let by_v3 = || {
        host()
            .setting("scan_api", "v3")
            .setting("mch_certificate", "")
    };
    let (sent, requests) = scanned(by_v3().answering(v3(200, json!({"trade_state": "SUCCESS"}))));
    assert!(matches!(sent.unwrap().outcome, Outcome::Trade(evidence) if evidence.claim == "query"));
    let order = body(&requests[0]);
    assert_eq!(order["payer"], json!({"auth_code": CODE}));
    assert_eq!(order.get("notify_url"), None);
    for (status, code) in [(202, "USERPAYING"), (400, "USERPAYING")] {
        let (sent, _) = scanned(by_v3().answering(refusal(status, code)));
        assert!(matches!(sent.unwrap().outcome, Outcome::Pending));
    }
    let (declined, requests) = scanned(by_v3().answering(refusal(403, "NOTENOUGH")));
    let declined = declined.unwrap();
    assert!(
        matches!(declined.outcome, Outcome::Trade(evidence) if evidence.claim == "codepay-declined")
    );
    assert!(declined.words.unwrap().contains("not enough money"));
    assert_eq!(requests.len(), 1);
    let (_, requests) = run(by_v3().answering(v3(200, json!({}))), || {
        Wx::check(attempt("wx.scan", "茶"))
    });
    assert!(
        requests[0]
            .url
            .contains("/v3/pay/transactions/out-trade-no/")
    );
}

fn reversed(double: Double) -> (Result<Reversal, Fault>, Vec<Request>) {
    run(double, || Wx::reverse(attempt("wx.scan", "茶")))
}

#[test]
fn a_payment_of_unknown_end_is_undone_with_the_merchant_s_certificate() {
    let (undone, requests) =
        reversed(host().answering(v2(&[("result_code", "SUCCESS"), ("recall", "N")])));
    assert_eq!(undone, Ok(Reversal::Undone));
    let request = &requests[0];
    assert_eq!(
        request.url,
        "https://api.mch.weixin.qq.com/secapi/pay/reverse"
    );
    assert_eq!(request.identity.as_deref(), Some("merchant"));
    let secure = host()
        .setting("gateway", "http://127.0.0.1:1")
        .setting("tls_gateway", "https://127.0.0.1:2")
        .answering(v2(&[("result_code", "SUCCESS")]));
    assert_eq!(
        reversed(secure).1[0].url,
        "https://127.0.0.1:2/secapi/pay/reverse"
    );
    for (fields, meaning) in [
        (
            vec![
                ("result_code", "FAIL"),
                ("err_code", "SYSTEMERROR"),
                ("recall", "Y"),
            ],
            "again",
        ),
        (
            vec![
                ("result_code", "FAIL"),
                ("err_code", "ORDERNOTEXIST"),
                ("recall", "N"),
            ],
            "again",
        ),
        (
            vec![
                ("result_code", "FAIL"),
                ("err_code", "REVERSE_EXPIRE"),
                ("recall", "N"),
            ],
            "refused",
        ),
        (
            vec![
                ("result_code", "FAIL"),
                ("err_code", "SYSTEMERROR"),
                ("recall", "N"),
            ],
            "unknown",
        ),
    ] {
        let said = match reversed(host().answering(v2(&fields))).0 {
            Ok(Reversal::AgainInMs(_)) => "again",
            Ok(Reversal::Refused(_)) => "refused",
            Ok(Reversal::Undone) => "undone",
            Err(fault) => word::<()>(&Err(fault)),
        };
        assert_eq!(said, meaning, "{fields:?}");
    }
    let gone = v2(&[("result_code", "FAIL"), ("err_code", "ORDERNOTEXIST")]);
    assert_eq!(
        reversed(host().at(NOW_MS + 61_000).answering(gone)).0,
        Ok(Reversal::Undone)
    );
    // Not before 15 s, and some for the way.
    let (early, requests) = reversed(host().at(NOW_MS + 4_000));
    assert_eq!(
        (early, requests.len()),
        (Ok(Reversal::AgainInMs(13_000)), 0)
    );
    let (by_v3, requests) = reversed(
        host()
            .setting("scan_api", "v3")
            .answering(v3(200, json!({}))),
    );
    assert_eq!(by_v3, Ok(Reversal::Undone));
    assert!(
        requests[0]
            .url
            .ends_with(&format!("/out-trade-no/{TRADE}/reverse"))
    );
}
