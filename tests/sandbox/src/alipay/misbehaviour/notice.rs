//! What is done wrong with notifications.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::clock;
use super::super::fen::Fen;
use super::super::trade::TradeStatus;

/// What is done wrong with one send. The schedule of repeats goes on by the reply that it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationFault {
    /// It goes out so much later.
    Late {
        /// Milliseconds, not scaled.
        ms: u64,
    },
    /// It goes out after the next notification of the order, whenever that is.
    AfterTheNext,
    /// It is lost on the way: nothing arrives.
    Lost,
    /// It arrives twice at the same time.
    Twice,
    /// Something else arrives in its place.
    Instead(Notice),
}

/// A notification with changes. Unchanged it is the one that Alipay would send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notice {
    /// Values put in before signing, by field; an empty one drops the field. So Alipay itself
    /// says something else.
    pub stated: BTreeMap<String, String>,
    /// Values put in after signing; an empty one drops the field. So somebody tampered with it.
    pub tampered: BTreeMap<String, String>,
    /// How it is signed.
    pub signature: NoticeSignature,
    /// Which bytes go out.
    pub bytes: NoticeBytes,
    /// Another address than the order's `notify_url`.
    pub url: Option<String>,
}

/// How a notification is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSignature {
    /// By Alipay, by the rule.
    #[default]
    Alipay,
    /// By a key that is not Alipay's.
    Stranger,
    /// By Alipay, but `sign_type` included as in a request.
    OverSignType,
    /// By Alipay, over something else.
    Wrong,
    /// Not at all: no `sign`.
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
    /// The very bytes of the first notification that was sent for this order, if there was one.
    FirstAgain,
}

impl Notice {
    /// What Alipay would send.
    pub fn genuine() -> Notice {
        Notice::default()
    }

    /// A rightly signed notification that says something else in one field; an empty value drops
    /// the field. With `app_id`, `seller_id` or `out_trade_no` it is about somebody else's trade.
    pub fn stating(field: impl Into<String>, value: impl Into<String>) -> Notice {
        Notice {
            stated: BTreeMap::from([(field.into(), value.into())]),
            ..Notice::default()
        }
    }

    /// A rightly signed notification with this state.
    pub fn status(status: TradeStatus) -> Notice {
        Notice::stating("trade_status", status.as_str())
    }

    /// A rightly signed notification with another amount in all its amounts.
    pub fn amount(total: Fen) -> Notice {
        Notice {
            stated: super::amounts(total),
            ..Notice::default()
        }
    }

    /// The notification of a partial refund: still `TRADE_SUCCESS`, with `refund_fee`.
    pub fn refund(fee: Fen) -> Notice {
        let now = clock::text(clock::now());
        let stated = [
            ("refund_fee", fee.to_string()),
            ("gmt_refund", now),
            ("out_biz_no", "refund1".to_owned()),
        ];
        Notice {
            stated: stated
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..Notice::default()
        }
    }

    /// One field changed after signing.
    pub fn tampered(field: impl Into<String>, value: impl Into<String>) -> Notice {
        Notice {
            tampered: BTreeMap::from([(field.into(), value.into())]),
            ..Notice::default()
        }
    }

    /// What somebody sends who has everything but Alipay's key.
    pub fn forged() -> Notice {
        Notice {
            signature: NoticeSignature::Stranger,
            ..Notice::default()
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

    /// The same, signed in another way.
    #[must_use]
    pub fn signed(self, signature: NoticeSignature) -> Notice {
        Notice { signature, ..self }
    }

    /// The same, sent to another address.
    #[must_use]
    pub fn to(self, url: impl Into<String>) -> Notice {
        Notice {
            url: Some(url.into()),
            ..self
        }
    }

    /// Whether Alipay itself could have sent it: rightly signed, whole and untampered.
    pub(in crate::alipay) fn is_from_alipay(&self) -> bool {
        self.tampered.is_empty()
            && self.signature == NoticeSignature::Alipay
            && self.bytes == NoticeBytes::Whole
    }

    /// Whether it is what Alipay would send.
    pub fn is_genuine(&self) -> bool {
        *self
            == Notice {
                url: self.url.clone(),
                ..Notice::default()
            }
    }
}
