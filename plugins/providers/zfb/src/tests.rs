//! The provider against a gateway that says what each test wants to hear. Signatures are the
//! host's: here an answer's object is a statement, unless the test says otherwise.

use std::rc::Rc;

use serde_json::json;
use walnut_sdk::http::{Failure, Request};
use walnut_sdk::native::{Double, with};
use walnut_sdk::{Currency, Money, Statement, trust};

use super::*;

mod bills;
mod certified;
mod codes;
mod pages;

const TRADE: &str = "0190f1c0a7a47000a000000000000001";

fn attempt(brief: &str, minor: i64) -> Attempt {
    Attempt {
        trade_no: TRADE.to_owned(),
        brief: brief.to_owned(),
        total: Money::new(minor, Currency::CNY).unwrap(),
        pay_type: "zfb.qrcode".to_owned(),
        target: "shop".to_owned(),
        client_ip: None,
        notify_url: format!("https://pay.example.com/pay/re/{TRADE}"),
        created_ms: 1_735_660_800_000,
        expires_ms: 1_735_660_800_000 + 90 * 60_000,
        meta_json: "{}".to_owned(),
        notes_json: "{}".to_owned(),
        transaction_id: None,
    }
}

/// A gateway that gives this answer. The object of an answer is its statement; one without `sign`
/// does not verify.
fn gateway(status: u16, body: &str) -> Double {
    Double::new()
        .verifying(|message, scheme| {
            let whole: serde_json::Value = serde_json::from_slice(message.bytes())
                .map_err(|error| trust::Failure::Malformed(error.to_string()))?;
            if scheme != "answer" || whole.get("sign").is_none() {
                return Err(trust::Failure::BadSignature);
            }
            let object = whole
                .as_object()
                .unwrap()
                .iter()
                .find(|(key, _)| *key != "sign")
                .unwrap();
            Ok(Statement::new(object.1.to_string()))
        })
        .answering(Ok(Message::new(status, Vec::new(), body)))
}

fn signed(operation: &str, content: serde_json::Value) -> String {
    json!({format!("alipay_trade_{operation}_response"): content, "sign": "c2ln"}).to_string()
}

fn refused(operation: &str, code: &str, sub_code: &str) -> String {
    signed(
        operation,
        json!({"code": code, "msg": "m", "sub_code": sub_code, "sub_msg": "交易"}),
    )
}

fn order(attempt: &Attempt) -> serde_json::Value {
    let biz = with(Rc::new(Double::new()), || Order::of(attempt)).unwrap();
    serde_json::to_value(biz).unwrap()
}

fn sent(body: &str) -> (Result<Sent, Fault>, Vec<Request>) {
    let double = Rc::new(gateway(200, body));
    let result = with(double.clone(), || {
        Zfb::send(attempt("一杯茶", 2300), Vec::new())
    });
    (result, double.requests())
}

