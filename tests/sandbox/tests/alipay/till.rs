//! `alipay.trade.pay`: the till reads the buyer's code.

use walnut_sandbox::alipay::{
    AnswerFault, Buyer, BuyerError, Fen, Misbehaviour, OrderKind, TradeStatus,
};

use crate::merchant::{Answered, Merchant, named};

fn sale(out_trade_no: &str, auth_code: &str) -> String {
    format!(
        r#"{{"out_trade_no":"{out_trade_no}","total_amount":"0.10","subject":"一杯茶",
            "scene":"bar_code","auth_code":"{auth_code}","store_id":"S1"}}"#
    )
}

async fn ring_up(shop: &Merchant, out_trade_no: &str, auth_code: &str) -> Answered {
    let content = sale(out_trade_no, auth_code);
    shop.call("alipay.trade.pay", &content).await
}

#[tokio::test]
async fn a_buyer_who_needs_no_password_has_paid_with_the_answer() {
    let shop = Merchant::open().await;
    let code = shop.alipay.show_code(Buyer::Pays);
    let paid = ring_up(&shop, "a1", &code).await;
    assert_eq!(
        (paid.codes(), paid.verified),
        (("10000", ""), true),
        "{}",
        paid.body
    );
    for (field, value) in [
        ("out_trade_no", "a1"),
        ("total_amount", "0.10"),
        ("receipt_amount", "0.10"),
        ("buyer_pay_amount", "0.10"),
        ("point_amount", "0.00"),
        ("buyer_logon_id", "138****0000"),
    ] {
        assert_eq!(paid.get(field), value, "{field}");
    }
    assert_eq!(
        paid.fields["fund_bill_list"][0]["fund_channel"],
        "ALIPAYACCOUNT"
    );
    let asked = shop.query("a1").await;
    assert_eq!(asked.get("trade_status"), "TRADE_SUCCESS");
    assert_eq!(asked.get("trade_no"), paid.get("trade_no"));
    assert_eq!(asked.get("send_pay_date"), paid.get("gmt_payment"));
    let told = shop
        .alipay
        .until(|alipay| alipay.notifications().into_iter().find(|n| n.taken))
        .await;
    let (verified, fields) = shop.verify(&told.body);
    assert!(verified && fields["trade_status"] == "TRADE_SUCCESS");
    assert_eq!(shop.alipay.trade("a1").unwrap().kind, OrderKind::Till);

    // The same number is sold once, and the code is used up.
    let again = ring_up(&shop, "a1", &shop.alipay.show_code(Buyer::Pays)).await;
    assert_eq!(again.codes(), ("40004", "ACQ.TRADE_HAS_SUCCESS"));
    let reused = ring_up(&shop, "a2", &code).await;
    assert_eq!(reused.codes(), ("40004", "ACQ.PAYMENT_AUTH_CODE_INVALID"));
    assert_eq!(
        shop.query("a2").await.codes(),
        ("40004", "ACQ.TRADE_NOT_EXIST")
    );
}

#[tokio::test]
async fn a_buyer_who_is_asked_confirms_refuses_or_walks_away() {
    let shop = Merchant::open().await;
    for number in ["yes", "no", "away"] {
        let asked = ring_up(&shop, number, &shop.alipay.show_code(Buyer::IsAsked)).await;
        assert_eq!((asked.codes(), asked.verified), (("10003", ""), true));
        assert_eq!(
            (asked.get("receipt_amount"), asked.get("gmt_payment")),
            ("0.00", "")
        );
        assert!(!asked.get("trade_no").is_empty());
        assert_eq!(
            shop.query(number).await.get("trade_status"),
            "WAIT_BUYER_PAY"
        );
    }
    assert_eq!(
        shop.alipay.confirm("yes").unwrap().status,
        Some(TradeStatus::TradeSuccess)
    );
    assert_eq!(
        shop.alipay.refuse("no").unwrap().status,
        Some(TradeStatus::TradeClosed)
    );
    assert_eq!(
        shop.alipay.walk_away("away").unwrap().status,
        Some(TradeStatus::WaitBuyerPay)
    );
    for (number, status) in [
        ("yes", "TRADE_SUCCESS"),
        ("no", "TRADE_CLOSED"),
        ("away", "WAIT_BUYER_PAY"),
    ] {
        assert_eq!(
            shop.query(number).await.get("trade_status"),
            status,
            "{number}"
        );
    }
    assert_eq!(
        shop.alipay.confirm("yes").unwrap_err(),
        BuyerError::AlreadyPaid
    );
    assert_eq!(shop.alipay.confirm("no").unwrap_err(), BuyerError::Closed);
    assert_eq!(
        shop.alipay.confirm("away").unwrap_err(),
        BuyerError::NobodyAsked
    );
    assert_eq!(
        shop.alipay.confirm("unknown").unwrap_err(),
        BuyerError::NobodyAsked
    );

    // Another buyer may pay what the first one left, and only the same sale.
    let code = shop.alipay.show_code(Buyer::Pays);
    let dearer = sale("away", &code).replace("0.10", "0.11");
    let answer = shop.call("alipay.trade.pay", &dearer).await;
    assert_eq!(answer.codes(), ("40004", "ACQ.CONTEXT_INCONSISTENT"));
    assert_eq!(ring_up(&shop, "away", &code).await.codes(), ("10000", ""));
    let closed = ring_up(&shop, "no", &shop.alipay.show_code(Buyer::Pays)).await;
    assert_eq!(closed.codes(), ("40004", "ACQ.TRADE_HAS_CLOSE"));
}

