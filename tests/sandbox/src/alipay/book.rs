//! Everything that the platform remembers, behind one lock that is never held over a wait.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use time::OffsetDateTime;

use super::account::App;
use super::bill::Bills;
use super::content::{Reference, Scene};
use super::failure::Failure;
use super::misbehaviour::{AnswerFault, BillFault, Fault, Misbehaviour, NotificationFault};
use super::numbers::Numbers;
use super::order::{BuyerError, Order};
use super::view::{NotificationView, RequestView};
use super::wallet::{Buyer, Wallet};

/// How many requests and how many notifications are remembered; older ones are forgotten, so
/// that a demo may run for days.
const REMEMBERED: usize = 10_000;

/// An order's place: its app and the merchant's number.
pub(super) type OrderKey = (String, String);

/// The platform's memory.
#[derive(Default)]
pub(super) struct Book {
    pub(super) apps: HashMap<String, Arc<App>>,
    pub(super) orders: BTreeMap<OrderKey, Order>,
    pub(super) misbehaviours: Vec<Misbehaviour>,
    pub(super) wallet: Wallet,
    pub(super) bills: Bills,
    codes: HashMap<String, OrderKey>,
    /// `notify_id` of each order's notifications, in the order of what they tell.
    announced: HashMap<String, Vec<String>>,
    requests: VecDeque<RequestView>,
    notifications: VecDeque<NotificationView>,
}

impl Book {
    /// Registers an order, or repeats the answer for the same one; gives the code that leads a
    /// buyer to it.
    pub(super) fn register(
        &mut self,
        order: Order,
        make_code: impl FnOnce() -> String,
        now: OffsetDateTime,
    ) -> Result<String, Failure> {
        let key = order.key();
        if let Some(known) = self.orders.get(&key) {
            known.repeat(&order.content)?;
        }
        let known = self.orders.entry(key.clone()).or_insert(order);
        let code = known.code(make_code, now);
        self.codes.insert(code.clone(), key);
        Ok(code)
    }

