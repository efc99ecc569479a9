//! Notifications that are late, lost, doubled, overtaken, forged or about something else.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    Misbehaviour, Notice, NoticeBytes, NoticeSeal, NoticeSignature, NotificationFault,
    NotificationView, RefundStatus, TradeState,
};

use crate::merchant::Shop;

#[tokio::test]
async fn each_notice_differs_in_what_it_says_it_does() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let first = shop.told("order-1").await;
    // The notice, whether its signature holds, and a field of what it says with its value (null:
    // absent, or unreadable).
    let table = [
        (Notice::genuine(), true, ("/amount/total", json!(10))),
        (Notice::amount(1), true, ("/amount/total", json!(1))),
        (
            Notice::stating("amount.currency", "USD"),
            true,
            ("/amount/currency", json!("USD")),
        ),
        (
            Notice::stating("amount.total", Value::Null),
            true,
            ("/amount/total", Value::Null),
        ),
        (
            Notice::stating("mchid", "1900000001"),
            true,
            ("/mchid", json!("1900000001")),
        ),
        (
            Notice::stating("appid", "wx0"),
            true,
            ("/appid", json!("wx0")),
        ),
        (
            Notice::stating("out_trade_no", "order-2"),
            true,
            ("/out_trade_no", json!("order-2")),
        ),
        (
            Notice::state(TradeState::Closed),
            true,
            ("/trade_state", json!("CLOSED")),
        ),
        (
            Notice::enveloped("event_type", "REFUND.SUCCESS"),
            true,
            ("/amount/total", json!(10)),
        ),
        (
            Notice::enveloped("resource.associated_data", "refund"),
            true,
            ("/amount/total", Value::Null),
        ),
        (
            Notice::genuine().sealed(NoticeSeal::OtherKey),
            true,
            ("/amount/total", Value::Null),
        ),
        (
            Notice::genuine().sealed(NoticeSeal::OtherAssociatedData),
            true,
            ("/amount/total", Value::Null),
        ),
        (
            Notice::genuine().sealed(NoticeSeal::Garbage),
            true,
            ("/amount/total", Value::Null),
        ),
        (
            Notice::tampered("summary", "支付失败"),
            false,
            ("/amount/total", json!(10)),
        ),
        (Notice::forged(), false, ("/amount/total", json!(10))),
        (
            Notice::genuine().signed(NoticeSignature::Wrong),
            false,
            ("/amount/total", json!(10)),
        ),
        (
            Notice::genuine().signed(NoticeSignature::UnknownSerial),
            false,
            ("/amount/total", json!(10)),
        ),
        (
            Notice::genuine().signed(NoticeSignature::Missing),
            false,
            ("/amount/total", json!(10)),
        ),
        (Notice::probe(), false, ("/amount/total", json!(10))),
        (Notice::stale(301), false, ("/amount/total", json!(10))),
        (Notice::stale(-301), false, ("/amount/total", json!(10))),
        (Notice::stale(290), true, ("/amount/total", json!(10))),
        (Notice::truncated(), false, ("/amount/total", Value::Null)),
        (Notice::replayed(), true, ("/amount/total", json!(10))),
    ];
    for (notice, verifies, (pointer, value)) in table {
        let sent = shop.wechat.notify("order-1", &notice).await.unwrap();
        let (verified, plain) = shop.opened(&sent);
        assert_eq!(verified, verifies, "{notice:?}");
        assert_eq!(
            plain.pointer(pointer).cloned().unwrap_or_default(),
            value,
            "{notice:?}"
        );
        assert_eq!(sent.genuine, notice == Notice::genuine());
        let replayed = sent.headers["Content-Type"] == "application/json"
            && sent.headers.get("Wechatpay-Nonce") == first.headers.get("Wechatpay-Nonce");
        assert_eq!(replayed, notice == Notice::replayed());
        assert_eq!((sent.http_status, sent.taken), (Some(200), true));
    }
    let probe = shop
        .wechat
        .notify("order-1", &Notice::probe())
        .await
        .unwrap();
    assert!(probe.headers["Wechatpay-Signature"].starts_with("WECHATPAY/SIGNTEST/"));

    // A forger needs no payment, and may know any address.
    shop.native("order-2").await;
    let elsewhere = Notice::forged().to(format!("{}?x=1", shop.notify_url));
    let sent = shop.wechat.notify("order-2", &elsewhere).await.unwrap();
    assert!(sent.url.ends_with("?x=1") && shop.opened(&sent).1["trade_state"] == "SUCCESS");
    assert!(
        shop.wechat
            .notify("order-0", &Notice::genuine())
            .await
            .is_err()
    );
    assert!(
        shop.wechat
            .notify_refund("refund-0", &Notice::genuine())
            .await
            .is_err()
    );

    // Eight million blanks are signed like everything else; the test's own server takes two.
    let huge = Notice {
        bytes: NoticeBytes::Huge,
        ..Notice::genuine()
    };
    let sent = shop.wechat.notify("order-1", &huge).await.unwrap();
    assert!(!sent.taken && sent.body.len() == 64 * 1024);
}

