//! What proves a payment, and what does not.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{
    AnswerFault, Fen, Misbehaviour, Notice, NotificationFault, TradeStatus,
};

use crate::world::{RECORD_SALE, World};

/// The payment once the platform's spoilt answers were heard: it waits.
async fn asked_in_vain(world: &World, id: &str) -> Value {
    loop {
        // Whatever it is answered: the schedule may be asking at this moment.
        world.shop.check(id).await;
        let spoilt = world.alipay.requests().into_iter().filter(|request| {
            request.out_trade_no.as_deref() == Some(id) && request.misbehaved.is_some()
        });
        let payment = world.shop.payment(id).await;
        assert_eq!(payment["st"], "WAIT", "{payment}");
        // One is asked after the other, so that the first was heard when the second came.
        if spoilt.count() >= 2 {
            return payment;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_01_a_bad_signature_fails_nothing_and_the_genuine_one_counts() {
    let world = World::start().await;
    let id = world.paid_unheard(json!({ "callback": RECORD_SALE })).await;
    let failing = Notice::status(TradeStatus::TradeClosed);
    for notice in [Notice::forged(), Notice::truncated()] {
        let sent = world.alipay.notify(&id, &notice).await.unwrap();
        assert_eq!(sent.reply.as_deref(), Some("fail"));
    }
    let forged = failing.signed(walnut_sandbox::alipay::NoticeSignature::Stranger);
    world.alipay.notify(&id, &forged).await.unwrap();
    let waiting = world.shop.payment(&id).await;
    assert_eq!(
        (&waiting["st"], &waiting["fail_why"]),
        (&json!("WAIT"), &Value::Null)
    );

    let sent = world.alipay.notify(&id, &Notice::genuine()).await.unwrap();
    assert_eq!(sent.reply.as_deref(), Some("success"));
    assert_eq!(world.shop.until_applied(&id).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_02_success_is_answered_only_when_it_is_so() {
    // By the platform: what was not taken is wanted again, and comes again.
    let world = World::repeating(60_000).await;
    let (id, code) = world.sent().await;
    let busy = AnswerFault::Busy { processed: false };
    let query = "alipay.trade.query";
    world
        .alipay
        .misbehave(Misbehaviour::always(busy).for_operation(query));
    let tampered = NotificationFault::Instead(Notice::tampered("total_amount", "0.01"));
    world
        .alipay
        .misbehave(Misbehaviour::times(2, tampered).for_trade(&id));
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&id, "OK").await;
    let taken = world
        .alipay
        .until(|alipay| {
            let sent = alipay.notifications();
            sent.iter().any(|sent| sent.taken).then_some(sent)
        })
        .await;
    let replies: Vec<_> = taken.iter().map(|sent| sent.reply.as_deref()).collect();
    assert_eq!(replies, [Some("fail"), Some("fail"), Some("success")]);

    // By hand: what anybody can write proves nothing.
    let (id, _) = world.sent().await;
    let claim = format!("{{id:'{id}',trade_status:'TRADE_SUCCESS'}}");
    let ran = world
        .host
        .walnut(
            world.shop.key(),
            &["pay", "re", &claim, "-idkey", "id", "-s"],
        )
        .await;
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    assert_eq!(world.shop.payment(&id).await["st"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_03_amount_currency_account_and_number_are_compared() {
    let world = World::start().await;
    let (shop, alipay) = (&world.shop, &world.alipay);
    let (other, _) = world.sent().await;
    // Another number, by notification and by asking.
    let id = world.paid_unheard(json!({})).await;
    for notice in [
        Notice::stating("out_trade_no", &other),
        Notice::stating("app_id", "2021000000000000"),
        Notice::stating("seller_id", "2088000000000000"),
    ] {
        let sent = alipay.notify(&id, &notice).await.unwrap();
        assert_eq!(sent.reply.as_deref(), Some("fail"), "{notice:?}");
    }
    for (fault, held) in [
        (AnswerFault::other_trade(&other), false),
        (AnswerFault::other_amount(Fen::new(1)), true),
    ] {
        let (id, code) = world.sent().await;
        alipay.misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
        alipay.misbehave(
            Misbehaviour::always(fault)
                .for_trade(&id)
                .for_operation("alipay.trade.query"),
        );
        alipay.pay(&code).await.unwrap();
        let asked = asked_in_vain(&world, &id).await;
        assert_eq!(asked["held"].is_object(), held, "{asked}");
    }
    for id in [&id, &other] {
        let payment = shop.payment(id).await;
        assert_eq!(
            (&payment["st"], &payment["held"]),
            (&json!("WAIT"), &Value::Null)
        );
    }
    // Another amount: held, neither OK nor FAIL.
    alipay
        .notify(&id, &Notice::amount(Fen::new(2299)))
        .await
        .unwrap();
    let held = shop.payment(&id).await;
    assert_eq!(
        (&held["st"], &held["apply_at"]),
        (&json!("WAIT"), &json!(0))
    );
    assert_eq!(held["held"]["paid_minor"], 2299);
    // Another currency does not even reach a platform that has one only.
    let dollars = shop.create(json!({ "cur": "USD" })).await;
    let refusal = shop.send(&dollars).await.refusal();
    assert_eq!(refusal, (400, "e.pay.send.invalid".to_owned()));
    assert!(alipay.trade(&dollars).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_13_only_a_definite_no_is_fail_and_a_refund_is_no_refusal() {
    let world = World::start().await;
    let (shop, alipay) = (&world.shop, &world.alipay);
    let stating =
        |status: &str| AnswerFault::Other([("trade_status".to_owned(), status.to_owned())].into());
    for fault in [
        stating("TRADE_PENDING"),
        stating("TRADE_UNHEARD_OF"),
        stating(""),
        AnswerFault::Busy { processed: true },
        AnswerFault::BusyInGbk,
        AnswerFault::SystemError { processed: true },
        AnswerFault::HttpStatus {
            status: 502,
            processed: true,
        },
        AnswerFault::HangUp { processed: true },
        AnswerFault::Truncated,
        AnswerFault::WronglySigned,
        AnswerFault::Unsigned,
    ] {
        let (id, code) = world.sent().await;
        alipay.scan(&code).await.unwrap();
        alipay.misbehave(
            Misbehaviour::always(fault.clone())
                .for_trade(&id)
                .for_operation("alipay.trade.query"),
        );
        let payment = asked_in_vain(&world, &id).await;
        assert_eq!(payment["fail_why"], Value::Null, "{fault:?}");
    }
    let (unscanned, _) = world.sent().await;
    assert_eq!(shop.check(&unscanned).await.data()["st"], "WAIT");

    // Paid and given back before anybody heard of it: it was paid.
    let id = world.paid_unheard(json!({})).await;
    alipay.refund(&id, Fen::new(2300)).unwrap();
    let sent = alipay.notify(&id, &Notice::genuine()).await.unwrap();
    assert_eq!(sent.trade_status, "TRADE_CLOSED");
    let refunded = shop.payment(&id).await;
    assert_eq!(
        (&refunded["st"], &refunded["fail_why"]),
        (&json!("WAIT"), &Value::Null)
    );
    assert!(
        refunded["held"]["why"]
            .as_str()
            .unwrap()
            .contains("given back")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_18_what_is_sent_again_later_changes_nothing() {
    let world = World::start().await;
    let (shop, alipay) = (&world.shop, &world.alipay);
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    alipay.scan(&code).await.unwrap();
    let waiting = Notice::status(TradeStatus::WaitBuyerPay);
    alipay.notify(&id, &waiting).await.unwrap();
    alipay.pay(&code).await.unwrap();
    shop.until_applied(&id).await;
    let settled = shop.payment(&id).await;
    let before = shop.history(&id).await;
    let (other, _) = world.sent().await;
    let elsewhere = format!("{}/pay/re/{other}", world.host.url());
    for notice in [
        Notice::replayed(),
        waiting,
        Notice::genuine(),
        Notice::genuine().to(elsewhere.clone()),
        Notice::replayed().to(elsewhere),
    ] {
        alipay.notify(&id, &notice).await.unwrap();
        assert_eq!(shop.payment(&id).await, settled, "{notice:?}");
    }
    assert_eq!(shop.history(&id).await, before);
    let untouched = shop.payment(&other).await;
    assert_eq!(
        (&untouched["st"], &untouched["held"]),
        (&json!("WAIT"), &Value::Null)
    );
}
