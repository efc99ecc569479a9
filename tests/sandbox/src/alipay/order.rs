//! An order and the trade that a scan makes of it: the states and their rules, without I/O.
//!
//! `precreate` only registers an order with a QR code. The trade begins when a buyer scans the
//! code: until then `query` and `close` know nothing of it, and the code stays payable until its
//! own end, whatever the merchant asks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::account::App;
use super::content::OrderContent;
use super::failure::Failure;
use super::fen::Fen;
use super::numbers::Numbers;

/// `trade_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeStatus {
    /// A buyer scanned the code and has not paid.
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

/// Why the buyer cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuyerError {
    /// The text is no code of this platform.
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
}

/// What a buyer's scan began.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub(super) trade_no: String,
    pub(super) status: TradeStatus,
    pub(super) created: OffsetDateTime,
    pub(super) pay_until: OffsetDateTime,
    pub(super) paid: Option<OffsetDateTime>,
    pub(super) closed: Option<OffsetDateTime>,
    pub(super) refunded: Option<(OffsetDateTime, Fen)>,
}

/// A QR code's content, `bax…`, and its time.
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
    pub(super) created: OffsetDateTime,
    pub(super) codes: Vec<Code>,
    pub(super) trade: Option<Trade>,
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
            created: now,
            codes: Vec::new(),
            trade: None,
        }
    }

    /// The answer to a repeated `precreate`: only for an open order and the same content.
    pub(super) fn repeat(&self, content: &OrderContent) -> Result<(), Failure> {
        match self.trade.as_ref().map(|trade| trade.status) {
            Some(TradeStatus::TradeSuccess | TradeStatus::TradeFinished) => {
                Err(Failure::business("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"))
            }
            Some(TradeStatus::TradeClosed) => {
                Err(Failure::business("ACQ.TRADE_HAS_CLOSE", "交易已经关闭"))
            }
            _ if self.content != *content => Err(Failure::business(
                "ACQ.CONTEXT_INCONSISTENT",
                "交易信息被篡改",
            )),
            _ => Ok(()),
        }
    }

    /// The newest code if it can still be scanned, otherwise a new one.
    pub(super) fn code(&mut self, numbers: &Numbers, now: OffsetDateTime) -> String {
        if let Some(code) = self.codes.last().filter(|code| now < code.ends) {
            return code.code.clone();
        }
        let code = numbers.code();
        self.codes.push(Code {
            code: code.clone(),
            made: now,
            ends: self.content.code_ends(now),
        });
        code
    }

    /// The buyer scans a code: the trade begins, or goes on.
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
        let (content, made) = (&self.content, code.made);
        let trade = self.trade.get_or_insert_with(|| Trade {
            trade_no: numbers.trade_no(now),
            status: TradeStatus::WaitBuyerPay,
            created: now,
            pay_until: content.trade_ends(made, now),
            paid: None,
            closed: None,
            refunded: None,
        });
        match trade.status {
            TradeStatus::WaitBuyerPay if now >= trade.pay_until => Err(BuyerError::Expired),
            TradeStatus::WaitBuyerPay => Ok(trade),
            TradeStatus::TradeClosed => Err(BuyerError::Closed),
            TradeStatus::TradeSuccess | TradeStatus::TradeFinished => Err(BuyerError::AlreadyPaid),
        }
    }

    /// The buyer scans a code and pays.
    pub(super) fn pay(
        &mut self,
        code: &str,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<(), BuyerError> {
        let trade = self.scan(code, numbers, now)?;
        trade.status = TradeStatus::TradeSuccess;
        trade.paid = Some(now);
        Ok(())
    }

    /// The trade, once a buyer scanned.
    pub(super) fn trade(&self) -> Result<&Trade, Failure> {
        self.trade.as_ref().ok_or_else(not_exist)
    }

    /// The merchant closes: only what waits for the buyer.
    pub(super) fn close(&mut self, now: OffsetDateTime) -> Result<&Trade, Failure> {
        let trade = self.trade.as_mut().ok_or_else(not_exist)?;
        if trade.status != TradeStatus::WaitBuyerPay {
            return Err(Failure::business(
                "ACQ.TRADE_STATUS_ERROR",
                "交易状态不合法",
            ));
        }
        trade.close(now);
        Ok(trade)
    }

    /// The merchant cancels: an open trade is closed, a paid one is refunded in full.
    pub(super) fn cancel(&mut self, now: OffsetDateTime) -> Result<Cancelled, Failure> {
        let total = self.content.total;
        let Some(trade) = self.trade.as_mut() else {
            return Ok(Cancelled::Nothing);
        };
        match trade.status {
            TradeStatus::WaitBuyerPay => {
                trade.close(now);
                Ok(Cancelled::Closed)
            }
            TradeStatus::TradeSuccess => {
                trade.close(now);
                trade.refunded = Some((now, total));
                Ok(Cancelled::Refunded)
            }
            TradeStatus::TradeFinished => Err(Failure::business(
                "ACQ.CANCEL_NOT_ALLOWED",
                "本笔交易不允许撤销",
            )),
            TradeStatus::TradeClosed => Ok(Cancelled::Already),
        }
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

    /// Gives money back; false when it is not paid or so much is not left.
    pub(super) fn refund(&mut self, fee: Fen, now: OffsetDateTime) -> bool {
        let total = self.content.total;
        let Some(trade) = self
            .trade
            .as_mut()
            .filter(|trade| trade.status == TradeStatus::TradeSuccess)
        else {
            return false;
        };
        let before = trade.refunded.map_or(0, |(_, fee)| fee.get());
        let Some(sum) = before
            .checked_add(fee.get())
            .map(Fen::new)
            .filter(|sum| *sum <= total)
        else {
            return false;
        };
        trade.refunded = Some((now, sum));
        if sum == total {
            trade.close(now);
        }
        true
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
}

impl Trade {
    fn close(&mut self, now: OffsetDateTime) {
        self.status = TradeStatus::TradeClosed;
        self.closed = Some(now);
    }
}

/// Nobody scanned, or no such order.
pub(super) fn not_exist() -> Failure {
    Failure::business("ACQ.TRADE_NOT_EXIST", "交易不存在")
}
