//! What a notification says, and how it is written, sealed and signed; rightly, or as a
//! [`Notice`] changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::clock;
use super::merchant::Shop;
use super::notice::{Notice, NoticeBytes, NoticeSeal, NoticeSignature, put};
use super::order::{Dialect, Order, Payment};
use super::platform::Platform;
use super::refund::{Refund, RefundStatus};
use super::signing::v2::{self, SignType};
use super::signing::{answer_text, seal};
use super::v2::fields::{named, paid_fields, v2_name};
use super::v2::xml;
use super::v3::objects;

/// How many blanks a huge notification has.
const HUGE: usize = 8_000_000;

/// One notification: what it says stays the same in all its repeats.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) shop: Arc<Shop>,
    pub(super) out_trade_no: String,
    pub(super) out_refund_no: Option<String>,
    pub(super) url: Option<String>,
    /// Empty in v2.
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) text: Text,
}

/// What it says, in its dialect.
#[derive(Clone)]
pub(super) enum Text {
    /// A sealed resource in an envelope.
    V3 {
        kind: &'static str,
        summary: &'static str,
        created: String,
        nonce: String,
        plain: Value,
    },
    /// Signed fields.
    V2Payment {
        fields: Vec<(String, String)>,
        sign_type: SignType,
    },
    /// Fields sealed in `req_info`, unsigned.
    V2Refund { fields: Vec<(String, String)> },
}

/// A notification as it goes out.
pub(super) struct Written {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Letter {
    /// Tells of an order's payment. Of an order that is not paid it tells as of one that was paid
    /// just now, as somebody would who forges one.
    pub(super) fn payment(platform: &Platform, order: &Order) -> Letter {
        let now = clock::now();
        let payment = order.payment.clone().unwrap_or_else(|| Payment {
            transaction_id: platform.numbers.transaction_id(now),
            at: now,
        });
        let event_type = "TRANSACTION.SUCCESS".to_owned();
        let (text, id) = match order.dialect {
            Dialect::V3 => {
                let plain = objects::paid(order, &payment);
                Text::v3(platform, "transaction", "支付成功", plain)
            }
            Dialect::V2(sign_type) => {
                let mut fields = named([("return_code", "SUCCESS"), ("result_code", "SUCCESS")]);
                fields.extend(named([
                    ("appid", order.shop.appid.as_str()),
                    ("mch_id", order.shop.mchid.as_str()),
                    ("nonce_str", &platform.numbers.nonce()),
                ]));
                fields.extend(paid_fields(order, &payment));
                (Text::V2Payment { fields, sign_type }, String::new())
            }
        };
        Letter {
            shop: Arc::clone(&order.shop),
            out_trade_no: order.content.out_trade_no.clone(),
            out_refund_no: None,
            url: order.content.notify_url.clone(),
            id,
            event_type,
            text,
        }
    }

    /// Tells of a refund's end.
    pub(super) fn refund(platform: &Platform, order: &Order, refund: &Refund) -> Letter {
        let mut refund = refund.clone();
        refund.settle_if_processing(clock::now());
        let refund = &refund;
        let (event_type, summary) = match refund.status {
            RefundStatus::Abnormal => ("REFUND.ABNORMAL", "退款异常"),
            RefundStatus::Closed => ("REFUND.CLOSED", "退款关闭"),
            RefundStatus::Success | RefundStatus::Processing => ("REFUND.SUCCESS", "退款成功"),
        };
        let (text, id) = match refund.content.dialect {
            Dialect::V3 => {
                let plain = objects::refund_notice(order, refund);
                Text::v3(platform, "refund", summary, plain)
            }
            Dialect::V2(_) => {
                let fields = super::v2::fields::refund_notice(order, refund);
                (Text::V2Refund { fields }, String::new())
            }
        };
        Letter {
            shop: Arc::clone(&order.shop),
            out_trade_no: order.content.out_trade_no.clone(),
            out_refund_no: Some(refund.content.out_refund_no.clone()),
            url: refund.content.notify_url.clone(),
            id,
            event_type: event_type.to_owned(),
            text,
        }
    }

    /// Whether it has somewhere to go.
    pub(super) fn has_address(&self) -> bool {
        self.url.is_some()
    }

