//! Everything that the platform remembers, behind one lock that is never held over a wait.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use time::OffsetDateTime;

use super::account::App;
use super::clock;
use super::content::{OrderContent, Reference};
use super::failure::Failure;
use super::misbehaviour::{AnswerFault, Fault, Misbehaviour, NotificationFault};
use super::numbers::Numbers;
use super::order::{BuyerError, Order};
use super::view::{NotificationView, RequestView, TradeView};

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
    codes: HashMap<String, OrderKey>,
    requests: VecDeque<RequestView>,
    notifications: VecDeque<NotificationView>,
}

impl Book {
    /// Registers an order, or repeats the answer for the same one; gives the code.
    pub(super) fn precreate(
        &mut self,
        app: &Arc<App>,
        content: OrderContent,
        notify_url: Option<String>,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<String, Failure> {
        let key = (app.app_id.clone(), content.out_trade_no.clone());
        if let Some(order) = self.orders.get(&key) {
            order.repeat(&content)?;
        }
        let fresh = || Order::new(Arc::clone(app), content, notify_url, now);
        let order = self.orders.entry(key.clone()).or_insert_with(fresh);
        let code = order.code(numbers, now);
        self.codes.insert(code.clone(), key);
        Ok(code)
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
        let fault = self.take(|entry| {
            matches!(entry.what, Fault::Answer(_))
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
            Fault::Notification(_) => None,
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
            Fault::Answer(_) => None,
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

impl Order {
    /// A copy for whoever looks; `base` is where codes lead to.
    pub(super) fn view(&self, base: &str) -> TradeView {
        let trade = self.trade.as_ref();
        TradeView {
            app_id: self.app.app_id.clone(),
            out_trade_no: self.content.out_trade_no.clone(),
            subject: self.content.subject.clone(),
            total: self.content.total,
            qr_code: self
                .codes
                .last()
                .map(|code| format!("{base}/qr/{}", code.code))
                .unwrap_or_default(),
            notify_url: self.notify_url.clone(),
            created_ms: clock::ms(self.created),
            trade_no: trade.map(|trade| trade.trade_no.clone()),
            status: trade.map(|trade| trade.status),
            paid_ms: trade.and_then(|trade| trade.paid).map(clock::ms),
            closed_ms: trade.and_then(|trade| trade.closed).map(clock::ms),
            refunded: trade.and_then(|trade| trade.refunded).map(|(_, fee)| fee),
        }
    }
}
