//! The control surface, for a browser and `curl`.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, Fault, Misbehaviour, NotificationFault, Operation, TradeState,
};

use crate::merchant::Shop;

#[tokio::test]
async fn a_browser_and_curl_can_act_as_the_buyer() {
    let shop = Shop::open().await;
    let (client, url) = (&shop.client, shop.wechat.url());
    let text = async |url: String| {
        let answer = client.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let code_url = shop.native("order-1").await;
    let address = code_url.replace("weixin://wxpay", &url);
    let (status, page) = text(address.clone()).await;
    assert!(status == 200 && page.contains("一杯茶") && page.contains("0.10"));
    let form = |link: &str| {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("link", link)
            .finish();
        client
            .post(format!("{url}/buyer/pay"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
    };
    let paid = form(&address).await.unwrap();
    assert!(paid.text().await.unwrap().contains("SUCCESS"));
    assert_eq!(form(&address).await.unwrap().status(), 409);
    assert_eq!(text(format!("{url}/bizpayurl/up?pr=nothing")).await.0, 404);

    // A browser goes back to the merchant's page.
    let mut order = shop.order("browser");
    order["scene_info"] = json!({"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}});
    let answer = shop.post("/v3/pay/transactions/h5", &order).await;
    let address = format!(
        "{}&redirect_url=http%3A%2F%2F127.0.0.1%2Fdone",
        answer.get("h5_url")
    );
    assert_eq!(text(address.clone()).await.0, 200);
    let back = form(&address).await.unwrap();
    assert_eq!(
        (back.status(), &back.headers()["location"]),
        (
            reqwest::StatusCode::SEE_OTHER,
            &"http://127.0.0.1/done".parse().unwrap()
        )
    );

    let post = async |path: &str, body: Value| {
        let request = client.post(format!("{url}{path}")).json(&body);
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or(Value::Null),
        )
    };
    let code_url = shop.native("order-2").await;
    let (status, scanned) = post("/buyer/scan", json!({"link": code_url})).await;
    assert_eq!(
        (status, &scanned["trade"]["state"]),
        (200, &json!("NOTPAY"))
    );
    assert_eq!(post("/buyer/pay", json!({"link": code_url})).await.0, 200);
    assert_eq!(
        post("/buyer/pay", json!({"link": "https://example.com/"}))
            .await
            .0,
        404
    );
    assert_eq!(
        post("/buyer/pay", json!({"call": {"paySign": "x"}}))
            .await
            .0,
        403
    );
    assert_eq!(post("/buyer/pay", json!({"code": code_url})).await.0, 400);

    let (_, code) = post("/buyer/code", json!({"then": "must_confirm"})).await;
    shop.micropay("till-01", code["auth_code"].as_str().unwrap())
        .await;
    let (status, confirmed) = post("/buyer/confirm", json!({"out_trade_no": "till-01"})).await;
    assert_eq!(
        (status, &confirmed["trade"]["state"]),
        (200, &json!("SUCCESS"))
    );
    for path in ["/buyer/refuse", "/buyer/abandon"] {
        assert_eq!(post(path, json!({"out_trade_no": "till-01"})).await.0, 409);
    }
    let (status, _) = post(
        "/buyer/code",
        json!({"then": {"bank_error": {"pays": false}}}),
    )
    .await;
    assert_eq!(status, 200);

    let fault = json!({"what": {"answer": {"hang_up": {"processed": true}}}, "operation": "query", "times": 2});
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
    assert_eq!(shop.query("order-1").await.status, 200);
    let trades: Value = serde_json::from_str(&text(format!("{url}/trades")).await.1).unwrap();
    assert_eq!(
        (trades.as_array().unwrap().len(), &trades[0]["total_fen"]),
        (4, &json!(10))
    );
    for path in ["requests", "notifications"] {
        assert_eq!(text(format!("{url}/{path}")).await.0, 200);
    }
    assert_eq!(
        shop.wechat.trade("order-2").unwrap().state,
        TradeState::Success
    );
}

#[tokio::test]
async fn misbehaviours_have_a_stable_json_form() {
    let read = |text: &str| serde_json::from_str::<Misbehaviour>(text).unwrap();
    let lost = read(r#"{"what":{"notification":"lost"},"times":null}"#);
    assert_eq!(
        (lost.times, &lost.what),
        (None, &Fault::Notification(NotificationFault::Lost))
    );
    assert_eq!(
        read(r#"{"what":{"answer":{"late":{"ms":5}}},"operation":"v2_reverse"}"#),
        Misbehaviour::once(AnswerFault::Late { ms: 5 }).for_operation(Operation::V2Reverse)
    );
    assert_eq!(
        read(r#"{"what":{"answer":{"other":{"amount.total":1,"amount.payer_total":1}}}}"#),
        Misbehaviour::once(AnswerFault::other_amount(1))
    );
    let forged = r#"{"what":{"notification":{"instead":{"signature":"stranger","seal":"other_key","age_s":301}}},"trade":"order-1"}"#;
    assert_eq!(read(forged).trade.as_deref(), Some("order-1"));
    let by = r#"{"what":{"notification":{"instead":{"signature":{"by":"PUB_KEY_ID_01"}}}}}"#;
    assert_eq!(read(by).times, Some(1));
}
