//! An order and the trade that a buyer makes of it: the states and their rules, without I/O.
//!
//! `precreate` and the pages only register an order with a code. The trade begins when a buyer
//! comes by the code: until then `query` and `close` know nothing of it, and the code stays
//! payable until its own end, whatever the merchant asks. At the till the trade begins at once.

use std::sync::Arc;

use time::OffsetDateTime;

use super::account::App;
use super::book::OrderKey;
use super::content::{OrderContent, RefundContent};
use super::failure::Failure;
use super::fen::Fen;
use super::numbers::Numbers;
use super::trade::{Refund, RefundState, Trade, TradeStatus};

/// Why the buyer cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuyerError {
    /// The text is no code or page of this platform.
    #[error("this is not a code of this platform")]
    UnknownCode,
    /// The code or the trade is past its time.
    #[error("the code has expired")]
    Expired,
    /// The trade is closed.
    #[error("the trade is closed")]
    Closed,
    /// The trade was paid before.
    #[error("the trade is already paid")]
    AlreadyPaid,
    /// No buyer is being asked: no such order, nobody began its trade, or the buyer walked away.
    #[error("no buyer is being asked to pay this")]
    NobodyAsked,
    /// The platform refused the link of a page.
    #[error("the platform refused the link")]
    PageRefused,
}

/// What leads a buyer to an order: the content of a QR code, `bax…`, or a page's token; and its
/// time.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) code: String,
    made: OffsetDateTime,
    ends: OffsetDateTime,
}

/// An order that a merchant registered.
pub(super) struct Order {
    pub(super) app: Arc<App>,
    pub(super) content: OrderContent,
    pub(super) notify_url: Option<String>,
    /// Where the buyer's browser goes after a page.
    pub(super) return_url: Option<String>,
    /// The address with what Alipay says that the browser went to.
    pub(super) returned_to: Option<String>,
    pub(super) created: OffsetDateTime,
    pub(super) codes: Vec<Code>,
    pub(super) trade: Option<Trade>,
    /// The next refund is taken and its money does not move yet.
    pub(super) holds_refund: bool,
}

/// What `cancel` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// There was no trade: the answer has no `action`.
    Nothing,
    Closed,
    Refunded,
    /// It was closed before.
    Already,
}

impl Order {
    /// A new order without a code.
    pub(super) fn new(
        app: Arc<App>,
        content: OrderContent,
        notify_url: Option<String>,
        now: OffsetDateTime,
    ) -> Order {
        Order {
            app,
            content,
            notify_url,
            return_url: None,
            returned_to: None,
            created: now,
            codes: Vec::new(),
            trade: None,
            holds_refund: false,
        }
    }

    /// Its place in the book: its app and the merchant's number.
    pub(super) fn key(&self) -> OrderKey {
        (self.app.app_id.clone(), self.content.out_trade_no.clone())
    }

    /// The answer to a repeated order: only for an open one and the same content.
    pub(super) fn repeat(&self, content: &OrderContent) -> Result<(), Failure> {
        match self.trade.as_ref().map(|trade| trade.status) {
            Some(TradeStatus::TradeSuccess | TradeStatus::TradeFinished) => {
                Err(Failure::business("ACQ.TRADE_HAS_SUCCESS"))
            }
            Some(TradeStatus::TradeClosed) => Err(Failure::business("ACQ.TRADE_HAS_CLOSE")),
            _ if self.content != *content => Err(Failure::business("ACQ.CONTEXT_INCONSISTENT")),
            _ => Ok(()),
        }
    }

    /// The newest code if it still leads here, otherwise a new one.
    pub(super) fn code(&mut self, make: impl FnOnce() -> String, now: OffsetDateTime) -> String {
        if let Some(code) = self.codes.last().filter(|code| now < code.ends) {
            return code.code.clone();
        }
        let code = make();
        self.codes.push(Code {
            code: code.clone(),
            made: now,
            ends: self.content.code_ends(now),
        });
        code
    }

