//! A shop that takes WeChat Pay, and its buyers.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    BuyerError, Merchant, Misbehaviour, NotificationFault, Operation, RequestView, TradeView,
    WeChat, WeChatOptions,
};

use super::{Host, RECORD_SALE, Shop};

/// The pay types that a buyer pays on a device of their own.
pub(crate) const ON_A_DEVICE: [&str; 4] = ["wx.qrcode", "wx.jsapi", "wx.h5", "wx.app"];

/// The settings by which `wx.scan` goes in each dialect.
pub(crate) fn dialects() -> [Value; 3] {
    [
        json!({}),
        json!({"sign_type": "HMAC-SHA256"}),
        json!({"scan_api": "v3", "store_id": "1"}),
    ]
}

/// A host with the domain `shop`, whose only target `main` is a merchant at the simulated WeChat Pay.
pub(crate) struct Till {
    pub(crate) host: Host,
    pub(crate) wechat: WeChat,
    pub(crate) merchant: Merchant,
    pub(crate) shop: Shop,
}

/// A payment that was sent, and what the buyer is shown of it.
pub(crate) struct Ordered {
    pub(crate) id: String,
    pub(crate) shown: Value,
}

impl Till {
    /// With the settings of a merchant whose platform signs with certificates, and these on top.
    pub(crate) async fn open(more: Value) -> Till {
        let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
        let merchant = wechat.open_merchant().await.unwrap();
        Till::with(wechat, merchant, more).await
    }

    /// The same at a platform that makes refunds within half a second.
    pub(crate) async fn refunding(more: Value) -> Till {
        let options = WeChatOptions {
            time_scale: 10,
            ..WeChatOptions::default()
        };
        let wechat = WeChat::start(options).await.unwrap();
        let merchant = wechat.open_merchant().await.unwrap();
        Till::with(wechat, merchant, more).await
    }

    pub(crate) async fn with(wechat: WeChat, merchant: Merchant, more: Value) -> Till {
        let host = Host::start().await;
        let shop = host.domain("shop").await;
        let till = Till {
            host,
            wechat,
            merchant,
            shop,
        };
        till.put_target("main", more).await;
        till
    }

    /// A target of the shop by the merchant's settings, with these on top; null leaves one out.
    pub(crate) async fn put_target(&self, name: &str, more: Value) {
        let mut settings = merchant_settings(&self.wechat, &self.merchant);
        let settings = settings.as_object_mut().unwrap();
        settings.extend(more.as_object().unwrap().clone());
        settings.retain(|_, value| !value.is_null());
        let body = json!({"test": true, "settings": settings});
        self.shop
            .put(&format!("/pay/target/wx/{name}"), body)
            .await
            .data();
    }

    /// The shop has the callback that comes with the host.
    pub(crate) async fn recording(self) -> Till {
        self.shop
            .put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
            .await;
        self
    }

    pub(crate) async fn sent(&self, pay_tp: &str, args: &[&str]) -> (String, Value) {
        let id = self.shop.create(json!({})).await;
        let body = json!({"id": id, "pay_tp": pay_tp, "args": args, "client_ip": "203.0.113.7"});
        let sent = self.shop.post("/pay/ajax/send", body).await;
        (id, sent.data())
    }

    /// A payment with these fields, to be paid on the buyer's device.
    pub(crate) async fn ordered(&self, pay_tp: &str, more: Value) -> Ordered {
        let id = self.shop.create(more).await;
        let body = self.order_of(&id, pay_tp);
        let shown = self.shop.post("/pay/ajax/send", body).await.data();
        Ordered { id, shown }
    }

    /// What is sent for it.
    pub(crate) fn order_of(&self, id: &str, pay_tp: &str) -> Value {
        let args = match pay_tp {
            "wx.jsapi" => vec![self.merchant.buyer_openid()],
            _ => Vec::new(),
        };
        json!({"id": id, "pay_tp": pay_tp, "args": args, "client_ip": "203.0.113.7"})
    }

    /// The buyer pays by what they are shown: a code, a page's address or a page's call.
    pub(crate) async fn pays(&self, shown: &Value) -> Result<TradeView, BuyerError> {
        match shown["type"].as_str() {
            Some("JSON") => self.wechat.pay_by_call(&call(shown)).await,
            _ => self.wechat.pay(link(shown)).await,
        }
    }

    /// A payment with these fields that was paid on the buyer's device.
    pub(crate) async fn paid(&self, pay_tp: &str, more: Value) -> String {
        let ordered = self.ordered(pay_tp, more).await;
        self.pays(&ordered.shown).await.unwrap();
        self.shop.until_state(&ordered.id, "OK").await;
        ordered.id
    }

    /// One that was paid, and whose notifications are lost on the way.
    pub(crate) async fn paid_unheard(&self, pay_tp: &str, more: Value) -> String {
        let ordered = self.ordered(pay_tp, more).await;
        self.lose_notifications(&ordered.id);
        self.pays(&ordered.shown).await.unwrap();
        ordered.id
    }

    pub(crate) fn lose_notifications(&self, id: &str) {
        let lost = Misbehaviour::always(NotificationFault::Lost);
        self.wechat.misbehave(lost.for_trade(id));
    }

    /// The requests of this operation about this trade.
    pub(crate) fn requests(&self, operation: Operation, id: &str) -> Vec<RequestView> {
        let mut requests = self.wechat.requests();
        requests.retain(|request| {
            request.operation == Some(operation) && request.out_trade_no.as_deref() == Some(id)
        });
        requests
    }
}

/// What a target needs to know of the merchant.
pub(crate) fn merchant_settings(wechat: &WeChat, merchant: &Merchant) -> Value {
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

/// The code or the address that the buyer is shown.
pub(crate) fn link(shown: &Value) -> &str {
    shown["data"]
        .as_str()
        .unwrap_or_else(|| panic!("nothing to follow: {shown}"))
}

/// The parameters by which a page or an app calls the payment up.
fn call(shown: &Value) -> Value {
    match &shown["data"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        parameters => parameters.clone(),
    }
}
