//! What the buyer pays on a device of their own: the same story for each pay type.

use std::time::Duration;

use serde_json::json;
use walnut_sandbox::wechat::{
    Misbehaviour, Notice, NoticeSignature, NotificationFault, Operation, TradeState,
};

use crate::world::{ON_A_DEVICE, RECORD_SALE, Till};

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_until_the_buyer_pays_and_is_applied_once() {
    let till = Till::open(json!({})).await.recording().await;
    for pay_tp in ON_A_DEVICE {
        let ordered = till.ordered(pay_tp, json!({"callback": RECORD_SALE})).await;
        let asked = till.shop.check(&ordered.id).await.data();
        assert_eq!(asked["st"], "WAIT", "{pay_tp}");
        let trade = till.pays(&ordered.shown).await.unwrap();
        assert_eq!((trade.total_fen, trade.state), (2300, TradeState::Success));
        let applied = till.shop.until_applied(&ordered.id).await;
        assert_eq!(
            (&applied["st"], &applied["late"], &applied["pay_tp"]),
            (&json!("OK"), &json!(false), &json!(pay_tp))
        );
        assert_eq!(applied["wx"]["transaction_id"], json!(trade.transaction_id));
        let causes = till.shop.causes(&ordered.id).await;
        assert_eq!(
            causes,
            ["create", "send", "sent", "notification", "apply"],
            "{pay_tp}"
        );
        // The buyer presses the button once more.
        let order = till.order_of(&ordered.id, pay_tp);
        let again = till.shop.post("/pay/ajax/send", order).await.data();
        assert_eq!(
            (&again["status"], &again["data"]),
            (&json!("OK"), &json!(null))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_has_run_out_is_replaced_by_the_same_order() {
    let mut till = Till::open(json!({})).await;
    for pay_tp in ON_A_DEVICE {
        let ordered = till.ordered(pay_tp, json!({})).await;
        let again = |till: &Till| {
            let order = till.order_of(&ordered.id, pay_tp);
            let shop = till.shop.clone();
            async move { shop.post("/pay/ajax/send", order).await.data() }
        };
        assert_eq!(again(&till).await["data"], ordered.shown["data"]);
        // Time passes at the platform, and for what the host keeps.
        let life = Duration::from_secs(2 * 3600);
        till.wechat.age_links(&ordered.id, life).unwrap();
        let killed = till.host.kill().await;
        killed.show_until(&ordered.id, 1);
        till.host = killed.restart().await;
        assert!(till.pays(&ordered.shown).await.is_err(), "{pay_tp}");
        let fresh = again(&till).await;
        assert_ne!(fresh["data"], ordered.shown["data"], "{pay_tp}");
        till.pays(&fresh).await.unwrap();
        till.shop.until_state(&ordered.id, "OK").await;
        assert_eq!(
            till.wechat.trade(&ordered.id).unwrap().state,
            TradeState::Success
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_healed_by_the_schedule() {
    let till = Till::open(json!({})).await;
    let mut paid = Vec::new();
    for pay_tp in ON_A_DEVICE {
        paid.push(till.paid_unheard(pay_tp, json!({})).await);
    }
    for id in paid {
        till.shop.until_state(&id, "OK").await;
        assert_eq!(
            till.shop.causes(&id).await,
            ["create", "send", "sent", "check"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_comes_again_counts_once() {
    let till = Till::open(json!({})).await.recording().await;
    let twice = Misbehaviour::always(NotificationFault::Twice);
    till.wechat.misbehave(twice);
    for pay_tp in ON_A_DEVICE {
        let id = till.paid(pay_tp, json!({"callback": RECORD_SALE})).await;
        for notice in [Notice::replayed(), Notice::genuine()] {
            let sent = till.wechat.notify(&id, &notice).await.unwrap();
            assert!(sent.taken, "{pay_tp}: {sent:?}");
        }
        till.shop.until_applied(&id).await;
        let causes = till.shop.causes(&id).await;
        let count = |what: &str| causes.iter().filter(|cause| *cause == what).count();
        assert_eq!(
            (count("notification"), count("apply")),
            (1, 1),
            "{causes:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_tries_is_counted_as_no_failure() {
    let till = Till::open(json!({})).await;
    let ordered = till.ordered(ON_A_DEVICE[0], json!({})).await;
    let counted = async |notice: Notice| {
        till.wechat.notify(&ordered.id, &notice).await.unwrap();
        let scraped = till.host.root().get("/metrics").await;
        String::from_utf8(scraped.bytes).unwrap()
    };
    let failures = |told: &str| {
        let of_notifications =
            "walnut_verify_failures_total{platform=\"wx\",message=\"notification\"";
        let lines = told
            .lines()
            .filter(|line| line.starts_with(of_notifications));
        let counts = lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
        counts.sum::<u64>()
    };
    let told = counted(Notice::probe()).await;
    assert!(
        told.contains("walnut_notifications_total{kind=\"probe\"} 1"),
        "{told}"
    );
    assert_eq!(failures(&told), 0, "{told}");
    let told = counted(Notice::forged()).await;
    assert_ne!(failures(&told), 0, "{told}");
}

/// What somebody sends who is not WeChat Pay, or WeChat Pay about somebody else.
fn unbelievable() -> Vec<Notice> {
    let genuine = Notice::genuine;
    vec![
        Notice::forged(),
        Notice::probe(),
        Notice::stale(301),
        Notice::stale(-301),
        Notice::truncated(),
        Notice::tampered("summary", "x"),
        genuine().signed(NoticeSignature::UnknownSerial),
        genuine().signed(NoticeSignature::Wrong),
        genuine().signed(NoticeSignature::Missing),
        Notice::stating("out_trade_no", "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b"),
        Notice::stating("mchid", "1900000001"),
        Notice::stating("appid", "wx0123456789abcdef"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_from_wechat_pay_changes_nothing() {
    let till = Till::open(json!({})).await;
    for pay_tp in ON_A_DEVICE {
        let ordered = till.ordered(pay_tp, json!({})).await;
        for notice in unbelievable() {
            let sent = till.wechat.notify(&ordered.id, &notice).await.unwrap();
            assert_eq!(sent.http_status, Some(500), "{pay_tp}: {notice:?}");
            let reply = sent.reply.unwrap_or_default();
            assert!(reply.contains("\"FAIL\""), "{pay_tp}: {notice:?}: {reply}");
            let payment = till.shop.payment(&ordered.id).await;
            assert_eq!(
                (&payment["st"], &payment["held"]),
                (&json!("WAIT"), &json!(null)),
                "{pay_tp}: {notice:?}"
            );
        }
        assert_eq!(
            till.shop.causes(&ordered.id).await,
            ["create", "send", "sent"]
        );
        till.pays(&ordered.shown).await.unwrap();
        till.shop.until_state(&ordered.id, "OK").await;
    }
    // In another header it is a forgery as any.
    let ordered = till.ordered(ON_A_DEVICE[0], json!({})).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let forged = client
        .post(format!("{}/pay/re/{}", till.host.url(), ordered.id))
        .header("X-Signature", "WECHATPAY/SIGNTEST/pIvP1S==")
        .body("{}");
    assert_eq!(forged.send().await.unwrap().status(), 500);
    // What the platform tries itself is told apart, and warns nobody.
    let refused = till.host.root().get("/pay/refused").await.data();
    let refused = refused.as_array().unwrap();
    let probes = refused.iter().filter(|one| one["probe"] == true).count();
    assert_eq!(probes, ON_A_DEVICE.len());
    let log = till.host.log();
    let warned = log.matches("notification refused").count();
    assert_eq!(warned, refused.len() - probes);
    let known = till.requests(Operation::Certificates, "");
    assert!(known.is_empty());
    let fetched = till.wechat.requests().into_iter();
    let fetched = fetched.filter(|request| request.operation == Some(Operation::Certificates));
    assert!(
        fetched.count() <= 2,
        "strangers make the host fetch certificates once a minute at most"
    );
}
