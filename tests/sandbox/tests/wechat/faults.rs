//! Answers that are late, missing or wrong, and a platform that is not there.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{AnswerFault, AtTheTill, Misbehaviour, Operation, TradeState};

use crate::merchant::{Shop, xml};

const NATIVE: &str = "/v3/pay/transactions/native";

#[tokio::test]
async fn an_unanswered_order_was_made_or_not_and_nobody_can_tell() {
    let shop = Shop::open().await;
    let dropped = |processed| {
        [
            AnswerFault::HangUp { processed },
            AnswerFault::Reset { processed },
            AnswerFault::HttpStatus {
                status: 502,
                processed,
            },
            AnswerFault::SystemError { processed },
            AnswerFault::Refused {
                status: 429,
                code: "FREQUENCY_LIMITED".to_owned(),
                processed,
            },
            AnswerFault::Redirect {
                to: "http://127.0.0.1/elsewhere".to_owned(),
                processed,
            },
        ]
    };
    for processed in [false, true] {
        for (at, fault) in dropped(processed).into_iter().enumerate() {
            let number = format!("order-{processed}-{at}");
            let told = Misbehaviour::once(fault.clone()).for_trade(number.as_str());
            shop.wechat.misbehave(told);
            let order = shop.order(&number).to_string();
            let answer = shop.request("POST", NATIVE, &order).send().await;
            assert!(
                answer.is_err() || !answer.unwrap().status().is_success(),
                "{fault:?}"
            );
            assert_eq!(shop.wechat.trade(&number).is_some(), processed, "{fault:?}");
            let view = shop.wechat.requests().pop().unwrap();
            assert!(view.misbehaved.is_some() && view.status.is_some() == processed);
            // The identical request again is answered, and the order is there once.
            shop.native(&number).await;
        }
    }
    assert_eq!(shop.wechat.trades().len(), 12);
}

#[tokio::test]
async fn a_silent_platform_is_silent_until_the_caller_leaves() {
    let shop = Shop::open().await;
    shop.wechat
        .misbehave(Misbehaviour::once(AnswerFault::Silent { processed: true }));
    let order = shop.order("order-1").to_string();
    let answer = tokio::select! {
        answer = shop.request("POST", NATIVE, &order).send() => Some(answer),
        () = shop.wechat.until(|wechat| wechat.trade("order-1").map(drop)) => None,
    };
    assert!(answer.is_none());
    shop.wechat.stop().await;
}

#[tokio::test]
async fn wrong_answers_are_wrong_in_one_thing() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let state = ("trade_state", json!("SUCCESS"));
    // The fault, whether the signature holds, and a field with its value.
    let table = [
        (AnswerFault::Late { ms: 1 }, true, state.clone()),
        (AnswerFault::WronglySigned, false, state.clone()),
        (AnswerFault::SignedByStranger, false, state.clone()),
        (AnswerFault::UnknownSerial, false, state.clone()),
        (AnswerFault::Unsigned, false, state.clone()),
        (AnswerFault::SignTest, false, state.clone()),
        (AnswerFault::Stale { seconds: 301 }, false, state.clone()),
        (AnswerFault::Stale { seconds: -301 }, false, state.clone()),
        (AnswerFault::Stale { seconds: 290 }, true, state.clone()),
        (
            AnswerFault::other_trade("order-2"),
            true,
            ("out_trade_no", json!("order-2")),
        ),
        (
            AnswerFault::other_state(TradeState::Notpay),
            true,
            ("trade_state", json!("NOTPAY")),
        ),
        (
            AnswerFault::other("mchid", "1900000001"),
            true,
            ("mchid", json!("1900000001")),
        ),
        (
            AnswerFault::other("success_time", Value::Null),
            true,
            ("success_time", Value::Null),
        ),
        (
            AnswerFault::Refused {
                status: 404,
                code: "ORDERNOTEXIST".to_owned(),
                processed: false,
            },
            true,
            ("code", json!("ORDERNOTEXIST")),
        ),
    ];
    for (fault, verified, (field, value)) in table {
        let told = Misbehaviour::once(fault.clone()).for_operation(Operation::Query);
        shop.wechat.misbehave(told);
        let answer = shop.query("order-1").await;
        let said = (answer.verified, &answer.json[field]);
        assert_eq!(said, (verified, &value), "{fault:?}: {}", answer.body);
    }
    shop.wechat
        .misbehave(Misbehaviour::once(AnswerFault::other_amount(1)));
    assert_eq!(shop.query("order-1").await.json["amount"]["total"], 1);
    shop.wechat
        .misbehave(Misbehaviour::once(AnswerFault::Truncated));
    let half = shop.query("order-1").await;
    assert!(!half.verified && half.json.is_null() && !half.body.is_empty());
    let html = AnswerFault::ContentType {
        value: "text/html".to_owned(),
    };
    shop.wechat.misbehave(Misbehaviour::once(html));
    let answer = shop.query("order-1").await;
    assert_eq!(
        (&answer.headers["content-type"], answer.verified),
        (&"text/html".parse().unwrap(), true)
    );
    let page = AnswerFault::HttpStatus {
        status: 200,
        processed: true,
    };
    shop.wechat.misbehave(Misbehaviour::once(page));
    assert!(shop.query("order-1").await.json.is_null());

    let busy = AnswerFault::SystemError { processed: false };
    shop.wechat.misbehave(Misbehaviour::times(2, busy.clone()));
    for status in [500, 500, 200] {
        assert_eq!(shop.query("order-1").await.status, status);
    }
    shop.wechat.misbehave(Misbehaviour::always(busy));
    assert_eq!(shop.query("order-1").await.codes(), (500, "SYSTEM_ERROR"));
    shop.wechat.behave();
    assert_eq!(shop.query("order-1").await.status, 200);
}

