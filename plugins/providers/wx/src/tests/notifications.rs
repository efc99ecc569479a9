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
