//! An order, its capture and its refunds: the states and their rules, without I/O.
//!
//! Approval is not payment, and `COMPLETED` of the order is not either: it says that a capture
//! was made, and the capture's own status says whether the money came.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::account::App;
use super::amount::Amount;
use super::content::{OrderContent, RefundContent};
use super::failure::Failure;
use super::numbers::Numbers;
use super::status::{BuyerError, CaptureStatus, Funding, OrderStatus, RefundStatus};

/// How long an order that is not captured is known to PayPal.
const ORDER_LIFE: Duration = Duration::hours(3);

/// What became of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    Completed,
    Pending(&'static str),
    Declined,
}

/// The one capture of an order.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    pub(super) id: String,
    pub(super) settlement: Settlement,
    pub(super) created: OffsetDateTime,
    pub(super) updated: OffsetDateTime,
}

/// Money given back.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) status: RefundStatus,
    pub(super) amount: Amount,
    /// All that was given back with this one.
    pub(super) total: Amount,
    pub(super) content: RefundContent,
    pub(super) created: OffsetDateTime,
    pub(super) updated: OffsetDateTime,
}

/// An order that a merchant made.
pub(super) struct Order {
    pub(super) id: String,
    pub(super) app: Arc<App>,
    pub(super) content: OrderContent,
    pub(super) status: OrderStatus,
    pub(super) created: OffsetDateTime,
    pub(super) approved: Option<OffsetDateTime>,
    pub(super) capture: Option<Capture>,
    pub(super) refunds: Vec<Refund>,
    /// Whether refunds from now on are `PENDING`, as from a merchant's eCheck.
    pub(super) refunds_wait: bool,
    ends: OffsetDateTime,
    funding: Funding,
}

impl Order {
    /// A new order.
    pub(super) fn new(
        id: String,
        app: Arc<App>,
        content: OrderContent,
        now: OffsetDateTime,
    ) -> Order {
        let status = if content.has_source {
            OrderStatus::PayerActionRequired
        } else {
            OrderStatus::Created
        };
        Order {
            id,
            app,
            content,
            status,
            created: now,
            approved: None,
            capture: None,
            refunds: Vec::new(),
            refunds_wait: false,
            ends: now + ORDER_LIFE,
            funding: Funding::default(),
        }
    }

    /// Whether PayPal has forgotten it: not captured, and past its time.
    pub(super) fn is_gone(&self, now: OffsetDateTime) -> bool {
        self.status != OrderStatus::Completed && now >= self.ends
    }

    /// Its time is over now.
    pub(super) fn run_out(&mut self, now: OffsetDateTime) {
        self.ends = self.ends.min(now);
    }

    /// Everything happened so much earlier.
    pub(super) fn backdate(&mut self, ago: Duration) {
        self.created -= ago;
        self.approved = self.approved.map(|at| at - ago);
        self.ends -= ago;
        if let Some(capture) = &mut self.capture {
            capture.created -= ago;
            capture.updated -= ago;
        }
        for refund in &mut self.refunds {
            refund.created -= ago;
            refund.updated -= ago;
        }
    }

    /// Whether the payer can still act.
    pub(super) fn open(&self, now: OffsetDateTime) -> Result<(), BuyerError> {
        match self.status {
            OrderStatus::Completed => Err(BuyerError::Completed),
            _ if self.is_gone(now) => Err(BuyerError::Expired),
            _ => Ok(()),
        }
    }

    /// The payer agrees, with this to pay with.
    pub(super) fn approve(
        &mut self,
        funding: Funding,
        now: OffsetDateTime,
    ) -> Result<(), BuyerError> {
        self.open(now)?;
        self.status = OrderStatus::Approved;
        self.approved = Some(now);
        self.funding = funding;
        Ok(())
    }

