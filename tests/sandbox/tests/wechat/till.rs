//! The till: payment codes by v2 and by v3, and taking a payment back.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, AtTheTill, BuyerError, Misbehaviour, TradeState, WeChatOptions,
};

use crate::merchant::{Answered, Shop};

impl Shop {
    /// A cashier scans a code for 0.10 yuan, by v2.
    pub(crate) async fn micropay(
        &self,
        out_trade_no: &str,
        auth_code: &str,
    ) -> BTreeMap<String, String> {
        let fields = [
            ("body", "一杯茶"),
            ("out_trade_no", out_trade_no),
            ("total_fee", "10"),
            ("spbill_create_ip", "127.0.0.1"),
            ("auth_code", auth_code),
        ];
        self.v2("/pay/micropay", &fields).await
    }

    async fn order_query(&self, out_trade_no: &str) -> BTreeMap<String, String> {
        self.v2("/pay/orderquery", &[("out_trade_no", out_trade_no)])
            .await
    }

    async fn reverse(&self, out_trade_no: &str) -> BTreeMap<String, String> {
        self.v2("/secapi/pay/reverse", &[("out_trade_no", out_trade_no)])
            .await
    }

    /// A cashier scans a code for 0.10 yuan, by v3.
    async fn codepay(&self, out_trade_no: &str, auth_code: &str) -> Answered {
        let order = json!({
            "appid": self.merchant.appid(),
            "mchid": self.merchant.mchid(),
            "description": "一杯茶",
            "out_trade_no": out_trade_no,
            "payer": {"auth_code": auth_code},
            "amount": {"total": 10, "currency": "CNY"},
            "scene_info": {"store_info": {"id": "store1"}},
        });
        self.post("/v3/pay/transactions/codepay", &order).await
    }
}

/// `err_code` of an answer; empty for a success.
fn code(said: &BTreeMap<String, String>) -> &str {
    said.get("err_code").map(String::as_str).unwrap_or_default()
}

#[tokio::test]
async fn a_code_is_scanned_and_the_money_is_there_at_once() {
    let shop = Shop::open().await;
    let auth_code = shop.wechat.show_code(AtTheTill::Pays);
    let said = shop.micropay("till-01", &auth_code).await;
    assert_eq!((said["result_code"].as_str(), code(&said)), ("SUCCESS", ""));
    assert_eq!(
        (said["trade_type"].as_str(), said["total_fee"].as_str()),
        ("MICROPAY", "10")
    );
    assert_eq!(said["openid"], shop.merchant.buyer_openid());
    assert_eq!(said["time_end"].len(), 14);
    let asked = shop.order_query("till-01").await;
    assert_eq!(asked["trade_state"], "SUCCESS");
    assert_eq!(asked["transaction_id"], said["transaction_id"]);
    // v3 knows the same order.
    assert_eq!(shop.query("till-01").await.get("trade_type"), "MICROPAY");

    assert_eq!(
        code(&shop.micropay("till-01", &auth_code).await),
        "ORDERPAID"
    );
    assert_eq!(
        code(&shop.micropay("till-02", &auth_code).await),
        "AUTH_CODE_INVALID"
    );
    assert_eq!(code(&shop.order_query("till-02").await), "ORDERNOTEXIST");
    // Nobody is notified of what happens at a till, and nothing there can be closed.
    assert!(shop.wechat.notifications().is_empty());
    assert_eq!(
        shop.close("till-01").await.codes(),
        (400, "INVALID_REQUEST")
    );
}

#[tokio::test]
async fn a_buyer_confirms_refuses_or_goes_away() {
    let shop = Shop::open().await;
    for number in ["till-01", "till-02", "till-03"] {
        let auth_code = shop.wechat.show_code(AtTheTill::MustConfirm);
        for _ in 0..2 {
            let said = shop.micropay(number, &auth_code).await;
            assert_eq!(
                (said["result_code"].as_str(), code(&said)),
                ("FAIL", "USERPAYING")
            );
        }
        assert_eq!(shop.order_query(number).await["trade_state"], "USERPAYING");
    }
    shop.wechat.confirm("till-01").unwrap();
    shop.wechat.refuse("till-02").unwrap();
    shop.wechat.abandon("till-03").unwrap();
    for (number, state) in [
        ("till-01", "SUCCESS"),
        ("till-02", "PAYERROR"),
        ("till-03", "NOTPAY"),
    ] {
        assert_eq!(shop.order_query(number).await["trade_state"], state);
        assert_eq!(
            shop.wechat.confirm(number).unwrap_err(),
            BuyerError::NotWaiting
        );
    }
    shop.native("order-1").await;
    assert_eq!(
        shop.wechat.confirm("order-1").unwrap_err(),
        BuyerError::NotWaiting
    );
}