    /// Whether a reply takes it: in v3 a 200 or 204 with no body or the code `SUCCESS`, in v2 a
    /// 200 with the return code `SUCCESS`.
    pub(super) fn taken_by(&self, status: u16, reply: &str) -> bool {
        match self.text {
            Text::V3 { .. } => {
                let said = || serde_json::from_str::<Value>(reply).ok();
                let success =
                    || said().is_some_and(|said| said.get("code") == Some(&json!("SUCCESS")));
                matches!(status, 200 | 204) && (reply.is_empty() || success())
            }
            Text::V2Payment { .. } | Text::V2Refund { .. } => {
                let said = xml::read("xml", reply);
                status == 200
                    && said.is_some_and(|said| {
                        said.get("return_code").map(String::as_str) == Some("SUCCESS")
                    })
            }
        }
    }

    /// Writes it, changed as the notice says.
    pub(super) async fn written(&self, platform: &Platform, notice: &Notice) -> Written {
        if notice.bytes == NoticeBytes::FirstAgain {
            let book = platform.book();
            if let Some(first) = book.notifications_of(&self.out_trade_no).next() {
                return Written {
                    headers: first.headers.clone(),
                    body: first.body.clone().into_bytes(),
                };
            }
        }
        let mut written = match &self.text {
            Text::V3 { .. } => self.written_v3(platform, notice).await,
            Text::V2Payment { .. } | Text::V2Refund { .. } => self.written_v2(platform, notice),
        };
        if notice.bytes == NoticeBytes::Truncated {
            written.body.truncate(written.body.len() / 2);
        }
        written
    }

    async fn written_v3(&self, platform: &Platform, notice: &Notice) -> Written {
        let mut body = self.envelope(notice);
        pad(&mut body, notice);
        let at = clock::now() - time::Duration::seconds(notice.age_s);
        let timestamp = at.unix_timestamp().to_string();
        let nonce = platform.numbers.nonce();
        let asked = match &notice.signature {
            NoticeSignature::By(id) => Some(id.as_str()),
            _ => None,
        };
        let identity = self.shop.identities.signing(asked);
        let text = answer_text(&timestamp, &nonce, &body);
        let stranger = async || match platform.stranger().await {
            Ok(stranger) => stranger.sign(&text),
            Err(_) => String::new(),
        };
        let (signature, serial) = match &notice.signature {
            NoticeSignature::Platform | NoticeSignature::By(_) => {
                (identity.key.sign(&text), identity.id.clone())
            }
            NoticeSignature::Stranger => (stranger().await, identity.id.clone()),
            NoticeSignature::UnknownSerial => (stranger().await, platform.numbers.serial()),
            NoticeSignature::Wrong => {
                let other = [text.as_slice(), b" "].concat();
                (identity.key.sign(&other), identity.id.clone())
            }
            NoticeSignature::Probe => (platform.numbers.probe_signature(), identity.id.clone()),
            NoticeSignature::Missing => (String::new(), String::new()),
        };
        let mut headers = BTreeMap::from([
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Request-Id".to_owned(), platform.numbers.request_id(0)),
        ]);
        if notice.signature != NoticeSignature::Missing {
            for (name, value) in [
                ("Wechatpay-Timestamp", timestamp),
                ("Wechatpay-Nonce", nonce),
                ("Wechatpay-Signature", signature),
                ("Wechatpay-Serial", serial),
                (
                    "Wechatpay-Signature-Type",
                    "WECHATPAY2-SHA256-RSA2048".to_owned(),
                ),
            ] {
                headers.insert(name.to_owned(), value);
            }
        }
        if !notice.tampered.is_empty()
            && let Ok(mut value) = serde_json::from_slice::<Value>(&body)
        {
            for (path, changed) in &notice.tampered {
                put(&mut value, path, changed);
            }
            body = value.to_string().into_bytes();
        }
        Written { headers, body }
    }

