//! `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`.

use walnut_sandbox::alipay::{
    AnswerFault, Command, Fen, Misbehaviour, NotificationFault, RefundState, TradeStatus,
};

use crate::merchant::{Answered, Merchant, named};

async fn refund(shop: &Merchant, number: &str, amount: &str, request: &str) -> Answered {
    let request = match request {
        "" => String::new(),
        number => format!(r#","out_request_no":"{number}""#),
    };
    let content = format!(
        r#"{{"out_trade_no":"{number}","refund_amount":"{amount}","refund_reason":"凉了"{request}}}"#
    );
    shop.call("alipay.trade.refund", &content).await
}

async fn ask(shop: &Merchant, number: &str, request: &str) -> Answered {
    let content = format!(
        r#"{{"out_trade_no":"{number}","out_request_no":"{request}",
            "query_options":["gmt_refund_pay"]}}"#
    );
    shop.call("alipay.trade.fastpay.refund.query", &content)
        .await
}

#[tokio::test]
async fn money_goes_back_in_parts_once_each_and_never_more_than_was_paid() {
    let shop = Merchant::open().await;
    shop.sell("a1").await;
    let first = refund(&shop, "a1", "0.04", "r1").await;
    assert_eq!(
        (first.codes(), first.verified),
        (("10000", ""), true),
        "{}",
        first.body
    );
    for (field, value) in [
        ("fund_change", "Y"),
        ("refund_fee", "0.04"),
        ("send_back_fee", "0.04"),
        ("out_trade_no", "a1"),
    ] {
        assert_eq!(first.get(field), value, "{field}");
    }
    assert!(!first.get("gmt_refund_pay").is_empty() && !first.get("trade_no").is_empty());
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_SUCCESS");

    // The same number moves no money again, and means the same amount.
    let again = refund(&shop, "a1", "0.04", "r1").await;
    assert_eq!(
        (again.get("fund_change"), again.get("refund_fee")),
        ("N", "0.04")
    );
    let other = refund(&shop, "a1", "0.05", "r1").await;
    assert_eq!(other.codes(), ("40004", "ACQ.DISCORDANT_REPEAT_REQUEST"));
    let too_much = refund(&shop, "a1", "0.07", "r2").await;
    assert_eq!(
        too_much.codes(),
        ("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
    );
    assert_eq!(
        refund(&shop, "a1", "0.06", "").await.codes().1,
        "ACQ.INVALID_PARAMETER"
    );

    let rest = refund(&shop, "a1", "0.06", "r2").await;
    assert_eq!(
        (rest.get("fund_change"), rest.get("refund_fee")),
        ("Y", "0.10")
    );
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_CLOSED");
    let repeated = refund(&shop, "a1", "0.06", "r2").await;
    assert_eq!(
        (repeated.get("fund_change"), repeated.get("refund_fee")),
        ("N", "0.10")
    );
    assert_eq!(
        refund(&shop, "a1", "0.01", "r3").await.codes().1,
        "ACQ.TRADE_HAS_CLOSE"
    );

    for (request, amount) in [("r1", "0.04"), ("r2", "0.06")] {
        let asked = ask(&shop, "a1", request).await;
        assert_eq!(asked.get("refund_status"), "REFUND_SUCCESS");
        assert_eq!(
            (asked.get("refund_amount"), asked.get("total_amount")),
            (amount, "0.10")
        );
        assert!(asked.verified && !asked.get("gmt_refund_pay").is_empty());
    }
    let unknown = ask(&shop, "a1", "r9").await;
    assert_eq!(
        (unknown.codes(), unknown.get("refund_status")),
        (("10000", ""), "")
    );
    assert_eq!(
        ask(&shop, "b1", "r1").await.codes(),
        ("40004", "ACQ.TRADE_NOT_EXIST")
    );
}

#[tokio::test]
async fn a_refund_in_full_needs_no_number_of_its_own() {
    let shop = Merchant::open().await;
    shop.sell("a1").await;
    let content = r#"{"out_trade_no":"a1","refund_amount":0.1,
        "query_options":["refund_detail_item_list"]}"#;
    let answer = shop.call("alipay.trade.refund", content).await;
    assert_eq!(answer.get("fund_change"), "Y");
    assert_eq!(
        answer.fields["refund_detail_item_list"][0]["amount"],
        "0.10"
    );
    let again = shop.call("alipay.trade.refund", content).await;
    assert_eq!(again.get("fund_change"), "N");
    assert_eq!(
        ask(&shop, "a1", "a1").await.get("refund_status"),
        "REFUND_SUCCESS"
    );
}

#[tokio::test]
async fn what_cannot_be_given_back_has_its_code() {
    let shop = Merchant::open().await;
    let code = async |number: &str| {
        let answer = refund(&shop, number, "0.10", "r1").await;
        assert!(answer.verified);
        answer.get("sub_code").to_owned()
    };
    assert_eq!(code("unknown").await, "ACQ.TRADE_NOT_EXIST");
    let qr_code = shop.order("a1").await;
    assert_eq!(code("a1").await, "ACQ.TRADE_NOT_EXIST");
    shop.alipay.scan(&qr_code).await.unwrap();
    assert_eq!(code("a1").await, "ACQ.TRADE_STATUS_ERROR");
    shop.alipay.pay(&qr_code).await.unwrap();
    shop.alipay.command("a1", &Command::Freeze).unwrap();
    assert_eq!(code("a1").await, "ACQ.REASON_TRADE_BEEN_FREEZEN");
    let cancelled = shop.call("alipay.trade.cancel", &named("a1")).await;
    assert_eq!(cancelled.codes().1, "ACQ.REASON_TRADE_BEEN_FREEZEN");
    shop.alipay.command("a1", &Command::Thaw).unwrap();
    let app = shop.account.app_id();
    shop.alipay
        .set_seller_balance(app, Some(Fen::new(9)))
        .unwrap();
    assert_eq!(code("a1").await, "ACQ.SELLER_BALANCE_NOT_ENOUGH");
    let cancelled = shop.call("alipay.trade.cancel", &named("a1")).await;
    assert_eq!(cancelled.codes().1, "ACQ.SELLER_BALANCE_NOT_ENOUGH");
    shop.alipay.set_seller_balance(app, None).unwrap();
    shop.alipay.finish("a1").unwrap();
    assert_eq!(code("a1").await, "ACQ.TRADE_HAS_FINISHED");
    let cancelled = shop.call("alipay.trade.cancel", &named("a1")).await;
    assert_eq!(cancelled.codes().1, "ACQ.CANCEL_NOT_ALLOWED");
    assert!(shop.alipay.set_seller_balance("2021", None).is_err());
}

