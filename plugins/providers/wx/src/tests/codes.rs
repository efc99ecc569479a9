//! Every code that WeChat Pay documents, and what becomes of each operation that it answers.

use super::*;

/// What becomes of an operation: a fault, or what it came to.
fn end<T: Ends>(result: Result<T, Fault>) -> (&'static str, String) {
    match result {
        Ok(done) => (done.end(), String::new()),
        Err(Fault::Unsupported) => ("unsupported", String::new()),
        Err(
            ref fault @ (Fault::Invalid(ref words)
            | Fault::Misconfigured(ref words)
            | Fault::Unknown(ref words)
            | Fault::Unverified(ref words)),
        ) => (word::<()>(&Err(fault.clone())), words.clone()),
    }
}

trait Ends {
    fn end(&self) -> &'static str;
}

impl Ends for Outcome {
    fn end(&self) -> &'static str {
        match self {
            Outcome::Trade(evidence) if evidence.claim.ends_with("-declined") => "declined",
            Outcome::Pending => "pending",
            Outcome::NotFound => "not found",
            Outcome::Ask => "ask",
            _ => "other",
        }
    }
}

impl Ends for Sent {
    fn end(&self) -> &'static str {
        self.outcome.end()
    }
}

impl Ends for () {
    fn end(&self) -> &'static str {
        "done"
    }
}

impl Ends for Reversal {
    fn end(&self) -> &'static str {
        match self {
            Reversal::Undone => "undone",
            Reversal::AgainInMs(_) => "again",
            Reversal::Refused(_) => "refused",
        }
    }
}

/// The sentence says what to do, and repeats the platform's own code.
fn advises(code: &str, words: &str) {
    let (sentence, own) = words.rsplit_once(" (").unwrap();
    assert!(own.contains(code), "{code}: {words}");
    assert!(sentence.contains(": "), "{code}: {words}");
    assert!(!sentence.contains("not known here"), "{code}: {words}");
}

fn refund_order() -> RefundOrder {
    RefundOrder {
        refund_no: REFUND.to_owned(),
        amount: yuan(500),
        reason: String::new(),
        paid: yuan(2300),
        transaction_id: None,
    }
}

