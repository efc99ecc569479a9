//! The provider with a double of the host. Here is what the stories share; each file is one topic.

mod bills;
mod codes;
mod notifications;
mod orders;
mod refunds;
mod till;

use super::*;
use serde_json::json;
use std::rc::Rc;
use walnut_sdk::http::{Failure, Request};
use walnut_sdk::native::{Double, with};
use walnut_sdk::{Currency, Money, Presentation, Statement, form, xml};

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

fn scanned(double: Double) -> (Result<Sent, Fault>, Vec<Request>) {
    run(double, || {
        Wx::send(attempt("wx.scan", "茶"), vec![CODE.to_owned()])
    })
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
fn the_probe_asks_for_what_cannot_be() {
    let (probed, requests) = run(host().answering(refusal(404, "ORDER_NOT_EXIST")), Wx::probe);
    assert!(probed.unwrap().contains("does not exist"));
    assert!(requests[0].url.contains(&"0".repeat(32)));
    assert_eq!(
        word(&run(host().answering(refusal(401, "SIGN_ERROR")), Wx::probe).0),
        "misconfigured"
    );
}
