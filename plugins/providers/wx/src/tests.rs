use std::rc::Rc;

use serde_json::json;
use walnut_sdk::http::{Failure, Request};
use walnut_sdk::native::{Double, with};
use walnut_sdk::{Currency, Money, Presentation, Statement, form, xml};

use super::*;

const TRADE: &str = "0190f1c0a7a47000a000000000000001";
const REFUND: &str = "0190f1c0a7a47000a000000000000002";
const NOW_MS: u64 = 1_735_660_800_000;
const CODE: &str = "134567890123456789";

fn attempt(pay_type: &str, brief: &str) -> Attempt {
    Attempt {
        trade_no: TRADE.to_owned(),
        brief: brief.to_owned(),
        total: yuan(2300),
        pay_type: pay_type.to_owned(),
        target: "shop".to_owned(),
        client_ip: None,
        notify_url: format!("https://pay.example.com/pay/re/{TRADE}"),
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 90 * 60_000,
        meta_json: "{}".to_owned(),
        notes_json: "{}".to_owned(),
        transaction_id: None,
    }
}

fn yuan(minor: i64) -> Money {
    Money::new(minor, Currency::CNY).unwrap()
}

/// A target's host. A v3 message is verified when it has a serial number, a v2 one when it has a `sign`.
fn host() -> Double {
    Double::new()
        .at(NOW_MS + 20_000)
        .setting("appid", "wxd930ea5d5a258f4f")
        .setting("mchid", "1900009191")
        .setting("mch_certificate", "PEM")
        .verifying(|message, scheme| match scheme {
            "v2-answer" => {
                let body = message.body();
                if xml::unverified_field(&body, "sign").is_none() {
                    return Err(trust::Failure::Malformed("the XML has no sign".to_owned()));
                }
                let names = [
                    "return_code",
                    "result_code",
                    "err_code",
                    "err_code_des",
                    "recall",
                    "out_trade_no",
                    "trade_state",
                ];
                let found: Vec<(&str, String)> = names
                    .iter()
                    .filter_map(|name| Some((*name, xml::unverified_field(&body, name)?)))
                    .collect();
                let pairs: Vec<(&str, &str)> =
                    found.iter().map(|(n, v)| (*n, v.as_str())).collect();
                Ok(Statement::new(form::encode(&pairs)))
            }
            _ => match message.header("Wechatpay-Serial").as_deref() {
                Some("KNOWN000") => Ok(Statement::new(message.body())),
                Some(other) => Err(trust::Failure::UnknownKey(other.to_owned())),
                None => Err(trust::Failure::Malformed("no serial".to_owned())),
            },
        })
}

fn v3(status: u16, body: Value) -> Result<Message, Failure> {
    let headers = vec![("Wechatpay-Serial".to_owned(), "KNOWN000".to_owned())];
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    Ok(Message::new(status, headers, body))
}

fn refusal(status: u16, code: &str) -> Result<Message, Failure> {
    v3(status, json!({"code": code, "message": "交易"}))
}

fn v2(fields: &[(&str, &str)]) -> Result<Message, Failure> {
    let mut all = vec![("return_code", "SUCCESS"), ("sign", "S")];
    all.extend(fields);
    Ok(Message::new(200, Vec::new(), xml::encode(&all)))
}

