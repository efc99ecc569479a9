//! A notification as somebody might send it: PayPal, or whoever wants to be taken for PayPal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::amount::Amount;
use super::event::EventType;
use super::misbehaviour::{AMOUNTS, MERCHANTS, NUMBERS, ORDER};

/// A notification with changes. Unchanged it is the one that PayPal would send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notice {
    /// Which event it tells of; none for the order's latest. What the order lacks for it is made
    /// up.
    pub event: Option<EventType>,
    /// Values put in before signing, by JSON pointer into the body; null drops what is there, and
    /// a pointer that leads nowhere changes nothing. So PayPal itself says something else.
    pub stated: BTreeMap<String, Value>,
    /// The same after signing. So somebody tampered with it.
    pub tampered: BTreeMap<String, Value>,
    /// How it is signed.
    pub signature: NoticeSignature,
    /// Which certificate it names.
    pub certificate: NoticeCertificate,
    /// Another algorithm in `PAYPAL-AUTH-ALGO` than the one that it is signed by.
    pub algorithm: Option<String>,
    /// How many seconds ago it says that it was sent, rightly signed so.
    pub age_seconds: u32,
    /// Which bytes go out.
    pub bytes: NoticeBytes,
    /// Another address than the webhook's.
    pub url: Option<String>,
}

/// How a notification is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSignature {
    /// By PayPal, by the rule.
    #[default]
    #[serde(rename = "paypal")]
    PayPal,
    /// By a key that is not PayPal's.
    Stranger,
    /// By PayPal, for another webhook: what somebody's own account was told.
    OtherWebhook,
    /// By PayPal, over something else.
    Wrong,
    /// Not at all: no `PAYPAL-TRANSMISSION-SIG`.
    Missing,
}

/// Which certificate a notification names in `PAYPAL-CERT-URL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCertificate {
    /// PayPal's, at this platform's own address.
    #[default]
    #[serde(rename = "paypal")]
    PayPal,
    /// A stranger's, of the same name, which is there at another host: whoever fetches it finds
    /// that the stranger's signature holds.
    Elsewhere,
    /// One that PayPal issued and that is past its time; its own key signs for PayPal.
    Expired,
    /// One that is not there, at this platform's own address.
    Unknown,
    /// None: no header.
    Missing,
}

/// Which bytes of a notification go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeBytes {
    /// All of it.
    #[default]
    Whole,
    /// The first half.
    Truncated,
    /// The very headers and bytes of the first notification that was sent for this order, if
    /// there was one.
    FirstAgain,
}

impl Notice {
    /// What PayPal would send.
    pub fn genuine() -> Notice {
        Notice::default()
    }

    /// What PayPal would send of this event.
    pub fn of(event: EventType) -> Notice {
        Notice {
            event: Some(event),
            ..Notice::default()
        }
    }

    /// What somebody sends who has everything but PayPal's key.
    pub fn forged() -> Notice {
        Notice {
            signature: NoticeSignature::Stranger,
            ..Notice::default()
        }
    }

    /// What somebody sends who brings a key and a certificate of its own.
    pub fn forged_elsewhere() -> Notice {
        Notice {
            certificate: NoticeCertificate::Elsewhere,
            ..Notice::forged()
        }
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

    /// Rightly signed, so many seconds ago.
    pub fn stale(age_seconds: u32) -> Notice {
        Notice {
            age_seconds,
            ..Notice::default()
        }
    }

    /// The same, rightly signed, with another value at a JSON pointer into the body.
    #[must_use]
    pub fn stating(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Notice {
        self.stated.insert(pointer.into(), value.into());
        self
    }

    /// The same with another value put in after signing.
    #[must_use]
    pub fn tampered(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Notice {
        self.tampered.insert(pointer.into(), value.into());
        self
    }

    fn stating_all(mut self, pointers: &[&str], value: &Value) -> Notice {
        let entries = pointers.iter();
        self.stated
            .extend(entries.map(|pointer| (format!("/resource{pointer}"), value.clone())));
        self
    }

    /// The same, rightly signed, with another amount, or another currency.
    #[must_use]
    pub fn amount(self, amount: Amount) -> Notice {
        self.stating_all(&AMOUNTS, &amount.json())
    }

    /// The same, rightly signed, about another merchant's money.
    #[must_use]
    pub fn account(self, merchant_id: impl Into<String>) -> Notice {
        self.stating_all(&MERCHANTS, &Value::from(merchant_id.into()))
    }

    /// The same, rightly signed, with other numbers of the merchant's.
    #[must_use]
    pub fn trade(self, number: impl Into<String>) -> Notice {
        self.stating_all(&NUMBERS, &Value::from(number.into()))
    }

    /// The same, rightly signed, about another of PayPal's orders.
    #[must_use]
    pub fn order(self, id: impl Into<String>) -> Notice {
        let pointers = if self.event == Some(EventType::OrderApproved) {
            ["/id", ORDER]
        } else {
            [ORDER, ORDER]
        };
        self.stating_all(&pointers, &Value::from(id.into()))
    }

    /// The same, signed in another way.
    #[must_use]
    pub fn signed(self, signature: NoticeSignature) -> Notice {
        Notice { signature, ..self }
    }

    /// The same, naming another certificate.
    #[must_use]
    pub fn certified(self, certificate: NoticeCertificate) -> Notice {
        Notice {
            certificate,
            ..self
        }
    }

    /// The same, sent to another address.
    #[must_use]
    pub fn to(self, url: impl Into<String>) -> Notice {
        Notice {
            url: Some(url.into()),
            ..self
        }
    }

    /// Whether PayPal itself could have sent it: rightly signed, whole and untampered.
    pub(super) fn is_from_paypal(&self) -> bool {
        self.tampered.is_empty()
            && self.signature == NoticeSignature::PayPal
            && self.certificate == NoticeCertificate::PayPal
            && self.algorithm.is_none()
            && self.bytes == NoticeBytes::Whole
    }

    /// Whether it is as PayPal sends one, of whichever event: rightly signed, whole and unaltered.
    pub fn is_genuine(&self) -> bool {
        *self
            == Notice {
                url: self.url.clone(),
                event: self.event,
                ..Notice::default()
            }
    }
}
