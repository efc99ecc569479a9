//! Refunds: accepted at once, settled a little later, and not always with success.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::failure::{Failure, Problem};
use super::numbers::Numbers;
use super::order::{Dialect, Order, TradeState};

/// How many refunds one order takes.
const MOST_REFUNDS: usize = 50;

/// How long after its payment an order takes them.
const REFUNDABLE: Duration = Duration::days(365);

/// `status` of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// Accepted.
    Processing,
    /// The buyer has the money.
    Success,
    /// It came to nothing and the money is the merchant's; a new one needs a new number.
    Closed,
    /// The buyer's account did not take the money: it needs the merchant's hand.
    Abnormal,
}

impl RefundStatus {
    /// As v3 writes it, such as `ABNORMAL`.
    pub fn as_str(self) -> &'static str {
        match self {
            RefundStatus::Processing => "PROCESSING",
            RefundStatus::Success => "SUCCESS",
            RefundStatus::Closed => "CLOSED",
            RefundStatus::Abnormal => "ABNORMAL",
        }
    }

    /// As v2 writes it, such as `CHANGE`.
    pub(super) fn v2(self) -> &'static str {
        match self {
            RefundStatus::Processing => "PROCESSING",
            RefundStatus::Success => "SUCCESS",
            RefundStatus::Closed => "REFUNDCLOSE",
            RefundStatus::Abnormal => "CHANGE",
        }
    }
}

/// What becomes of an order's refunds by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOutcome {
    /// They succeed.
    #[default]
    Success,
    /// The buyer's account does not take them.
    Abnormal,
    /// They come to nothing.
    Closed,
    /// They stay in process until somebody [settles](super::WeChat::settle_refund) them.
    Undecided,
}

impl RefundOutcome {
    /// The status that it ends in; none for what is undecided.
    pub(super) fn status(self) -> Option<RefundStatus> {
        match self {
            RefundOutcome::Success => Some(RefundStatus::Success),
            RefundOutcome::Abnormal => Some(RefundStatus::Abnormal),
            RefundOutcome::Closed => Some(RefundStatus::Closed),
            RefundOutcome::Undecided => None,
        }
    }
}

/// A refund as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct RefundContent {
    pub(super) out_refund_no: String,
    pub(super) fee_fen: u64,
    /// The order's amount, as the merchant has it.
    pub(super) total_fen: u64,
    pub(super) notify_url: Option<String>,
    pub(super) dialect: Dialect,
    /// Everything that was sent and may not change when the refund is asked for again.
    pub(super) sent: Value,
}

/// A refund that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) content: RefundContent,
    pub(super) refund_id: String,
    pub(super) status: RefundStatus,
    pub(super) created: OffsetDateTime,
    pub(super) settled: Option<OffsetDateTime>,
}

impl Refund {
    /// Whether it was asked for like this.
    pub(super) fn repeat(&self, content: &RefundContent) -> Result<(), Failure> {
        if self.content.sent == content.sent {
            return Ok(());
        }
        let why = "退款单号已使用，且本次参数与首次请求时不一致";
        Err(Failure::new(Problem::Unrefundable, why))
    }

    /// Ends it, or starts an abnormal one again; false when its status does not allow that.
    pub(super) fn settle(&mut self, status: RefundStatus, now: OffsetDateTime) -> bool {
        let allowed = match self.status {
            RefundStatus::Processing => status != RefundStatus::Processing,
            RefundStatus::Abnormal => {
                matches!(status, RefundStatus::Success | RefundStatus::Processing)
            }
            RefundStatus::Success | RefundStatus::Closed => false,
        };
        if allowed {
            self.status = status;
            self.settled = (status != RefundStatus::Processing).then_some(now);
        }
        allowed
    }

    /// Ends one in process with success.
    pub(super) fn settle_if_processing(&mut self, now: OffsetDateTime) {
        if self.status == RefundStatus::Processing {
            self.settle(RefundStatus::Success, now);
        }
    }

    pub(super) fn age(&mut self, by: Duration) {
        self.created -= by;
        if let Some(settled) = self.settled.as_mut() {
            *settled -= by;
        }
    }
}

impl Order {
    /// How much of it is given back or about to be: all refunds but the closed ones.
    pub(super) fn refunded_fen(&self) -> u64 {
        if self.state == TradeState::Revoked && self.payment.is_some() {
            return self.content.total_fen;
        }
        let alive = |refund: &&Refund| refund.status != RefundStatus::Closed;
        let fees = self.refunds.iter().filter(alive);
        fees.map(|refund| refund.content.fee_fen).sum()
    }

    /// Accepts a refund.
    pub(super) fn refund(
        &mut self,
        content: RefundContent,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<&Refund, Failure> {
        let paid = match (self.state, &self.payment) {
            (TradeState::Success | TradeState::Refund, Some(payment)) => payment.at,
            _ => return Err(Problem::NothingPaid.into()),
        };
        let refuse = |why: &str| Err(Failure::new(Problem::Unrefundable, why));
        if content.total_fen != self.content.total_fen {
            return refuse("订单金额或退款金额与之前请求不一致，请核实后再试");
        }
        if now - paid >= REFUNDABLE {
            return Err(Problem::Overdue.into());
        }
        if self.refunds.len() >= MOST_REFUNDS {
            return refuse("一笔订单最多支持50次部分退款");
        }
        let after = self.refunded_fen().checked_add(content.fee_fen);
        if content.fee_fen == 0 || after.is_none_or(|after| after > self.content.total_fen) {
            return Err(Problem::Unrefundable.into());
        }
        self.state = TradeState::Refund;
        self.refunds.push(Refund {
            content,
            refund_id: numbers.refund_id(now),
            status: RefundStatus::Processing,
            created: now,
            settled: None,
        });
        self.refunds.last().ok_or_else(|| Problem::System.into())
    }
}
