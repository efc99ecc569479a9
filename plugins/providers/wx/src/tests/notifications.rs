//! What WeChat Pay sends by itself.

use super::*;

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
fn the_trade_of_a_notification_stands_in_what_was_encrypted() {
    let trade_of = |event: &str, serial: &str, plain: &'static str| {
        let body = json!({"event_type": event, "resource": {}}).to_string();
        let headers = vec![("Wechatpay-Serial".to_owned(), serial.to_owned())];
        let message = Message::new(0, headers, body);
        let double = host().opening(move |_, _| Ok(Statement::new(plain)));
        run(double, || Wx::trade_of(&message)).0
    };
    let number = |plain| trade_of("TRANSACTION.SUCCESS", "KNOWN000", plain).unwrap();
    assert_eq!(
        number(r#"{"out_trade_no": "1217752501201407033233368018"}"#).as_deref(),
        Some("1217752501201407033233368018")
    );
    for plain in ["plain", "{}", r#"{"out_trade_no": 1}"#] {
        assert_eq!(number(plain), None);
    }
    let refunded = trade_of("REFUND.SUCCESS", "KNOWN000", r#"{"out_trade_no": "x"}"#);
    assert_eq!(refunded.unwrap().as_deref(), Some("x"));
    let other = trade_of("PAYSCORE.USER_OPEN_SERVICE", "KNOWN000", "{}");
    assert_eq!(other.unwrap(), None);
    let forged = trade_of("TRANSACTION.SUCCESS", "PUB_KEY_ID_0114", "{}");
    assert_eq!(word(&forged), "unverified");
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
