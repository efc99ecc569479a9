//! Notifications whose address names no trade: found by the key that signed them, or by the account's own address.

mod account;
mod key;

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, Merchant, Misbehaviour, Notice, NotificationFault, NotificationView, Operation,
    WeChat, WeChatOptions,
};

use crate::world::{Host, Shop};

/// A host and the simulated WeChat Pay, with one merchant there.
struct Market {
    host: Host,
    wechat: WeChat,
    merchant: Merchant,
}

impl Market {
    /// The merchant's platform signs with certificates.
    async fn open() -> Market {
        let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
        let merchant = wechat.open_merchant().await.unwrap();
        Market::with(wechat, merchant).await
    }

    /// The merchant's platform signs with the public key that has an id.
    async fn open_with_public_key() -> Market {
        let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
        let merchant = wechat.open_public_key_merchant().await.unwrap();
        Market::with(wechat, merchant).await
    }

    async fn with(wechat: WeChat, merchant: Merchant) -> Market {
        Market {
            host: Host::start().await,
            wechat,
            merchant,
        }
    }

    /// A new domain whose target `main` is the merchant.
    async fn stall(&self, domain: &str) -> Shop {
        let shop = self.host.domain(domain).await;
        self.put_target(&shop, &self.merchant).await;
        shop
    }

    /// The shop's target `main` is this merchant from now on.
    async fn put_target(&self, shop: &Shop, merchant: &Merchant) {
        let mut settings = json!({
            "appid": merchant.appid(),
            "mchid": merchant.mchid(),
            "mch_serial_no": merchant.serial_no(),
            "mch_private_key": merchant.private_key_pem(),
            "api_v3_key": merchant.api_v3_key(),
            "gateway": self.wechat.url(),
        });
        if merchant.platform_serial_no().is_none() {
            settings["wechatpay_public_key"] = json!(merchant.public_key_pem());
            settings["wechatpay_public_key_id"] = json!(merchant.public_key_id());
        }
        let body = json!({"test": true, "settings": settings});
        shop.put("/pay/target/wx/main", body).await.data();
    }

    /// A payment of the shop that was paid, and of which nobody heard.
    async fn paid_unheard(&self, shop: &Shop) -> String {
        let id = shop.create(json!({})).await;
        let sent = shop.send_by(&id, "wx.qrcode").await.data();
        let lost = Misbehaviour::always(NotificationFault::Lost);
        self.wechat.misbehave(lost.for_trade(&id));
        self.say_nothing_of(&id);
        self.wechat
            .pay(sent["data"].as_str().unwrap())
            .await
            .unwrap();
        id
    }

    /// Whoever asks about this trade gets no answer of the platform's.
    fn say_nothing_of(&self, id: &str) {
        let down = AnswerFault::HttpStatus {
            status: 502,
            processed: false,
        };
        let down = Misbehaviour::always(down).for_operation(Operation::Query);
        self.wechat.misbehave(down.for_trade(id));
    }

    fn bare(&self) -> String {
        format!("{}/pay/re", self.host.url())
    }

    /// Tells of the payment, as WeChat Pay does, at the address of all.
    async fn notify_bare(&self, id: &str) -> NotificationView {
        let notice = Notice::genuine().to(self.bare());
        self.notify(id, notice).await
    }

    async fn notify(&self, id: &str, notice: Notice) -> NotificationView {
        self.wechat.notify(id, &notice).await.unwrap()
    }
}

/// The status and the word of a reply in WeChat Pay's form.
fn said(sent: &NotificationView) -> (Option<u16>, String) {
    let reply: Value = serde_json::from_str(sent.reply.as_deref().unwrap()).unwrap();
    let word = reply["code"].as_str().unwrap().to_owned();
    (sent.http_status, word)
}

fn taken() -> (Option<u16>, String) {
    (Some(200), "SUCCESS".to_owned())
}

fn again() -> (Option<u16>, String) {
    (Some(500), "FAIL".to_owned())
}

/// The address that the platform may notify about everything at the shop's target.
async fn notify_url(shop: &Shop, path: &str) -> String {
    let shown = shop.get(path).await.data();
    shown["notify_url"].as_str().unwrap().to_owned()
}
