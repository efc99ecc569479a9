//! Notifications that are late, lost, doubled, forged or about something else.

use walnut_sandbox::alipay::{
    Fen, Misbehaviour, Notice, NoticeSignature, NotificationFault, TradeStatus,
};

use crate::merchant::Merchant;

#[tokio::test]
async fn each_notice_differs_in_what_it_says_it_does() {
    let shop = Merchant::open().await;
    let qr_code = shop.order("a1").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    shop.alipay
        .until(|alipay| alipay.notifications().into_iter().next())
        .await;

    // The notice, whether its signature holds, and a field with its value ("": absent).
    let table = [
        (Notice::genuine(), true, ("total_amount", "0.10")),
        (Notice::amount(Fen::new(1)), true, ("total_amount", "0.01")),
        (
            Notice::stating("total_amount", ""),
            true,
            ("total_amount", ""),
        ),
        (Notice::stating("app_id", "2021"), true, ("app_id", "2021")),
        (
            Notice::stating("seller_id", "2088"),
            true,
            ("seller_id", "2088"),
        ),
        (
            Notice::stating("out_trade_no", "b1"),
            true,
            ("out_trade_no", "b1"),
        ),
        (
            Notice::status(TradeStatus::WaitBuyerPay),
            true,
            ("trade_status", "WAIT_BUYER_PAY"),
        ),
        (
            Notice::status(TradeStatus::TradeFinished),
            true,
            ("trade_status", "TRADE_FINISHED"),
        ),
        (
            Notice::status(TradeStatus::TradeClosed),
            true,
            ("trade_status", "TRADE_CLOSED"),
        ),
        (Notice::refund(Fen::new(4)), true, ("refund_fee", "0.04")),
        (
            Notice::tampered("total_amount", "9.99"),
            false,
            ("total_amount", "9.99"),
        ),
        (
            Notice::tampered("out_trade_no", "b1"),
            false,
            ("out_trade_no", "b1"),
        ),
        (Notice::forged(), false, ("total_amount", "0.10")),
        (
            Notice::genuine().signed(NoticeSignature::Wrong),
            false,
            ("total_amount", "0.10"),
        ),
        (
            Notice::genuine().signed(NoticeSignature::OverSignType),
            false,
            ("sign_type", "RSA2"),
        ),
        (
            Notice::genuine().signed(NoticeSignature::Missing),
            false,
            ("sign", ""),
        ),
        (Notice::truncated(), false, ("gmt_payment", "")),
        (Notice::replayed(), true, ("total_amount", "0.10")),
    ];
    let first = shop.alipay.notifications().remove(0);
    for (notice, verifies, (field, value)) in table {
        let sent = shop.alipay.notify("a1", &notice).await.unwrap();
        let (verified, fields) = shop.verify(&sent.body);
        assert_eq!(verified, verifies, "{notice:?}");
        assert_eq!(
            fields.get(field).map(String::as_str).unwrap_or_default(),
            value,
            "{notice:?}"
        );
        assert_eq!(sent.genuine, notice == Notice::genuine());
        assert_eq!(sent.body == first.body, notice == Notice::replayed());
        assert_eq!((sent.http_status, sent.taken), (Some(200), true));
    }

    // A forger needs no scan, and may know any address.
    shop.order("a2").await;
    let sent = shop
        .alipay
        .notify(
            "a2",
            &Notice::forged().to(format!("{}?x=1", shop.notify_url)),
        )
        .await
        .unwrap();
    assert!(sent.url.ends_with("?x=1") && sent.trade_status == "TRADE_SUCCESS");
    assert!(
        shop.alipay
            .notify("nothing", &Notice::genuine())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_spoilt_send_is_made_good_by_the_repeats() {
    let shop = Merchant::open().await;
    let faults = [
        NotificationFault::Lost,
        NotificationFault::Instead(Notice::forged()),
        NotificationFault::Instead(Notice::tampered("total_amount", "0.01")),
        NotificationFault::Late { ms: 1 },
    ];
    for fault in faults {
        shop.alipay
            .misbehave(Misbehaviour::once(fault).for_trade("a1"));
    }
    let qr_code = shop.order("a1").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    let done = |n: &walnut_sandbox::alipay::NotificationView| n.genuine && n.taken;
    shop.alipay
        .until(|alipay| alipay.notifications().into_iter().find(done))
        .await;
    let sends = shop.alipay.notifications();
    let seen: Vec<_> = sends
        .iter()
        .map(|send| (send.try_no, send.genuine))
        .collect();
    assert_eq!(seen, [(2, false), (3, false), (4, true)]);
}

#[tokio::test]
async fn a_notification_comes_twice_or_never() {
    let shop = Merchant::open().await;
    shop.alipay
        .misbehave(Misbehaviour::once(NotificationFault::Twice).for_trade("a1"));
    shop.alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade("a2"));
    for number in ["a1", "a2"] {
        let qr_code = shop.order(number).await;
        shop.alipay.pay(&qr_code).await.unwrap();
    }
    shop.alipay
        .until(|alipay| (alipay.notifications().len() == 2).then_some(()))
        .await;
    let sends = shop.alipay.notifications();
    assert!(
        sends
            .iter()
            .all(|send| send.out_trade_no == "a1" && send.notify_id == sends[0].notify_id)
    );
    assert_eq!(shop.query("a2").await.get("trade_status"), "TRADE_SUCCESS");
    shop.alipay.stop().await;
}

#[tokio::test]
async fn nobody_at_the_address_is_told_eight_times() {
    let mut shop = Merchant::open().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    shop.notify_url = format!("http://{address}/re");
    let qr_code = shop.order("a1").await;
    shop.alipay.pay(&qr_code).await.unwrap();
    shop.alipay
        .until(|alipay| (alipay.notifications().len() == 8).then_some(()))
        .await;
    let sends = shop.alipay.notifications();
    assert!(
        sends
            .iter()
            .all(|send| send.error.is_some() && send.http_status.is_none())
    );
}