#[tokio::test]
async fn an_endless_answer_does_not_end() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    shop.wechat
        .misbehave(Misbehaviour::once(AnswerFault::Endless));
    let url = format!(
        "/v3/pay/transactions/out-trade-no/order-1?mchid={}",
        shop.merchant.mchid()
    );
    let mut answer = shop.request("GET", &url, "").send().await.unwrap();
    let mut read = 0;
    while read < 4_000_000 {
        read += answer.chunk().await.unwrap().unwrap().len();
    }
    drop(answer);
    assert_eq!(shop.query("order-1").await.status, 200);
}

#[tokio::test]
async fn wrong_answers_of_v2_are_wrong_in_one_thing() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    // The fault, whether the signature holds, and a field with its value ("": absent).
    let table = [
        (
            AnswerFault::WronglySigned,
            false,
            ("trade_state", "SUCCESS"),
        ),
        (
            AnswerFault::SignedByStranger,
            false,
            ("trade_state", "SUCCESS"),
        ),
        (AnswerFault::Unsigned, false, ("sign", "")),
        (AnswerFault::UnknownSerial, true, ("trade_state", "SUCCESS")),
        (AnswerFault::other_amount(1), true, ("total_fee", "1")),
        (AnswerFault::other("mchid", "1"), true, ("mch_id", "1")),
        (
            AnswerFault::SystemError { processed: false },
            true,
            ("err_code", "SYSTEMERROR"),
        ),
        (
            AnswerFault::Refused {
                status: 200,
                code: "NOAUTH".to_owned(),
                processed: false,
            },
            true,
            ("err_code", "NOAUTH"),
        ),
        // Only a reversal is called again.
        (AnswerFault::Recall, true, ("recall", "")),
    ];
    for (fault, verifies, (field, value)) in table {
        shop.wechat.misbehave(Misbehaviour::once(fault.clone()));
        let mut fields = shop.v2_fields(&[("out_trade_no", "order-1")]);
        shop.v2_sign(&mut fields);
        let said = shop.v2_send("/pay/orderquery", xml(&fields)).await;
        assert_eq!(shop.v2_verifies(&said, None), verifies, "{fault:?}");
        let found = said.get(field).map(String::as_str).unwrap_or_default();
        assert_eq!(found, value, "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_at_the_till_leaves_the_money_where_it_is() {
    let shop = Shop::open().await;
    let lost = Misbehaviour::once(AnswerFault::Reset { processed: true });
    shop.wechat
        .misbehave(lost.for_operation(Operation::V2Micropay));
    let auth_code = shop.wechat.show_code(AtTheTill::Pays);
    let mut fields = shop.v2_fields(&[
        ("body", "tea"),
        ("out_trade_no", "till-01"),
        ("total_fee", "10"),
        ("spbill_create_ip", "127.0.0.1"),
        ("auth_code", &auth_code),
    ]);
    shop.v2_sign(&mut fields);
    let url = format!("{}/pay/micropay", shop.wechat.url());
    assert!(
        shop.client
            .post(url)
            .body(xml(&fields))
            .send()
            .await
            .is_err()
    );
    assert_eq!(
        shop.wechat.trade("till-01").unwrap().state,
        TradeState::Success
    );
}

#[tokio::test]
async fn nobody_is_there_while_it_is_down_and_everything_is_after() {
    let shop = Shop::open().await;
    shop.native("order-1").await;
    shop.wechat.go_down().await;
    for url in [shop.wechat.url(), shop.wechat.tls_url()] {
        let answer = shop.tls_client.get(url).send().await;
        assert!(answer.unwrap_err().is_connect());
    }
    let order = shop.order("order-1").to_string();
    let answer = shop.request("POST", NATIVE, &order).send().await;
    assert!(answer.unwrap_err().is_connect());
    shop.wechat.come_up().await;
    shop.native("order-1").await;
    let url = format!("{}/trades", shop.wechat.tls_url());
    assert!(
        shop.tls_client
            .get(url)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );

    let url = shop.wechat.url();
    shop.wechat.stop().await;
    assert!(shop.client.get(url).send().await.unwrap_err().is_connect());
}