    /// The till has read a buyer's code: registers the order and begins its trade, unless the
    /// code or its buyer does not do. Whether it is paid the trade's state says.
    pub(super) fn ring_up(
        &mut self,
        order: Order,
        scene: &Scene,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<&Order, Failure> {
        let key = order.key();
        if let Some(known) = self.orders.get(&key) {
            known.repeat(&order.content)?;
        }
        let buyer = self.wallet.take(scene, now)?;
        if let Some(failure) = buyer.refusal() {
            return Err(failure);
        }
        let known = self.orders.entry(key).or_insert(order);
        let trade = known.begin(numbers, now);
        if buyer == Buyer::Pays {
            trade.pay(now);
        }
        Ok(known)
    }

    /// The order that a request is about; `trade_no` wins over `out_trade_no`.
    pub(super) fn referred(&self, app: &App, reference: &Reference) -> Option<OrderKey> {
        let own = |key: &OrderKey| key.0 == app.app_id;
        if let Some(number) = &reference.trade_no {
            let named = |order: &Order| {
                order
                    .trade
                    .as_ref()
                    .is_some_and(|trade| trade.trade_no == *number)
            };
            let found = self
                .orders
                .iter()
                .find(|(key, order)| own(key) && named(order));
            return found.map(|(key, _)| key.clone());
        }
        let key = (app.app_id.clone(), reference.out_trade_no.clone()?);
        self.orders.contains_key(&key).then_some(key)
    }

    /// The order of a code.
    pub(super) fn coded(&self, code: &str) -> Result<OrderKey, BuyerError> {
        self.codes.get(code).cloned().ok_or(BuyerError::UnknownCode)
    }

    /// The order of a merchant's number, whichever app's it is.
    pub(super) fn named(&self, out_trade_no: &str) -> Option<OrderKey> {
        self.orders
            .keys()
            .find(|(_, number)| number == out_trade_no)
            .cloned()
    }

    /// The misbehaviour that the next answer shows; counts it.
    pub(super) fn take_answer_fault(
        &mut self,
        operation: Option<&str>,
        trade: Option<&str>,
    ) -> Option<AnswerFault> {
        let cancels = operation == Some("alipay.trade.cancel");
        let fault = self.take(|entry| {
            let of_cancel = matches!(entry.what, Fault::Answer(AnswerFault::CancelAgain { .. }));
            matches!(entry.what, Fault::Answer(_))
                && (cancels || !of_cancel)
                && entry
                    .operation
                    .as_deref()
                    .is_none_or(|wanted| operation == Some(wanted))
                && entry
                    .trade
                    .as_deref()
                    .is_none_or(|wanted| trade == Some(wanted))
        })?;
        match fault {
            Fault::Answer(fault) => Some(fault),
            Fault::Notification(_) | Fault::Bill(_) => None,
        }
    }

    /// The misbehaviour that the next send of a notification shows; counts it.
    pub(super) fn take_notification_fault(&mut self, trade: &str) -> Option<NotificationFault> {
        let fault = self.take(|entry| {
            matches!(entry.what, Fault::Notification(_))
                && entry.trade.as_deref().is_none_or(|wanted| trade == wanted)
        })?;
        match fault {
            Fault::Notification(fault) => Some(fault),
            Fault::Answer(_) | Fault::Bill(_) => None,
        }
    }

    /// The misbehaviour that the next line of a bill shows; counts it.
    pub(super) fn take_bill_fault(&mut self, trade: &str) -> Option<BillFault> {
        let fault = self.take(|entry| {
            matches!(entry.what, Fault::Bill(_))
                && entry.trade.as_deref().is_none_or(|wanted| trade == wanted)
        })?;
        match fault {
            Fault::Bill(fault) => Some(fault),
            Fault::Answer(_) | Fault::Notification(_) => None,
        }
    }

    fn take(&mut self, fits: impl Fn(&Misbehaviour) -> bool) -> Option<Fault> {
        self.misbehaviours.retain(|entry| entry.times != Some(0));
        let entry = self.misbehaviours.iter_mut().find(|entry| fits(entry))?;
        if let Some(times) = entry.times.as_mut() {
            *times -= 1;
        }
        Some(entry.what.clone())
    }

    /// Remembers a request.
    pub(super) fn record_request(&mut self, view: RequestView) {
        remember(&mut self.requests, view);
    }

    /// Remembers a notification.
    pub(super) fn record_notification(&mut self, view: NotificationView) {
        remember(&mut self.notifications, view);
    }

    /// The requests, oldest first.
    pub(super) fn requests(&self) -> Vec<RequestView> {
        self.requests.iter().cloned().collect()
    }

    /// The notifications, oldest first.
    pub(super) fn notifications(&self) -> Vec<NotificationView> {
        self.notifications.iter().cloned().collect()
    }

    /// Remembers that a notification of an order is to go out.
    pub(super) fn announce(&mut self, out_trade_no: &str, notify_id: &str) {
        let announced = self.announced.entry(out_trade_no.to_owned()).or_default();
        announced.push(notify_id.to_owned());
    }

    /// Whether a notification that was announced after this one has gone out.
    pub(super) fn was_overtaken(&self, out_trade_no: &str, notify_id: &str) -> bool {
        let announced = self.announced.get(out_trade_no).into_iter().flatten();
        let mut later = announced.skip_while(|id| *id != notify_id).skip(1);
        later.any(|id| self.notifications.iter().any(|view| view.notify_id == *id))
    }

    /// The first notification of an order.
    pub(super) fn first_notification(&self, out_trade_no: &str) -> Option<&NotificationView> {
        self.notifications
            .iter()
            .find(|view| view.out_trade_no == out_trade_no)
    }
}

fn remember<T>(recent: &mut VecDeque<T>, view: T) {
    if recent.len() >= REMEMBERED {
        recent.pop_front();
    }
    recent.push_back(view);
}
