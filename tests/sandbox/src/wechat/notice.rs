//! A notification with changes: what somebody else, or a platform out of its mind, sends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::order::TradeState;

/// A notification with changes. Unchanged it is the one that WeChat Pay would send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notice {
    /// Values put into what is sealed (v2: into the fields) before signing, by path such as
    /// `amount.total`; null drops the field. So the platform itself says something else. What v2
    /// has under another name, such as `total_fee`, is put there.
    pub stated: BTreeMap<String, Value>,
    /// Values put into the envelope before signing, by path such as `event_type` or
    /// `resource.associated_data`. v3 only.
    pub envelope: BTreeMap<String, Value>,
    /// Values put into the body (v2: the fields) after signing; null drops the field. So somebody
    /// tampered with it.
    pub tampered: BTreeMap<String, Value>,
    /// How it is signed.
    pub signature: NoticeSignature,
    /// How it is sealed. v3 only, as the next.
    pub seal: NoticeSeal,
    /// How many seconds ago it was signed; below zero it comes from the future.
    pub age_s: i64,
    /// Which bytes go out.
    pub bytes: NoticeBytes,
    /// Another address than the order's `notify_url`.
    pub url: Option<String>,
}

/// How a notification is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSignature {
    /// By the platform, by the rule.
    #[default]
    Platform,
    /// By one of the merchant's other platform keys, named by its serial number or public-key id.
    By(String),
    /// By a key that is not the platform's, under the name of the one that is.
    Stranger,
    /// By a key that is not the platform's, under a name that nobody knows.
    UnknownSerial,
    /// By the platform, over something else.
    Wrong,
    /// Not at all: no signature, in v3 no `Wechatpay-*` header.
    Missing,
    /// The mark of a probe, `WECHATPAY/SIGNTEST/…`, which nothing may take for a signature.
    Probe,
}

/// How the resource of a v3 notification is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSeal {
    /// With the merchant's APIv3 key, by the rule.
    #[default]
    Merchant,
    /// With another key.
    OtherKey,
    /// Over other associated data than the message names.
    OtherAssociatedData,
    /// Not at all: the ciphertext is no base64.
    Garbage,
}

/// Which bytes of a notification go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeBytes {
    /// All of it.
    #[default]
    Whole,
    /// The headers and the first half of the body.
    Truncated,
    /// The very bytes and headers of the first notification that was sent for this order, if
    /// there was one.
    FirstAgain,
    /// All of it and eight million blanks, rightly signed.
    Huge,
}

impl Notice {
    /// What WeChat Pay would send.
    pub fn genuine() -> Notice {
        Notice::default()
    }

    /// A rightly signed notification that says something else in one field, by its path; null
    /// drops the field. With `mchid`, `appid` or `out_trade_no` it is about somebody else's trade.
    pub fn stating(field: impl Into<String>, value: impl Into<Value>) -> Notice {
        Notice {
            stated: BTreeMap::from([(field.into(), value.into())]),
            ..Notice::default()
        }
    }

    /// A rightly signed notification with this state.
    pub fn state(state: TradeState) -> Notice {
        Notice::stating("trade_state", state.as_str())
    }

    /// A rightly signed notification with another amount, in fen, in all its amounts.
    pub fn amount(total_fen: u64) -> Notice {
        let names = ["amount.total", "amount.payer_total"];
        Notice {
            stated: names
                .map(|name| (name.to_owned(), Value::from(total_fen)))
                .into(),
            ..Notice::default()
        }
    }

    /// Rightly signed, with another value in the envelope.
    pub fn enveloped(field: impl Into<String>, value: impl Into<Value>) -> Notice {
        Notice {
            envelope: BTreeMap::from([(field.into(), value.into())]),
            ..Notice::default()
        }
    }

    /// One field of the body changed after signing.
    pub fn tampered(field: impl Into<String>, value: impl Into<Value>) -> Notice {
        Notice {
            tampered: BTreeMap::from([(field.into(), value.into())]),
            ..Notice::default()
        }
    }

    /// What somebody sends who has everything but the platform's key.
    pub fn forged() -> Notice {
        Notice::genuine().signed(NoticeSignature::Stranger)
    }

    /// Rightly signed so many seconds ago, or from the future below zero.
    pub fn stale(age_s: i64) -> Notice {
        Notice {
            age_s,
            ..Notice::default()
        }
    }

    /// A probe: WeChat Pay looks whether the merchant verifies at all. The only right reply is a
    /// refusal.
    pub fn probe() -> Notice {
        Notice::genuine().signed(NoticeSignature::Probe)
    }

    /// The first notification of this order once more, byte for byte.
    pub fn replayed() -> Notice {
        Notice {
            bytes: NoticeBytes::FirstAgain,
            ..Notice::default()
        }
    }

    /// The first half of the body.
    pub fn truncated() -> Notice {
        Notice {
            bytes: NoticeBytes::Truncated,
            ..Notice::default()
        }
    }

    /// The same, signed in another way.
    #[must_use]
    pub fn signed(self, signature: NoticeSignature) -> Notice {
        Notice { signature, ..self }
    }

    /// The same, sealed in another way.
    #[must_use]
    pub fn sealed(self, seal: NoticeSeal) -> Notice {
        Notice { seal, ..self }
    }

    /// The same, sent to another address.
    #[must_use]
    pub fn to(self, url: impl Into<String>) -> Notice {
        Notice {
            url: Some(url.into()),
            ..self
        }
    }

    /// Whether the platform itself could have sent it: rightly signed, fresh, whole, readable and
    /// untampered.
    pub(super) fn is_from_platform(&self) -> bool {
        let signature = &self.signature;
        self.tampered.is_empty()
            && matches!(
                signature,
                NoticeSignature::Platform | NoticeSignature::By(_)
            )
            && self.seal == NoticeSeal::Merchant
            && self.bytes == NoticeBytes::Whole
            && self.age_s == 0
    }

    /// Whether it is what WeChat Pay would send.
    pub fn is_genuine(&self) -> bool {
        *self
            == Notice {
                url: self.url.clone(),
                ..Notice::default()
            }
    }
}

/// Puts a value at a path such as `amount.total`; null drops what is there. A path that leads
/// through something that is no object is left alone.
pub(super) fn put(root: &mut Value, path: &str, value: &Value) {
    let (last, way) = match path.rsplit_once('.') {
        Some((way, last)) => (last, way),
        None => (path, ""),
    };
    let mut place = root;
    for step in way.split('.').filter(|step| !step.is_empty()) {
        let Some(object) = place.as_object_mut() else {
            return;
        };
        place = object
            .entry(step)
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    let Some(object) = place.as_object_mut() else {
        return;
    };
    if value.is_null() {
        object.remove(last);
    } else {
        object.insert(last.to_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_put_by_their_path() {
        let mut value = json!({"amount": {"total": 1}, "mchid": "1"});
        put(&mut value, "amount.total", &json!(2));
        put(&mut value, "amount.currency", &json!("USD"));
        put(&mut value, "payer.openid", &json!("o"));
        put(&mut value, "mchid", &Value::Null);
        put(&mut value, "payer.openid.deep", &json!(1));
        assert_eq!(
            value,
            json!({"amount": {"total": 2, "currency": "USD"}, "payer": {"openid": "o"}})
        );
    }
}
