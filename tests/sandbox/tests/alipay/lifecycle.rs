//! From the order to its end.

use walnut_sandbox::alipay::{BuyerError, Fen, TradeStatus};

use crate::merchant::{Merchant, named, order};

#[tokio::test]
async fn an_order_is_scanned_paid_and_told_until_the_merchant_takes_it() {
    let shop = Merchant::open().await;
    shop.replies(
        &[
            (200, "fail"),
            (200, "success\n"),
            (500, "success"),
            (302, ""),
        ],
        (200, "success"),
    );
    let qr_code = shop.order("a1").await;
    assert!(qr_code.starts_with(&format!("{}/qr/bax", shop.alipay.url())));

    // Nobody scanned: there is no trade, whatever the merchant asks.
    for answer in [
        shop.query("a1").await,
        shop.close("a1").await,
        shop.query("unknown").await,
    ] {
        assert_eq!(
            (answer.codes(), answer.verified),
            (("40004", "ACQ.TRADE_NOT_EXIST"), true)
        );
    }

    shop.alipay.scan(&qr_code).await.unwrap();
    let waiting = shop.query("a1").await;
    assert_eq!(
        (waiting.get("trade_status"), waiting.get("total_amount")),
        ("WAIT_BUYER_PAY", "0.10")
    );
    assert_eq!(
        (
            waiting.get("buyer_pay_amount"),
            waiting.get("send_pay_date")
        ),
        ("0.00", "")
    );

    shop.alipay.pay(&qr_code).await.unwrap();
    let paid = shop.query("a1").await;
    assert!(paid.verified);
    assert_eq!(
        (paid.get("trade_status"), paid.get("total_amount")),
        ("TRADE_SUCCESS", "0.10")
    );
    assert_eq!(paid.get("trade_no"), waiting.get("trade_no"));
    assert!(!paid.get("send_pay_date").is_empty());
    assert_eq!(
        shop.alipay.pay(&qr_code).await.unwrap_err(),
        BuyerError::AlreadyPaid
    );

    let taken = |shop: &Merchant| {
        let sends: Vec<_> = shop
            .alipay
            .notifications()
            .into_iter()
            .filter(|n| n.out_trade_no == "a1")
            .collect();
        sends.last().is_some_and(|last| last.taken).then_some(sends)
    };
    let sends = shop.alipay.until(|_| taken(&shop)).await;
    assert_eq!(
        sends.iter().map(|send| send.try_no).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert!(
        sends
            .iter()
            .all(|send| send.genuine && send.notify_id == sends[0].notify_id)
    );
    for send in &sends {
        let (verified, fields) = shop.verify(&send.body);
        assert!(verified, "{}", send.body);
        assert_eq!(fields["trade_status"], "TRADE_SUCCESS");
        assert_eq!(fields["total_amount"], "0.10");
        assert_eq!(fields["out_trade_no"], "a1");
        assert_eq!(fields["trade_no"], paid.get("trade_no"));
        assert_eq!(fields["app_id"], shop.account.app_id());
        assert_eq!(fields["seller_id"], shop.account.seller_id());
        assert_eq!(fields["subject"], "一杯茶");
        assert_eq!(fields["notify_type"], "trade_status_sync");
        assert_eq!(fields["gmt_payment"], paid.get("send_pay_date"));
    }

    // Another order's whole schedule passes, and the one that was taken is not told again.
    shop.replies(&[], (200, "fail"));
    let qr_code = shop.order("a2").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    let of = |number| {
        shop.alipay
            .notifications()
            .iter()
            .filter(|n| n.out_trade_no == number)
            .count()
    };
    shop.alipay.until(|_| (of("a2") == 8).then_some(())).await;
    assert_eq!(of("a1"), 5);
}

#[tokio::test]
async fn the_same_number_is_the_same_order_or_nothing() {
    let shop = Merchant::open().await;
    let first = shop.order("a1").await;
    assert_eq!(shop.order("a1").await, first);
    let dearer = r#"{"out_trade_no":"a1","total_amount":"0.11","subject":"一杯茶"}"#;
    let answer = shop.call("alipay.trade.precreate", dearer).await;
    assert_eq!(answer.codes(), ("40004", "ACQ.CONTEXT_INCONSISTENT"));

    shop.alipay.pay(&first).await.unwrap();
    let answer = shop.call("alipay.trade.precreate", &order("a1")).await;
    assert_eq!(answer.codes(), ("40004", "ACQ.TRADE_HAS_SUCCESS"));

    let second = shop.order("a2").await;
    shop.alipay.scan(&second).await.unwrap();
    assert_eq!(shop.close("a2").await.codes(), ("10000", ""));
    let answer = shop.call("alipay.trade.precreate", &order("a2")).await;
    assert_eq!(answer.codes(), ("40004", "ACQ.TRADE_HAS_CLOSE"));
}

#[tokio::test]
async fn closing_is_for_what_waits_alone() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    shop.alipay.scan(&qr_code).await.unwrap();
    let closed = shop.close("a1").await;
    assert_eq!(
        (closed.codes(), closed.get("out_trade_no")),
        (("10000", ""), "a1")
    );
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_CLOSED");
    assert_eq!(
        shop.close("a1").await.codes(),
        ("40004", "ACQ.TRADE_STATUS_ERROR")
    );
    assert_eq!(
        shop.alipay.pay(&qr_code).await.unwrap_err(),
        BuyerError::Closed
    );
    let told = shop
        .alipay
        .until(|alipay| alipay.notifications().into_iter().next())
        .await;
    let (verified, fields) = shop.verify(&told.body);
    assert!(verified && fields["trade_status"] == "TRADE_CLOSED");
    assert!(!fields.contains_key("gmt_payment"));

    let qr_code = shop.order("a2").await;
    // Nothing to close before the scan, and the code is still good.
    assert_eq!(
        shop.close("a2").await.codes(),
        ("40004", "ACQ.TRADE_NOT_EXIST")
    );
    shop.alipay.pay(&qr_code).await.unwrap();
    assert_eq!(
        shop.close("a2").await.codes(),
        ("40004", "ACQ.TRADE_STATUS_ERROR")
    );
    assert_eq!(shop.query("a2").await.get("trade_status"), "TRADE_SUCCESS");
}

