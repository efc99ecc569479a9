//! Orders by code, page, browser and app, from the order to its end.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use walnut_sandbox::wechat::signing::call_text;
use walnut_sandbox::wechat::{BuyerError, TradeState};

use crate::merchant::{Shop, nonce, now};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn an_order_is_scanned_paid_and_told_until_the_merchant_takes_it() {
    let shop = Shop::open().await;
    let failed = r#"{"code":"FAIL","message":"失败"}"#;
    shop.replies(
        &[(500, failed), (200, failed), (302, ""), (200, "success")],
        (204, ""),
    );
    let code_url = shop.native("order-1").await;
    assert!(code_url.starts_with("weixin://wxpay/bizpayurl/up?pr="));

    let unknown = shop.query("order-0").await;
    assert_eq!(
        (unknown.codes(), unknown.verified),
        ((404, "ORDER_NOT_EXIST"), true)
    );
    assert!(
        unknown.headers["request-id"]
            .to_str()
            .unwrap()
            .ends_with("-268512771")
    );

    shop.wechat.scan(&code_url).await.unwrap();
    let waiting = shop.query("order-1").await;
    assert_eq!(
        (waiting.get("trade_state"), waiting.verified),
        ("NOTPAY", true)
    );
    assert_eq!(waiting.json["amount"]["total"], 10);
    for absent in ["transaction_id", "success_time", "payer"] {
        assert_eq!(waiting.json.get(absent), None);
    }

    shop.wechat.pay(&code_url).await.unwrap();
    let paid = shop.query("order-1").await;
    assert_eq!(
        (paid.get("trade_state"), paid.get("trade_type")),
        ("SUCCESS", "NATIVE")
    );
    let time = paid.get("success_time");
    assert!(time.ends_with("+08:00") && OffsetDateTime::parse(time, &Rfc3339).is_ok());
    assert_eq!(paid.json["amount"]["payer_total"], 10);
    let by_id = format!(
        "/v3/pay/transactions/id/{}?mchid={}",
        paid.get("transaction_id"),
        shop.merchant.mchid()
    );
    assert_eq!(shop.get(&by_id).await.json, paid.json);
    assert_eq!(
        shop.wechat.pay(&code_url).await.unwrap_err(),
        BuyerError::AlreadyPaid
    );

    let last = shop.told("order-1").await;
    assert_eq!((last.try_no, last.http_status), (5, Some(204)));
    let sends = shop.wechat.notifications();
    assert_eq!(sends.len(), 5);
    for send in &sends {
        assert!(send.genuine && send.id == last.id && send.id.len() == 36);
        let (verified, plain) = shop.opened(send);
        assert_eq!((verified, &plain), (true, &paid.json));
        let body: Value = serde_json::from_str(&send.body).unwrap();
        assert_eq!(body["event_type"], "TRANSACTION.SUCCESS");
        assert_eq!(body["resource"]["associated_data"], "transaction");
    }
    assert_ne!(
        sends[0].headers["Wechatpay-Nonce"],
        sends[1].headers["Wechatpay-Nonce"]
    );
}

#[tokio::test]
async fn a_page_and_an_app_call_the_payment_signed_by_the_merchant() {
    let shop = Shop::open().await;
    let (appid, other) = (
        shop.merchant.appid(),
        shop.wechat.open_merchant().await.unwrap(),
    );
    let mut order = shop.order("page-1");
    let missing = shop.post("/v3/pay/transactions/jsapi", &order).await;
    assert_eq!(missing.json["detail"]["field"], "/payer/openid");
    order["payer"] = json!({"openid": other.buyer_openid()});
    let foreign = shop.post("/v3/pay/transactions/jsapi", &order).await;
    assert_eq!(foreign.codes(), (400, "PARAM_ERROR"));
    order["payer"] = json!({"openid": shop.merchant.buyer_openid()});
    let answer = shop.post("/v3/pay/transactions/jsapi", &order).await;
    let package = format!("prepay_id={}", answer.get("prepay_id"));

    let (timestamp, nonce) = (now().to_string(), nonce());
    let sign = |text: String| shop.key.sign(text.as_bytes());
    let mut call = json!({
        "appId": appid,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": sign(call_text(appid, &timestamp, &nonce, answer.get("prepay_id"))),
    });
    // The fourth line of a page is not an app's.
    let refused = shop.wechat.pay_by_call(&call).await;
    assert_eq!(refused.unwrap_err(), BuyerError::BadSignature);
    call["paySign"] = json!(sign(call_text(appid, &timestamp, &nonce, &package)));
    let mut by_other = call.clone();
    by_other["appId"] = json!(other.appid());
    let refused = shop.wechat.pay_by_call(&by_other).await;
    assert_eq!(refused.unwrap_err(), BuyerError::BadSignature);
    let trade = shop.wechat.pay_by_call(&call).await.unwrap();
    assert_eq!(trade.state, TradeState::Success);
    let paid = shop.query("page-1").await;
    assert_eq!(paid.json["payer"]["openid"], shop.merchant.buyer_openid());
    assert_eq!(paid.get("trade_type"), "JSAPI");

    let answer = shop
        .post("/v3/pay/transactions/app", &shop.order("app-01"))
        .await;
    let id = answer.get("prepay_id");
    let call = json!({
        "appid": appid,
        "partnerid": shop.merchant.mchid(),
        "prepayid": id,
        "package": "Sign=WXPay",
        "noncestr": nonce,
        "timestamp": timestamp,
        "sign": sign(call_text(appid, &timestamp, &nonce, id)),
    });
    let trade = shop.wechat.pay_by_call(&call).await.unwrap();
    assert_eq!(trade.out_trade_no, "app-01");
    assert_eq!(shop.query("app-01").await.get("trade_type"), "APP");
}