#[tokio::test]
async fn every_way_that_a_code_fails_has_its_word() {
    let shop = Shop::open().await;
    // What comes of the code, the word, and the state afterwards ("": no order).
    let table = [
        (AtTheTill::Expired, "AUTHCODEEXPIRE", ""),
        (AtTheTill::NotEnough, "NOTENOUGH", "PAYERROR"),
        (AtTheTill::CardRefused, "NOTSUPORTCARD", "PAYERROR"),
        (
            AtTheTill::SystemError { pays: true },
            "SYSTEMERROR",
            "SUCCESS",
        ),
        (AtTheTill::SystemError { pays: false }, "SYSTEMERROR", ""),
        (AtTheTill::BankError { pays: true }, "BANKERROR", "SUCCESS"),
        (
            AtTheTill::BankError { pays: false },
            "BANKERROR",
            "PAYERROR",
        ),
    ];
    for (at, (then, word, state)) in table.into_iter().enumerate() {
        let number = format!("till-{at:02}");
        let auth_code = shop.wechat.show_code(then);
        assert_eq!(
            code(&shop.micropay(&number, &auth_code).await),
            word,
            "{then:?}"
        );
        let asked = shop.order_query(&number).await;
        match state {
            "" => assert_eq!(code(&asked), "ORDERNOTEXIST", "{then:?}"),
            state => assert_eq!(asked["trade_state"], state, "{then:?}"),
        }
    }
    for malformed in ["123456789012345678", "1345", "13456789012345678x"] {
        let said = shop.micropay("till-99", malformed).await;
        let word = if malformed.starts_with("12") {
            "AUTH_CODE_INVALID"
        } else {
            "AUTH_CODE_ERROR"
        };
        assert_eq!(code(&said), word, "{malformed}");
    }
    // The same number again says the same; with another code it is another request.
    let auth_code = shop.wechat.show_code(AtTheTill::NotEnough);
    for _ in 0..2 {
        assert_eq!(
            code(&shop.micropay("till-50", &auth_code).await),
            "NOTENOUGH"
        );
    }
    let fresh = shop.wechat.show_code(AtTheTill::Pays);
    assert_eq!(
        code(&shop.micropay("till-50", &fresh).await),
        "OUT_TRADE_NO_USED"
    );
}

#[tokio::test]
async fn a_payment_is_taken_back_over_mutual_tls_and_repeatedly() {
    let shop = Shop::open_hasty().await;
    for (number, then) in [
        ("till-01", AtTheTill::Pays),
        ("till-02", AtTheTill::MustConfirm),
        ("till-03", AtTheTill::NotEnough),
    ] {
        let auth_code = shop.wechat.show_code(then);
        shop.micropay(number, &auth_code).await;
        let reversed = shop.reverse(number).await;
        assert_eq!(
            (
                reversed["result_code"].as_str(),
                reversed["recall"].as_str()
            ),
            ("SUCCESS", "N")
        );
        assert_eq!(shop.order_query(number).await["trade_state"], "REVOKED");
        assert_eq!(shop.reverse(number).await["result_code"], "SUCCESS");
        assert_eq!(
            code(&shop.micropay(number, &auth_code).await),
            "ORDERREVERSED"
        );
        assert_eq!(
            shop.wechat.confirm(number).unwrap_err(),
            BuyerError::NotWaiting
        );
    }
    let trade = shop.wechat.trade("till-01").unwrap();
    assert_eq!((trade.state, trade.refunded_fen), (TradeState::Revoked, 10));
    assert_eq!(shop.wechat.trade("till-02").unwrap().refunded_fen, 0);

    shop.wechat
        .misbehave(Misbehaviour::times(2, AnswerFault::Recall));
    let auth_code = shop.wechat.show_code(AtTheTill::MustConfirm);
    shop.micropay("till-04", &auth_code).await;
    for recall in ["Y", "Y", "N"] {
        assert_eq!(shop.reverse("till-04").await["recall"], recall);
    }
    let unknown = shop.reverse("till-05").await;
    assert_eq!(
        (code(&unknown), unknown["recall"].as_str()),
        ("ORDERNOTEXIST", "N")
    );
    shop.native("order-1").await;
    assert_eq!(code(&shop.reverse("order-1").await), "INVALID_REQUEST");
    assert!(
        shop.wechat
            .requests()
            .iter()
            .any(|request| request.client_certificate)
    );
}

