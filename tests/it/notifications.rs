//! Notifications at `/pay/re`: forged, stale, repeated, about something else, or with another amount.

mod flood;

use serde_json::json;
use walnut_sandbox::alipay::{Fen, Misbehaviour, Notice, NotificationFault, TradeStatus};

use crate::world::{RECORD_SALE, World};

/// A paid trade whose own notification was lost, so that only what the story sends arrives. The
/// schedule would find the payment by asking; answers are spoilt until the story ends.
async fn paid_unheard(world: &World) -> String {
    use walnut_sandbox::alipay::AnswerFault;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.misbehave(
        Misbehaviour::always(AnswerFault::Busy { processed: false })
            .for_operation("alipay.trade.query"),
    );
    world.alipay.pay(&code).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_verify_changes_nothing_and_is_wanted_again() {
    let world = World::start().await;
    let id = paid_unheard(&world).await;
    let before = world.shop.causes(&id).await;
    for notice in [
        Notice::forged(),
        Notice::tampered("total_amount", "0.01"),
        Notice::tampered("trade_status", "TRADE_FINISHED"),
        Notice::truncated(),
        Notice::genuine().signed(walnut_sandbox::alipay::NoticeSignature::Missing),
        Notice::genuine().signed(walnut_sandbox::alipay::NoticeSignature::Wrong),
    ] {
        let sent = world.alipay.notify(&id, &notice).await.unwrap();
        assert_eq!(sent.reply.as_deref(), Some("fail"), "{notice:?}");
        assert_eq!(world.shop.payment(&id).await["st"], "WAIT", "{notice:?}");
    }
    assert_eq!(
        world.shop.causes(&id).await,
        before,
        "no trace in the payment's history"
    );
    // The genuine one is taken afterwards all the same.
    let sent = world.alipay.notify(&id, &Notice::genuine()).await.unwrap();
    assert_eq!(sent.reply.as_deref(), Some("success"));
    assert_eq!(world.shop.until_applied(&id).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genuine_notification_of_another_account_or_trade_is_refused() {
    let world = World::start().await;
    let id = paid_unheard(&world).await;
    let (other, _) = world.sent().await;
    for notice in [
        Notice::stating("app_id", "2021000000000000"),
        Notice::stating("seller_id", "2088000000000000"),
        Notice::stating("out_trade_no", &other),
        Notice::stating("app_id", ""),
        Notice::stating("out_trade_no", ""),
    ] {
        let sent = world.alipay.notify(&id, &notice).await.unwrap();
        assert_eq!(sent.reply.as_deref(), Some("fail"), "{notice:?}");
        let payment = world.shop.payment(&id).await;
        assert_eq!(
            (&payment["st"], &payment["held"]),
            (&json!("WAIT"), &json!(null))
        );
    }
    // Sent to the address of the other trade, a genuine one settles neither.
    let address = format!("{}/pay/re/{other}", world.host.url());
    let sent = world
        .alipay
        .notify(&id, &Notice::genuine().to(address))
        .await
        .unwrap();
    assert_eq!(sent.reply.as_deref(), Some("fail"));
    assert_eq!(world.shop.payment(&other).await["st"], "WAIT");
    assert_eq!(world.shop.payment(&id).await["st"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_is_held_for_a_person() {
    let world = World::start().await;
    let id = paid_unheard(&world).await;
    let cheap = Notice::amount(Fen::new(1));
    let sent = world.alipay.notify(&id, &cheap).await.unwrap();
    assert_eq!(sent.reply.as_deref(), Some("success"), "it is recorded");
    let held = world.shop.payment(&id).await;
    assert_eq!(held["st"], "WAIT");
    assert_eq!(held["held"]["paid_minor"], 1);
    assert_eq!(held["apply_at"], 0);
    let refusal = world.shop.send(&id).await.refusal();
    assert_eq!(refusal, (409, "e.pay.held".to_owned()));

    let decide = |decision: &'static str, reason: &'static str| {
        let body = json!({ "id": id, "decision": decision, "reason": reason });
        world.shop.post("/pay/ajax/resolve", body)
    };
    assert_eq!(
        decide("accept", " ").await.refusal().0,
        400,
        "a reason is needed"
    );
    let dismissed = decide("dismiss", "a test of the platform").await.data();
    assert_eq!(
        (&dismissed["st"], &dismissed["held"]),
        (&json!("WAIT"), &json!(null))
    );
    world.alipay.notify(&id, &cheap).await.unwrap();
    assert_eq!(
        world.shop.payment(&id).await["held"],
        json!(null),
        "dismissed stays dismissed"
    );
    assert_eq!(
        decide("accept", "late").await.refusal().1,
        "e.pay.resolve.notHeld"
    );

    world
        .alipay
        .notify(&id, &Notice::amount(Fen::new(2200)))
        .await
        .unwrap();
    assert_eq!(world.shop.payment(&id).await["held"]["paid_minor"], 2200);
    let accepted = decide("accept", "the buyer had a coupon").await.data();
    assert_eq!(accepted["st"], "OK");
    world.shop.until_applied(&id).await;
    let history = world.shop.history(&id).await;
    let last = history
        .iter()
        .rfind(|line| line["cause"] == "resolve")
        .unwrap();
    assert_eq!(last["detail"]["reason"], "the buyer had a coupon");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_notifications_run_the_callback_once() {
    let world = World::start().await;
    let id = paid_unheard(&world).await;
    for _ in 0..3 {
        let sent = world.alipay.notify(&id, &Notice::genuine()).await.unwrap();
        assert_eq!(sent.reply.as_deref(), Some("success"));
    }
    let sent = world.alipay.notify(&id, &Notice::replayed()).await.unwrap();
    assert_eq!(
        sent.reply.as_deref(),
        Some("success"),
        "what is committed is taken again"
    );
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["number"], 1);
    let causes = world.shop.causes(&id).await;
    assert_eq!(causes.iter().filter(|cause| *cause == "apply").count(), 1);
    assert_eq!(
        causes
            .iter()
            .filter(|cause| *cause == "notification")
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_to_the_bare_address_finds_its_payment() {
    let world = World::start().await;
    let id = paid_unheard(&world).await;
    let bare = format!("{}/pay/re", world.host.url());
    let sent = world
        .alipay
        .notify(&id, &Notice::genuine().to(bare.clone()))
        .await
        .unwrap();
    assert_eq!(sent.reply.as_deref(), Some("success"));
    assert_eq!(world.shop.payment(&id).await["st"], "OK");
    let forged = world
        .alipay
        .notify(&id, &Notice::forged().to(bare))
        .await
        .unwrap();
    assert_eq!(forged.reply.as_deref(), Some("fail"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_trade_fails_and_a_late_payment_becomes_ok() {
    let world = World::start().await;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.scan(&code).await.unwrap();
    world
        .alipay
        .notify(&id, &Notice::status(TradeStatus::TradeClosed))
        .await
        .unwrap();
    let failed = world.shop.until_state(&id, "FAIL").await;
    assert_eq!(failed["fail_why"], "CLOSED");
    world.alipay.pay(&code).await.unwrap();
    world.alipay.notify(&id, &Notice::genuine()).await.unwrap();
    let late = world.shop.until_applied(&id).await;
    assert_eq!((&late["st"], &late["late"]), (&json!("OK"), &json!(true)));
    assert_eq!(
        late["apply_re"]["sale"]["late"].as_bool().or(Some(true)),
        Some(true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_at_the_platform_is_recorded_and_is_no_second_payment() {
    let world = World::start().await;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_applied(&id).await;
    world.alipay.refund(&id, Fen::new(500)).unwrap();
    let refunded = world
        .shop
        .until(&id, "refunded", |p| p["refunded"] == 500)
        .await;
    assert_eq!(refunded["st"], "OK");
    let causes = world.shop.causes(&id).await;
    assert_eq!(causes.iter().filter(|cause| *cause == "apply").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_of_nothing_known_leave_no_trace() {
    let world = World::start().await;
    let anyone = world.host.root().with_key("");
    for path in [
        "/pay/re",
        "/pay/re/0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
        "/pay/re/x",
        "/pay/re/%00",
    ] {
        for body in [
            "",
            "out_trade_no=0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
            "{}",
            "\u{0}\u{1}",
        ] {
            let answer = anyone.post_bytes(path, body.as_bytes()).await;
            assert_eq!(
                (answer.status, answer.bytes.as_slice()),
                (404, b"fail".as_slice()),
                "{path}"
            );
        }
    }
    let large = vec![b'a'; 2 * 1024 * 1024];
    assert_eq!(anyone.post_bytes("/pay/re", &large).await.refusal().0, 413);
    let found = world.shop.get("/pay/ajax/query").await.data();
    assert_eq!(found, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_makes_no_forgery_a_probe_of_a_platform_that_makes_none() {
    let world = World::start().await;
    let (id, _) = world.sent().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client
        .post(format!("{}/pay/re/{id}", world.host.url()))
        .header("Wechatpay-Signature", "WECHATPAY/SIGNTEST/pIvP1S==")
        .body(format!("out_trade_no={id}&sign=AAAA&sign_type=RSA2"));
    assert_eq!(sent.send().await.unwrap().text().await.unwrap(), "fail");
    let refused = world.host.root().get("/pay/refused").await.data();
    assert_eq!(refused[0]["trade_no"], json!(id));
    assert_eq!(refused[0]["probe"], json!(false));
    assert!(world.host.log().contains("notification refused"));
}
