//! Answers that are late, missing or wrong, the control surface, and the end.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{AnswerFault, Fault, Fen, Misbehaviour, TradeStatus};

use crate::merchant::{Merchant, order};

#[tokio::test]
async fn an_unanswered_order_was_made_or_not_and_nobody_can_tell() {
    let shop = Merchant::open().await;
    let dropped = [
        (AnswerFault::HangUp { processed: false }, false),
        (AnswerFault::HangUp { processed: true }, true),
        (
            AnswerFault::HttpStatus {
                status: 502,
                processed: false,
            },
            false,
        ),
        (
            AnswerFault::HttpStatus {
                status: 504,
                processed: true,
            },
            true,
        ),
    ];
    for (at, (fault, made)) in dropped.into_iter().enumerate() {
        let number = format!("a{at}");
        shop.alipay
            .misbehave(Misbehaviour::once(fault).for_trade(number.as_str()));
        let mut parameters = shop.parameters("alipay.trade.precreate", &order(&number));
        shop.sign(&mut parameters);
        let answer = shop.send(&parameters).await;
        assert!(
            answer.is_err() || answer.unwrap().status().is_server_error(),
            "{number}"
        );
        assert_eq!(shop.alipay.trade(&number).is_some(), made, "{number}");
        // The identical request again is answered, and the order is there once.
        shop.order(&number).await;
    }
    assert_eq!(shop.alipay.trades().len(), 4);
    assert!(shop.alipay.requests()[0].misbehaved.is_some());
}

#[tokio::test]
async fn a_silent_gateway_is_silent_until_the_caller_leaves() {
    let shop = Merchant::open().await;
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::Silent { processed: true }));
    let mut parameters = shop.parameters("alipay.trade.precreate", &order("a1"));
    shop.sign(&mut parameters);
    let answer = tokio::select! {
        answer = shop.send(&parameters) => Some(answer),
        () = shop.alipay.until(|alipay| alipay.trade("a1").map(drop)) => None,
    };
    assert!(answer.is_none());
    shop.alipay.stop().await;
}

#[tokio::test]
async fn wrong_answers_are_wrong_in_one_thing() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    // The fault, whether the signature holds, and a field with its value.
    let table = [
        (
            AnswerFault::Late { ms: 1 },
            true,
            ("trade_status", "TRADE_SUCCESS"),
        ),
        (
            AnswerFault::WronglySigned,
            false,
            ("trade_status", "TRADE_SUCCESS"),
        ),
        (
            AnswerFault::SignedByStranger,
            false,
            ("trade_status", "TRADE_SUCCESS"),
        ),
        (
            AnswerFault::Unsigned,
            false,
            ("trade_status", "TRADE_SUCCESS"),
        ),
        (AnswerFault::other_trade("b1"), true, ("out_trade_no", "b1")),
        (
            AnswerFault::other_amount(Fen::new(1)),
            true,
            ("total_amount", "0.01"),
        ),
        (
            AnswerFault::other_status(TradeStatus::WaitBuyerPay),
            true,
            ("trade_status", "WAIT_BUYER_PAY"),
        ),
        (
            AnswerFault::Busy { processed: false },
            true,
            ("code", "20000"),
        ),
        (
            AnswerFault::SystemError { processed: true },
            true,
            ("sub_code", "ACQ.SYSTEM_ERROR"),
        ),
    ];
    for (fault, verified, (field, value)) in table {
        shop.alipay
            .misbehave(Misbehaviour::once(fault.clone()).for_operation("alipay.trade.query"));
        let answer = shop.query("a1").await;
        assert_eq!(
            (answer.verified, answer.get(field)),
            (verified, value),
            "{fault:?}: {}",
            answer.body
        );
    }
    for fault in [
        AnswerFault::Truncated,
        AnswerFault::BusyInGbk,
        AnswerFault::HttpStatus {
            status: 200,
            processed: true,
        },
    ] {
        shop.alipay.misbehave(Misbehaviour::once(fault.clone()));
        let mut parameters = shop.parameters("alipay.trade.query", r#"{"out_trade_no":"a1"}"#);
        shop.sign(&mut parameters);
        let bytes = shop.send(&parameters).await.unwrap().bytes().await.unwrap();
        assert!(
            serde_json::from_slice::<Value>(&bytes).is_err(),
            "{fault:?}"
        );
    }
    shop.alipay.misbehave(Misbehaviour::times(
        2,
        AnswerFault::Busy { processed: false },
    ));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(shop.query("a1").await.get("code").to_owned());
    }
    assert_eq!(codes, ["20000", "20000", "10000"]);
    shop.alipay
        .misbehave(Misbehaviour::always(AnswerFault::Busy { processed: false }));
    assert_eq!(shop.query("a1").await.get("code"), "20000");
    shop.alipay.behave();
    assert_eq!(shop.query("a1").await.get("code"), "10000");
}