#[tokio::test]
async fn nothing_is_taken_back_before_its_time() {
    let shop = Shop::open_with(WeChatOptions::default()).await;
    let auth_code = shop.wechat.show_code(AtTheTill::MustConfirm);
    shop.micropay("till-01", &auth_code).await;
    let early = shop.reverse("till-01").await;
    assert_eq!(
        (code(&early), early["recall"].as_str()),
        ("INVALID_REQUEST", "Y")
    );
    assert_eq!(
        shop.order_query("till-01").await["trade_state"],
        "USERPAYING"
    );
    shop.wechat
        .age("till-01", std::time::Duration::from_secs(15))
        .unwrap();
    assert_eq!(shop.reverse("till-01").await["result_code"], "SUCCESS");

    let auth_code = shop.wechat.show_code(AtTheTill::Pays);
    shop.micropay("till-02", &auth_code).await;
    shop.wechat
        .age("till-02", std::time::Duration::from_secs(7 * 24 * 60 * 60))
        .unwrap();
    let late = shop.reverse("till-02").await;
    assert_eq!(
        (code(&late), late["recall"].as_str()),
        ("INVALID_REQUEST", "N")
    );
}

#[tokio::test]
async fn v3_charges_and_takes_back_as_well() {
    let shop = Shop::open_hasty().await;
    let auth_code = shop.wechat.show_code(AtTheTill::Pays);
    let paid = shop.codepay("till-01", &auth_code).await;
    assert_eq!((paid.status, paid.verified), (200, true), "{}", paid.body);
    assert_eq!(
        (paid.get("trade_state"), paid.get("trade_type")),
        ("SUCCESS", "MICROPAY")
    );

    // Waiting looks in turn as each source would have it.
    let auth_code = shop.wechat.show_code(AtTheTill::MustConfirm);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let waiting = shop.codepay("till-02", &auth_code).await;
        assert!(waiting.verified);
        let code = waiting.get("code").to_owned();
        seen.push((waiting.status, code + waiting.get("trade_state")));
    }
    let paying = "USERPAYING".to_owned();
    assert_eq!(
        seen,
        [(200, paying.clone()), (202, paying.clone()), (403, paying)]
    );

    let url = "/v3/pay/transactions/out-trade-no/till-02/reverse";
    let own = json!({"appid": shop.merchant.appid(), "mchid": shop.merchant.mchid()});
    let reversed = shop.post(url, &own).await;
    assert_eq!(
        (reversed.status, reversed.get("out_trade_no")),
        (200, "till-02")
    );
    assert_eq!(shop.query("till-02").await.get("trade_state"), "REVOKED");

    let malformed = shop.codepay("till-03", "123").await;
    assert_eq!(malformed.json["detail"]["field"], "/payer/auth_code");
    let auth_code = shop.wechat.show_code(AtTheTill::NotEnough);
    assert_eq!(
        shop.codepay("till-04", &auth_code).await.codes(),
        (403, "NOTENOUGH")
    );
    assert_eq!(
        shop.codepay("till-05", &auth_code).await.codes(),
        (403, "AUTH_CODE_INVALID")
    );
    let auth_code = shop.wechat.show_code(AtTheTill::BankError { pays: true });
    assert_eq!(
        shop.codepay("till-06", &auth_code).await.codes(),
        (500, "BANKERROR")
    );
    assert_eq!(shop.query("till-06").await.get("trade_state"), "SUCCESS");
    let bar = shop.codepay("till|07", "134567890123456789").await;
    assert_eq!(bar.json["detail"]["field"], Value::from("/out_trade_no"));
}
