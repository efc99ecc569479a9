//! Refunds by v3, by v2 and at the console.

use std::time::Duration;

use serde_json::{Value, json};
use walnut_sandbox::wechat::signing::v2::open_refund;
use walnut_sandbox::wechat::{
    NotificationView, RefundOutcome, RefundStatus, TradeState, WeChatOptions,
};

use crate::merchant::{Answered, Shop, parsed};

const REFUNDS: &str = "/v3/refund/domestic/refunds";

impl Shop {
    /// A refund of an order for 0.10 yuan.
    fn refund_of(&self, out_trade_no: &str, out_refund_no: &str, fee: u64) -> Value {
        json!({
            "out_trade_no": out_trade_no,
            "out_refund_no": out_refund_no,
            "notify_url": self.notify_url,
            "amount": {"refund": fee, "total": 10, "currency": "CNY"},
        })
    }

    async fn refund(&self, out_trade_no: &str, out_refund_no: &str, fee: u64) -> Answered {
        let body = self.refund_of(out_trade_no, out_refund_no, fee);
        self.post(REFUNDS, &body).await
    }

    /// The notification that a refund has ended.
    async fn refund_told(&self, out_refund_no: &str) -> NotificationView {
        let about =
            |n: &NotificationView| n.out_refund_no.as_deref() == Some(out_refund_no) && n.taken;
        self.wechat
            .until(|wechat| wechat.notifications().into_iter().rfind(about))
            .await
    }
}

#[tokio::test]
async fn money_goes_back_in_parts_and_each_is_told() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let first = shop.refund("order-1", "refund-1", 4).await;
    assert_eq!(
        (first.status, first.verified),
        (200, true),
        "{}",
        first.body
    );
    assert_eq!(
        (first.get("status"), first.get("channel")),
        ("PROCESSING", "ORIGINAL")
    );
    assert_eq!(first.json["amount"]["refund"], 4);
    assert_eq!(shop.query("order-1").await.get("trade_state"), "REFUND");

    let told = shop.refund_told("refund-1").await;
    let (verified, plain) = shop.opened(&told);
    assert!(verified && told.event_type == "REFUND.SUCCESS");
    assert_eq!(
        (&plain["refund_status"], &plain["status"]),
        (&json!("SUCCESS"), &Value::Null)
    );
    assert_eq!(plain["amount"]["currency"], Value::Null);
    assert_eq!(plain["refund_id"], first.json["refund_id"]);
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(body["resource"]["associated_data"], "refund");
    let asked = shop.get(&format!("{REFUNDS}/refund-1")).await;
    assert_eq!(asked.get("status"), "SUCCESS");
    assert!(asked.get("success_time").ends_with("+08:00"));

    // The same again is the same; with another amount it is refused; too much is refused.
    let again = shop.refund("order-1", "refund-1", 4).await;
    assert_eq!(again.json, asked.json);
    assert_eq!(
        shop.refund("order-1", "refund-1", 5).await.codes(),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(
        shop.refund("order-1", "refund-2", 7).await.codes(),
        (400, "INVALID_REQUEST")
    );
    assert_eq!(shop.refund("order-1", "refund-2", 6).await.status, 200);
    shop.refund_told("refund-2").await;
    let trade = shop.wechat.trade("order-1").unwrap();
    assert_eq!(
        (trade.state, trade.refunded_fen, trade.refunds.len()),
        (TradeState::Refund, 10, 2)
    );
    assert_eq!(shop.close("order-1").await.codes(), (400, "ORDER_PAID"));
}

