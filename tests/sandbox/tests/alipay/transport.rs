//! Answers that go wrong on their way: redirected, endless, broken off, slow; a platform that is
//! down.

use std::error::Error as _;

use walnut_sandbox::alipay::{AnswerFault, BillFault, Fault, Misbehaviour, NotificationFault};

use crate::merchant::{Merchant, named};

async fn query(shop: &Merchant) -> reqwest::Result<reqwest::Response> {
    let mut parameters = shop.parameters("alipay.trade.query", &named("a1"));
    shop.sign(&mut parameters);
    shop.send(&parameters).await
}

#[tokio::test]
async fn a_redirect_leads_somewhere_else_and_is_no_answer() {
    let shop = Merchant::open().await;
    let trap = AnswerFault::Redirect {
        status: 307,
        to: format!("{}/trades", shop.alipay.url()),
    };
    shop.alipay.misbehave(Misbehaviour::once(trap));
    let answer = query(&shop).await.unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(
        answer.headers()["location"],
        format!("{}/trades", shop.alipay.url())
    );
    assert_eq!(shop.alipay.requests().len(), 1);
}

#[tokio::test]
async fn an_endless_answer_ends_with_its_reader() {
    let shop = Merchant::open().await;
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::Endless));
    let mut answer = query(&shop).await.unwrap();
    assert_eq!(answer.content_length(), None);
    let (mut read, mut start) = (0, Vec::new());
    while read < 4_000_000 {
        let chunk = answer.chunk().await.unwrap().unwrap();
        read += chunk.len();
        if start.len() < 20 {
            start.extend_from_slice(&chunk);
        }
    }
    // It begins as the right answer does.
    assert!(start.starts_with(b"{\"alipay_trade_query"), "{start:?}");
    drop(answer);
    shop.query("a1").await;
    shop.alipay.stop().await;
}

#[tokio::test]
async fn an_endless_answer_ends_with_the_platform() {
    let shop = Merchant::open().await;
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::Endless));
    let mut answer = query(&shop).await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    shop.alipay.stop().await;
}

#[tokio::test]
async fn a_broken_answer_promises_more_than_it_gives() {
    let shop = Merchant::open().await;
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::BrokenOff));
    let answer = query(&shop).await.unwrap();
    assert_eq!(answer.status(), 200);
    let error = answer.bytes().await.unwrap_err();
    assert!(
        error.is_body() || error.is_decode() || error.source().is_some(),
        "{error:?}"
    );
    shop.query("a1").await;
}

#[tokio::test]
async fn a_slow_answer_is_right_in_the_end() {
    let shop = Merchant::open().await;
    shop.alipay
        .misbehave(Misbehaviour::once(AnswerFault::Slow { ms: 1 }));
    let mut answer = query(&shop).await.unwrap();
    let (mut pieces, mut body) = (0, Vec::new());
    while let Some(chunk) = answer.chunk().await.unwrap() {
        pieces += 1;
        body.extend_from_slice(&chunk);
    }
    assert!(pieces > 1);
    let answer = shop.read(String::from_utf8(body).unwrap());
    assert_eq!(
        (answer.codes().1, answer.verified),
        ("ACQ.TRADE_NOT_EXIST", true)
    );
}

#[tokio::test]
async fn nobody_reaches_a_platform_that_is_down_and_all_is_there_when_it_comes_up() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    shop.alipay.go_down();
    for _ in 0..2 {
        assert!(query(&shop).await.is_err());
    }
    let seen = shop.alipay.requests().len();
    assert_eq!(seen, 1);
    // The buyer's app has another way in, and what it did is told.
    shop.alipay.pay(&qr_code).await.unwrap();
    shop.alipay
        .until(|alipay| alipay.notifications().into_iter().find(|n| n.taken))
        .await;
    shop.alipay.come_up();
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_SUCCESS");
    assert_eq!(shop.alipay.requests().len(), seen + 1);
}

#[tokio::test]
async fn the_file_of_a_bill_goes_wrong_too() {
    let shop = Merchant::open().await;
    shop.alipay.publish_bills();
    shop.sell("a1").await;
    let today = shop.day_of("a1");
    let content = format!(r#"{{"bill_type":"trade","bill_date":"{today}"}}"#);
    let answer = shop
        .call("alipay.data.dataservice.bill.downloadurl.query", &content)
        .await;
    let fetch = async || {
        shop.client
            .get(answer.get("bill_download_url"))
            .send()
            .await
    };
    let whole = fetch().await.unwrap().bytes().await.unwrap();
    for fault in [
        AnswerFault::Truncated,
        AnswerFault::HttpStatus {
            status: 503,
            processed: true,
        },
        AnswerFault::HangUp { processed: true },
        AnswerFault::BrokenOff,
    ] {
        shop.alipay
            .misbehave(Misbehaviour::once(fault.clone()).for_operation("bill.download"));
        let body = match fetch().await {
            Ok(answer) if answer.status() == 200 => answer.bytes().await.ok(),
            _ => None,
        };
        assert!(
            body.is_none_or(|body| body.len() < whole.len()),
            "{fault:?}"
        );
    }
    assert_eq!(fetch().await.unwrap().bytes().await.unwrap(), whole);
}

#[test]
fn the_new_misbehaviours_have_a_stable_json_form() {
    let fault = |text: &str| serde_json::from_str::<Fault>(text).unwrap();
    for (text, expected) in [
        (r#"{"answer":"endless"}"#, AnswerFault::Endless.into()),
        (r#"{"answer":"broken_off"}"#, AnswerFault::BrokenOff.into()),
        (
            r#"{"answer":{"slow":{"ms":5}}}"#,
            AnswerFault::Slow { ms: 5 }.into(),
        ),
        (
            r#"{"answer":{"refused":{"code":"40004","sub_code":"ACQ.PARTNER_ERROR"}}}"#,
            AnswerFault::refused("ACQ.PARTNER_ERROR").into(),
        ),
        (
            r#"{"answer":{"cancel_again":{}}}"#,
            AnswerFault::CancelAgain { processed: false }.into(),
        ),
        (
            r#"{"notification":"after_the_next"}"#,
            NotificationFault::AfterTheNext.into(),
        ),
        (r#"{"bill":"left_out"}"#, BillFault::LeftOut.into()),
        (
            r#"{"bill":{"amount":"0.02"}}"#,
            Fault::from(BillFault::Amount(walnut_sandbox::alipay::Fen::new(2))),
        ),
    ] {
        assert_eq!(fault(text), expected, "{text}");
        let written = serde_json::to_string(&expected).unwrap();
        assert_eq!(fault(&written), expected, "{written}");
    }
}