fn run<T>(double: Double, guest: impl FnOnce() -> T) -> (T, Vec<Request>) {
    let double = Rc::new(double);
    let result = with(double.clone(), guest);
    (result, double.requests())
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
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

#[test]
fn an_order_becomes_a_code_for_the_buyer() {
    let code = "weixin://wxpay/bizpayurl/up?pr=NwY5Mz9&groupid=00";
    let (sent, requests) = run(host().answering(v3(200, json!({"code_url": code}))), || {
        Wx::send(attempt("wx.qrcode", "一杯茶"), Vec::new())
    });
    let sent = sent.unwrap();
    assert_eq!(
        sent.presentation,
        Some(Presentation::Qrcode(code.to_owned()))
    );
    assert_eq!(sent.valid_until_ms, Some(NOW_MS + 90 * 60_000));
    assert!(matches!(sent.outcome, Outcome::Pending));
    let request = &requests[0];
    assert_eq!(
        request.url,
        "https://api.mch.weixin.qq.com/v3/pay/transactions/native"
    );
    assert_eq!(request.auth.as_deref(), Some("request"));
    assert_eq!(
        body(request),
        json!({
            "appid": "wxd930ea5d5a258f4f", "mchid": "1900009191", "description": "一杯茶",
            "out_trade_no": TRADE, "time_expire": "2025-01-01T01:30:00+08:00",
            "notify_url": format!("https://pay.example.com/pay/re/{TRADE}"),
            "amount": {"total": 2300, "currency": "CNY"},
        })
    );
}

#[test]
fn a_resend_says_the_same_in_the_same_words() {
    let bodies = [0, 3_600_000].map(|later| {
        let host = host()
            .at(NOW_MS + later)
            .answering(v3(200, json!({"code_url": "c"})));
        run(host, || Wx::send(attempt("wx.qrcode", "茶"), Vec::new()))
            .1
            .remove(0)
            .body
    });
    assert_eq!(bodies[0], bodies[1]);
}

#[test]
fn a_page_within_wechat_gets_signed_parameters() {
    let double = Rc::new(host().answering(v3(200, json!({"prepay_id": "wx2014"}))));
    let sent = with(double.clone(), || {
        Wx::send(
            attempt("wx.jsapi", "茶"),
            vec!["oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()],
        )
    });
    assert_eq!(
        body(&double.requests()[0])["payer"]["openid"],
        "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
    );
    let Some(Presentation::Json(text)) = sent.unwrap().presentation else {
        panic!("no parameters");
    };
    let parameters: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parameters["package"], "prepay_id=wx2014");
    assert_eq!(
        (&parameters["signType"], &parameters["paySign"]),
        (&json!("RSA"), &json!("signed"))
    );
    let (template, values) = double.signed().remove(0);
    assert_eq!(template, "jsapi");
    let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["timeStamp", "nonceStr", "package"]);
    assert_eq!(values[1].1, parameters["nonceStr"].as_str().unwrap());

    let mut known = attempt("wx.jsapi", "茶");
    known.meta_json = json!({"openid": "o-2"}).to_string();
    let (_, requests) = run(host().answering(v3(200, json!({"prepay_id": "1"}))), || {
        Wx::send(known, Vec::new())
    });
    assert_eq!(body(&requests[0])["payer"]["openid"], "o-2");
    for bad in ["", "a b", "\"", &"o".repeat(129)] {
        let (sent, requests) = run(host(), || {
            Wx::send(attempt("wx.jsapi", "茶"), vec![bad.to_owned()])
        });
        assert_eq!((word(&sent), requests.len()), ("invalid", 0), "{bad}");
    }
}

#[test]
fn an_app_signs_the_bare_id_and_a_browser_gets_a_page() {
    let double = Rc::new(host().answering(v3(200, json!({"prepay_id": "wx2014"}))));
    let sent = with(double.clone(), || {
        Wx::send(attempt("wx.app", "茶"), Vec::new())
    })
    .unwrap();
    let Some(Presentation::Json(text)) = sent.presentation else {
        panic!("no parameters");
    };
    let parameters: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parameters["package"], "Sign=WXPay");
    assert_eq!(parameters["partnerid"], "1900009191");
    let last = double.signed().remove(0).1.pop().unwrap();
    assert_eq!(last, ("prepayid".to_owned(), "wx2014".to_owned()));

    let mut browser = attempt("wx.h5", "茶");
    browser.client_ip = Some("203.0.113.7".to_owned());
    let (sent, requests) = run(
        host().answering(v3(200, json!({"h5_url": "https://wx.tenpay.com/x"}))),
        || Wx::send(browser, Vec::new()),
    );
    let sent = sent.unwrap();
    assert_eq!(
        sent.presentation,
        Some(Presentation::Link("https://wx.tenpay.com/x".to_owned()))
    );
    assert_eq!(sent.valid_until_ms, Some(NOW_MS + 320_000));
    assert_eq!(
        body(&requests[0])["scene_info"],
        json!({"payer_client_ip": "203.0.113.7", "h5_info": {"type": "Wap"}})
    );
    let (sent, _) = run(host(), || Wx::send(attempt("wx.h5", "茶"), Vec::new()));
    assert_eq!(word(&sent), "invalid");
}