#[tokio::test]
async fn a_browser_pays_within_five_minutes() {
    let shop = Shop::open().await;
    let mut order = shop.order("browser");
    let bare = shop.post("/v3/pay/transactions/h5", &order).await;
    assert_eq!(bare.json["detail"]["field"], "/scene_info");
    order["scene_info"] = json!({"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}});
    let first = shop.post("/v3/pay/transactions/h5", &order).await;
    let first = first.get("h5_url").to_owned();
    let again = shop.post("/v3/pay/transactions/h5", &order).await;
    assert_eq!(again.get("h5_url"), first);

    shop.wechat
        .age("browser", Duration::from_secs(5 * 60))
        .unwrap();
    assert_eq!(
        shop.wechat.pay(&first).await.unwrap_err(),
        BuyerError::Expired
    );
    let second = shop.post("/v3/pay/transactions/h5", &order).await;
    assert_ne!(second.get("h5_url"), first);
    let address = format!(
        "{}&redirect_url=http%3A%2F%2F127.0.0.1%2Fdone",
        second.get("h5_url")
    );
    shop.wechat.pay(&address).await.unwrap();
    assert_eq!(shop.query("browser").await.get("trade_type"), "MWEB");
}

#[tokio::test]
async fn the_same_number_is_the_same_order_or_nothing() {
    let shop = Shop::open().await;
    let first = shop.native("order-1").await;
    assert_eq!(shop.native("order-1").await, first);

    let native = "/v3/pay/transactions/native";
    let mut dearer = shop.order("order-1");
    dearer["amount"]["total"] = json!(11);
    let answer = shop.post(native, &dearer).await;
    assert_eq!(answer.codes(), (400, "INVALID_REQUEST"));
    assert!(
        answer.headers["request-id"]
            .to_str()
            .unwrap()
            .ends_with("-268498688")
    );
    let answer = shop
        .post("/v3/pay/transactions/app", &shop.order("order-1"))
        .await;
    assert_eq!(answer.codes(), (403, "OUT_TRADE_NO_USED"));

    // Only the first last moment counts, and it may be another the second time.
    let mut timed = shop.order("order-2");
    timed["time_expire"] = json!("2000-01-01T00:00:00+08:00");
    let code_url = shop.post(native, &timed).await.get("code_url").to_owned();
    timed["time_expire"] = json!("2099-01-01T00:00:00+08:00");
    assert_eq!(shop.post(native, &timed).await.get("code_url"), code_url);
    // What is past is raised to a minute from now.
    shop.wechat.scan(&code_url).await.unwrap();
    shop.wechat.age("order-2", Duration::from_secs(60)).unwrap();
    assert_eq!(
        shop.wechat.pay(&code_url).await.unwrap_err(),
        BuyerError::Expired
    );
    assert_eq!(shop.query("order-2").await.get("trade_state"), "NOTPAY");

    shop.wechat.pay(&first).await.unwrap();
    let answer = shop.post(native, &shop.order("order-1")).await;
    assert_eq!(answer.codes(), (400, "ORDER_PAID"));
    assert_eq!(shop.close("order-2").await.status, 204);
    let answer = shop.post(native, &timed).await;
    assert_eq!(answer.codes(), (400, "ORDER_CLOSED"));
}

#[tokio::test]
async fn closing_is_for_what_is_unpaid_and_its_answer_is_signed_over_nothing() {
    let shop = Shop::open().await;
    let code_url = shop.native("order|1*").await;
    let unknown = shop.close("order-0").await;
    assert_eq!(
        (unknown.codes(), unknown.verified),
        ((404, "ORDER_NOT_EXIST"), true)
    );
    for _ in 0..2 {
        let closed = shop.close("order%7C1%2A").await;
        assert_eq!(
            (closed.status, closed.body.as_str(), closed.verified),
            (204, "", true)
        );
    }
    assert_eq!(shop.query("order%7C1*").await.get("trade_state"), "CLOSED");
    assert_eq!(
        shop.wechat.pay(&code_url).await.unwrap_err(),
        BuyerError::Closed
    );

    shop.paid("order-2").await;
    let refused = shop.close("order-2").await;
    assert_eq!(
        (refused.codes(), refused.verified),
        ((400, "ORDER_PAID"), true)
    );

    // What nobody pays for a week is closed by itself, and what is paid is not.
    shop.native("order-3").await;
    for number in ["order-2", "order-3"] {
        shop.wechat.age(number, DAY * 7).unwrap();
    }
    assert_eq!(shop.query("order-3").await.get("trade_state"), "CLOSED");
    assert_eq!(shop.query("order-2").await.get("trade_state"), "SUCCESS");
}

#[tokio::test]
async fn codes_and_orders_run_out() {
    let shop = Shop::open().await;
    let first = shop.native("order-1").await;
    shop.wechat
        .age("order-1", Duration::from_secs(2 * 60 * 60))
        .unwrap();
    assert_eq!(
        shop.wechat.scan(&first).await.unwrap_err(),
        BuyerError::Expired
    );
    let second = shop.native("order-1").await;
    assert_ne!(second, first);
    shop.wechat.run_out("order-1").unwrap();
    assert_eq!(
        shop.wechat.pay(&second).await.unwrap_err(),
        BuyerError::Expired
    );
    let nowhere = shop
        .wechat
        .pay("weixin://wxpay/bizpayurl/up?pr=x&groupid=00")
        .await;
    assert_eq!(nowhere.unwrap_err(), BuyerError::UnknownLink);
}

#[tokio::test]
async fn every_field_is_checked() {
    let shop = Shop::open().await;
    let (long, wide) = ("9".repeat(33), "茶".repeat(128));
    let address = format!("https://example.com/{}", "a".repeat(236));
    // Where the wrong value is put, the value (null: absent), and the code.
    let table = [
        ("/appid", json!(null), "PARAM_ERROR"),
        (
            "/appid",
            json!("wx0123456789abcdef"),
            "APPID_MCHID_NOT_MATCH",
        ),
        ("/mchid", json!("1900000001"), "PARAM_ERROR"),
        ("/mchid", json!(1_900_000_001), "PARAM_ERROR"),
        ("/description", json!(""), "PARAM_ERROR"),
        ("/description", json!(wide), "PARAM_ERROR"),
        ("/out_trade_no", json!("12345"), "PARAM_ERROR"),
        ("/out_trade_no", json!(long), "PARAM_ERROR"),
        ("/out_trade_no", json!("order 1"), "PARAM_ERROR"),
        ("/out_trade_no", json!("order.1"), "PARAM_ERROR"),
        ("/notify_url", json!(null), "PARAM_ERROR"),
        (
            "/notify_url",
            json!("https://example.com/re?x=1"),
            "PARAM_ERROR",
        ),
        ("/notify_url", json!("example.com/re"), "PARAM_ERROR"),
        ("/notify_url", json!(address), "PARAM_ERROR"),
        ("/amount", json!(null), "PARAM_ERROR"),
        ("/amount/total", json!(0), "PARAM_ERROR"),
        ("/amount/total", json!(-1), "PARAM_ERROR"),
        ("/amount/total", json!("10"), "PARAM_ERROR"),
        ("/amount/total", json!(10.5), "PARAM_ERROR"),
        ("/amount/currency", json!("USD"), "PARAM_ERROR"),
        ("/attach", json!("x".repeat(129)), "PARAM_ERROR"),
        ("/goods_tag", json!("x".repeat(33)), "PARAM_ERROR"),
        ("/time_expire", json!("2099-01-01 00:00:00"), "PARAM_ERROR"),
        ("/time_expire", json!("2099-01-01T00:00:00"), "PARAM_ERROR"),
        ("/limit_pay", json!(["no_money"]), "PARAM_ERROR"),
        ("/scene_info", json!({}), "PARAM_ERROR"),
        (
            "/scene_info",
            json!({"payer_client_ip": "here"}),
            "PARAM_ERROR",
        ),
        (
            "/detail",
            json!({"goods_detail": [{"quantity": 1}]}),
            "PARAM_ERROR",
        ),
        ("/payer", json!({"openid": "o"}), "PARAM_ERROR"),
        ("/timeexpire", json!("1"), "PARAM_ERROR"),
    ];
    for (pointer, value, code) in table {
        let mut order = shop.order("order-1");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let fields = order.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value.is_null() {
            true => fields.remove(name),
            false => fields.insert(name.to_owned(), value.clone()),
        };
        let answer = shop.post("/v3/pay/transactions/native", &order).await;
        let said = (answer.codes(), answer.verified);
        assert_eq!(
            said,
            ((400, code), true),
            "{pointer}={value}: {}",
            answer.body
        );
        assert!(code != "PARAM_ERROR" || answer.json["detail"]["location"] == "body");
    }
    assert!(shop.wechat.trades().is_empty());

    let mut order = shop.order(&"9".repeat(32));
    order["description"] = json!("茶".repeat(127));
    order["attach"] = json!("桌号 7");
    order["detail"] = json!({"goods_detail": [
        {"merchant_goods_id": "tea", "goods_name": "茶", "quantity": 1, "unit_price": 10},
    ]});
    let answer = shop.post("/v3/pay/transactions/native", &order).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(shop.query(&"9".repeat(32)).await.get("attach"), "桌号 7");
}