/// What each operation of v3 comes to when it is answered with this.
fn by_v3(status: u16, code: &str) -> [(&'static str, String); 7] {
    let at = |host: Double| host.answering(refusal(status, code));
    let till = || at(host().setting("scan_api", "v3"));
    let order = || attempt("wx.qrcode", "茶");
    [
        end(run(at(host()), || Wx::send(order(), Vec::new())).0),
        end(scanned(till()).0),
        end(run(at(host()), || Wx::check(order())).0),
        end(run(at(host()), || Wx::close(order())).0),
        end(run(till(), || Wx::reverse(attempt("wx.scan", "茶"))).0),
        end(run(at(host()), || Wx::refund(order(), refund_order())).0),
        end(run(at(host()), || Wx::check_refund(order(), refund_order())).0),
    ]
}

#[test]
fn every_code_of_v3_has_its_meaning_for_every_operation() {
    const ODD: [&str; 7] = ["unknown"; 7];
    let all = |word| [word; 7];
    let unknown = |[order, till, query, close, reverse, refund, asked]: [&'static str; 7]| {
        [order, till, query, close, reverse, refund, asked]
            .map(|word| if word.is_empty() { "unknown" } else { word })
    };
    for (status, code, expected) in [
        //                        order, till, query, close, reverse, refund, its query
        (400, "PARAM_ERROR", all("invalid")),
        (
            400,
            "INVALID_REQUEST",
            unknown(["", "", "", "", "again", "", ""]),
        ),
        (400, "APPID_MCHID_NOT_MATCH", all("misconfigured")),
        (400, "MCH_NOT_EXISTS", all("misconfigured")),
        (404, "MCH_NOT_EXISTS", all("misconfigured")),
        (401, "SIGN_ERROR", all("misconfigured")),
        (403, "NO_AUTH", all("misconfigured")),
        (403, "NOAUTH", all("misconfigured")),
        (403, "OUT_TRADE_NO_USED", ODD),
        (
            429,
            "FREQUENCY_LIMITED",
            unknown(["", "", "", "", "again", "", ""]),
        ),
        (
            500,
            "SYSTEM_ERROR",
            unknown(["", "", "", "", "again", "", ""]),
        ),
        (500, "SYSTEMERROR", ODD),
        (500, "BANKERROR", ODD),
        (500, "BANK_ERROR", ODD),
        (
            404,
            "ORDER_NOT_EXIST",
            unknown(["", "", "not found", "done", "again", "", ""]),
        ),
        (
            404,
            "ORDERNOTEXIST",
            unknown(["", "", "not found", "done", "again", "", ""]),
        ),
        (
            403,
            "TRADE_ERROR",
            unknown(["", "declined", "", "", "", "", ""]),
        ),
        (
            403,
            "RULE_LIMIT",
            unknown(["invalid", "declined", "", "", "", "", ""]),
        ),
        (
            403,
            "RULELIMIT",
            unknown(["invalid", "declined", "", "", "", "", ""]),
        ),
        (
            202,
            "USERPAYING",
            unknown(["pending", "pending", "", "", "", "", ""]),
        ),
        (
            400,
            "ORDER_PAID",
            unknown(["ask", "ask", "", "done", "", "", ""]),
        ),
        (
            400,
            "ORDERPAID",
            unknown(["ask", "ask", "", "done", "", "", ""]),
        ),
        (
            400,
            "ORDER_CLOSED",
            unknown(["ask", "ask", "", "done", "undone", "", ""]),
        ),
        (
            400,
            "ORDERCLOSED",
            unknown(["ask", "ask", "", "done", "undone", "", ""]),
        ),
        (500, "INVALID_TRANSACTIONID", ODD),
        (
            404,
            "RESOURCE_NOT_EXISTS",
            unknown(["", "", "", "", "", "", "not found"]),
        ),
    ] {
        let ends = by_v3(status, code);
        let found = ends.each_ref().map(|(end, _)| *end);
        assert_eq!(found, expected, "{status} {code}");
        for (end, words) in &ends {
            if ["invalid", "misconfigured", "unknown"].contains(end) {
                advises(code, words);
            }
        }
    }
    // A server that fails may have acted, whatever its code says.
    for code in ["NOTENOUGH", "PARAM_ERROR", "NO_AUTH", "TRADE_ERROR"] {
        let found = by_v3(500, code).map(|(end, _)| end);
        assert_eq!(found, ODD, "{code}");
    }
    // What nobody knows ends nothing.
    for (status, code) in [(400, "NEVER_HEARD_OF"), (403, ""), (418, "paid")] {
        let found = by_v3(status, code).map(|(end, _)| end);
        assert_eq!(found, ODD, "{status} {code}");
    }
}

#[test]
fn what_is_wrong_with_a_buyer_is_told_where_a_buyer_is() {
    for (status, code, order, till) in [
        (403, "NOTENOUGH", "invalid", "declined"),
        (403, "NOT_ENOUGH", "invalid", "declined"),
        (403, "ACCOUNTERROR", "invalid", "declined"),
        (403, "ACCOUNT_ERROR", "invalid", "declined"),
        (403, "NOTSUPORTCARD", "invalid", "declined"),
        (400, "OPENID_MISMATCH", "invalid", "invalid"),
        (500, "OPENID_MISMATCH", "unknown", "unknown"),
        (403, "AUTHCODEEXPIRE", "invalid", "invalid"),
        (403, "AUTH_CODE_INVALID", "invalid", "invalid"),
    ] {
        let [ordered, charged, ..] = by_v3(status, code);
        assert_eq!((ordered.0, charged.0), (order, till), "{status} {code}");
        advises(code, &ordered.1);
    }
}

#[test]
fn every_code_of_a_refund_has_its_meaning() {
    for (status, code, expected) in [
        (500, "SYSTEM_ERROR", "unknown"),
        (403, "USER_ACCOUNT_ABNORMAL", "unknown"),
        (403, "NOT_ENOUGH", "misconfigured"),
        (403, "NO_AUTH", "misconfigured"),
        (400, "PARAM_ERROR", "invalid"),
        (400, "INVALID_REQUEST", "unknown"),
        (404, "MCH_NOT_EXISTS", "misconfigured"),
        (404, "RESOURCE_NOT_EXISTS", "unknown"),
        (401, "SIGN_ERROR", "misconfigured"),
        (429, "FREQUENCY_LIMITED", "unknown"),
        // In the words of v2.
        (403, "SYSTEMERROR", "unknown"),
        (403, "BIZERR_NEED_RETRY", "unknown"),
        (403, "TRADE_OVERDUE", "invalid"),
        (403, "ERROR", "unknown"),
        (403, "INVALID_REQ_TOO_MUCH", "unknown"),
        (403, "NOTENOUGH", "misconfigured"),
        (403, "INVALID_TRANSACTIONID", "unknown"),
    ] {
        let [.., (refund, words), _] = by_v3(status, code);
        assert_eq!(refund, expected, "{code}");
        advises(code, &words);
    }
}

/// What each operation of v2 comes to when it is answered with this.
fn by_v2(code: &'static str) -> [(&'static str, String); 3] {
    let at = || host().answering(v2(&[("result_code", "FAIL"), ("err_code", code)]));
    [
        end(scanned(at()).0),
        end(run(at(), || Wx::check(attempt("wx.scan", "茶"))).0),
        end(run(at(), || Wx::reverse(attempt("wx.scan", "茶"))).0),
    ]
}