#[test]
fn the_description_is_cut_at_a_character() {
    let description = |brief: &str| order::description(&attempt("wx.qrcode", brief));
    assert_eq!(description(&"茶".repeat(200)), "茶".repeat(127));
    assert_eq!(description(&"🍵".repeat(128)), "🍵".repeat(127));
    assert_eq!(description(" tea\n\u{7}"), "tea");
    assert_eq!(description("\n"), TRADE);
}

#[test]
fn what_wechat_pay_cannot_express_is_not_sent() {
    let mut dollars = attempt("wx.qrcode", "tea");
    dollars.total = Money::new(1, Currency::parse("USD").unwrap()).unwrap();
    let mut nothing = attempt("wx.qrcode", "tea");
    nothing.total = yuan(0);
    for bad in [dollars, nothing] {
        let (sent, requests) = run(host(), || Wx::send(bad, Vec::new()));
        assert_eq!((word(&sent), requests.len()), ("invalid", 0));
    }
}

#[test]
fn refusals_of_an_order_have_their_meaning() {
    for (status, code, meaning) in [
        (400, "PARAM_ERROR", "invalid"),
        (400, "INVALID_REQUEST", "unknown"),
        (403, "OUT_TRADE_NO_USED", "unknown"),
        (400, "APPID_MCHID_NOT_MATCH", "misconfigured"),
        (400, "MCH_NOT_EXISTS", "misconfigured"),
        (401, "SIGN_ERROR", "misconfigured"),
        (403, "NO_AUTH", "misconfigured"),
        (403, "NOAUTH", "misconfigured"),
        (403, "ACCOUNTERROR", "misconfigured"),
        (403, "RULELIMIT", "invalid"),
        (403, "RULE_LIMIT", "invalid"),
        (403, "NOTENOUGH", "invalid"),
        (403, "TRADE_ERROR", "unknown"),
        (429, "FREQUENCY_LIMITED", "unknown"),
        (500, "SYSTEM_ERROR", "unknown"),
        (500, "BANKERROR", "unknown"),
        // The status counts more: the platform may have acted.
        (500, "OPENID_MISMATCH", "unknown"),
        (400, "OPENID_MISMATCH", "invalid"),
        (400, "NEVER_HEARD_OF", "unknown"),
        (400, "", "unknown"),
        (400, "ORDER_PAID", "ok"),
        (400, "ORDER_CLOSED", "ok"),
        (202, "USERPAYING", "ok"),
    ] {
        let (sent, _) = run(host().answering(refusal(status, code)), || {
            Wx::send(attempt("wx.qrcode", "茶"), Vec::new())
        });
        assert_eq!(word(&sent), meaning, "{status} {code}");
        if let Ok(sent) = sent {
            assert!(
                matches!(sent.outcome, Outcome::Ask | Outcome::Pending),
                "{code}"
            );
            assert_eq!(sent.presentation, None);
        }
    }
}