#[tokio::test]
async fn a_browser_and_curl_can_act_as_the_buyer() {
    let shop = Merchant::open().await;
    let (client, url) = (
        &reqwest::Client::builder().no_proxy().build().unwrap(),
        shop.alipay.url(),
    );
    let first = shop.order("a1").await;
    let page = client
        .get(&first)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("一杯茶") && page.contains("0.10") && page.contains("/buyer/pay"));
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("qr_code", &first)
        .finish();
    let form = client
        .post(format!("{url}/buyer/pay"))
        .header("content-type", "application/x-www-form-urlencoded");
    assert!(
        form.body(body)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("TRADE_SUCCESS")
    );

    let second = shop.order("a2").await;
    let post = async |path: &str, body: Value| {
        let answer = client
            .post(format!("{url}{path}"))
            .json(&body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, scanned) = post("/buyer/scan", json!({"qr_code": second})).await;
    assert!(status == 200 && scanned.contains("WAIT_BUYER_PAY"));
    assert_eq!(post("/buyer/pay", json!({"qr_code": second})).await.0, 200);
    assert_eq!(post("/buyer/pay", json!({"qr_code": second})).await.0, 409);
    assert_eq!(
        post("/buyer/pay", json!({"qr_code": "https://example.com/"}))
            .await
            .0,
        404
    );
    assert_eq!(post("/buyer/pay", json!({"code": second})).await.0, 400);

    let fault =
        json!({"what": {"answer": {"hang_up": {"processed": true}}}, "trade": "a3", "times": 2});
    assert_eq!(post("/misbehave", fault).await.0, 204);
    assert!(
        post("/misbehave", json!({"what": {"answer": "explode"}}))
            .await
            .0
            >= 400
    );
    client
        .delete(format!("{url}/misbehave"))
        .send()
        .await
        .unwrap();
    shop.order("a3").await;
    let trades: Value = client
        .get(format!("{url}/trades"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let statuses: Vec<_> = trades
        .as_array()
        .unwrap()
        .iter()
        .map(|trade| &trade["status"])
        .collect();
    assert_eq!(
        statuses,
        [
            &json!("TRADE_SUCCESS"),
            &json!("TRADE_SUCCESS"),
            &Value::Null
        ]
    );
    assert_eq!(trades[0]["total"], "0.10");
}

#[tokio::test]
async fn misbehaviours_have_a_stable_json_form() {
    let read = |text: &str| serde_json::from_str::<Misbehaviour>(text).unwrap();
    let lost = read(r#"{"what":{"notification":"lost"},"times":null}"#);
    assert_eq!(
        (lost.times, &lost.what),
        (
            None,
            &Fault::Notification(walnut_sandbox::alipay::NotificationFault::Lost)
        )
    );
    assert_eq!(
        read(r#"{"what":{"answer":{"late":{"ms":5}}}}"#),
        Misbehaviour::once(AnswerFault::Late { ms: 5 })
    );
    let forged = r#"{"what":{"notification":{"instead":{"signature":"stranger"}}},"trade":"a1"}"#;
    assert_eq!(read(forged).trade.as_deref(), Some("a1"));
}

#[tokio::test]
async fn after_stopping_nobody_is_there() {
    let shop = Merchant::open().await;
    let gateway = shop.alipay.gateway_url();
    shop.alipay.stop().await;
    assert!(
        shop.client
            .get(gateway)
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
}
