//! What the platform does wrong on command.
//!
//! A [`Misbehaviour`] says what, for which trade and operation, and how often. The oldest one
//! that fits is taken; one of each kind at a time. Unasked, the platform behaves.

mod answer;
mod bill;
mod notice;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fen::Fen;

pub use answer::AnswerFault;
pub use bill::BillFault;
pub use notice::{Notice, NoticeBytes, NoticeSignature, NotificationFault};

/// Something done wrong, so many times, for a trade or for whatever comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// What is done wrong.
    pub what: Fault,
    /// Only for the order of this `out_trade_no`.
    #[serde(default)]
    pub trade: Option<String>,
    /// Only for requests of this operation, such as `alipay.trade.query`, or for the file of a
    /// bill, `bill.download`.
    #[serde(default)]
    pub operation: Option<String>,
    /// How many answers, sends or lines it spoils; none means all of them.
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

/// What is done wrong: with an answer of the gateway, with a notification, or in a bill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The gateway's answer to a request.
    Answer(AnswerFault),
    /// One send of a notification.
    Notification(NotificationFault),
    /// A line of a bill.
    Bill(BillFault),
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

impl From<BillFault> for Fault {
    fn from(fault: BillFault) -> Fault {
        Fault::Bill(fault)
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
