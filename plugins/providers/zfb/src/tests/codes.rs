//! Every code that Alipay documents, and what becomes of each operation that it answers.

use walnut_sdk::{RefundOrder, Reversal};

use super::*;

/// What becomes of an operation, and the words of its fault.
type End = (&'static str, String);

fn fault(fault: Fault) -> End {
    match fault {
        Fault::Invalid(words) => ("invalid", words),
        Fault::Misconfigured(words) => ("misconfigured", words),
        Fault::Unknown(words) => ("unknown", words),
        Fault::Unverified(words) => ("unverified", words),
        Fault::Unsupported => ("unsupported", String::new()),
    }
}

fn outcome(result: Result<Outcome, Fault>) -> End {
    let end = match result {
        Err(refused) => return fault(refused),
        Ok(Outcome::Trade(evidence)) if evidence.claim == "pay-declined" => "declined",
        Ok(Outcome::Ask) => "ask",
        Ok(Outcome::Pending) => "pending",
        Ok(Outcome::NotFound) => "not found",
        Ok(other) => panic!("{other:?}"),
    };
    (end, String::new())
}

fn reversal(result: Result<Reversal, Fault>) -> End {
    match result {
        Err(refused) => fault(refused),
        Ok(Reversal::Undone) => ("undone", String::new()),
        Ok(Reversal::AgainInMs(_)) => ("again", String::new()),
        Ok(Reversal::Refused(words)) => ("refused", words),
    }
}

fn refund() -> RefundOrder {
    RefundOrder {
        refund_no: "0190f1c0a7a47000a000000000000002".to_owned(),
        amount: Money::new(500, Currency::CNY).unwrap(),
        reason: String::new(),
        paid: Money::new(2300, Currency::CNY).unwrap(),
        transaction_id: None,
    }
}

fn till() -> Attempt {
    Attempt {
        pay_type: "zfb.scan".to_owned(),
        ..attempt("茶", 2300)
    }
}

fn scanned(body: &str) -> Result<Sent, Fault> {
    let code = vec!["281234567890123456".to_owned()];
    with(Rc::new(gateway(200, body)), || Zfb::send(till(), code))
}

/// What each operation comes to when it is refused with this.
fn ends(code: &str, sub_code: &str) -> [End; 7] {
    let at = |operation| Rc::new(gateway(200, &refused(operation, code, sub_code)));
    let trade = || attempt("茶", 2300);
    let closed = with(at("close"), || Zfb::close(trade()));
    [
        outcome(
            sent(&refused("precreate", code, sub_code))
                .0
                .map(|sent| sent.outcome),
        ),
        outcome(scanned(&refused("pay", code, sub_code)).map(|sent| sent.outcome)),
        outcome(with(at("query"), || Zfb::check(trade()))),
        closed.map_or_else(fault, |()| ("done", String::new())),
        reversal(with(at("cancel"), || Zfb::reverse(till()))),
        outcome(with(at("refund"), || Zfb::refund(trade(), refund()))),
        outcome(with(at("fastpay_refund_query"), || {
            Zfb::check_refund(trade(), refund())
        })),
    ]
}

/// The sentence says what to do, and repeats Alipay's own code.
fn advises(sub_code: &str, words: &str) {
    let (sentence, own) = words.rsplit_once(" (").unwrap();
    assert!(own.contains(sub_code), "{sub_code}: {words}");
    assert!(sentence.contains(": "), "{sub_code}: {words}");
    assert!(!sentence.contains("not known here"), "{sub_code}: {words}");
}

/// Where a cell is empty nobody knows.
fn cells(cells: [&'static str; 7]) -> [&'static str; 7] {
    cells.map(|word| if word.is_empty() { "unknown" } else { word })
}

#[test]
fn every_code_has_its_meaning_for_every_operation() {
    let all = |word| [word; 7];
    for (code, sub_code, expected) in [
        // Of the business: order, till, query, close, cancel, refund, its query.
        ("40004", "ACQ.SYSTEM_ERROR", all("unknown")),
        ("40004", "ACQ.INVALID_PARAMETER", all("invalid")),
        ("40004", "ACQ.ACCESS_FORBIDDEN", all("misconfigured")),
        ("40004", "ACQ.PARTNER_ERROR", all("misconfigured")),
        ("40004", "ACQ.CONTEXT_INCONSISTENT", all("unknown")),
        ("40004", "ACQ.TRADE_BUYER_NOT_MATCH", all("unknown")),
        (
            "40004",
            "ACQ.TRADE_HAS_SUCCESS",
            cells(["ask", "ask", "", "", "", "", ""]),
        ),
        (
            "40004",
            "ACQ.TRADE_HAS_CLOSE",
            cells(["ask", "ask", "", "done", "", "", ""]),
        ),
        (
            "40004",
            "ACQ.TRADE_NOT_EXIST",
            cells(["", "", "not found", "done", "", "", "not found"]),
        ),
        (
            "40004",
            "ACQ.TRADE_STATUS_ERROR",
            cells(["", "", "", "done", "", "", ""]),
        ),
        (
            "40004",
            "ACQ.CANCEL_NOT_ALLOWED",
            cells(["", "", "", "", "refused", "", ""]),
        ),
        // Of the gateway.
        ("20000", "isp.unknow-error", all("unknown")),
        ("20000", "", all("unknown")),
        ("20001", "aop.invalid-auth-token", all("misconfigured")),
        ("40001", "isv.missing-app-id", all("misconfigured")),
        ("40002", "isv.invalid-signature", all("misconfigured")),
        ("40003", "isv.suspend", all("misconfigured")),
        ("40005", "isv.app-call-limited", all("unknown")),
        (
            "40006",
            "isv.insufficient-isv-permissions",
            all("misconfigured"),
        ),
        ("40004", "isv.code-not-exist", all("misconfigured")),
    ] {
        let ends = ends(code, sub_code);
        let found = ends.each_ref().map(|(end, _)| *end);
        assert_eq!(found, expected, "{code} {sub_code}");
        for (end, words) in &ends {
            if ["invalid", "misconfigured", "unknown"].contains(end) {
                advises(sub_code, words);
            }
        }
    }
}

#[test]
fn what_is_wrong_with_an_order_or_its_buyer_is_told_where_they_are() {
    for (sub_code, order, till) in [
        ("ACQ.EXIST_FORBIDDEN_WORD", "invalid", "invalid"),
        ("ACQ.TOTAL_FEE_EXCEED", "invalid", "invalid"),
        (
            "ACQ.BEYOND_PAY_RESTRICTION",
            "misconfigured",
            "misconfigured",
        ),
        ("ACQ.PAYMENT_AUTH_CODE_INVALID", "invalid", "invalid"),
        ("ACQ.PULL_MOBILE_CASHIER_FAIL", "invalid", "invalid"),
        ("ACQ.BUYER_BALANCE_NOT_ENOUGH", "invalid", "declined"),
        (
            "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
            "invalid",
            "declined",
        ),
        ("ACQ.BUYER_SELLER_EQUAL", "invalid", "declined"),
        ("ACQ.PAYMENT_FAIL", "invalid", "declined"),
        ("ACQ.PAYMENT_REQUEST_HAS_RISK", "unknown", "declined"),
        ("ACQ.BUYER_ENABLE_STATUS_FORBID", "unknown", "declined"),
    ] {
        let [ordered, charged, ..] = ends("40004", sub_code);
        assert_eq!((ordered.0, charged.0), (order, till), "{sub_code}");
        for (end, words) in [ordered, charged] {
            if ["invalid", "misconfigured"].contains(&end) {
                advises(sub_code, &words);
            }
        }
    }
}

#[test]
fn what_is_wrong_with_giving_back_is_told_there() {
    for (sub_code, cancel, refund) in [
        ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "refused", "invalid"),
        ("ACQ.REASON_TRADE_BEEN_FREEZEN", "refused", "invalid"),
        ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "unknown", "invalid"),
        ("ACQ.TRADE_HAS_FINISHED", "unknown", "invalid"),
        ("ACQ.TRADE_NOT_EXIST", "unknown", "unknown"),
        ("ACQ.SYSTEM_ERROR", "unknown", "unknown"),
    ] {
        let [_, _, _, _, cancelled, (refunded, words), _] = ends("40004", sub_code);
        assert_eq!((cancelled.0, refunded), (cancel, refund), "{sub_code}");
        advises(sub_code, &words);
    }
}

