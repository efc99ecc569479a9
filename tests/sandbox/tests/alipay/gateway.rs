//! What the gateway refuses, and with which words.

use time::Duration;
use walnut_sandbox::alipay::SignatureCheck;

use crate::merchant::{Merchant, encoded, named, order, timestamp};

#[tokio::test]
async fn every_common_parameter_is_checked() {
    let shop = Merchant::open().await;
    let late = timestamp(Duration::minutes(-16));
    let early = timestamp(Duration::minutes(16));
    let long = format!("http://127.0.0.1/{}", "a".repeat(256));
    // The parameter, its value (empty: absent), and the code and whether the answer is signed.
    let table = [
        ("method", "", ("40001", "isv.missing-method"), false),
        (
            "method",
            "alipay.trade.nothing",
            ("40002", "isv.invalid-method"),
            true,
        ),
        (
            "method",
            "alipay.trade.create",
            ("40006", "isv.insufficient-isv-permissions"),
            true,
        ),
        ("app_id", "", ("40001", "isv.missing-app-id"), false),
        (
            "app_id",
            "2021000000000000x",
            ("40002", "isv.invalid-app-id"),
            false,
        ),
        (
            "sign_type",
            "",
            ("40001", "isv.missing-signature-type"),
            true,
        ),
        (
            "sign_type",
            "MD5",
            ("40002", "isv.invalid-signature-type"),
            true,
        ),
        (
            "sign_type",
            "RSA",
            ("40003", "isv.missing-signature-config"),
            true,
        ),
        ("charset", "", ("40002", "isv.invalid-charset"), true),
        ("charset", "GBK", ("40002", "isv.invalid-charset"), true),
        ("format", "XML", ("40002", "isv.invalid-format"), true),
        ("version", "", ("40001", "isv.missing-version"), true),
        ("version", "2.0", ("40002", "isv.invalid-parameter"), true),
        ("timestamp", "", ("40001", "isv.missing-timestamp"), true),
        (
            "timestamp",
            "2026-01-01T00:00:00",
            ("40002", "isv.invalid-timestamp"),
            true,
        ),
        ("timestamp", &late, ("40002", "isv.invalid-timestamp"), true),
        (
            "timestamp",
            &early,
            ("40002", "isv.invalid-timestamp"),
            true,
        ),
        (
            "notify_url",
            "ftp://127.0.0.1/",
            ("40002", "isv.invalid-parameter"),
            true,
        ),
        (
            "notify_url",
            "/re",
            ("40002", "isv.invalid-parameter"),
            true,
        ),
        (
            "notify_url",
            &long,
            ("40002", "isv.invalid-parameter"),
            true,
        ),
        ("biz_content", "", ("40002", "isv.invalid-parameter"), true),
        ("biz_content", "[", ("40002", "isv.illegal-json"), true),
        (
            "biz_content",
            r#"{"out_trade_no":7}"#,
            ("40002", "isv.invalid-parameter"),
            true,
        ),
        (
            "biz_content",
            r#"{"trade_no":""}"#,
            ("40004", "ACQ.INVALID_PARAMETER"),
            true,
        ),
        (
            "biz_content",
            r#"{"out_trade_no":"a-b"}"#,
            ("40004", "ACQ.INVALID_PARAMETER"),
            true,
        ),
    ];
    for (name, value, codes, signed) in table {
        let mut parameters = shop.parameters("alipay.trade.query", &named("a1"));
        parameters.insert(name.to_owned(), value.to_owned());
        shop.sign(&mut parameters);
        let answer = shop.read(shop.send(&parameters).await.unwrap().text().await.unwrap());
        assert_eq!(
            (answer.codes(), answer.verified),
            (codes, signed),
            "{name}={value}: {}",
            answer.body
        );
        assert_eq!(
            answer.body.contains("error_response"),
            codes.1 == "isv.missing-method"
        );
    }
}