#[tokio::test]
async fn cancelling_closes_or_gives_the_money_back() {
    let shop = Merchant::open().await;
    let cancel = async |number: &str| shop.call("alipay.trade.cancel", &named(number)).await;
    let nothing = cancel("a1").await;
    assert_eq!(
        (nothing.codes(), nothing.get("action")),
        (("10000", ""), "")
    );

    let qr_code = shop.order("a1").await;
    assert_eq!(cancel("a1").await.get("action"), "");
    shop.alipay.scan(&qr_code).await.unwrap();
    assert_eq!(cancel("a1").await.get("action"), "close");

    let qr_code = shop.order("a2").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    assert_eq!(cancel("a2").await.get("action"), "refund");
    let trade = shop.alipay.trade("a2").unwrap();
    assert_eq!(
        (trade.status, trade.refunded),
        (Some(TradeStatus::TradeClosed), Some(Fen::new(10)))
    );
    let refunded = |n: &walnut_sandbox::alipay::NotificationView| {
        n.trade_status == "TRADE_CLOSED" && n.out_trade_no == "a2"
    };
    let told = shop
        .alipay
        .until(|alipay| alipay.notifications().into_iter().find(refunded))
        .await;
    let fields = shop.verify(&told.body).1;
    assert!(fields["refund_fee"] == "0.10" && fields.contains_key("gmt_payment"));
}

#[tokio::test]
async fn what_is_not_paid_in_time_cannot_be_paid() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    shop.alipay.run_out("a1").unwrap();
    assert_eq!(
        shop.alipay.pay(&qr_code).await.unwrap_err(),
        BuyerError::Expired
    );
    assert_eq!(
        shop.query("a1").await.codes(),
        ("40004", "ACQ.TRADE_NOT_EXIST")
    );
    // An order that nobody scanned lives on: asked again it gets a new code.
    let renewed = shop.order("a1").await;
    assert_ne!(renewed, qr_code);
    shop.alipay.scan(&renewed).await.unwrap();

    shop.alipay.run_out("a1").unwrap();
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_CLOSED");
    assert_eq!(
        shop.alipay.pay(&renewed).await.unwrap_err(),
        BuyerError::Closed
    );
    let told = shop
        .alipay
        .until(|alipay| alipay.notifications().into_iter().next())
        .await;
    assert_eq!(told.trade_status, "TRADE_CLOSED");

    // Alipay closes by itself, though nobody asks.
    let ends = crate::merchant::timestamp(time::Duration::seconds(2));
    let content = order("a2").replace('}', &format!(r#","time_expire":"{ends}"}}"#));
    let answer = shop.call("alipay.trade.precreate", &content).await;
    shop.alipay.scan(answer.get("qr_code")).await.unwrap();
    let closed = |n: &walnut_sandbox::alipay::NotificationView| n.out_trade_no == "a2";
    let told = shop
        .alipay
        .until(|alipay| alipay.notifications().into_iter().find(closed))
        .await;
    assert_eq!(told.trade_status, "TRADE_CLOSED");
    assert_eq!(
        shop.alipay.trade("a2").unwrap().status,
        Some(TradeStatus::TradeClosed)
    );
}

#[tokio::test]
async fn money_goes_back_in_parts_and_a_trade_finishes() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    assert!(shop.alipay.refund("a1", Fen::new(1)).is_err());
    shop.alipay.pay(&qr_code).await.unwrap();
    shop.alipay.refund("a1", Fen::new(4)).unwrap();
    assert_eq!(
        shop.alipay.trade("a1").unwrap().status,
        Some(TradeStatus::TradeSuccess)
    );
    assert!(shop.alipay.refund("a1", Fen::new(7)).is_err());
    shop.alipay.refund("a1", Fen::new(6)).unwrap();
    let trade = shop.alipay.trade("a1").unwrap();
    assert_eq!(
        (trade.status, trade.refunded),
        (Some(TradeStatus::TradeClosed), Some(Fen::new(10)))
    );
    let paid = shop.query("a1").await;
    assert!(paid.get("trade_status") == "TRADE_CLOSED" && !paid.get("send_pay_date").is_empty());

    let qr_code = shop.order("a2").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    // Time that runs out means nothing to what is paid.
    shop.alipay.run_out("a2").unwrap();
    assert_eq!(shop.query("a2").await.get("trade_status"), "TRADE_SUCCESS");
    shop.alipay.finish("a2").unwrap();
    assert_eq!(shop.query("a2").await.get("trade_status"), "TRADE_FINISHED");
    assert!(shop.alipay.finish("a3").is_err());
}