    /// The merchant captures.
    pub(super) fn capture(
        &mut self,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<&Capture, Failure> {
        match self.status {
            OrderStatus::Approved => {}
            OrderStatus::Completed => return Err(Failure::unprocessable("ORDER_ALREADY_CAPTURED")),
            OrderStatus::Created | OrderStatus::PayerActionRequired => {
                return Err(Failure::unprocessable("ORDER_NOT_APPROVED"));
            }
        }
        let settlement = match self.funding {
            Funding::Balance => Settlement::Completed,
            Funding::Echeck => Settlement::Pending("ECHECK"),
            Funding::Review => Settlement::Pending("PENDING_REVIEW"),
            Funding::Refused => Settlement::Declined,
            Funding::DeclinedInstrument => {
                return Err(Failure::unprocessable("INSTRUMENT_DECLINED"));
            }
        };
        self.status = OrderStatus::Completed;
        Ok(self.capture.insert(Capture {
            id: numbers.resource_id(),
            settlement,
            created: now,
            updated: now,
        }))
    }

    /// A pending capture ends; false when there is none.
    pub(super) fn settle(&mut self, settlement: Settlement, now: OffsetDateTime) -> bool {
        match self.capture.as_mut() {
            Some(capture) if matches!(capture.settlement, Settlement::Pending(_)) => {
                capture.settlement = settlement;
                capture.updated = now;
                true
            }
            _ => false,
        }
    }

    /// The capture's status, refunds included.
    pub(super) fn capture_status(&self) -> Option<CaptureStatus> {
        let back = self.refunded();
        Some(match self.capture.as_ref()?.settlement {
            Settlement::Pending(_) => CaptureStatus::Pending,
            Settlement::Declined => CaptureStatus::Declined,
            Settlement::Completed if back == 0 => CaptureStatus::Completed,
            Settlement::Completed if back < self.content.amount.minor() => {
                CaptureStatus::PartiallyRefunded
            }
            Settlement::Completed => CaptureStatus::Refunded,
        })
    }

    /// The minor units that were given back.
    fn refunded(&self) -> u64 {
        let done = |refund: &&Refund| refund.status == RefundStatus::Completed;
        let done = self.refunds.iter().filter(done);
        done.map(|refund| refund.amount.minor()).sum()
    }

    /// The minor units that can be given back: neither given back nor on their way.
    fn refundable(&self) -> u64 {
        let takes = |refund: &&Refund| {
            matches!(
                refund.status,
                RefundStatus::Completed | RefundStatus::Pending
            )
        };
        let taken: u64 = self
            .refunds
            .iter()
            .filter(takes)
            .map(|refund| refund.amount.minor())
            .sum();
        self.content.amount.minor().saturating_sub(taken)
    }

    /// The merchant gives money back: never more than is left.
    pub(super) fn refund(
        &mut self,
        content: RefundContent,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<&Refund, Failure> {
        match self.capture.as_ref().map(|capture| capture.settlement) {
            Some(Settlement::Completed) => {}
            Some(Settlement::Pending(_)) => return Err(Failure::unprocessable("PENDING_CAPTURE")),
            Some(Settlement::Declined) | None => {
                return Err(Failure::unprocessable("REFUND_NOT_ALLOWED"));
            }
        }
        let left = self.content.amount.of(self.refundable());
        if left.minor() == 0 {
            return Err(Failure::unprocessable("CAPTURE_FULLY_REFUNDED"));
        }
        let amount = content.amount.unwrap_or(left);
        if amount.currency() != left.currency() {
            let mismatch = Failure::unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH");
            return Err(mismatch.at("/amount/currency_code"));
        }
        if amount.minor() > left.minor() {
            let exceeded = Failure::unprocessable("REFUND_AMOUNT_EXCEEDED");
            return Err(exceeded.at("/amount/value").saying(&amount.value()));
        }
        let status = if self.refunds_wait {
            RefundStatus::Pending
        } else {
            RefundStatus::Completed
        };
        let total = self.content.amount.minor() - left.minor() + amount.minor();
        self.refunds.push(Refund {
            id: numbers.resource_id(),
            status,
            amount,
            total: amount.of(total),
            content,
            created: now,
            updated: now,
        });
        self.refunds
            .last()
            .ok_or_else(|| Failure::unprocessable("REFUND_NOT_ALLOWED"))
    }

    /// A refund of it.
    pub(super) fn refund_of(&self, id: &str) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == id)
    }