#[tokio::test]
async fn only_the_merchants_signature_over_these_parameters_is_taken() {
    let shop = Merchant::open().await;
    let other = shop.alipay.open_account().await.unwrap();
    let mut unsigned = shop.parameters("alipay.trade.precreate", &order("a1"));
    let answer = shop.read(shop.send(&unsigned).await.unwrap().text().await.unwrap());
    assert_eq!(answer.codes(), ("40001", "isv.missing-signature"));

    shop.sign(&mut unsigned);
    let right = unsigned;
    for (name, value) in [
        ("biz_content", order("a2")),
        ("notify_url", "http://127.0.0.1/else".to_owned()),
        ("app_id", other.app_id().to_owned()),
        ("extra", "1".to_owned()),
        ("sign", "AAAA".to_owned()),
        (
            "sign",
            right["sign"].replace('+', " ").replace('/', "_") + "=",
        ),
    ] {
        let mut changed = right.clone();
        changed.insert(name.to_owned(), value);
        let answer = shop.read(shop.send(&changed).await.unwrap().text().await.unwrap());
        assert_eq!(answer.codes(), ("40002", "isv.invalid-signature"), "{name}");
    }
    assert!(shop.alipay.trades().is_empty());
    let checks: Vec<SignatureCheck> = shop
        .alipay
        .requests()
        .iter()
        .map(|request| request.signature)
        .collect();
    assert_eq!(checks[0], SignatureCheck::Unchecked);
    assert!(
        checks[1..]
            .iter()
            .all(|check| *check == SignatureCheck::Invalid)
    );

    // An empty parameter is not part of what is signed, and the request as signed still holds.
    let mut padded = right.clone();
    padded.insert("return_url".to_owned(), String::new());
    let answer = shop.read(shop.send(&padded).await.unwrap().text().await.unwrap());
    assert_eq!((answer.codes(), answer.verified), (("10000", ""), true));
}

#[tokio::test]
async fn query_and_body_are_one_and_a_name_comes_once() {
    let shop = Merchant::open().await;
    let mut parameters = shop.parameters("alipay.trade.precreate", &order("a1"));
    shop.sign(&mut parameters);
    let all = encoded(&parameters.iter().collect::<Vec<_>>());
    let gateway = shop.alipay.gateway_url();
    let form = "application/x-www-form-urlencoded";
    let client = &shop.client;

    let in_query = client.get(format!("{gateway}?{all}"));
    let in_body = client
        .post(&gateway)
        .header("content-type", form)
        .body(all.clone());
    for request in [in_query, in_body] {
        let answer = shop.read(request.send().await.unwrap().text().await.unwrap());
        assert_eq!(answer.codes(), ("10000", ""), "{}", answer.body);
    }

    let in_both = client
        .post(format!("{gateway}?{all}"))
        .header("content-type", form)
        .body("version=1.0");
    let twice = client
        .post(&gateway)
        .header("content-type", form)
        .body(format!("{all}&version=1.0"));
    for request in [in_both, twice] {
        let answer = shop.read(request.send().await.unwrap().text().await.unwrap());
        assert_eq!(
            answer.codes(),
            ("40002", "isv.invalid-parameter"),
            "{}",
            answer.body
        );
    }

    let not_a_form = client
        .post(&gateway)
        .header("content-type", "application/json")
        .body(all);
    let answer = shop.read(not_a_form.send().await.unwrap().text().await.unwrap());
    assert_eq!(answer.codes(), ("40001", "isv.missing-method"));
    let not_utf8 = client.get(format!("{gateway}?method=%FF"));
    let answer = shop.read(not_utf8.send().await.unwrap().text().await.unwrap());
    assert_eq!(answer.codes(), ("40002", "isv.invalid-charset"));
}

#[tokio::test]
async fn one_merchants_orders_are_nothing_to_another() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    shop.alipay.scan(&qr_code).await.unwrap();
    let trade_no = shop.alipay.trade("a1").unwrap().trade_no.unwrap();

    let other = shop.with_new_account().await;
    let by_number = format!(r#"{{"trade_no":"{trade_no}"}}"#);
    let answer = other.call("alipay.trade.query", &by_number).await;
    assert_eq!(answer.codes(), ("40004", "ACQ.TRADE_NOT_EXIST"));
    assert!(answer.verified);
}