#[tokio::test]
async fn a_refund_whose_money_does_not_move_keeps_its_amount_until_its_end() {
    let shop = Merchant::open().await;
    shop.sell("a1").await;
    shop.alipay.command("a1", &Command::HoldRefund).unwrap();
    let held = refund(&shop, "a1", "0.04", "r1").await;
    assert_eq!(
        (held.codes(), held.get("fund_change")),
        (("10000", ""), "N")
    );
    assert_eq!(
        (held.get("refund_fee"), held.get("gmt_refund_pay")),
        ("0.00", "")
    );
    let asked = ask(&shop, "a1", "r1").await;
    assert_eq!(
        (asked.get("refund_amount"), asked.get("refund_status")),
        ("0.04", "")
    );
    let too_much = refund(&shop, "a1", "0.07", "r2").await;
    assert_eq!(too_much.codes().1, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");

    let release = |number: &str| Command::ReleaseRefund {
        out_request_no: number.to_owned(),
    };
    shop.alipay.command("a1", &release("r1")).unwrap();
    assert_eq!(
        ask(&shop, "a1", "r1").await.get("refund_status"),
        "REFUND_SUCCESS"
    );
    assert!(shop.alipay.command("a1", &release("r1")).is_err());

    shop.alipay.command("a1", &Command::HoldRefund).unwrap();
    refund(&shop, "a1", "0.06", "r2").await;
    let drop = Command::DropRefund {
        out_request_no: "r2".to_owned(),
    };
    let view = shop.alipay.command("a1", &drop).unwrap();
    assert_eq!(view.refunds[1].state, RefundState::Failed);
    assert_eq!(view.refunds[1].reason.as_deref(), Some("凉了"));
    assert_eq!(ask(&shop, "a1", "r2").await.get("refund_amount"), "");
    let retried = refund(&shop, "a1", "0.06", "r2").await;
    assert_eq!(
        (retried.get("fund_change"), retried.get("refund_fee")),
        ("Y", "0.10")
    );
    assert_eq!(
        shop.alipay.trade("a1").unwrap().status,
        Some(TradeStatus::TradeClosed)
    );
}

#[tokio::test]
async fn each_refund_is_told_and_is_no_second_payment() {
    let shop = Merchant::open().await;
    // The payment's own notification arrives after the first refund's.
    shop.alipay
        .misbehave(Misbehaviour::once(NotificationFault::AfterTheNext).for_trade("a1"));
    shop.sell("a1").await;
    refund(&shop, "a1", "0.04", "r1").await;
    shop.alipay
        .until(|alipay| (alipay.notifications().len() == 2).then_some(()))
        .await;
    shop.alipay.refund("a1", Fen::new(6)).unwrap();
    shop.alipay
        .until(|alipay| (alipay.notifications().len() == 3).then_some(()))
        .await;
    let told: Vec<_> = shop
        .alipay
        .notifications()
        .iter()
        .map(|sent| {
            let (verified, fields) = shop.verify(&sent.body);
            assert!(verified && sent.genuine && fields["total_amount"] == "0.10");
            let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
            assert_eq!(
                get("gmt_refund").len(),
                if get("refund_fee").is_empty() { 0 } else { 23 }
            );
            (get("trade_status"), get("refund_fee"), get("out_biz_no"))
        })
        .collect();
    assert_eq!(
        told[0],
        ("TRADE_SUCCESS".into(), "0.04".into(), "r1".into())
    );
    assert_eq!(
        told[1],
        ("TRADE_SUCCESS".into(), String::new(), String::new())
    );
    assert_eq!(
        (told[2].0.as_str(), told[2].1.as_str()),
        ("TRADE_CLOSED", "0.10")
    );
    assert_eq!(
        told[2].2,
        shop.alipay.trade("a1").unwrap().refunds[1].out_request_no
    );
}

#[tokio::test]
async fn an_unanswered_refund_happened_or_not_and_its_number_tells() {
    let shop = Merchant::open().await;
    shop.sell("a1").await;
    for (request, processed) in [("r1", true), ("r2", false)] {
        shop.alipay
            .misbehave(Misbehaviour::once(AnswerFault::SystemError { processed }));
        let answer = refund(&shop, "a1", "0.04", request).await;
        assert_eq!(answer.codes(), ("40004", "ACQ.SYSTEM_ERROR"));
        let asked = ask(&shop, "a1", request).await;
        let status = if processed { "REFUND_SUCCESS" } else { "" };
        assert_eq!(asked.get("refund_status"), status);
        refund(&shop, "a1", "0.04", request).await;
    }
    assert_eq!(shop.alipay.trade("a1").unwrap().refunded, Some(Fen::new(8)));
}
