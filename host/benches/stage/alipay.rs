//! What Alipay knows and sends: an account with a key made at run time, and notifications of real size that
//! the key signs. The signing rules are the simulated platform's.

use serde_json::{Map, Value, json};
use walnut_sandbox::alipay::signing::{KeyError, SigningKey, notification_text};

use super::merchant::{Merchant, Notification};

/// A merchant's account, of which Alipay signs the notifications.
pub(crate) struct Account {
    alipay: SigningKey,
    merchant: SigningKey,
    gateway: String,
}

const APP_ID: &str = "2021004130611235";
const SELLER_ID: &str = "2088721034567890";

/// What Alipay's own client sends.
const HEADERS: [(&str, &str); 4] = [
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", "zh-CN,zh;q=0.9"),
    (
        "content-type",
        "application/x-www-form-urlencoded; text/html; charset=utf-8",
    ),
];

/// Where nobody listens: what only notifies never reaches Alipay.
const NOBODY: &str = "http://127.0.0.1:9";

impl Account {
    /// Makes both key pairs. Takes some tenths of a second. Nobody listens at its gateway.
    pub(crate) fn open() -> Result<Account, KeyError> {
        Account::at(NOBODY, SigningKey::generate()?)
    }

    /// The same with a gateway that signs by `alipay`, such as `http://127.0.0.1:8080`.
    pub(crate) fn at(gateway: &str, alipay: SigningKey) -> Result<Account, KeyError> {
        Ok(Account {
            alipay,
            merchant: SigningKey::generate()?,
            gateway: format!("{gateway}/gateway.do"),
        })
    }

    /// The signed form that tells of a trade that was paid: 1.2 kB.
    fn form(&self, trade_no: &str) -> String {
        let amount = "88.00";
        let bill = r#"[{"amount":"88.00","fundChannel":"ALIPAYACCOUNT"}]"#;
        let mut fields = vec![
            ("gmt_create", "2026-01-15 10:02:11"),
            ("charset", "utf-8"),
            ("gmt_payment", "2026-01-15 10:02:19"),
            ("notify_time", "2026-01-15 10:02:20"),
            ("subject", "a pot of tea"),
            ("buyer_id", "2088101117955611"),
            ("invoice_amount", amount),
            ("version", "1.0"),
            ("notify_id", "2026011500222100219055611014793563"),
            ("fund_bill_list", bill),
            ("notify_type", "trade_status_sync"),
            ("out_trade_no", trade_no),
            ("total_amount", amount),
            ("trade_status", "TRADE_SUCCESS"),
            ("trade_no", "2026011522001455611400128370"),
            ("auth_app_id", APP_ID),
            ("receipt_amount", amount),
            ("point_amount", "0.00"),
            ("buyer_pay_amount", amount),
            ("app_id", APP_ID),
            ("sign_type", "RSA2"),
            ("seller_id", SELLER_ID),
            ("seller_email", "tea@shop.example"),
            ("buyer_logon_id", "159****5620"),
            ("body", "一壶茶 table 7"),
            ("passback_params", "merchantBizType%3d3C"),
        ];
        let sign = self
            .alipay
            .sign(notification_text(fields.iter().copied()).as_bytes());
        fields.insert(4, ("sign", &sign));
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish()
    }
}

impl Merchant for Account {
    const PLATFORM: &'static str = "zfb";
    const PAY_TYPE: &'static str = "zfb.qrcode";

    fn settings(&self) -> anyhow::Result<Map<String, Value>> {
        let settings = json!({
            "app_id": APP_ID,
            "seller_id": SELLER_ID,
            "app_private_key": self.merchant.pkcs8_base64()?,
            "alipay_public_key": self.alipay.public_base64()?,
            "gateway": self.gateway,
        });
        Ok(settings.as_object().cloned().unwrap_or_default())
    }

    fn paid(&self, trade_no: &str) -> anyhow::Result<Notification> {
        Ok(Notification::new(&HEADERS, self.form(trade_no)))
    }

    fn taken(reply: &[u8]) -> bool {
        reply == b"success"
    }
}
