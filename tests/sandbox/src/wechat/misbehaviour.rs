//! What the platform does wrong on command.
//!
//! A [`Misbehaviour`] says what, for which trade and operation, and how often. The oldest one
//! that fits is taken; one of each kind at a time. Unasked, the platform behaves. What is wrong
//! with a single notification is a [`Notice`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::notice::Notice;
use super::operation::Operation;
use super::order::TradeState;

/// Something done wrong, so many times, for a trade or for whatever comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// What is done wrong.
    pub what: Fault,
    /// Only for the order of this `out_trade_no`.
    #[serde(default)]
    pub trade: Option<String>,
    /// Only for requests of this operation.
    #[serde(default)]
    pub operation: Option<Operation>,
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

    /// Spoils every answer or send that fits, until [`behave`](super::WeChat::behave).
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

    /// Only for requests of this operation.
    #[must_use]
    pub fn for_operation(self, operation: Operation) -> Misbehaviour {
        Misbehaviour {
            operation: Some(operation),
            ..self
        }
    }
}

/// What is done wrong: with an answer, or with a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The answer to a request.
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

/// What is wrong with an answer. `processed` is whether the request takes effect first; where it
/// is not a choice, the request does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerFault {
    /// The request takes effect at once and the right answer comes so much later.
    Late {
        /// Milliseconds, not scaled.
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
    /// No answer: the connection is reset.
    Reset {
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
    /// A redirection.
    Redirect {
        /// Its `Location`.
        to: String,
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// 500 `SYSTEM_ERROR` in v3, `SYSTEMERROR` in v2, rightly signed.
    SystemError {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// This refusal, rightly signed.
    Refused {
        /// The HTTP status in v3; v2 has none but 200.
        status: u16,
        /// `code` in v3, `err_code` in v2.
        code: String,
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// `SYSTEMERROR` with `recall=Y`: not done, call again. For [`Operation::V2Reverse`] only.
    Recall,
    /// The right answer, and another signature than over it.
    WronglySigned,
    /// The right answer, signed by a key that is not the platform's under a name that is.
    SignedByStranger,
    /// The right answer without a signature.
    Unsigned,
    /// The right answer, signed under the name of a certificate that does not exist. v3 only;
    /// this and the next two leave an answer of v2 right.
    UnknownSerial,
    /// The right answer, rightly signed so long ago.
    Stale {
        /// Seconds; below zero it comes from the future.
        seconds: i64,
    },
    /// The right answer with the signature of a probe, `WECHATPAY/SIGNTEST/…`.
    SignTest,
    /// The headers of the right answer and half of its body.
    Truncated,
    /// The right answer, and blanks after it without an end.
    Endless,
    /// The right answer under another content type.
    ContentType {
        /// Such as `text/html`.
        value: String,
    },
    /// Other values in an answer that is otherwise right, and rightly signed.
    Other(
        /// By the field's path in v3, such as `amount.total`; null drops it. What v2 has under
        /// another name, such as `total_fee`, is put there.
        BTreeMap<String, Value>,
    ),
}

impl AnswerFault {
    /// A rightly signed answer about another order.
    pub fn other_trade(out_trade_no: impl Into<String>) -> AnswerFault {
        AnswerFault::other("out_trade_no", out_trade_no.into())
    }

    /// A rightly signed answer with another amount, in fen.
    pub fn other_amount(total_fen: u64) -> AnswerFault {
        let names = ["amount.total", "amount.payer_total"];
        AnswerFault::Other(
            names
                .map(|name| (name.to_owned(), Value::from(total_fen)))
                .into(),
        )
    }

    /// A rightly signed answer with another state.
    pub fn other_state(state: TradeState) -> AnswerFault {
        AnswerFault::other("trade_state", state.as_str())
    }

    /// A rightly signed answer with another value in one field.
    pub fn other(field: impl Into<String>, value: impl Into<Value>) -> AnswerFault {
        AnswerFault::Other(BTreeMap::from([(field.into(), value.into())]))
    }

    /// Whether the request takes effect in spite of it.
    pub(super) fn processes(&self) -> bool {
        match self {
            AnswerFault::Silent { processed }
            | AnswerFault::HangUp { processed }
            | AnswerFault::Reset { processed }
            | AnswerFault::HttpStatus { processed, .. }
            | AnswerFault::Redirect { processed, .. }
            | AnswerFault::SystemError { processed }
            | AnswerFault::Refused { processed, .. } => *processed,
            AnswerFault::Recall => false,
            _ => true,
        }
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
    /// It waits until another notification of the same trade has gone out: out of order.
    Overtaken,
    /// It is lost on the way: nothing arrives.
    Lost,
    /// It arrives twice at the same time.
    Twice,
    /// Something else arrives in its place.
    Instead(Notice),
}