#[test]
fn what_is_no_verified_answer_says_nothing() {
    let unsigned = Ok(Message::new(401, Vec::new(), r#"{"code":"SIGN_ERROR"}"#));
    let (sent, _) = run(host().answering(unsigned), || {
        Wx::check(attempt("wx.qrcode", "茶"))
    });
    assert!(matches!(sent, Err(Fault::Unverified(why)) if why.contains("SIGN_ERROR")));
    for (answer, meaning) in [
        (Err(Failure::NotSent("no route".to_owned())), "unknown"),
        (Err(Failure::MaybeSent("timed out".to_owned())), "unknown"),
        (Err(Failure::TooLarge), "unknown"),
        (Err(Failure::Denied("x".to_owned())), "misconfigured"),
        (Ok(Message::new(502, Vec::new(), "<html>")), "unverified"),
        (v3(200, json!({"other": 1})), "unknown"),
    ] {
        let (sent, _) = run(host().answering(answer), || {
            Wx::send(attempt("wx.qrcode", "茶"), Vec::new())
        });
        assert_eq!(word(&sent), meaning);
    }
}

#[test]
fn an_answer_about_the_trade_is_handed_over_unread() {
    let said = json!({"out_trade_no": TRADE, "trade_state": "SUCCESS"});
    let (checked, requests) = run(host().answering(v3(200, said.clone())), || {
        Wx::check(attempt("wx.qrcode", "茶"))
    });
    let Ok(Outcome::Trade(evidence)) = checked else {
        panic!("{checked:?}");
    };
    assert_eq!(
        (evidence.claim.as_str(), evidence.proof.text()),
        ("query", said.to_string().into_bytes())
    );
    assert_eq!(
        requests[0].url,
        format!(
            "https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/{TRADE}?mchid=1900009191"
        )
    );
    for code in ["ORDER_NOT_EXIST", "ORDERNOTEXIST"] {
        let (checked, _) = run(host().answering(refusal(404, code)), || {
            Wx::check(attempt("wx.qrcode", "茶"))
        });
        assert!(matches!(checked, Ok(Outcome::NotFound)));
    }
    let (checked, _) = run(
        host().answering(refusal(404, "RESOURCE_NOT_EXISTS")),
        || Wx::check(attempt("wx.qrcode", "茶")),
    );
    assert_eq!(word(&checked), "unknown");
}

#[test]
fn closing_what_is_not_open_is_fine() {
    let closed = |answer| {
        run(host().answering(answer), || {
            Wx::close(attempt("wx.qrcode", "茶"))
        })
        .0
    };
    assert_eq!(closed(v3(204, Value::Null)), Ok(()));
    for code in ["ORDER_PAID", "ORDERPAID", "ORDER_CLOSED", "ORDER_NOT_EXIST"] {
        assert_eq!(closed(refusal(400, code)), Ok(()), "{code}");
    }
    assert_eq!(word(&closed(refusal(500, "SYSTEM_ERROR"))), "unknown");
    assert_eq!(
        run(host(), || Wx::close(attempt("wx.scan", "茶"))).0,
        Err(Fault::Unsupported)
    );
}

fn notified(event: &str, serial: &str, double: Double) -> Result<Outcome, Fault> {
    let body = json!({"event_type": event, "resource": {}}).to_string();
    let headers = vec![("Wechatpay-Serial".to_owned(), serial.to_owned())];
    let message = Message::new(0, headers, body);
    let double = double.opening(|_, scheme| match scheme {
        "resource" => Ok(Statement::new("plain")),
        other => Err(trust::Failure::UnknownScheme(other.to_owned())),
    });
    run(double, || {
        Wx::complete(attempt("wx.qrcode", "茶"), &message)
    })
    .0
}

#[test]
fn a_notification_is_opened_and_handed_over() {
    match notified("TRANSACTION.SUCCESS", "KNOWN000", host()).unwrap() {
        Outcome::Trade(evidence) => {
            assert_eq!(
                (evidence.claim.as_str(), evidence.proof.text()),
                ("notification", b"plain".to_vec())
            );
        }
        other => panic!("{other:?}"),
    }
    match notified("REFUND.ABNORMAL", "KNOWN000", host()).unwrap() {
        Outcome::Refund(evidence) => assert_eq!(evidence.claim, "refund-notification"),
        other => panic!("{other:?}"),
    }
    let other = notified("PAYSCORE.USER_OPEN_SERVICE", "KNOWN000", host());
    assert!(matches!(other, Ok(Outcome::Ignored)));
}

#[test]
fn an_unknown_certificate_is_asked_for_once() {
    // It does not help: the notification is refused after one question.
    let double = host()
        .answering(v3(200, json!({"data": []})))
        .renewing(|_, scheme| {
            assert_eq!(scheme, "certificates");
            Ok(vec!["OTHER0000".to_owned()])
        });
    let refused = notified("TRANSACTION.SUCCESS", "5157F09EFDC096DE", double);
    assert_eq!(word(&refused), "unverified");
    // A public key is in the settings or nowhere.
    let refused = notified("TRANSACTION.SUCCESS", "PUB_KEY_ID_0114", host());
    assert_eq!(word(&refused), "unverified");
    let refused = notified("TRANSACTION.SUCCESS", "5157F09EFDC096DE", host());
    assert_eq!(word(&refused), "unverified");
}

#[test]
fn the_bare_address_is_told_the_key() {
    let hint = |serial: &str| {
        let headers = vec![("wechatpay-serial".to_owned(), serial.to_owned())];
        Wx::identify(&Message::new(0, headers, ""))
    };
    assert_eq!(
        hint("5157F09EFDC096DE"),
        Hint::Key("5157F09EFDC096DE".to_owned())
    );
    assert_eq!(
        hint("PUB_KEY_ID_0114"),
        Hint::Key("PUB_KEY_ID_0114".to_owned())
    );
    for bad in ["", "x", "../../etc/passwd", &"A".repeat(200)] {
        assert_eq!(hint(bad), Hint::None);
    }
}

fn scanned(double: Double) -> (Result<Sent, Fault>, Vec<Request>) {
    run(double, || {
        Wx::send(attempt("wx.scan", "茶"), vec![CODE.to_owned()])
    })
}

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
fn a_refusal_at_the_till_has_its_meaning() {
    let failed = |code: &'static str| v2(&[("result_code", "FAIL"), ("err_code", code)]);
    for (code, meaning) in [
        ("SYSTEMERROR", "unknown"),
        ("BANKERROR", "unknown"),
        ("NEVER_HEARD_OF", "unknown"),
        ("OUT_TRADE_NO_USED", "unknown"),
        ("PARAM_ERROR", "invalid"),
        ("AUTHCODEEXPIRE", "invalid"),
        ("AUTH_CODE_ERROR", "invalid"),
        ("AUTH_CODE_INVALID", "invalid"),
        ("NOTENOUGH", "invalid"),
        ("NOTSUPORTCARD", "invalid"),
        ("BUYER_MISMATCH", "invalid"),
        ("NOAUTH", "misconfigured"),
        ("SIGNERROR", "misconfigured"),
        ("LACK_PARAMS", "misconfigured"),
        ("XML_FORMAT_ERROR", "misconfigured"),
        ("REQUIRE_POST_METHOD", "misconfigured"),
        ("NOT_UTF8", "misconfigured"),
        ("APPID_NOT_EXIST", "misconfigured"),
        ("MCHID_NOT_EXIST", "misconfigured"),
        ("APPID_MCHID_NOT_MATCH", "misconfigured"),
        ("ORDERPAID", "ok"),
        ("ORDERCLOSED", "ok"),
        ("ORDERREVERSED", "ok"),
    ] {
        // Where it is a definite no, the trade is asked for: there is none.
        let double = host()
            .answering(failed(code))
            .answering(failed("ORDERNOTEXIST"));
        let (sent, requests) = scanned(double);
        assert_eq!(word(&sent), meaning, "{code}");
        let asked = matches!(meaning, "invalid" | "misconfigured");
        assert_eq!(requests.len(), 1 + usize::from(asked), "{code}");
    }
    // The trade failed with it: that is a statement.
    let state = v2(&[
        ("result_code", "SUCCESS"),
        ("trade_state", "PAYERROR"),
        ("out_trade_no", TRADE),
    ]);
    let (sent, _) = scanned(host().answering(failed("NOTENOUGH")).answering(state));
    match sent.unwrap().outcome {
        Outcome::Trade(evidence) => assert_eq!(evidence.claim, "orderquery"),
        other => panic!("{other:?}"),
    }
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
    let declined = by_v3()
        .answering(refusal(403, "NOTENOUGH"))
        .answering(v3(200, json!({"trade_state": "PAYERROR"})));
    assert!(matches!(
        scanned(declined).0.unwrap().outcome,
        Outcome::Trade(_)
    ));
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
    for (status, code, meaning) in [
        (403, "NOT_ENOUGH", "misconfigured"),
        (403, "USER_ACCOUNT_ABNORMAL", "unknown"),
        (404, "RESOURCE_NOT_EXISTS", "unknown"),
        (403, "TRADE_OVERDUE", "invalid"),
        (400, "INVALID_REQUEST", "unknown"),
        (500, "SYSTEM_ERROR", "unknown"),
    ] {
        let (refunded, _) = run(host().answering(refusal(status, code)), || {
            Wx::refund(attempt("wx.qrcode", "茶"), order())
        });
        assert_eq!(word(&refunded), meaning, "{code}");
    }
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

const HEAD: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,\
商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";

fn bill_line(state: &str, refund_no: &str, total: &str, refunded: &str) -> String {
    format!(
        "`2026-11-25 10:00:00,`wxd,`1900009191,`0,`,`42,`{TRADE},`o,`NATIVE,`{state},`OTHERS,`CNY,`23.00,`0.00,`0,\
         `{refund_no},`0.00,`0.00,`,`,`茶, 大杯,`,`0.14,`0.60%,`{total},`{refunded},`"
    )
}

#[test]
fn a_bill_is_found_and_read() {
    let said = json!({"hash_type": "SHA1", "hash_value": "79bb", "download_url": "https://api.mch.weixin.qq.com/v3/billdownload/file?token=x"});
    let (bill, requests) = run(host().answering(v3(200, said)), || {
        Wx::find_bill("2026-11-25".to_owned())
    });
    assert_eq!(bill.unwrap().unwrap().sha1.as_deref(), Some("79bb"));
    assert!(
        requests[0]
            .url
            .ends_with("/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL&tar_type=GZIP")
    );
    for bad in ["", "2026-11-2x", "yesterday", "2026-11-25&x=1"] {
        assert_eq!(
            word(&run(host(), || Wx::find_bill(bad.to_owned())).0),
            "invalid"
        );
    }
    // 2026-11-26 at 10:00 in China: by then there is a bill of the day before, or there never will be one.
    let ten = 1_795_658_400_000;
    let refused = |now_ms, code| {
        let double = host().at(now_ms).answering(refusal(400, code));
        run(double, || Wx::find_bill("2026-11-25".to_owned())).0
    };
    assert_eq!(refused(ten, "NO_STATEMENT_EXIST"), Ok(None));
    for (now_ms, code) in [(ten - 1, "NO_STATEMENT_EXIST"), (ten, "STATEMENT_CREATING")] {
        let bill = refused(now_ms, code);
        assert!(
            matches!(bill, Err(Fault::Unknown(why)) if why.contains("10:00")),
            "{code}"
        );
    }

    let text = format!(
        "\u{feff}{HEAD}\n{}\n{}\n总交易单数,应结订单总金额\n`2,`23.00\n",
        bill_line("SUCCESS", "0", "23.00", "0.00"),
        bill_line("REFUND", REFUND, "0.00", "5.00")
    );
    let rows = Wx::bill_rows(text.into_bytes(), true).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (
            rows[0].trade_no.as_str(),
            rows[0].amount,
            rows[0].refund_no.as_ref()
        ),
        (TRADE, yuan(2300), None)
    );
    assert_eq!(
        (rows[1].refunded, rows[1].refund_no.as_deref()),
        (yuan(500), Some(REFUND))
    );
    // A later chunk has no head.
    let rows = Wx::bill_rows(
        bill_line("SUCCESS", "0", "1.00", "0.00").into_bytes(),
        false,
    )
    .unwrap();
    assert_eq!(rows[0].amount, yuan(100));
    assert_eq!(word(&Wx::bill_rows(b"a,b\n".to_vec(), true)), "unknown");
    let odd = bill_line("SUCCESS", "0", "1.001", "0.00");
    assert_eq!(word(&Wx::bill_rows(odd.into_bytes(), false)), "unknown");
}

#[test]
fn the_probe_asks_for_what_cannot_be() {
    let (probed, requests) = run(host().answering(refusal(404, "ORDER_NOT_EXIST")), Wx::probe);
    assert!(probed.unwrap().contains("does not exist"));
    assert!(requests[0].url.contains(&"0".repeat(32)));
    assert_eq!(
        word(&run(host().answering(refusal(401, "SIGN_ERROR")), Wx::probe).0),
        "misconfigured"
    );
}
