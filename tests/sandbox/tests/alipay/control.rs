//! The buyer and the platform's staff over HTTP, as `curl` moves them.

use serde_json::{Value, json};

use crate::merchant::Merchant;

async fn post(shop: &Merchant, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", shop.alipay.url());
    let answer = shop.client.post(url).json(&body).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn ring_up(shop: &Merchant, out_trade_no: &str, buyer: &str) -> String {
    let shown = post(shop, "/buyer/code", json!({"buyer": buyer})).await.1;
    let content = json!({
        "out_trade_no": out_trade_no,
        "total_amount": "0.10",
        "subject": "一杯茶",
        "auth_code": shown["auth_code"],
    });
    let answer = shop.call("alipay.trade.pay", &content.to_string()).await;
    answer.get("code").to_owned()
}

#[tokio::test]
async fn a_till_can_be_tried_with_curl_alone() {
    let shop = Merchant::open().await;
    assert_eq!(ring_up(&shop, "a1", "pays").await, "10000");
    assert_eq!(ring_up(&shop, "a2", "has_too_little").await, "40004");
    for (number, path, status) in [
        ("b1", "/buyer/confirm", "TRADE_SUCCESS"),
        ("b2", "/buyer/refuse", "TRADE_CLOSED"),
        ("b3", "/buyer/walk_away", "WAIT_BUYER_PAY"),
    ] {
        assert_eq!(ring_up(&shop, number, "is_asked").await, "10003");
        let (code, said) = post(&shop, path, json!({"out_trade_no": number})).await;
        assert_eq!((code, &said["trade"]["status"]), (200, &json!(status)));
    }
    let again = json!({"out_trade_no": "b1"});
    assert_eq!(post(&shop, "/buyer/confirm", again).await.0, 409);
    let nobody = json!({"out_trade_no": "c1"});
    assert_eq!(post(&shop, "/buyer/confirm", nobody).await.0, 404);
    let face = post(&shop, "/buyer/code", json!({"face": true})).await.1;
    assert!(face["auth_code"].as_str().unwrap().starts_with("fp"));
    assert!(post(&shop, "/buyer/code", json!({"buyer": "robs"})).await.0 >= 400);
}

#[tokio::test]
async fn what_happens_to_an_order_can_be_said_with_curl() {
    let shop = Merchant::open().await;
    shop.sell("a1").await;
    let command = async |number: &str, command: Value| {
        post(&shop, &format!("/trades/{number}"), command).await
    };
    let (status, said) = command("a1", json!({"refund": {"fee": "0.04"}})).await;
    assert_eq!((status, &said["trade"]["refunded"]), (200, &json!("0.04")));
    assert_eq!(said["trade"]["refunds"][0]["state"], "done");
    for wrong in [
        json!({"refund": {"fee": 0.04}}),
        json!({"refund": {}}),
        json!("explode"),
    ] {
        assert_eq!(command("a1", wrong).await.0, 422);
    }
    assert_eq!(
        command("a1", json!({"refund": {"fee": "0.07"}})).await.0,
        409
    );
    assert_eq!(command("a2", json!("finish")).await.0, 404);
    for step in [
        json!("hold_refund"),
        json!("freeze"),
        json!("thaw"),
        json!({"backdate": {"days": 1}}),
        json!("run_out"),
        json!("finish"),
    ] {
        assert_eq!(command("a1", step.clone()).await.0, 200, "{step}");
    }
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_FINISHED");
    assert_eq!(post(&shop, "/bills/publish", json!({})).await.0, 204);
}
