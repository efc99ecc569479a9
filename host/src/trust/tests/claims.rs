//! What is read out of a statement, and what is not.

use serde_json::json;

use super::*;
use crate::payment::money::{Currency, Money};
use crate::trust::{ClaimError, Reading, Stated, read_claim};

const QUERY: &str = "alipay.trade.query";

fn yuan(minor: i64) -> Money {
    Money::new(minor, Currency::CNY).unwrap()
}

/// Reads a notification in which one field is changed; an empty value removes it.
fn read_changed(name: &str, value: &str) -> Result<Reading, ClaimError> {
    let manifest = zfb();
    let target = target_with(&manifest, false, &[("seller_id", "2088102000000001")]);
    let mut fields = paid_fields();
    set(&mut fields, name, value);
    let statement = notified(&manifest, &target, fields).unwrap();
    read_claim(&manifest, &target, TRADE, "notification", &statement)
}

fn read_query(manifest: &Manifest, content: &str) -> Result<Reading, ClaimError> {
    let target = live(manifest);
    let message = answer(QUERY, signed_answer(QUERY, content, platform()));
    let statement = verify(manifest, &target, &message, "answer", NOW_MS).unwrap();
    read_claim(manifest, &target, TRADE, "query", &statement)
}

#[test]
fn a_paid_trade_is_read() {
    let reading = read_changed("x", "").unwrap();
    let expected = Reading {
        trade: TRADE.to_owned(),
        transaction: Some("2019081522001468450512505578".to_owned()),
        state: Stated::Paid,
        amount: Some(yuan(2300)),
        amount_text: "23.00".to_owned(),
        currency_text: "CNY".to_owned(),
        refunded: None,
        notes: json!({"buyer_logon_id": "138****0000", "paid_at": "2019-08-15 15:56:24"})
            .as_object()
            .unwrap()
            .clone(),
        scheme: "notify".to_owned(),
        claim: "notification".to_owned(),
    };
    assert_eq!(reading, expected);
}

#[test]
fn another_trade_or_account_is_refused() {
    for (field, value, error) in [
        (
            "out_trade_no",
            "0190a1b2c3d47e5f8091a2b3c4d5e6f8",
            ClaimError::OtherTrade,
        ),
        (
            "out_trade_no",
            &TRADE.to_uppercase(),
            ClaimError::OtherTrade,
        ),
        ("out_trade_no", &format!("{TRADE} "), ClaimError::OtherTrade),
        (
            "out_trade_no",
            "",
            ClaimError::Missing("/out_trade_no".into()),
        ),
        ("app_id", "2021000000000002", ClaimError::OtherAccount),
        ("app_id", "", ClaimError::Missing("/app_id".into())),
        ("seller_id", "2088102000000002", ClaimError::OtherAccount),
        ("seller_id", "", ClaimError::Missing("/seller_id".into())),
        (
            "trade_status",
            "",
            ClaimError::Missing("/trade_status".into()),
        ),
    ] {
        assert_eq!(
            read_changed(field, value).unwrap_err(),
            error,
            "{field} = {value}"
        );
    }
}

#[test]
fn a_seller_is_only_compared_where_the_target_names_one() {
    let manifest = zfb();
    for target in [live(&manifest), target_with(&manifest, false, &[])] {
        let mut fields = paid_fields();
        set(&mut fields, "seller_id", "2088102000000002");
        let statement = notified(&manifest, &target, fields).unwrap();
        assert!(read_claim(&manifest, &target, TRADE, "notification", &statement).is_ok());
    }
}

#[test]
fn the_platform_s_words_become_states() {
    for (word, state) in [
        ("TRADE_SUCCESS", Stated::Paid),
        ("TRADE_FINISHED", Stated::Paid),
        ("WAIT_BUYER_PAY", Stated::Waiting),
        // It was paid once: gmt_payment is there.
        ("TRADE_CLOSED", Stated::Refunded),
        ("trade_success", Stated::Other("trade_success".into())),
        ("SOMETHING_NEW", Stated::Other("SOMETHING_NEW".into())),
    ] {
        assert_eq!(
            read_changed("trade_status", word).unwrap().state,
            state,
            "{word}"
        );
    }
    let manifest = zfb();
    let target = live(&manifest);
    let mut fields = paid_fields();
    set(&mut fields, "trade_status", "TRADE_CLOSED");
    set(&mut fields, "gmt_payment", "");
    let statement = notified(&manifest, &target, fields).unwrap();
    let reading = read_claim(&manifest, &target, TRADE, "notification", &statement).unwrap();
    assert_eq!(reading.state, Stated::Closed);
    // A partial refund is a second notification of a paid trade.
    let partly = read_changed("refund_fee", "3.00").unwrap();
    assert_eq!(
        (partly.state, partly.refunded),
        (Stated::Paid, Some(yuan(300)))
    );
}

#[test]
fn an_amount_is_read_exactly_or_not_at_all() {
    for (text, amount) in [
        ("23", Some(2300)),
        ("23.0", Some(2300)),
        ("0.07", Some(7)),
        ("131072.01", Some(13_107_201)),
        ("23.001", None),
        ("-23.00", None),
        ("2.3e1", None),
        ("23,00", None),
        ("２３", None),
        ("99999999999999999999", None),
        ("", None),
    ] {
        let reading = read_changed("total_amount", text).unwrap();
        assert_eq!(reading.amount, amount.map(yuan), "{text}");
        assert_eq!(reading.amount_text, text);
    }
}