#[tokio::test]
async fn a_refund_may_stay_fail_or_need_a_hand() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let status = async |number: &str| {
        let answer = shop.get(&format!("{REFUNDS}/{number}")).await;
        answer.get("status").to_owned()
    };
    shop.wechat
        .decide_refunds("order-1", RefundOutcome::Undecided)
        .unwrap();
    shop.refund("order-1", "refund-1", 4).await;
    assert_eq!(status("refund-1").await, "PROCESSING");
    // What is in process keeps its amount.
    assert_eq!(
        shop.refund("order-1", "refund-2", 7).await.codes(),
        (400, "INVALID_REQUEST")
    );
    shop.wechat
        .settle_refund("refund-1", RefundStatus::Closed)
        .unwrap();
    assert_eq!(
        shop.refund_told("refund-1").await.event_type,
        "REFUND.CLOSED"
    );
    assert!(
        shop.wechat
            .settle_refund("refund-1", RefundStatus::Success)
            .is_err()
    );
    // What came to nothing is free again, for a new number.
    let again = shop.refund("order-1", "refund-1", 4).await;
    assert_eq!(again.get("status"), "CLOSED");

    shop.wechat
        .decide_refunds("order-1", RefundOutcome::Abnormal)
        .unwrap();
    let stuck = shop.refund("order-1", "refund-2", 10).await;
    assert_eq!(
        shop.refund_told("refund-2").await.event_type,
        "REFUND.ABNORMAL"
    );
    assert_eq!(status("refund-2").await, "ABNORMAL");
    let url = format!("{REFUNDS}/{}/apply-abnormal-refund", stuck.get("refund_id"));
    let hand = json!({"out_refund_no": "refund-2", "type": "MERCHANT_BANK_CARD"});
    assert_eq!(shop.post(&url, &hand).await.get("status"), "PROCESSING");
    let done = |n: &NotificationView| n.event_type == "REFUND.SUCCESS";
    shop.wechat
        .until(|wechat| wechat.notifications().into_iter().find(done))
        .await;
    assert_eq!(status("refund-2").await, "SUCCESS");
    assert_eq!(
        shop.post(&url, &hand).await.codes(),
        (400, "INVALID_REQUEST")
    );
}

#[tokio::test]
async fn what_cannot_be_refunded_is_refused() {
    let shop = Shop::open().await;
    shop.native("order-1").await;
    assert_eq!(
        shop.refund("order-1", "refund-1", 1).await.codes(),
        (404, "RESOURCE_NOT_EXISTS")
    );
    assert_eq!(
        shop.refund("order-0", "refund-1", 1).await.codes(),
        (404, "RESOURCE_NOT_EXISTS")
    );
    let unknown = shop.get(&format!("{REFUNDS}/refund-1")).await;
    assert_eq!(
        (unknown.codes(), unknown.verified),
        ((404, "RESOURCE_NOT_EXISTS"), true)
    );

    shop.paid("order-2").await;
    for (pointer, value) in [
        ("/out_refund_no", json!("x".repeat(65))),
        ("/out_refund_no", json!("")),
        ("/out_trade_no", json!(null)),
        ("/transaction_id", json!("4200")),
        ("/reason", json!("茶".repeat(81))),
        ("/notify_url", json!("http://127.0.0.1/?x")),
        ("/funds_account", json!("OTHER")),
        ("/amount/refund", json!(0)),
        ("/amount/refund", json!(11)),
        ("/amount/currency", json!("USD")),
        ("/amount/currency", json!(null)),
        (
            "/amount/from",
            json!([{"account": "AVAILABLE", "amount": 2}]),
        ),
    ] {
        let mut body = shop.refund_of("order-2", "refund-2", 1);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let fields = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value.is_null() {
            true => fields.remove(name),
            false => fields.insert(name.to_owned(), value.clone()),
        };
        let answer = shop.post(REFUNDS, &body).await;
        assert_eq!(
            answer.codes(),
            (400, "PARAM_ERROR"),
            "{pointer}={value}: {}",
            answer.body
        );
    }
    let mut dearer = shop.refund_of("order-2", "refund-2", 1);
    dearer["amount"]["total"] = json!(11);
    assert_eq!(
        shop.post(REFUNDS, &dearer).await.codes(),
        (400, "INVALID_REQUEST")
    );
    shop.wechat
        .age("order-2", Duration::from_secs(365 * 24 * 60 * 60))
        .unwrap();
    assert_eq!(
        shop.refund("order-2", "refund-2", 1).await.codes(),
        (403, "TRADE_OVERDUE")
    );
}