#[test]
fn an_order_becomes_a_code_for_the_buyer() {
    let body = signed(
        "precreate",
        json!({"code": "10000", "msg": "Success", "out_trade_no": TRADE,
            "qr_code": "https://qr.alipay.com/bax03431ljhokirwl38f00a7"}),
    );
    let (result, requests) = sent(&body);
    let sent = result.unwrap();
    assert_eq!(
        sent.presentation,
        Some(Presentation::Qrcode(
            "https://qr.alipay.com/bax03431ljhokirwl38f00a7".to_owned()
        ))
    );
    assert_eq!(sent.valid_until_ms, Some(1_735_660_800_000 + 90 * 60_000));
    assert!(matches!(sent.outcome, Outcome::Pending));

    let request = &requests[0];
    assert_eq!(
        request.url,
        format!(
            "https://openapi.alipay.com/gateway.do?method=alipay.trade.precreate\
             &notify_url=https%3A%2F%2Fpay.example.com%2Fpay%2Fre%2F{TRADE}"
        )
    );
    assert_eq!(
        (request.method.as_str(), request.auth.as_deref()),
        ("POST", Some("gateway"))
    );
    assert_eq!(
        form::field(&request.body, "biz_content").unwrap(),
        format!(r#"{{"out_trade_no":"{TRADE}","total_amount":"23.00","subject":"一杯茶","#)
            + r#""time_expire":"2025-01-01 01:30:00","qr_code_timeout_express":"90m"}"#
    );
}

#[test]
fn a_resend_says_the_same_in_the_same_words() {
    let orders = [0, 3_600_000].map(|later| {
        let host = Rc::new(Double::new().at(1_735_660_800_000 + later));
        with(host, || {
            serde_json::to_string(&Order::of(&attempt("茶", 1)).unwrap()).unwrap()
        })
    });
    assert_eq!(orders[0], orders[1]);
}

#[test]
fn settings_name_the_seller_and_the_test_gateway() {
    let body = signed("precreate", json!({"code": "20000"}));
    let double = gateway(200, &body)
        .setting("seller_id", "2088000000000001")
        .setting("gateway", "http://127.0.0.1:4000/gateway.do");
    let double = Rc::new(double);
    let _ = with(double.clone(), || Zfb::send(attempt("茶", 1), Vec::new()));
    let request = &double.requests()[0];
    assert!(
        request
            .url
            .starts_with("http://127.0.0.1:4000/gateway.do?method=")
    );
    let biz = form::field(&request.body, "biz_content").unwrap();
    assert!(
        biz.contains(r#""subject":"茶","seller_id":"2088000000000001","#),
        "{biz}"
    );
}

#[test]
fn the_subject_is_what_alipay_takes() {
    let subject = |brief: &str| {
        order(&attempt(brief, 1))["subject"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(subject("茶/咖啡 a=b&c"), "茶 咖啡 a b c");
    assert_eq!(subject(" tea\n\u{7}"), "tea");
    assert_eq!(subject("/&="), TRADE);
    assert_eq!(subject(&"茶".repeat(300)), "茶".repeat(256));
    assert_eq!(subject(&"🍵".repeat(257)), "🍵".repeat(256));
    assert_eq!(subject(&("a".repeat(255) + "👨‍👩‍👧")), "a".repeat(255) + "👨");
    assert_eq!(subject(&("a".repeat(255) + "  b")), "a".repeat(255));
}

#[test]
fn amounts_are_yuan_with_two_decimals() {
    for (minor, yuan) in [
        (1, "0.01"),
        (10, "0.10"),
        (13_107_201, "131072.01"),
        (10_000_000_000, "100000000.00"),
    ] {
        assert_eq!(order(&attempt("茶", minor))["total_amount"], yuan);
    }
    for minor in [0, 10_000_000_001] {
        assert!(matches!(
            Order::of(&attempt("茶", minor)),
            Err(Fault::Invalid(_))
        ));
    }
    let dollars = Money::new(1, Currency::parse("USD").unwrap()).unwrap();
    let foreign = Attempt {
        total: dollars,
        ..attempt("tea", 1)
    };
    assert!(matches!(Order::of(&foreign), Err(Fault::Invalid(why)) if why.contains("USD")));
}

#[test]
fn the_code_ends_with_the_attempt() {
    for (minutes, express) in [
        (0, "1m"),
        (1, "1m"),
        (15, "15m"),
        (120, "120m"),
        (1440, "120m"),
    ] {
        let mut attempt = attempt("茶", 1);
        attempt.expires_ms = attempt.created_ms + minutes * 60_000 + 59_999;
        assert_eq!(
            order(&attempt)["qr_code_timeout_express"],
            express,
            "{minutes}"
        );
        let until = order::code_valid_until_ms(&attempt);
        assert!(until <= attempt.expires_ms && until <= attempt.created_ms + 7_200_000);
    }
}

/// What each refusal of an order means, in one word.
fn meaning_of(body: &str) -> &'static str {
    match sent(body).0 {
        Ok(Sent {
            outcome: Outcome::Ask,
            presentation: None,
            ..
        }) => "ask",
        Ok(_) => "sent",
        Err(Fault::Invalid(_)) => "invalid",
        Err(Fault::Unknown(_)) => "unknown",
        Err(Fault::Unverified(_)) => "unverified",
        Err(Fault::Misconfigured(_)) => "misconfigured",
        Err(Fault::Unsupported) => "unsupported",
    }
}

#[test]
fn what_is_no_verified_answer_says_nothing() {
    let unsigned = r#"{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id"}}"#;
    let (result, _) = sent(unsigned);
    assert!(matches!(result, Err(Fault::Unverified(why)) if why.contains("isv.invalid-app-id")));

    let other_trade = json!({"code": "10000", "out_trade_no": "1", "qr_code": "q"});
    let codes = [
        json!({"code": 10000}),
        json!({}),
        json!({"code": "10000"}),
        other_trade,
    ];
    for content in codes {
        assert_eq!(
            meaning_of(&signed("precreate", content.clone())),
            "unknown",
            "{content}"
        );
    }
    assert_eq!(meaning_of("<html>busy</html>"), "unverified");

    for (answer, unknown) in [
        (Ok(Message::new(502, Vec::new(), "")), true),
        (Err(Failure::NotSent("no route".to_owned())), true),
        (Err(Failure::MaybeSent("timed out".to_owned())), true),
        (Err(Failure::TooLarge), true),
        (Err(Failure::Denied("other.example.com".to_owned())), false),
    ] {
        let double = Rc::new(Double::new().answering(answer));
        let fault = with(double, || Zfb::check(attempt("茶", 1))).unwrap_err();
        assert_eq!(matches!(fault, Fault::Unknown(_)), unknown, "{fault:?}");
    }
}

fn checked(body: &str) -> Result<Outcome, Fault> {
    with(Rc::new(gateway(200, body)), || {
        Zfb::check(attempt("茶", 2300))
    })
}

#[test]
fn an_answer_about_the_trade_is_handed_over_unread() {
    let content = json!({"code": "10000", "out_trade_no": TRADE, "trade_status": "TRADE_SUCCESS"});
    match checked(&signed("query", content.clone())).unwrap() {
        Outcome::Trade(evidence) => {
            assert_eq!(evidence.claim, "query");
            assert_eq!(evidence.proof.text(), content.to_string().into_bytes());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trade_that_nobody_scanned_is_not_there_yet() {
    let answer = refused("query", "40004", "ACQ.TRADE_NOT_EXIST");
    assert!(matches!(checked(&answer), Ok(Outcome::NotFound)));
    for (code, sub_code) in [
        ("40004", "ACQ.SYSTEM_ERROR"),
        ("20000", ""),
        ("40004", "ACQ.X"),
    ] {
        assert!(matches!(
            checked(&refused("query", code, sub_code)),
            Err(Fault::Unknown(_))
        ));
    }
    // The same words behind another code are not that answer.
    let odd = refused("query", "20000", "ACQ.TRADE_NOT_EXIST");
    assert!(matches!(checked(&odd), Err(Fault::Unknown(_))));
}

#[test]
fn closing_what_is_not_open_is_fine() {
    let closed = |body: &str| {
        with(Rc::new(gateway(200, body)), || {
            Zfb::close(attempt("茶", 2300))
        })
    };
    assert_eq!(
        closed(&signed(
            "close",
            json!({"code": "10000", "out_trade_no": TRADE})
        )),
        Ok(())
    );
    for sub_code in ["ACQ.TRADE_NOT_EXIST", "ACQ.TRADE_STATUS_ERROR"] {
        assert_eq!(
            closed(&refused("close", "40004", sub_code)),
            Ok(()),
            "{sub_code}"
        );
    }
    let busy = closed(&refused("close", "40004", "ACQ.SYSTEM_ERROR"));
    assert!(matches!(busy, Err(Fault::Unknown(_))));
}

#[test]
fn the_probe_asks_for_what_cannot_be() {
    let double = Rc::new(gateway(
        200,
        &refused("query", "40004", "ACQ.TRADE_NOT_EXIST"),
    ));
    assert!(
        with(double.clone(), Zfb::probe)
            .unwrap()
            .contains("does not exist")
    );
    let biz = format!(r#"{{"out_trade_no":"{}"}}"#, "0".repeat(32));
    assert_eq!(
        form::field(&double.requests()[0].body, "biz_content").unwrap(),
        biz
    );

    let wrong_key = Rc::new(gateway(
        200,
        &refused("query", "40002", "isv.invalid-signature"),
    ));
    assert!(matches!(
        with(wrong_key, Zfb::probe),
        Err(Fault::Misconfigured(_))
    ));
}

#[test]
fn only_notifications_about_a_trade_count() {
    let notified = |body: &str, holds: bool| {
        let double = Double::new().verifying(move |message, scheme| match (scheme, holds) {
            ("notify", true) => Ok(Statement::new(message.body())),
            _ => Err(trust::Failure::BadSignature),
        });
        let message = Message::new(0, Vec::new(), body);
        with(Rc::new(double), || {
            Zfb::complete(attempt("茶", 2300), &message)
        })
    };
    let paid = format!("notify_type=trade_status_sync&out_trade_no={TRADE}");
    match notified(&paid, true).unwrap() {
        Outcome::Trade(evidence) => assert_eq!(evidence.claim, "notification"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(notified(&paid, false), Err(Fault::Unverified(_))));
    for other in [
        "notify_type=servicemarket_order_notify",
        "out_trade_no=1",
        "",
    ] {
        assert!(
            matches!(notified(other, true), Ok(Outcome::Ignored)),
            "{other}"
        );
    }
}

#[test]
fn the_bare_address_finds_the_trade() {
    let hint = |body: &str| Zfb::identify(&Message::new(0, Vec::new(), body));
    assert_eq!(
        hint(&format!("a=b&out_trade_no={TRADE}")),
        Hint::Trade(TRADE.to_owned())
    );
    for bad in [
        "",
        "out_trade_no=",
        "out_trade_no=../../etc",
        "{}",
        &"x".repeat(100_000),
    ] {
        assert_eq!(hint(bad), Hint::None);
    }
}
