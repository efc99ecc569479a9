//! A trade: what a buyer began, how it was paid, closed and given back. States and their rules,
//! without I/O.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::failure::Failure;
use super::fen::Fen;

/// `trade_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeStatus {
    /// A buyer began the trade and has not paid.
    WaitBuyerPay,
    /// Paid; refunds are possible.
    TradeSuccess,
    /// Paid, and the time for refunds is over.
    TradeFinished,
    /// Not paid in time, closed by the merchant, or refunded in full.
    TradeClosed,
}

impl TradeStatus {
    /// As messages write it, such as `TRADE_SUCCESS`.
    pub fn as_str(self) -> &'static str {
        match self {
            TradeStatus::WaitBuyerPay => "WAIT_BUYER_PAY",
            TradeStatus::TradeSuccess => "TRADE_SUCCESS",
            TradeStatus::TradeFinished => "TRADE_FINISHED",
            TradeStatus::TradeClosed => "TRADE_CLOSED",
        }
    }
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// The money went back.
    Done,
    /// Taken, and the money has not moved yet.
    Pending,
    /// The money stays; the same number may be asked for again.
    Failed,
}

/// Money that goes back.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    /// `out_request_no`.
    pub(super) request_no: String,
    pub(super) amount: Fen,
    pub(super) reason: Option<String>,
    pub(super) state: RefundState,
    /// When its state became what it is.
    pub(super) at: OffsetDateTime,
}

/// What a buyer began.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub(super) trade_no: String,
    pub(super) status: TradeStatus,
    pub(super) created: OffsetDateTime,
    pub(super) pay_until: OffsetDateTime,
    pub(super) paid: Option<OffsetDateTime>,
    pub(super) closed: Option<OffsetDateTime>,
    pub(super) refunds: Vec<Refund>,
    /// Nothing goes back while it is frozen.
    pub(super) frozen: bool,
    /// The buyer who was asked has put the phone away.
    pub(super) deserted: bool,
}

impl Trade {
    /// A trade that waits for its buyer.
    pub(super) fn new(trade_no: String, now: OffsetDateTime, pay_until: OffsetDateTime) -> Trade {
        Trade {
            trade_no,
            status: TradeStatus::WaitBuyerPay,
            created: now,
            pay_until,
            paid: None,
            closed: None,
            refunds: Vec::new(),
            frozen: false,
            deserted: false,
        }
    }

    /// Ends it.
    pub(super) fn close(&mut self, now: OffsetDateTime) {
        self.status = TradeStatus::TradeClosed;
        self.closed = Some(now);
    }

    /// The buyer pays.
    pub(super) fn pay(&mut self, now: OffsetDateTime) {
        self.status = TradeStatus::TradeSuccess;
        self.paid = Some(now);
    }

    /// How much went back.
    pub(super) fn refunded(&self) -> Fen {
        self.sum(|state| state == RefundState::Done)
    }

    /// How much went back or is about to.
    pub(super) fn reserved(&self) -> Fen {
        self.sum(|state| state != RefundState::Failed)
    }

    fn sum(&self, counts: impl Fn(RefundState) -> bool) -> Fen {
        let counted = self.refunds.iter().filter(|refund| counts(refund.state));
        counted.map(|refund| refund.amount).sum()
    }

    /// The refund of this number.
    pub(super) fn refund(&self, request_no: &str) -> Option<&Refund> {
        self.refunds
            .iter()
            .find(|refund| refund.request_no == request_no)
    }

    /// When the money of a refund went back.
    pub(super) fn refunded_at(&self, request_no: &str) -> Option<OffsetDateTime> {
        self.refund(request_no)
            .filter(|refund| refund.state == RefundState::Done)
            .map(|refund| refund.at)
    }

    /// The refund whose money went back last.
    pub(super) fn last_refund(&self) -> Option<&Refund> {
        let done = |refund: &&Refund| refund.state == RefundState::Done;
        self.refunds
            .iter()
            .filter(done)
            .max_by_key(|refund| refund.at)
    }

    /// Puts a refund in, in place of one that failed under the same number. What goes back in
    /// full closes the trade.
    pub(super) fn give_back(&mut self, refund: Refund, total: Fen) {
        let (state, at) = (refund.state, refund.at);
        self.refunds
            .retain(|known| known.request_no != refund.request_no);
        self.refunds.push(refund);
        if state == RefundState::Done && self.refunded() == total {
            self.close(at);
        }
    }

    /// Whether money may go back at all.
    pub(super) fn refundable(&self) -> Result<(), Failure> {
        match self.status {
            TradeStatus::WaitBuyerPay => Err(Failure::business("ACQ.TRADE_STATUS_ERROR")),
            TradeStatus::TradeFinished => Err(Failure::business("ACQ.TRADE_HAS_FINISHED")),
            TradeStatus::TradeClosed => Err(Failure::business("ACQ.TRADE_HAS_CLOSE")),
            TradeStatus::TradeSuccess if self.frozen => {
                Err(Failure::business("ACQ.REASON_TRADE_BEEN_FREEZEN"))
            }
            TradeStatus::TradeSuccess => Ok(()),
        }
    }

    /// Moves every time of it into the past.
    pub(super) fn backdate(&mut self, by: time::Duration) {
        self.created -= by;
        self.pay_until -= by;
        for at in [&mut self.paid, &mut self.closed].into_iter().flatten() {
            *at -= by;
        }
        for refund in &mut self.refunds {
            refund.at -= by;
        }
    }
}