#[test]
fn an_answer_is_read_with_the_account_of_its_request() {
    let manifest = zfb();
    let of = |amount: &str| {
        format!(
            r#"{{"code":"10000","out_trade_no":"{TRADE}","trade_status":"TRADE_SUCCESS","total_amount":{amount}}}"#
        )
    };
    for (amount, minor) in [
        ("\"88.80\"", Some(8880)),
        ("88.8", Some(8880)),
        // As a float, 0.1 + 0.2 and this are the same.
        ("0.30000000000000004", None),
        ("0.30", Some(30)),
        ("1e2", None),
        ("null", None),
        ("{\"a\":1}", None),
        ("true", None),
    ] {
        let reading = read_query(&manifest, &of(amount)).unwrap();
        assert_eq!(reading.amount, minor.map(yuan), "{amount}");
        assert_eq!(reading.transaction, None);
    }
    let minor = zfb_with(&[("/claims/query/amount/unit", json!("minor"))]);
    let minor = Manifest::parse(minor.as_bytes()).unwrap();
    for (amount, expected) in [
        ("2300", Some(2300)),
        ("\"2300\"", Some(2300)),
        ("23.00", None),
        ("-1", None),
    ] {
        let reading = read_query(&minor, &of(amount)).unwrap();
        assert_eq!(reading.amount, expected.map(yuan), "{amount}");
    }
}

#[test]
fn an_answer_that_says_nothing_of_the_trade_supports_no_claim() {
    let manifest = zfb();
    for (content, error) in [
        (
            r#"{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}"#.to_owned(),
            ClaimError::Missing("/out_trade_no".into()),
        ),
        (
            format!(r#"{{"code":"40004","out_trade_no":"{TRADE}"}}"#),
            ClaimError::Missing("/trade_status".into()),
        ),
        (
            r#"{"out_trade_no":["x"],"trade_status":"TRADE_SUCCESS"}"#.to_owned(),
            ClaimError::Missing("/out_trade_no".into()),
        ),
        (
            r#"{"out_trade_no":"x","trade_status":"TRADE_SUCCESS"}"#.to_owned(),
            ClaimError::OtherTrade,
        ),
    ] {
        assert_eq!(
            read_query(&manifest, &content).unwrap_err(),
            error,
            "{content}"
        );
    }
}

#[test]
fn a_currency_that_stands_in_the_statement_is_read_there() {
    let text = zfb_with(&[("/claims/query/currency", json!({"at": "/trans_currency"}))]);
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    for (currency, amount) in [
        (
            "\"USD\"",
            Some(Money::new(2300, Currency::parse("USD").unwrap()).unwrap()),
        ),
        ("\"CNY\"", Some(yuan(2300))),
        (
            "\"JPY\"",
            Some(Money::new(23, Currency::parse("JPY").unwrap()).unwrap()),
        ),
        ("\"RMB\"", None),
        ("\"usd\"", None),
        ("\"XXX\"", None),
        ("null", None),
    ] {
        let content = format!(
            r#"{{"out_trade_no":"{TRADE}","trade_status":"TRADE_SUCCESS","total_amount":"23.00","trans_currency":{currency}}}"#
        );
        let reading = read_query(&manifest, &content).unwrap();
        assert_eq!(reading.amount, amount, "{currency}");
        assert_eq!(
            reading.currency_text,
            currency.trim_matches('"').replace("null", "")
        );
    }
}

#[test]
fn a_statement_is_read_only_by_the_claim_it_was_made_for() {
    let manifest = zfb();
    let target = live(&manifest);
    let statement = notified(&manifest, &target, paid_fields()).unwrap();
    let read = |manifest: &Manifest, target: &Target, claim: &str| {
        read_claim(manifest, target, TRADE, claim, &statement).unwrap_err()
    };
    assert_eq!(
        read(&manifest, &target, "query"),
        ClaimError::WrongScheme("answer".into())
    );
    assert_eq!(
        read(&manifest, &target, "nonsense"),
        ClaimError::UnknownClaim("nonsense".into())
    );

    // Verified for one domain or version of a target, it says nothing for another one.
    for other in [0, 1, 2] {
        let mut stranger = live(&manifest);
        match other {
            0 => stranger.domain = "evil".to_owned(),
            1 => stranger.reference.version = 2,
            _ => stranger.reference.name = "till".to_owned(),
        }
        assert_eq!(
            read(&manifest, &stranger, "notification"),
            ClaimError::OtherAccount
        );
    }
    let other = zfb_with(&[
        ("/name", json!("zfa")),
        (
            "/pay_types",
            json!({"zfa.qrcode": serde_json::from_str::<Value>(ZFB).unwrap()["pay_types"]["zfb.qrcode"]}),
        ),
    ]);
    let other = Manifest::parse(other.as_bytes()).unwrap();
    assert_eq!(
        read(&other, &target, "notification"),
        ClaimError::OtherAccount
    );
}

#[test]
fn an_answer_counts_only_for_its_operation_and_when_the_host_signed_the_request() {
    let manifest = zfb();
    let target = live(&manifest);
    let content = format!(
        r#"{{"out_trade_no":"{TRADE}","trade_status":"TRADE_SUCCESS","total_amount":"23.00"}}"#
    );
    let read = |operation: &str, signed| {
        let mut message = answer(operation, signed_answer(operation, &content, platform()));
        message.origin = Origin::Answer {
            operation: operation.to_owned(),
            signed,
            trade: None,
        };
        let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
        read_claim(&manifest, &target, TRADE, "query", &statement)
    };
    assert!(read(QUERY, true).is_ok());
    for (operation, signed) in [(QUERY, false), ("alipay.trade.close", true)] {
        let error = read(operation, signed).unwrap_err();
        assert!(
            matches!(error, ClaimError::WrongOrigin(_)),
            "{operation} {signed}: {error}"
        );
    }
}
