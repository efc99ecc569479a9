//! What the platform does wrong on command.
//!
//! A [`Misbehaviour`] says what, for which trade and operation, and how often. The oldest one
//! that fits is taken; one of each kind at a time. Unasked, the platform behaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fen::Fen;
use super::order::TradeStatus;

/// Something done wrong, so many times, for a trade or for whatever comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// What is done wrong.
    pub what: Fault,
    /// Only for the order of this `out_trade_no`.
    #[serde(default)]
    pub trade: Option<String>,
    /// Only for requests of this operation, such as `alipay.trade.query`.
    #[serde(default)]
    pub operation: Option<String>,
    /// How many answers or sends it spoils; none means all of them.
    #[serde(default = "one_time")]
    pub times: Option<u32>,
}

fn one_time() -> Option<u32> {
    Some(1)
}

impl Misbehaviour {
    /// Spoils the next answer or send that fits.
    pub fn once(what: impl Into<Fault>) -> Misbehaviour {
        Misbehaviour::times(1, what)
    }

    /// Spoils the next answers or sends that fit.
    pub fn times(times: u32, what: impl Into<Fault>) -> Misbehaviour {
        Misbehaviour {
            what: what.into(),
            trade: None,
            operation: None,
            times: Some(times),
        }
    }

    /// Spoils every answer or send that fits, until [`behave`](super::Alipay::behave).
    pub fn always(what: impl Into<Fault>) -> Misbehaviour {
        Misbehaviour {
            what: what.into(),
            trade: None,
            operation: None,
            times: None,
        }
    }

    /// Only for this order.
    #[must_use]
    pub fn for_trade(self, out_trade_no: impl Into<String>) -> Misbehaviour {
        Misbehaviour {
            trade: Some(out_trade_no.into()),
            ..self
        }
    }

    /// Only for requests of this operation, such as `alipay.trade.query`.
    #[must_use]
    pub fn for_operation(self, operation: impl Into<String>) -> Misbehaviour {
        Misbehaviour {
            operation: Some(operation.into()),
            ..self
        }
    }
}

/// What is done wrong: with an answer of the gateway, or with a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The gateway's answer to a request.
    Answer(AnswerFault),
    /// One send of a notification.
    Notification(NotificationFault),
}

impl From<AnswerFault> for Fault {
    fn from(fault: AnswerFault) -> Fault {
        Fault::Answer(fault)
    }
}

impl From<NotificationFault> for Fault {
    fn from(fault: NotificationFault) -> Fault {
        Fault::Notification(fault)
    }
}

/// What the gateway does wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerFault {
    /// The request takes effect at once and the right answer comes so much later.
    Late {
        /// Milliseconds.
        ms: u64,
    },
    /// No answer: the connection stays open until the caller gives up.
    Silent {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// No answer: the connection is closed without a byte.
    HangUp {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// An HTML page with this HTTP status, as a load balancer in front answers.
    HttpStatus {
        /// Such as 502, or 200 for a page that is no answer.
        status: u16,
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// 20000 `isp.unknow-error`, rightly signed.
    Busy {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// 20000 `aop.unknow-error` unsigned and in GBK, whatever charset was asked for, as Alipay's
    /// gateway is known to do.
    BusyInGbk,
    /// 40004 `ACQ.SYSTEM_ERROR`, rightly signed.
    SystemError {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// The right answer, and another signature than over it.
    WronglySigned,
    /// The right answer, signed by a key that is not Alipay's.
    SignedByStranger,
    /// The right answer without a signature.
    Unsigned,
    /// Half of the right answer.
    Truncated,
    /// Other values in an answer that is otherwise right, and rightly signed.
    Other(
        /// By the field's name; an empty value drops it.
        BTreeMap<String, String>,
    ),
}

impl AnswerFault {
    /// A rightly signed answer about another order.
    pub fn other_trade(out_trade_no: impl Into<String>) -> AnswerFault {
        AnswerFault::Other(BTreeMap::from([(
            "out_trade_no".to_owned(),
            out_trade_no.into(),
        )]))
    }

    /// A rightly signed answer with another amount.
    pub fn other_amount(total: Fen) -> AnswerFault {
        AnswerFault::Other(amounts(total))
    }

    /// A rightly signed answer with another state.
    pub fn other_status(status: TradeStatus) -> AnswerFault {
        AnswerFault::Other(BTreeMap::from([(
            "trade_status".to_owned(),
            status.as_str().to_owned(),
        )]))
    }
}

/// What is done wrong with one send. The schedule of repeats goes on by the reply that it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationFault {
    /// It goes out so much later.
    Late {
        /// Milliseconds, not scaled.
        ms: u64,
    },
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
            stated: amounts(total),
            ..Notice::default()
        }
    }

    /// The notification of a partial refund: still `TRADE_SUCCESS`, with `refund_fee`.
    pub fn refund(fee: Fen) -> Notice {
        let now = super::clock::text(super::clock::now());
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
    pub(super) fn is_from_alipay(&self) -> bool {
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

fn amounts(total: Fen) -> BTreeMap<String, String> {
    [
        "total_amount",
        "receipt_amount",
        "invoice_amount",
        "buyer_pay_amount",
    ]
    .map(|name| (name.to_owned(), total.to_string()))
    .into()
}
