//! WeChat Pay end to end: the real binary, the real component, the simulated platform in both dialects.

use std::sync::Arc;

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, AtTheTill, Misbehaviour, Notice, Operation, TradeState, WeChat, WeChatOptions,
};

use crate::world::{Till, at_once, link};

mod at_the_till;
mod books;
mod crashing;
mod device;
mod ending;
mod refunds;
mod undoing;

#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_code_is_paid_by_a_verified_and_decrypted_notification() {
    let till = Till::open(json!({})).await;
    let (id, sent) = till.sent("wx.qrcode", &[]).await;
    assert_eq!(sent["type"], "QRCODE");
    assert!(link(&sent).starts_with("weixin://wxpay/bizpayurl"));
    till.wechat.pay(link(&sent)).await.unwrap();
    let paid = till.shop.until_state(&id, "OK").await;
    let trade = till.wechat.trade(&id).unwrap();
    assert_eq!(json!(trade.transaction_id), paid["wx"]["transaction_id"]);
    let taken = till
        .wechat
        .until(|wechat| {
            wechat
                .notifications()
                .into_iter()
                .find(|sent| sent.http_status == Some(200))
        })
        .await;
    let reply: Value = serde_json::from_str(taken.reply.as_deref().unwrap()).unwrap();
    assert_eq!(reply["code"], "SUCCESS");
    assert!(
        till.shop
            .causes(&id)
            .await
            .contains(&"notification".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_healed_by_asking() {
    let till = Till::open(json!({})).await;
    let id = till.paid_unheard("wx.qrcode", json!({})).await;
    till.shop.check(&id).await.data();
    assert_eq!(till.shop.payment(&id).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_is_held() {
    let till = Till::open(json!({})).await;
    let id = till.paid_unheard("wx.qrcode", json!({})).await;
    let sent = till.wechat.notify(&id, &Notice::amount(1)).await.unwrap();
    assert_eq!(sent.http_status, Some(200), "it is recorded");
    assert_eq!(till.shop.payment(&id).await["held"]["paid_minor"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_rotate_and_survive_a_restart() {
    let mut till = Till::open(json!({})).await;
    let mchid = till.merchant.mchid().to_owned();
    till.sent("wx.qrcode", &[]).await;
    let old = till.merchant.platform_serial_no().unwrap().to_owned();
    let new = till.wechat.add_certificate(&mchid).await.unwrap();
    till.host = till.host.kill_and_restart().await;
    // Known already, and not asked for again.
    let asked = |till: &Till| {
        let requests = till.wechat.requests();
        requests
            .iter()
            .filter(|request| request.url == "/v3/certificates")
            .count()
    };
    assert_eq!(asked(&till), 1);
    till.sent("wx.qrcode", &[]).await;
    assert_eq!(asked(&till), 1);
    till.wechat.sign_with(&mchid, &new).unwrap();
    till.sent("wx.qrcode", &[]).await;
    assert_eq!(asked(&till), 2);
    till.wechat.drop_certificate(&mchid, &old).unwrap();
    let (id, sent) = till.sent("wx.qrcode", &[]).await;
    till.wechat.pay(link(&sent)).await.unwrap();
    till.shop.until_state(&id, "OK").await;
    assert_eq!(asked(&till), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_requests_of_a_target_share_one_question_for_certificates() {
    let till = Arc::new(Till::open(json!({})).await);
    let slow = Misbehaviour::once(AnswerFault::Late { ms: 1_000 });
    till.wechat
        .misbehave(slow.for_operation(Operation::Certificates));
    let sent = at_once(3, |_| {
        let till = till.clone();
        async move { till.ordered("wx.qrcode", json!({})).await }
    })
    .await;
    for ordered in &sent {
        assert_eq!(ordered.shown["type"], "QRCODE", "{}", ordered.shown);
    }
    let requests = till.wechat.requests().into_iter();
    let asked = requests.filter(|request| request.operation == Some(Operation::Certificates));
    assert_eq!(asked.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_with_the_public_key_alone_needs_no_certificate() {
    let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
    let merchant = wechat.open_public_key_merchant().await.unwrap();
    let more = json!({
        "wechatpay_public_key": merchant.public_key_pem(),
        "wechatpay_public_key_id": merchant.public_key_id(),
    });
    let till = Till::with(wechat, merchant, more).await;
    let (id, sent) = till.sent("wx.qrcode", &[]).await;
    till.wechat.pay(link(&sent)).await.unwrap();
    till.shop.until_state(&id, "OK").await;
    let requests = till.wechat.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.url != "/v3/certificates")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_till_charges_in_both_dialects() {
    for more in [
        json!({}),
        json!({"sign_type": "HMAC-SHA256"}),
        json!({"scan_api": "v3", "store_id": "1"}),
    ] {
        let till = Till::open(more.clone()).await;
        let code = till.wechat.show_code(AtTheTill::Pays);
        let (id, _) = till.sent("wx.scan", &[&code]).await;
        assert_eq!(
            till.shop.until_state(&id, "OK").await["wx"]["trade_no"],
            json!(id),
            "{more}"
        );
        let code = till.wechat.show_code(AtTheTill::NotEnough);
        let (id, _) = till.sent("wx.scan", &[&code]).await;
        let declined = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(declined["fail_why"], "DECLINED", "{more}");
        let code = till.wechat.show_code(AtTheTill::MustConfirm);
        let (id, sent) = till.sent("wx.scan", &[&code]).await;
        assert_eq!(sent["status"], "WAIT", "{more}");
        till.wechat.confirm(&id).unwrap();
        till.shop.until_state(&id, "OK").await;
        assert_eq!(till.wechat.trade(&id).unwrap().state, TradeState::Success);
    }
}
