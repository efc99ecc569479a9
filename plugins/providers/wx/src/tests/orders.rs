//! Orders that the buyer pays by a code, a page or an app.

use super::*;

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