#[tokio::test]
async fn a_spoilt_send_is_made_good_by_the_repeats() {
    let shop = Shop::open().await;
    for fault in [
        NotificationFault::Lost,
        NotificationFault::Instead(Notice::forged()),
        NotificationFault::Instead(Notice::tampered("summary", "x")),
        NotificationFault::Instead(Notice::probe()),
        NotificationFault::Late { ms: 1 },
    ] {
        shop.wechat
            .misbehave(Misbehaviour::once(fault).for_trade("order-1"));
    }
    shop.paid("order-1").await;
    let done = |n: &NotificationView| n.genuine && n.taken;
    shop.wechat
        .until(|wechat| wechat.notifications().into_iter().find(done))
        .await;
    let sends = shop.wechat.notifications();
    let seen: Vec<_> = sends
        .iter()
        .map(|send| (send.try_no, send.genuine))
        .collect();
    assert_eq!(seen, [(2, false), (3, false), (4, false), (5, true)]);
}

#[tokio::test]
async fn a_notification_comes_twice_late_or_never() {
    let shop = Shop::open().await;
    let faults = [
        ("order-1", Misbehaviour::once(NotificationFault::Twice)),
        ("order-2", Misbehaviour::always(NotificationFault::Lost)),
        ("order-3", Misbehaviour::once(NotificationFault::Overtaken)),
    ];
    for (number, fault) in faults {
        shop.wechat.misbehave(fault.for_trade(number));
        shop.paid(number).await;
    }
    // The refund is told before the payment.
    let body = json!({
        "out_trade_no": "order-3",
        "out_refund_no": "refund-3",
        "notify_url": shop.notify_url,
        "amount": {"refund": 4, "total": 10, "currency": "CNY"},
    });
    shop.post("/v3/refund/domestic/refunds", &body).await;
    let of = |number: &str| {
        let sends = shop.wechat.notifications().into_iter();
        let events = sends.filter(|n| n.out_trade_no == number);
        events.map(|n| n.event_type).collect::<Vec<_>>()
    };
    shop.wechat
        .until(|_| (of("order-3").len() == 2 && of("order-1").len() == 2).then_some(()))
        .await;
    assert_eq!(of("order-3"), ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]);
    assert!(of("order-2").is_empty());
    assert_eq!(shop.query("order-2").await.get("trade_state"), "SUCCESS");
    let sends = shop.wechat.notifications();
    let twice: Vec<_> = sends
        .iter()
        .filter(|n| n.out_trade_no == "order-1")
        .collect();
    assert_eq!(
        (twice[0].try_no, &twice[0].id),
        (twice[1].try_no, &twice[1].id)
    );
    shop.wechat.stop().await;
}

#[tokio::test]
async fn what_nobody_takes_is_told_sixteen_times() {
    let mut shop = Shop::open().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    shop.notify_url = format!("http://{address}/re");
    // The second order's whole schedule passes after the first one's.
    for number in ["order-1", "order-2"] {
        shop.paid(number).await;
        let of = |n: &NotificationView| n.out_trade_no == number;
        shop.wechat
            .until(|wechat| {
                let sends = wechat.notifications().into_iter().filter(of);
                (sends.count() == 16).then_some(())
            })
            .await;
    }
    let sends = shop.wechat.notifications();
    assert_eq!(sends.len(), 32);
    for send in &sends {
        assert!(send.error.is_some() && send.http_status.is_none() && !send.taken);
    }
    assert_eq!((sends[15].try_no, sends[31].try_no), (16, 16));
}

#[tokio::test]
async fn a_refund_is_told_again_on_command() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let number = shop.wechat.refund("order-1", 4).unwrap();
    let _ = shop.wechat.settle_refund(&number, RefundStatus::Success);
    let nowhere = shop.wechat.notify_refund(&number, &Notice::genuine()).await;
    assert!(nowhere.is_err());
    let notice = Notice::stating("refund_status", "ABNORMAL").to(shop.notify_url.as_str());
    let sent = shop.wechat.notify_refund(&number, &notice).await.unwrap();
    let (verified, plain) = shop.opened(&sent);
    assert_eq!(
        (verified, &plain["refund_status"]),
        (true, &json!("ABNORMAL"))
    );
}
