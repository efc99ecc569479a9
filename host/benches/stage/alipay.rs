//! What Alipay knows and sends: an account with a key made at run time, and notifications of real size that
//! the key signs. The signing rules are the simulated platform's.

use serde_json::{Map, Value, json};
use walnut_sandbox::alipay::signing::{KeyError, SigningKey, notification_text};

/// A merchant's account, of which Alipay signs the notifications.
pub(crate) struct Account {
    alipay: SigningKey,
    merchant: SigningKey,
}

const APP_ID: &str = "2021004130611235";
const SELLER_ID: &str = "2088721034567890";

/// Fees of all payments: 88.00 yuan.
pub(crate) const FEE_FEN: i64 = 8_800;

/// What a notification that came through a reverse proxy brings along, besides its length.
const HEADERS: [(&str, &str); 11] = [
    ("host", "pay.example.com"),
    ("user-agent", "Mozilla/4.0"),
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", "zh-CN,zh;q=0.9"),
    (
        "content-type",
        "application/x-www-form-urlencoded; text/html; charset=utf-8",
    ),
    ("x-forwarded-for", "203.119.216.71"),
    ("x-forwarded-proto", "https"),
    ("x-real-ip", "203.119.216.71"),
    ("x-request-id", "0b51a6de17638219445126831e0f3a"),
    ("via", "1.1 edge.example.com"),
];

impl Account {
    /// Makes both key pairs. Takes some tenths of a second.
    pub(crate) fn open() -> Result<Account, KeyError> {
        Ok(Account {
            alipay: SigningKey::generate()?,
            merchant: SigningKey::generate()?,
        })
    }

    /// The settings of a test target with this account, secrets among them. Its gateway is a port on which
    /// nobody listens: nothing that a benchmark does reaches Alipay.
    pub(crate) fn settings(&self) -> Result<Map<String, Value>, KeyError> {
        let settings = json!({
            "app_id": APP_ID,
            "seller_id": SELLER_ID,
            "app_private_key": self.merchant.pkcs8_base64()?,
            "alipay_public_key": self.alipay.public_base64()?,
            "gateway": "http://127.0.0.1:9/gateway.do",
        });
        Ok(settings.as_object().cloned().unwrap_or_default())
    }

    /// The signed form that tells of a trade that was paid: 1.2 kB.
    pub(crate) fn paid(&self, trade_no: &str) -> String {
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

/// The twelve headers of a notification.
pub(crate) fn headers(body: &str) -> Vec<(String, String)> {
    let length = ("content-length", body.len().to_string());
    let fixed = HEADERS.map(|(name, value)| (name, value.to_owned()));
    fixed
        .into_iter()
        .chain([length])
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
