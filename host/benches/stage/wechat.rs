//! What WeChat Pay knows and sends: a merchant with keys made at run time, and notifications of real size that
//! WeChat Pay's key signs and whose content is encrypted for the merchant. The rules are the simulated platform's.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use walnut_sandbox::wechat::signing::{KeyError, SigningKey, answer_text, seal};

use super::merchant::{Merchant, Notification};
use super::order::FEE_FEN;

/// A merchant with WeChat Pay's public key.
pub(crate) struct Account {
    wechat: SigningKey,
    merchant: SigningKey,
    api_v3_key: String,
}

const APPID: &str = "wxd678efh567hg6787";
const MCHID: &str = "1900007291";
const KEY_ID: &str = "PUB_KEY_ID_0119000072912024111400000001";
const SEAL_NONCE: &str = "fdasflkja484";
const NONCE: &str = "EcO3eTL3Xv4sgNXPxRkhkjbSW1p0Qj4C";

impl Account {
    /// Makes both key pairs. Takes some tenths of a second.
    pub(crate) fn open() -> Result<Account, KeyError> {
        Ok(Account {
            wechat: SigningKey::generate()?,
            merchant: SigningKey::generate()?,
            api_v3_key: "0123456789abcdefghijklmnopqrstuv".to_owned(),
        })
    }

    /// What is encrypted.
    fn transaction(trade_no: &str) -> Value {
        json!({
            "mchid": MCHID,
            "appid": APPID,
            "out_trade_no": trade_no,
            "transaction_id": "4200001888202601157896541230",
            "trade_type": "NATIVE",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "CMC",
            "attach": "table 7",
            "success_time": "2026-01-15T10:02:19+08:00",
            "payer": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" },
            "amount": {
                "total": FEE_FEN,
                "payer_total": FEE_FEN,
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        })
    }
}

impl Merchant for Account {
    const PLATFORM: &'static str = "wx";
    const PAY_TYPE: &'static str = "wx.qrcode";

    fn settings(&self) -> anyhow::Result<Map<String, Value>> {
        let settings = json!({
            "appid": APPID,
            "mchid": MCHID,
            "mch_serial_no": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
            "mch_private_key": self.merchant.pem()?,
            "api_v3_key": self.api_v3_key,
            "wechatpay_public_key": self.wechat.public_pem()?,
            "wechatpay_public_key_id": KEY_ID,
            "gateway": "http://127.0.0.1:9",
        });
        Ok(settings.as_object().cloned().unwrap_or_default())
    }

    fn paid(&self, trade_no: &str) -> anyhow::Result<Notification> {
        let plain = Account::transaction(trade_no).to_string();
        let sealed = seal(
            &self.api_v3_key,
            SEAL_NONCE,
            "transaction",
            plain.as_bytes(),
        );
        let body = json!({
            "id": "EV-2018022511223320873",
            "create_time": "2026-01-15T10:02:20+08:00",
            "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS",
            "summary": "支付成功",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": sealed.context("not sealed")?,
                "associated_data": "transaction",
                "nonce": SEAL_NONCE,
            },
        })
        .to_string();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let timestamp = seconds.to_string();
        let text = answer_text(&timestamp, NONCE, body.as_bytes());
        let own = [
            ("content-type", "application/json"),
            ("wechatpay-timestamp", &timestamp),
            ("wechatpay-nonce", NONCE),
            ("wechatpay-serial", KEY_ID),
            ("wechatpay-signature", &self.wechat.sign(&text)),
        ];
        Ok(Notification::new(&own, body))
    }

    fn taken(reply: &[u8]) -> bool {
        reply.starts_with(br#"{"code":"SUCCESS""#)
    }
}