#[test]
fn what_nobody_knows_ends_nothing() {
    for (code, sub_code) in [
        ("40004", "ACQ.NEVER_HEARD_OF"),
        ("40004", ""),
        ("99999", "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        // The same word behind the code for "busy".
        ("20000", "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        ("20000", "ACQ.TRADE_NOT_EXIST"),
    ] {
        let found = ends(code, sub_code).map(|(end, _)| end);
        assert_eq!(found, ["unknown"; 7], "{code} {sub_code}");
    }
    // A code that nobody can pay by is not in process.
    let (end, _) = outcome(
        sent(&refused("precreate", "10003", ""))
            .0
            .map(|sent| sent.outcome),
    );
    assert_eq!(end, "unknown");
}

#[test]
fn the_till_is_told_why_the_buyer_cannot_pay() {
    let sent = scanned(&refused("pay", "40004", "ACQ.BUYER_BALANCE_NOT_ENOUGH")).unwrap();
    let words = sent.words.unwrap();
    advises("ACQ.BUYER_BALANCE_NOT_ENOUGH", &words);
    assert!(
        words.starts_with("the buyer has not enough money: "),
        "{words}"
    );
    assert!(words.contains("交易"), "in Alipay's words too: {words}");
    for code in ["10000", "10003"] {
        let sent = scanned(&signed("pay", json!({"code": code, "out_trade_no": TRADE}))).unwrap();
        assert_eq!(sent.words, None);
        assert!(matches!(sent.outcome, Outcome::Trade(evidence) if evidence.claim == "pay"));
    }
}
