//! Everything that the platform remembers, behind one lock that is never held over a wait.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::content::OrderContent;
use super::failure::{Failure, Problem};
use super::merchant::Shop;
use super::misbehaviour::{AnswerFault, Fault, Misbehaviour, NotificationFault};
use super::numbers::Numbers;
use super::operation::Operation;
use super::order::{BuyerError, Dialect, Link, Order};
use super::refund::{Refund, RefundContent};
use super::till::PaymentCode;
use super::view::{NotificationView, RequestView};

/// How many requests and how many notifications are remembered; older ones are forgotten, so
/// that a demo may run for days.
const REMEMBERED: usize = 10_000;

/// An order's place: its merchant and the merchant's number.
pub(super) type OrderKey = (String, String);

/// Which order a request is about.
#[derive(Clone, Debug)]
pub(super) enum Reference {
    /// By the merchant's number.
    Number(String),
    /// By the platform's number, which only a paid order has.
    Transaction(String),
}

/// A bill that can be downloaded.
#[derive(Clone)]
pub(super) struct BillFile {
    pub(super) mchid: String,
    pub(super) bytes: Vec<u8>,
    pub(super) gzip: bool,
}

/// What a merchant's requests have used up, oldest first.
#[derive(Default)]
struct Nonces {
    known: HashSet<String>,
    ages: VecDeque<(OffsetDateTime, String)>,
}

impl Nonces {
    fn takes(&mut self, nonce: &str, window: Duration, now: OffsetDateTime) -> bool {
        let old = |(at, _): &mut (OffsetDateTime, String)| now - *at > window * 2;
        while let Some((_, nonce)) = self.ages.pop_front_if(old) {
            self.known.remove(&nonce);
        }
        let new = self.known.insert(nonce.to_owned());
        if new {
            self.ages.push_back((now, nonce.to_owned()));
        }
        new
    }
}

/// The platform's memory.
#[derive(Default)]
pub(super) struct Book {
    pub(super) shops: HashMap<String, Arc<Shop>>,
    pub(super) orders: BTreeMap<OrderKey, Order>,
    pub(super) codes: HashMap<String, PaymentCode>,
    pub(super) bills: HashMap<String, BillFile>,
    pub(super) misbehaviours: Vec<Misbehaviour>,
    links: HashMap<String, OrderKey>,
    nonces: HashMap<String, Nonces>,
    requests: VecDeque<RequestView>,
    notifications: VecDeque<NotificationView>,
}