    /// A pending refund ends; false when there is none.
    pub(super) fn settle_refund(
        &mut self,
        id: &str,
        status: RefundStatus,
        now: OffsetDateTime,
    ) -> bool {
        let pending =
            |refund: &&mut Refund| refund.id == id && refund.status == RefundStatus::Pending;
        let refund = self.refunds.iter_mut().find(pending);
        refund.is_some_and(|refund| {
            refund.status = status;
            refund.updated = now;
            true
        })
    }

    /// All that it is called: PayPal's numbers of it, of its capture and of its refunds, and the
    /// merchant's.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let capture = self.capture.iter().map(|capture| capture.id.as_str());
        let refunds = self.refunds.iter().map(|refund| refund.id.as_str());
        let own = std::iter::once(self.id.as_str());
        own.chain(self.content.names())
            .chain(capture)
            .chain(refunds)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::amount::Currency;
    use super::super::clock;
    use super::*;

    fn order(numbers: &Numbers) -> Order {
        let (app, _) = App::open(numbers, "US", "root");
        let amount = json!({"currency_code": "USD", "value": "10.00"});
        let body = json!({"intent": "CAPTURE", "purchase_units": [{"amount": amount}]});
        let content = OrderContent::read(&body, &app, |_| false).unwrap();
        Order::new(numbers.resource_id(), Arc::new(app), content, clock::now())
    }

    fn part(minor: u64) -> RefundContent {
        RefundContent {
            amount: Some(Amount::new(minor, Currency::USD)),
            ..RefundContent::default()
        }
    }

    #[test]
    fn what_waits_is_reserved_and_what_failed_is_free_again() {
        let (numbers, now) = (Numbers::new().unwrap(), clock::now());
        let mut order = order(&numbers);
        order.approve(Funding::Balance, now).unwrap();
        order.capture(&numbers, now).unwrap();
        order.refunds_wait = true;
        let id = order.refund(part(600), &numbers, now).unwrap().id.clone();
        assert_eq!(order.capture_status(), Some(CaptureStatus::Completed));
        let more = order.refund(part(401), &numbers, now).unwrap_err();
        assert_eq!(more.code(), "REFUND_AMOUNT_EXCEEDED");
        assert!(order.settle_refund(&id, RefundStatus::Failed, now));
        assert!(!order.settle_refund(&id, RefundStatus::Completed, now));
        order.refunds_wait = false;
        assert_eq!(
            order
                .refund(part(401), &numbers, now)
                .unwrap()
                .total
                .minor(),
            401
        );
        assert_eq!(
            order.capture_status(),
            Some(CaptureStatus::PartiallyRefunded)
        );
        let rest = RefundContent::default();
        let rest = order.refund(rest, &numbers, now).unwrap();
        assert_eq!((rest.amount.minor(), rest.total.minor()), (599, 1000));
        assert_eq!(order.capture_status(), Some(CaptureStatus::Refunded));
        let none = order.refund(part(1), &numbers, now).unwrap_err();
        assert_eq!(none.code(), "CAPTURE_FULLY_REFUNDED");
    }

    #[test]
    fn an_order_ends_by_its_time_unless_it_was_captured() {
        let (numbers, now) = (Numbers::new().unwrap(), clock::now());
        let mut waiting = order(&numbers);
        let made = waiting.created;
        assert!(!waiting.is_gone(made) && waiting.is_gone(made + ORDER_LIFE));
        waiting.run_out(now);
        assert_eq!(
            waiting.approve(Funding::Balance, now),
            Err(BuyerError::Expired)
        );
        let mut captured = order(&numbers);
        captured.approve(Funding::Refused, now).unwrap();
        captured.capture(&numbers, now).unwrap();
        captured.run_out(now);
        assert!(!captured.is_gone(now));
        assert_eq!(captured.capture_status(), Some(CaptureStatus::Declined));
        let refund = captured.refund(part(1), &numbers, now).unwrap_err();
        assert_eq!(refund.code(), "REFUND_NOT_ALLOWED");
    }
}