#[test]
fn every_code_of_v2_has_its_meaning_for_every_operation() {
    for (code, expected) in [
        //                till, query, reverse
        ("SYSTEMERROR", ["unknown", "unknown", "unknown"]),
        ("BANKERROR", ["unknown", "unknown", "unknown"]),
        ("USERPAYING", ["pending", "unknown", "unknown"]),
        ("PARAM_ERROR", ["invalid", "invalid", "invalid"]),
        ("ORDERPAID", ["ask", "unknown", "unknown"]),
        ("ORDERCLOSED", ["ask", "unknown", "undone"]),
        ("ORDERREVERSED", ["ask", "unknown", "undone"]),
        ("ORDERNOTEXIST", ["unknown", "not found", "again"]),
        (
            "NOAUTH",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "XML_FORMAT_ERROR",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "REQUIRE_POST_METHOD",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "SIGNERROR",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "LACK_PARAMS",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "NOT_UTF8",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "APPID_NOT_EXIST",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "MCHID_NOT_EXIST",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        (
            "APPID_MCHID_NOT_MATCH",
            ["misconfigured", "misconfigured", "misconfigured"],
        ),
        ("OUT_TRADE_NO_USED", ["unknown", "unknown", "unknown"]),
        ("INVALID_REQUEST", ["unknown", "unknown", "unknown"]),
        ("TRADE_ERROR", ["declined", "unknown", "unknown"]),
    ] {
        let ends = by_v2(code);
        assert_eq!(ends.each_ref().map(|(end, _)| *end), expected, "{code}");
        for (end, words) in &ends {
            if ["invalid", "misconfigured", "unknown"].contains(end) {
                advises(code, words);
            }
        }
    }
    for code in ["NEVER_HEARD_OF", ""] {
        assert_eq!(by_v2(code).map(|(end, _)| end), ["unknown"; 3], "{code}");
    }
}

#[test]
fn the_till_tells_a_buyer_who_cannot_pay_from_a_code_that_is_no_good() {
    for (code, expected) in [
        ("NOTENOUGH", "declined"),
        ("NOTSUPORTCARD", "declined"),
        ("RULELIMIT", "declined"),
        ("ACCOUNTERROR", "declined"),
        ("AUTHCODEEXPIRE", "invalid"),
        ("AUTH_CODE_ERROR", "invalid"),
        ("AUTH_CODE_INVALID", "invalid"),
        ("BUYER_MISMATCH", "unknown"),
    ] {
        let double = host().answering(v2(&[
            ("result_code", "FAIL"),
            ("err_code", code),
            ("err_code_des", "余额不足"),
        ]));
        let (sent, requests) = scanned(double);
        assert_eq!(
            requests.len(),
            1,
            "{code}: what is known need not be asked for"
        );
        let told = match &sent {
            Ok(sent) => sent.words.clone().unwrap(),
            Err(Fault::Invalid(words) | Fault::Unknown(words)) => words.clone(),
            Err(other) => panic!("{code}: {other:?}"),
        };
        assert_eq!(end(sent).0, expected, "{code}");
        advises(code, &told);
        assert!(told.contains("余额不足"), "{told}");
    }
}