    /// The body of v3: the envelope around what is sealed.
    fn envelope(&self, notice: &Notice) -> Vec<u8> {
        let Text::V3 {
            kind,
            summary,
            created,
            nonce,
            plain,
        } = &self.text
        else {
            return Vec::new();
        };
        let mut plain = plain.clone();
        for (path, value) in &notice.stated {
            put(&mut plain, path, value);
        }
        let own = self.shop.api_v3_key.as_str();
        let other: String = own.chars().rev().collect();
        let (key, associated_data) = match notice.seal {
            NoticeSeal::Merchant | NoticeSeal::Garbage => (own, *kind),
            NoticeSeal::OtherKey => (other.as_str(), *kind),
            NoticeSeal::OtherAssociatedData => (own, "certificate"),
        };
        let sealed = seal(key, nonce, associated_data, plain.to_string().as_bytes());
        let ciphertext = match notice.seal {
            NoticeSeal::Garbage => "not base64".to_owned(),
            _ => sealed.unwrap_or_default(),
        };
        let mut body = json!({
            "id": self.id,
            "create_time": created,
            "resource_type": "encrypt-resource",
            "event_type": self.event_type,
            "summary": summary,
            "resource": {
                "original_type": kind,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": ciphertext,
                "associated_data": kind,
                "nonce": nonce,
            },
        });
        for (path, value) in &notice.envelope {
            put(&mut body, path, value);
        }
        body.to_string().into_bytes()
    }

    fn written_v2(&self, platform: &Platform, notice: &Notice) -> Written {
        let (mut fields, sign_type) = match &self.text {
            Text::V2Payment { fields, sign_type } => (fields.clone(), Some(*sign_type)),
            Text::V2Refund { fields } => (fields.clone(), None),
            Text::V3 { .. } => (Vec::new(), None),
        };
        for (path, value) in &notice.stated {
            put_field(&mut fields, v2_name(path), value);
        }
        let api_key = self.shop.api_key.as_str();
        match sign_type {
            Some(sign_type) => sign_fields(platform, &mut fields, api_key, sign_type, notice),
            None => {
                let inner = xml::write("root", &fields, 0);
                let sealed = v2::seal_refund(api_key, &inner).unwrap_or_default();
                fields = named([
                    ("return_code", "SUCCESS"),
                    ("appid", self.shop.appid.as_str()),
                    ("mch_id", self.shop.mchid.as_str()),
                    ("nonce_str", &platform.numbers.nonce()),
                    ("req_info", &sealed),
                ]);
            }
        }
        for (path, value) in &notice.tampered {
            put_field(&mut fields, v2_name(path), value);
        }
        let mut body = xml::write("xml", &fields, 0).into_bytes();
        pad(&mut body, notice);
        let headers = BTreeMap::from([("Content-Type".to_owned(), "text/xml".to_owned())]);
        Written { headers, body }
    }
}

impl Text {
    fn v3(
        platform: &Platform,
        kind: &'static str,
        summary: &'static str,
        plain: Value,
    ) -> (Text, String) {
        let text = Text::V3 {
            kind,
            summary,
            created: clock::rfc3339(clock::now()),
            nonce: platform.numbers.seal_nonce(),
            plain,
        };
        (text, platform.numbers.event_id())
    }
}

fn sign_fields(
    platform: &Platform,
    fields: &mut Vec<(String, String)>,
    api_key: &str,
    sign_type: SignType,
    notice: &Notice,
) {
    let pairs = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let sign = match &notice.signature {
        NoticeSignature::Platform | NoticeSignature::By(_) => v2::sign(pairs, api_key, sign_type),
        NoticeSignature::Stranger | NoticeSignature::UnknownSerial => {
            v2::sign(pairs, &platform.numbers.nonce(), sign_type)
        }
        NoticeSignature::Wrong => v2::sign(pairs.skip(1), api_key, sign_type),
        NoticeSignature::Probe => platform.numbers.probe_signature(),
        NoticeSignature::Missing => return,
    };
    fields.push(("sign".to_owned(), sign));
}

fn put_field(fields: &mut Vec<(String, String)>, name: &str, value: &Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some(_) if value.is_null() => fields.retain(|(known, _)| known != name),
        Some((_, known)) => *known = text,
        None if value.is_null() => {}
        None => fields.push((name.to_owned(), text)),
    }
}

fn pad(body: &mut Vec<u8>, notice: &Notice) {
    if notice.bytes == NoticeBytes::Huge {
        body.resize(body.len() + HUGE, b' ');
    }
}
