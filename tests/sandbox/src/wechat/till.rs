//! The till: payment codes that a buyer shows, and what comes of scanning one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::book::Book;
use super::content::OrderContent;
use super::failure::{Failure, Problem};
use super::merchant::Shop;
use super::numbers::Numbers;
use super::order::{Dialect, Order, TradeState};

/// How long a payment code is good for.
const CODE_LIFE: Duration = Duration::minutes(1);

/// What comes of a payment code when it is scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtTheTill {
    /// Paid at once.
    Pays,
    /// `USERPAYING`, until the buyer [confirms](super::WeChat::confirm),
    /// [refuses](super::WeChat::refuse) or [goes away](super::WeChat::abandon).
    MustConfirm,
    /// The buyer has not the money.
    NotEnough,
    /// The buyer's card cannot pay this.
    CardRefused,
    /// The code's minute is over. No order is made.
    Expired,
    /// `SYSTEMERROR`: nobody knows.
    SystemError {
        /// Whether it was paid; if not, no order was made.
        pays: bool,
    },
    /// `BANKERROR`: nobody knows.
    BankError {
        /// Whether it was paid; if not, the order failed.
        pays: bool,
    },
}

/// A code on a buyer's screen.
pub(super) struct PaymentCode {
    then: AtTheTill,
    shown: OffsetDateTime,
    used: bool,
}

impl PaymentCode {
    pub(super) fn new(then: AtTheTill, now: OffsetDateTime) -> PaymentCode {
        PaymentCode {
            then,
            shown: now,
            used: false,
        }
    }
}

impl Book {
    /// A cashier scans a payment code. The order is there afterwards unless the failure says that
    /// the code was no good. Asking again with the same order looks only at what became of it.
    pub(super) fn charge(
        &mut self,
        shop: &Arc<Shop>,
        content: OrderContent,
        dialect: Dialect,
        auth_code: &str,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        let key = (shop.mchid.clone(), content.out_trade_no.clone());
        if let Some(order) = self.orders.get(&key) {
            order.repeat(&content)?;
            return Err(order.failed.unwrap_or(Problem::Waiting).into());
        }
        let then = self.scan(auth_code, now)?;
        if then == (AtTheTill::SystemError { pays: false }) {
            return Err(Problem::System.into());
        }
        let mut order = Order::new(Arc::clone(shop), content, dialect, now);
        let (state, said) = match then {
            AtTheTill::Pays => (TradeState::Success, None),
            AtTheTill::MustConfirm => (TradeState::Userpaying, Some(Problem::Waiting)),
            AtTheTill::NotEnough => (TradeState::Payerror, Some(Problem::NotEnough)),
            AtTheTill::CardRefused => (TradeState::Payerror, Some(Problem::CardRefused)),
            AtTheTill::SystemError { .. } => (TradeState::Success, Some(Problem::System)),
            AtTheTill::BankError { pays: true } => (TradeState::Success, Some(Problem::Bank)),
            AtTheTill::BankError { pays: false } => (TradeState::Payerror, Some(Problem::Bank)),
            AtTheTill::Expired => return Err(Problem::CodeExpired.into()),
        };
        match state {
            TradeState::Success => order.paid(numbers, now),
            other => order.state = other,
        }
        order.failed = said.filter(|_| state == TradeState::Payerror);
        self.orders.insert(key, order);
        said.map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// What comes of a code. It is used up by a payment that was begun.
    fn scan(&mut self, auth_code: &str, now: OffsetDateTime) -> Result<AtTheTill, Failure> {
        let code = self.codes.get_mut(auth_code);
        let code = code.filter(|code| !code.used).ok_or(Problem::CodeInvalid)?;
        if code.then == AtTheTill::Expired || now - code.shown >= CODE_LIFE {
            return Err(Problem::CodeExpired.into());
        }
        code.used = true;
        Ok(code.then)
    }
}