impl Book {
    /// Makes an order that a link leads to, or repeats the answer for the same one.
    pub(super) fn order(
        &mut self,
        shop: &Arc<Shop>,
        content: OrderContent,
        dialect: Dialect,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<Link, Failure> {
        let key = (shop.mchid.clone(), content.out_trade_no.clone());
        if let Some(order) = self.orders.get_mut(&key) {
            order.lapse(now);
            order.repeat(&content)?;
        }
        let fresh = || Order::new(Arc::clone(shop), content, dialect, now);
        let order = self.orders.entry(key.clone()).or_insert_with(fresh);
        let link = order.link(numbers, now);
        for name in [&link.code, &link.prepay_id] {
            self.links.insert(name.clone(), key.clone());
        }
        Ok(link)
    }

    /// The order that a merchant means, its time checked first.
    pub(super) fn referred(
        &mut self,
        shop: &Shop,
        reference: &Reference,
        now: OffsetDateTime,
    ) -> Option<&mut Order> {
        let key = match reference {
            Reference::Number(number) => (shop.mchid.clone(), number.clone()),
            Reference::Transaction(id) => {
                let named = |order: &Order| {
                    let payment = order.payment.as_ref();
                    payment.is_some_and(|payment| payment.transaction_id == *id)
                };
                let own = self.orders.iter().filter(|(key, _)| key.0 == shop.mchid);
                let mut found = own.filter(|(_, order)| named(order));
                found.next().map(|(key, _)| key.clone())?
            }
        };
        let order = self.orders.get_mut(&key)?;
        order.lapse(now);
        Some(order)
    }

    /// The order that a link leads to.
    pub(super) fn linked(&mut self, link: &str) -> Result<&mut Order, BuyerError> {
        let key = self.links.get(link).ok_or(BuyerError::UnknownLink)?;
        self.orders.get_mut(key).ok_or(BuyerError::UnknownLink)
    }

    /// The order of a merchant's number, whichever merchant's it is.
    pub(super) fn named(&mut self, out_trade_no: &str) -> Option<&mut Order> {
        let mut found = self.orders.iter_mut();
        found
            .find(|((_, number), _)| number == out_trade_no)
            .map(|(_, order)| order)
    }

    /// Accepts a refund, or finds the same one again; with its order. The flag says whether it
    /// is new.
    pub(super) fn refund(
        &mut self,
        shop: &Shop,
        reference: &Reference,
        content: RefundContent,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<(&Order, Refund, bool), Failure> {
        let known = self.refund_of(shop, |refund| {
            refund.content.out_refund_no == content.out_refund_no
        });
        let known = known.map(|(order, refund)| (order.content.out_trade_no.clone(), refund));
        if let Some((number, refund)) = known {
            refund.repeat(&content)?;
            let order = self.orders.get(&(shop.mchid.clone(), number));
            return Ok((order.ok_or(Problem::NothingPaid)?, refund, false));
        }
        let order = self
            .referred(shop, reference, now)
            .ok_or(Problem::NothingPaid)?;
        let refund = order.refund(content, numbers, now)?.clone();
        Ok((order, refund, true))
    }

    /// A merchant's refund with its order.
    pub(super) fn refund_of(
        &self,
        shop: &Shop,
        fits: impl Fn(&Refund) -> bool,
    ) -> Option<(&Order, Refund)> {
        let own = self.orders.iter().filter(|(key, _)| key.0 == shop.mchid);
        let mut found = own.filter_map(|(_, order)| {
            let refund = order.refunds.iter().find(|refund| fits(refund))?;
            Some((order, refund.clone()))
        });
        found.next()
    }

    /// A refund to change, with the place of its order, whichever merchant's it is.
    pub(super) fn refund_mut(
        &mut self,
        fits: impl Fn(&Refund) -> bool,
    ) -> Option<(OrderKey, &mut Refund)> {
        self.orders.iter_mut().find_map(|(key, order)| {
            let refund = order.refunds.iter_mut().find(|refund| fits(refund))?;
            Some((key.clone(), refund))
        })
    }

    /// Whether a merchant's nonce is new. It is remembered as long as a request of its age could
    /// still be sent.
    pub(super) fn takes_nonce(
        &mut self,
        mchid: &str,
        nonce: &str,
        window: Duration,
        now: OffsetDateTime,
    ) -> bool {
        let nonces = self.nonces.entry(mchid.to_owned()).or_default();
        nonces.takes(nonce, window, now)
    }

    /// The misbehaviour that the next answer shows; counts it.
    pub(super) fn take_answer_fault(
        &mut self,
        operation: Option<Operation>,
        trade: Option<&str>,
    ) -> Option<AnswerFault> {
        let fault = self.take(|entry| {
            let Fault::Answer(what) = &entry.what else {
                return false;
            };
            let reverse_only = *what == AnswerFault::Recall;
            (!reverse_only || operation == Some(Operation::V2Reverse))
                && entry
                    .operation
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

    /// The notifications of an order, oldest first.
    pub(super) fn notifications_of(
        &self,
        out_trade_no: &str,
    ) -> impl Iterator<Item = &NotificationView> {
        let all = self.notifications.iter();
        all.filter(move |view| view.out_trade_no == out_trade_no)
    }
}

fn remember<T>(recent: &mut VecDeque<T>, view: T) {
    if recent.len() >= REMEMBERED {
        recent.pop_front();
    }
    recent.push_back(view);
}