#[tokio::test]
async fn each_buyer_who_cannot_pay_has_a_code() {
    let shop = Merchant::open().await;
    let table = [
        (Buyer::HasTooLittle, "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        (
            Buyer::HasTooLittleOnTheCard,
            "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        ),
        (Buyer::IsTheSeller, "ACQ.BUYER_SELLER_EQUAL"),
        (Buyer::IsAnother, "ACQ.TRADE_BUYER_NOT_MATCH"),
        (Buyer::CannotPay, "ACQ.PAYMENT_FAIL"),
        (Buyer::CannotBeAsked, "ACQ.PULL_MOBILE_CASHIER_FAIL"),
    ];
    for (buyer, code) in table {
        let shown = shop.alipay.show_code(buyer);
        let answer = ring_up(&shop, "a1", &shown).await;
        assert_eq!((answer.codes(), answer.verified), (("40004", code), true));
        let again = ring_up(&shop, "a1", &shown).await;
        assert_eq!(again.codes().1, "ACQ.PAYMENT_AUTH_CODE_INVALID");
    }
    // What depends on no buyer: Alipay says it whatever the order is.
    for code in [
        "ACQ.ACCESS_FORBIDDEN",
        "ACQ.PARTNER_ERROR",
        "ACQ.EXIST_FORBIDDEN_WORD",
    ] {
        shop.alipay
            .misbehave(Misbehaviour::once(AnswerFault::refused(code)));
        let answer = ring_up(&shop, "a1", &shop.alipay.show_code(Buyer::Pays)).await;
        assert_eq!((answer.codes(), answer.verified), (("40004", code), true));
    }
    assert!(shop.alipay.trades().is_empty());
    assert_eq!(
        ring_up(&shop, "a1", &shop.alipay.show_code(Buyer::Pays))
            .await
            .codes()
            .0,
        "10000"
    );
}

#[tokio::test]
async fn a_code_is_well_formed_fresh_and_fits_its_scene() {
    let shop = Merchant::open().await;
    let old = shop.alipay.show_code(Buyer::Pays);
    shop.alipay.expire_code(&old);
    for code in ["", "1", "280000000000000000", "130000000000000000", &old] {
        let answer = ring_up(&shop, "a1", code).await;
        let expected = if code.is_empty() {
            "ACQ.INVALID_PARAMETER"
        } else {
            "ACQ.PAYMENT_AUTH_CODE_INVALID"
        };
        assert_eq!(answer.codes(), ("40004", expected), "{code}");
    }
    let face = shop.alipay.show_face(Buyer::Pays);
    assert_eq!(
        ring_up(&shop, "a1", &face).await.codes().1,
        "ACQ.PAYMENT_AUTH_CODE_INVALID"
    );
    let content = sale("a1", &face).replace("bar_code", "security_code");
    assert_eq!(
        shop.call("alipay.trade.pay", &content).await.codes(),
        ("10000", "")
    );
}

#[tokio::test]
async fn an_unknown_answer_is_asked_about_and_cancelled_until_it_is_done() {
    let shop = Merchant::open().await;
    // 20000, and the buyer has paid or has not: only asking tells.
    for (number, processed, status) in [("a1", true, "TRADE_SUCCESS"), ("a2", false, "")] {
        shop.alipay.misbehave(
            Misbehaviour::once(AnswerFault::Busy { processed }).for_operation("alipay.trade.pay"),
        );
        let answer = ring_up(&shop, number, &shop.alipay.show_code(Buyer::Pays)).await;
        assert_eq!(answer.codes(), ("20000", "isp.unknow-error"));
        assert_eq!(shop.query(number).await.get("trade_status"), status);
    }
    let cancel = async |number: &str| shop.call("alipay.trade.cancel", &named(number)).await;
    shop.alipay.misbehave(Misbehaviour::times(
        2,
        AnswerFault::CancelAgain { processed: false },
    ));
    let mut said = Vec::new();
    for _ in 0..3 {
        let answer = cancel("a1").await;
        assert!(answer.verified && answer.get("out_trade_no") == "a1");
        said.push((
            answer.get("retry_flag").to_owned(),
            answer.get("action").to_owned(),
        ));
    }
    let expected = [("Y", ""), ("Y", ""), ("N", "refund")];
    assert_eq!(
        said,
        expected.map(|(flag, action)| (flag.to_owned(), action.to_owned()))
    );
    assert_eq!(
        shop.alipay.trade("a1").unwrap().refunded,
        Some(Fen::new(10))
    );
    let nothing = cancel("a2").await;
    assert_eq!(
        (nothing.get("retry_flag"), nothing.get("action")),
        ("N", "")
    );

    ring_up(&shop, "a3", &shop.alipay.show_code(Buyer::IsAsked)).await;
    assert_eq!(cancel("a3").await.get("action"), "close");
    assert_eq!(shop.alipay.confirm("a3").unwrap_err(), BuyerError::Closed);
}