    /// The buyer comes by a code: the trade begins, or goes on.
    pub(super) fn scan(
        &mut self,
        code: &str,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<&mut Trade, BuyerError> {
        let code = self
            .codes
            .iter()
            .find(|known| known.code == code)
            .ok_or(BuyerError::UnknownCode)?;
        if self.trade.is_none() && now >= code.ends {
            return Err(BuyerError::Expired);
        }
        let ends = self.content.trade_ends(code.made, now);
        let trade = self
            .trade
            .get_or_insert_with(|| Trade::new(numbers.trade_no(now), now, ends));
        match trade.status {
            TradeStatus::WaitBuyerPay if now >= trade.pay_until => Err(BuyerError::Expired),
            TradeStatus::WaitBuyerPay => Ok(trade),
            TradeStatus::TradeClosed => Err(BuyerError::Closed),
            TradeStatus::TradeSuccess | TradeStatus::TradeFinished => Err(BuyerError::AlreadyPaid),
        }
    }

    /// The till has a buyer: the trade begins, or goes on.
    pub(super) fn begin(&mut self, numbers: &Numbers, now: OffsetDateTime) -> &mut Trade {
        let ends = self.content.trade_ends(now, now);
        let trade = self
            .trade
            .get_or_insert_with(|| Trade::new(numbers.trade_no(now), now, ends));
        trade.deserted = false;
        trade
    }

    /// The trade whose buyer is being asked.
    pub(super) fn asked(&mut self) -> Result<&mut Trade, BuyerError> {
        let trade = self.trade.as_mut().ok_or(BuyerError::NobodyAsked)?;
        match trade.status {
            TradeStatus::WaitBuyerPay if trade.deserted => Err(BuyerError::NobodyAsked),
            TradeStatus::WaitBuyerPay => Ok(trade),
            TradeStatus::TradeClosed => Err(BuyerError::Closed),
            TradeStatus::TradeSuccess | TradeStatus::TradeFinished => Err(BuyerError::AlreadyPaid),
        }
    }

    /// The trade, once a buyer began it.
    pub(super) fn trade(&self) -> Result<&Trade, Failure> {
        self.trade.as_ref().ok_or_else(not_exist)
    }

    /// The merchant closes: only what waits for the buyer.
    pub(super) fn close(&mut self, now: OffsetDateTime) -> Result<&Trade, Failure> {
        let trade = self.trade.as_mut().ok_or_else(not_exist)?;
        if trade.status != TradeStatus::WaitBuyerPay {
            return Err(Failure::business("ACQ.TRADE_STATUS_ERROR"));
        }
        trade.close(now);
        Ok(trade)
    }

    /// The merchant cancels: an open trade is closed, what is left of a paid one is given back.
    pub(super) fn cancel(
        &mut self,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<Cancelled, Failure> {
        let total = self.content.total;
        let Some(trade) = self.trade.as_mut() else {
            return Ok(Cancelled::Nothing);
        };
        match trade.status {
            TradeStatus::WaitBuyerPay => {
                trade.close(now);
                return Ok(Cancelled::Closed);
            }
            TradeStatus::TradeClosed => return Ok(Cancelled::Already),
            TradeStatus::TradeFinished => {
                return Err(Failure::business("ACQ.CANCEL_NOT_ALLOWED"));
            }
            TradeStatus::TradeSuccess => trade.refundable()?,
        }
        // A refund whose money has not moved would go back twice.
        if trade.reserved() != trade.refunded() {
            return Err(Failure::system_error());
        }
        let amount = total.minus(trade.refunded()).unwrap_or_default();
        if !self.app.spend(amount) {
            return Err(Failure::business("ACQ.SELLER_BALANCE_NOT_ENOUGH"));
        }
        let refund = Refund {
            request_no: numbers.refund_no(now),
            amount,
            reason: None,
            state: RefundState::Done,
            at: now,
        };
        trade.give_back(refund, total);
        Ok(Cancelled::Refunded)
    }

    /// The merchant gives money back by the gateway: true when money moved just now, false when
    /// it moved before or does not yet.
    pub(super) fn refund(
        &mut self,
        demand: &RefundContent,
        now: OffsetDateTime,
    ) -> Result<bool, Failure> {
        let total = self.content.total;
        let trade = self.trade.as_mut().ok_or_else(not_exist)?;
        if demand.request_no.is_none() && demand.amount < total {
            return Err(Failure::field("out_request_no"));
        }
        let number = demand.request_no.as_ref();
        let request_no = number.unwrap_or(&self.content.out_trade_no).clone();
        let known = trade.refund(&request_no);
        if let Some(known) = known.filter(|known| known.state != RefundState::Failed) {
            if known.amount != demand.amount {
                return Err(Failure::business("ACQ.DISCORDANT_REPEAT_REQUEST"));
            }
            return Ok(false);
        }
        trade.refundable()?;
        let sum = trade.reserved().plus(demand.amount);
        if sum.is_none_or(|sum| sum > total) {
            return Err(Failure::business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"));
        }
        if !self.app.spend(demand.amount) {
            return Err(Failure::business("ACQ.SELLER_BALANCE_NOT_ENOUGH"));
        }
        let holds = std::mem::take(&mut self.holds_refund);
        let refund = Refund {
            request_no,
            amount: demand.amount,
            reason: demand.reason.clone(),
            state: if holds {
                RefundState::Pending
            } else {
                RefundState::Done
            },
            at: now,
        };
        trade.give_back(refund, total);
        Ok(!holds)
    }

    /// The merchant gives money back by Alipay's console; false when it is not paid or so much is
    /// not left.
    pub(super) fn refund_by_hand(
        &mut self,
        amount: Fen,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> bool {
        let demand = RefundContent::by_hand(amount, numbers.refund_no(now));
        // What is to be held is a refund by the gateway.
        let held = std::mem::take(&mut self.holds_refund);
        let done = self.refund(&demand, now).unwrap_or(false);
        self.holds_refund = held;
        done
    }

    /// A refund whose money did not move ends; false when there is none such.
    pub(super) fn end_refund(&mut self, request_no: &str, done: bool, now: OffsetDateTime) -> bool {
        let total = self.content.total;
        let Some(trade) = self.trade.as_mut() else {
            return false;
        };
        let pending = trade.refund(request_no).cloned();
        let Some(refund) = pending.filter(|refund| refund.state == RefundState::Pending) else {
            return false;
        };
        if !done {
            self.app.earn(refund.amount);
        }
        let state = if done {
            RefundState::Done
        } else {
            RefundState::Failed
        };
        trade.give_back(
            Refund {
                state,
                at: now,
                ..refund
            },
            total,
        );
        true
    }

    /// Closes a trade that waited longer than it may; whether it did just now.
    pub(super) fn lapse(&mut self, now: OffsetDateTime) -> bool {
        match self.trade.as_mut() {
            Some(trade) if trade.status == TradeStatus::WaitBuyerPay && now >= trade.pay_until => {
                trade.close(now);
                true
            }
            _ => false,
        }
    }

    /// The time for refunds is over; false when it is not paid.
    pub(super) fn finish(&mut self) -> bool {
        match self.trade.as_mut() {
            Some(trade) if trade.status == TradeStatus::TradeSuccess => {
                trade.status = TradeStatus::TradeFinished;
                true
            }
            _ => false,
        }
    }

    /// Ends every code and the time for paying now.
    pub(super) fn run_out(&mut self, now: OffsetDateTime) {
        for code in &mut self.codes {
            code.ends = code.ends.min(now);
        }
        if let Some(trade) = self.trade.as_mut() {
            trade.pay_until = trade.pay_until.min(now);
        }
    }

    /// Moves every time of it into the past, as if all had happened then.
    pub(super) fn backdate(&mut self, by: time::Duration) {
        self.created -= by;
        for code in &mut self.codes {
            code.made -= by;
            code.ends -= by;
        }
        if let Some(trade) = self.trade.as_mut() {
            trade.backdate(by);
        }
    }
}

/// Nobody began the trade, or no such order.
pub(super) fn not_exist() -> Failure {
    Failure::business("ACQ.TRADE_NOT_EXIST")
}