#[tokio::test]
async fn an_order_takes_fifty_refunds() {
    let shop = Shop::open().await;
    let mut order = shop.order("order-1");
    order["amount"]["total"] = json!(100);
    let answer = shop.post("/v3/pay/transactions/native", &order).await;
    shop.wechat.pay(answer.get("code_url")).await.unwrap();
    for at in 0..=50 {
        let mut body = shop.refund_of("order-1", &format!("refund-{at}"), 1);
        body["amount"]["total"] = json!(100);
        let said = shop.post(REFUNDS, &body).await.status;
        assert_eq!(said, if at < 50 { 200 } else { 400 }, "{at}");
    }
}

#[tokio::test]
async fn v2_refunds_over_mutual_tls_and_tells_in_a_seal() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    shop.replies(&[], (200, "<xml><return_code>SUCCESS</return_code></xml>"));
    let fields = [
        ("out_trade_no", "order-1"),
        ("out_refund_no", "refund-1"),
        ("total_fee", "10"),
        ("refund_fee", "4"),
        ("notify_url", shop.notify_url.as_str()),
    ];
    let said = shop.v2("/secapi/pay/refund", &fields).await;
    assert_eq!(
        (said["result_code"].as_str(), said["refund_fee"].as_str()),
        ("SUCCESS", "4")
    );
    let told = shop.refund_told("refund-1").await;
    let envelope = parsed(&told.body);
    assert!(!envelope.contains_key("sign"));
    let plain = open_refund(shop.merchant.api_key(), &envelope["req_info"]).unwrap();
    assert!(plain.starts_with("<root>"));
    let plain = parsed(&plain);
    assert_eq!(
        (
            plain["refund_status"].as_str(),
            plain["refund_fee"].as_str()
        ),
        ("SUCCESS", "4")
    );

    let asked = shop
        .v2("/pay/refundquery", &[("out_trade_no", "order-1")])
        .await;
    assert_eq!(
        (
            asked["refund_count"].as_str(),
            asked["refund_status_0"].as_str()
        ),
        ("1", "SUCCESS")
    );
    assert_eq!(asked["refund_id_0"], said["refund_id"]);
    assert_eq!(asked["refund_recv_accout_0"], "支付用户零钱");
    let none = shop
        .v2("/pay/refundquery", &[("out_refund_no", "refund-0")])
        .await;
    assert_eq!(none["err_code"], "REFUNDNOTEXIST");
    let twice = [("refund_fee", "5")];
    let other: Vec<_> = fields
        .iter()
        .filter(|(name, _)| *name != "refund_fee")
        .chain(&twice)
        .copied()
        .collect();
    let said = shop.v2("/secapi/pay/refund", &other).await;
    assert_eq!(said["err_code"], "ERROR");
    // v3 sees what v2 refunded.
    assert_eq!(
        shop.get(&format!("{REFUNDS}/refund-1")).await.get("status"),
        "SUCCESS"
    );
}

#[tokio::test]
async fn a_refund_at_the_console_is_seen_and_told_to_nobody() {
    let shop = Shop::open_with(WeChatOptions::default()).await;
    shop.native("order-1").await;
    assert!(shop.wechat.refund("order-1", 1).is_err());
    shop.paid("order-2").await;
    shop.told("order-2").await;
    let number = shop.wechat.refund("order-2", 4).unwrap();
    assert!(shop.wechat.refund("order-2", 7).is_err());
    assert_eq!(shop.query("order-2").await.get("trade_state"), "REFUND");
    shop.wechat
        .settle_refund(&number, RefundStatus::Success)
        .unwrap();
    assert_eq!(
        shop.get(&format!("{REFUNDS}/{number}")).await.get("status"),
        "SUCCESS"
    );
    assert_eq!(shop.wechat.notifications().len(), 1);
}
