//! WeChat Pay end to end: the real binary, the real component, the simulated platform in both dialects.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AtTheTill, Merchant, Misbehaviour, Notice, NotificationFault, TradeState, WeChat, WeChatOptions,
};

use crate::world::{Host, Shop};

/// A host with the domain `shop`, whose only target `main` is a merchant at the simulated WeChat Pay.
struct Till {
    host: Host,
    wechat: WeChat,
    merchant: Merchant,
    shop: Shop,
}

fn settings(wechat: &WeChat, merchant: &Merchant) -> Value {
    json!({
        "appid": merchant.appid(),
        "mchid": merchant.mchid(),
        "mch_serial_no": merchant.serial_no(),
        "mch_private_key": merchant.private_key_pem(),
        "mch_certificate": merchant.certificate_pem(),
        "api_v3_key": merchant.api_v3_key(),
        "api_key": merchant.api_key(),
        "gateway": wechat.url(),
        "tls_gateway": wechat.tls_url(),
        "tls_authority": merchant.tls_ca_pem(),
    })
}

impl Till {
    /// With the settings of a merchant whose platform signs with certificates, and these on top.
    async fn open(more: Value) -> Till {
        let options = WeChatOptions::default();
        let wechat = WeChat::start(options).await.unwrap();
        let merchant = wechat.open_merchant().await.unwrap();
        Till::with(wechat, merchant, more).await
    }

    async fn with(wechat: WeChat, merchant: Merchant, more: Value) -> Till {
        let host = Host::start().await;
        let shop = host.domain("shop").await;
        let mut settings = settings(&wechat, &merchant);
        for (name, value) in more.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let body = json!({"test": true, "settings": settings});
        shop.put("/pay/target/wx/main", body).await.data();
        Till {
            host,
            wechat,
            merchant,
            shop,
        }
    }

    async fn sent(&self, pay_tp: &str, args: &[&str]) -> (String, Value) {
        let id = self.shop.create(json!({})).await;
        let body = json!({"id": id, "pay_tp": pay_tp, "args": args, "client_ip": "203.0.113.7"});
        let sent = self.shop.post("/pay/ajax/send", body).await;
        (id, sent.data())
    }

    /// A payment that was paid, and whose notifications are lost on the way.
    async fn paid_unheard(&self) -> String {
        let lost = Misbehaviour::always(NotificationFault::Lost);
        let (id, sent) = self.sent("wx.qrcode", &[]).await;
        self.wechat.misbehave(lost.for_trade(&id));
        self.wechat.pay(link(&sent)).await.unwrap();
        id
    }
}

fn link(sent: &Value) -> &str {
    sent["data"]
        .as_str()
        .unwrap_or_else(|| panic!("nothing to follow: {sent}"))
}

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
    let id = till.paid_unheard().await;
    till.shop.check(&id).await.data();
    assert_eq!(till.shop.payment(&id).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_from_wechat_pay_changes_nothing() {
    let till = Till::open(json!({})).await;
    let id = till.paid_unheard().await;
    let another = Notice::stating("out_trade_no", "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b");
    let account = Notice::stating("mchid", "1900000001");
    for notice in [
        Notice::forged(),
        Notice::probe(),
        Notice::stale(301),
        Notice::stale(-301),
        Notice::truncated(),
        Notice::tampered("summary", "x"),
        another,
        account,
    ] {
        let sent = till.wechat.notify(&id, &notice).await.unwrap();
        assert_eq!(sent.http_status, Some(500), "{notice:?}");
        let reply: Value = serde_json::from_str(sent.reply.as_deref().unwrap()).unwrap();
        assert_eq!(reply["code"], "FAIL");
        let causes = till.shop.causes(&id).await;
        assert!(!causes.contains(&"notification".to_owned()), "{notice:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_is_held() {
    let till = Till::open(json!({})).await;
    let id = till.paid_unheard().await;
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
async fn pages_and_apps_call_the_payment_up_with_signed_parameters() {
    let till = Till::open(json!({})).await;
    for (pay_tp, args) in [
        ("wx.jsapi", vec![till.merchant.buyer_openid()]),
        ("wx.app", vec![]),
    ] {
        let (id, sent) = till.sent(pay_tp, &args).await;
        assert_eq!(sent["type"], "JSON");
        let parameters = match &sent["data"] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            parameters => parameters.clone(),
        };
        till.wechat.pay_by_call(&parameters).await.unwrap();
        till.shop.until_state(&id, "OK").await;
    }
    let (id, sent) = till.sent("wx.h5", &[]).await;
    assert_eq!(sent["type"], "LINK");
    till.wechat.pay(link(&sent)).await.unwrap();
    till.shop.until_state(&id, "OK").await;
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
