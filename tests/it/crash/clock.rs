//! The machine's clock is set while a host runs, or while none does: nobody waits for as much longer, and no payment is
//! ended by a clock that was wrong for a moment.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{WeChat, WeChatOptions};

use super::counting;
use crate::world::{
    Faults, Host, Moment, RECORD_SALE, SCRIPTED, Till, World, milliseconds_from_now,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_lets_nobody_wait_for_as_much_longer() {
    let Some(faults) = Faults::possible("a clock that is set back") else {
        return;
    };
    let mut world = World::under(&faults, 1).await;
    let more = || json!({ "callback": SCRIPTED, "script": counting() });
    let (first, code) = world.sent_with(more()).await;
    let (second, second_code) = world.sent_with(more()).await;
    for id in [&first, &second] {
        world.lose_notifications(id);
    }
    // The next question is due in some seconds of the clock as it was.
    faults.set_clock(-7 * MINUTE_MS);
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_applied(&first).await;
    assert!(world.host.log().contains("ALERT: the clock was set back"));
    let causes = world.shop.causes(&first).await;
    assert_eq!(causes, ["create", "send", "sent", "check", "apply"]);
    // What begins now goes its way.
    let third = world.shop.create(json!({ "fee": 0 })).await;
    world.shop.until_state(&third, "OK").await;

    // While no host runs it goes back again.
    let killed = world.host.kill().await;
    faults.set_clock(-14 * MINUTE_MS);
    world.alipay.pay(&second_code).await.unwrap();
    world.host = killed.restart().await;
    world.shop.until_applied(&second).await;
    let moment = Moment::of(&world.host.data_root());
    assert_eq!(moment.kept("sold"), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_for_a_while_ends_no_payment() {
    let Some(faults) = Faults::possible("a clock that is set ahead") else {
        return;
    };
    let world = World::under(&faults, 1).await;
    let shop = &world.shop;
    let expi = milliseconds_from_now(180_000);
    let more = || json!({ "callback": SCRIPTED, "script": counting(), "expi": expi });
    let new = shop.create(more()).await;
    let (waiting, code) = world.sent_with(more()).await;
    // The platform could close it.
    world.alipay.scan(&code).await.unwrap();
    world.lose_notifications(&waiting);

    // Both deadlines are over by it. Alipay itself minds a clock that is wrong by more than a quarter of an hour.
    faults.set_clock(10 * MINUTE_MS);
    // Everything is due now, and is looked at: expiring, and asking about what waits.
    let asked = world.asked("alipay.trade.query", &waiting);
    let again = |alipay: &walnut_sandbox::alipay::Alipay| {
        let requests = alipay.requests();
        let asked_now = requests.iter().filter(|request| {
            request.operation.as_deref() == Some("alipay.trade.query")
                && request.out_trade_no.as_deref() == Some(waiting.as_str())
        });
        (asked_now.count() > asked + 1).then_some(())
    };
    // By the owner's question too.
    shop.check(&waiting).await.data();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    shop.check(&waiting).await.data();
    world.alipay.until(again).await;
    for id in [&new, &waiting] {
        let state = shop.payment(id).await["st"].clone();
        assert!(state == "NEW" || state == "WAIT", "{state}");
    }
    assert!(world.host.log().contains("ALERT: the clock was set ahead"));
    assert_eq!(world.asked("alipay.trade.close", &waiting), 0);

    faults.set_clock(0);
    world.alipay.pay(&code).await.unwrap();
    shop.until_applied(&waiting).await;
    let sent = shop.send(&new).await.data();
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    shop.until_applied(&new).await;
    let asked = world.asked("alipay.trade.query", &waiting);
    assert!(asked < 30, "asked {asked} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_platform_signed_at_another_time_is_found_by_asking_when_the_clock_is_right() {
    let Some(faults) = Faults::possible("a clock beside the platform's") else {
        return;
    };
    let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
    let merchant = wechat.open_merchant().await.unwrap();
    let host = Host::start_under(&faults).await;
    let shop = host.domain("shop").await;
    let till = Till {
        host,
        wechat,
        merchant,
        shop,
    };
    till.put_target("main", json!({})).await;
    let till = till.recording().await;
    let callback = || json!({ "callback": RECORD_SALE });
    for ahead in [HOUR_MS, -HOUR_MS] {
        let ordered = till.ordered("wx.qrcode", callback()).await;
        faults.set_clock(ahead);
        till.pays(&ordered.shown).await.unwrap();
        let told = till.wechat.until(|wechat| {
            let sent = wechat.notifications().into_iter();
            let mut sent = sent.filter(|sent| sent.out_trade_no == ordered.id);
            sent.next()
        });
        assert!(!told.await.taken, "WeChat Pay signs for five minutes");
        let unsettled: Value = till.shop.payment(&ordered.id).await;
        assert_eq!(unsettled["st"], "WAIT");
        faults.set_clock(0);
        till.shop.until_applied(&ordered.id).await;
    }
}
