//! What the gateway does wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::fen::Fen;
use super::super::trade::TradeStatus;

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
    /// The right answer is never reached: a redirect to somewhere else.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The address in `Location`.
        to: String,
    },
    /// The right answer comes drop by drop.
    Slow {
        /// The wait before each piece of sixteen bytes, in milliseconds.
        ms: u64,
    },
    /// The right answer begins, and more and more follows for as long as the caller reads.
    Endless,
    /// Half of the right answer, and then the connection ends before the promised length.
    BrokenOff,
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
    /// Any refusal, rightly signed; nothing happens.
    Refused {
        /// Such as `40004`.
        code: String,
        /// Such as `ACQ.ACCESS_FORBIDDEN`.
        sub_code: String,
    },
    /// `cancel` is not done and says `retry_flag=Y`: to be asked for again. Spoils no other
    /// operation.
    CancelAgain {
        /// Whether the cancelling takes effect all the same.
        #[serde(default)]
        processed: bool,
    },
    /// The right answer, and another signature than over it.
    WronglySigned,
    /// The right answer, signed by a key that is not Alipay's.
    SignedByStranger,
    /// The right answer, signed by a key that is not Alipay's and whose certificate nobody can
    /// download. In key mode the same as [`SignedByStranger`](AnswerFault::SignedByStranger).
    UnknownCertificate,
    /// The right answer without a signature.
    Unsigned,
    /// Half of the right answer, as if it were whole.
    Truncated,
    /// Other values in an answer that is otherwise right, and rightly signed.
    Other(
        /// By the field's name; an empty value drops it.
        BTreeMap<String, String>,
    ),
}

impl AnswerFault {
    /// 40004 with this `sub_code`, rightly signed.
    pub fn refused(sub_code: impl Into<String>) -> AnswerFault {
        AnswerFault::Refused {
            code: "40004".to_owned(),
            sub_code: sub_code.into(),
        }
    }

    /// A rightly signed answer about another order.
    pub fn other_trade(out_trade_no: impl Into<String>) -> AnswerFault {
        AnswerFault::Other(BTreeMap::from([(
            "out_trade_no".to_owned(),
            out_trade_no.into(),
        )]))
    }

    /// A rightly signed answer with another amount.
    pub fn other_amount(total: Fen) -> AnswerFault {
        AnswerFault::Other(super::amounts(total))
    }

    /// A rightly signed answer with another state.
    pub fn other_status(status: TradeStatus) -> AnswerFault {
        AnswerFault::Other(BTreeMap::from([(
            "trade_status".to_owned(),
            status.as_str().to_owned(),
        )]))
    }

    /// Whether the request takes effect in spite of it.
    pub(in crate::alipay) fn processes(&self) -> bool {
        match self {
            AnswerFault::Silent { processed }
            | AnswerFault::HangUp { processed }
            | AnswerFault::HttpStatus { processed, .. }
            | AnswerFault::Busy { processed }
            | AnswerFault::SystemError { processed }
            | AnswerFault::CancelAgain { processed } => *processed,
            AnswerFault::BusyInGbk | AnswerFault::Refused { .. } => false,
            _ => true,
        }
    }
}
