//! The running platform that handlers, buyers and notifications share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};

use super::book::{Book, OrderKey};
use super::clock;
use super::notification;
use super::numbers::Numbers;
use super::order::{BuyerError, Order};
use super::signing::{KeyError, SigningKey};
use super::view::TradeView;

/// The platform's state and its ways to the outside.
pub(super) struct Platform {
    pub(super) base_url: String,
    pub(super) time_scale: u32,
    pub(super) numbers: Numbers,
    pub(super) client: reqwest::Client,
    /// The buyer's number at Alipay; there is one buyer.
    pub(super) buyer_id: String,
    /// True once the platform stops. Each task holds a receiver, so that the end can wait for it.
    pub(super) stop: watch::Sender<bool>,
    /// Told whenever something happened that a view shows.
    pub(super) changes: watch::Sender<()>,
    stranger: OnceCell<SigningKey>,
    book: Mutex<Book>,
}

impl Platform {
    pub(super) fn new(
        base_url: String,
        time_scale: u32,
        numbers: Numbers,
        client: reqwest::Client,
    ) -> Platform {
        Platform {
            base_url,
            time_scale: time_scale.max(1),
            buyer_id: numbers.user_id(),
            numbers,
            client,
            stop: watch::Sender::new(false),
            changes: watch::Sender::new(()),
            stranger: OnceCell::new(),
            book: Mutex::default(),
        }
    }

    /// The memory. A panic elsewhere leaves it readable: each change to it is one statement.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits that something happened.
    pub(super) fn changed(&self) {
        self.changes.send_replace(());
    }

    /// Waits until the platform stops.
    pub(super) async fn stopped(&self) {
        // The sender lives in self, so the only end of this wait is the stop.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Waits; false when the platform stops before.
    pub(super) async fn pause(&self, length: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(length) => true,
            () = self.stopped() => false,
        }
    }

    /// The key of somebody who is not Alipay; made when it is first needed.
    pub(super) async fn stranger(&self) -> Result<&SigningKey, KeyError> {
        let make = || async {
            let made = tokio::task::spawn_blocking(SigningKey::generate).await;
            made.unwrap_or(Err(KeyError::Generate))
        };
        self.stranger.get_or_try_init(make).await
    }

    /// Closes the order's trade if its time is over; so do all who look at it first.
    pub(super) fn lapse(self: &Arc<Self>, key: &OrderKey) {
        let lapsed = self
            .book()
            .orders
            .get_mut(key)
            .is_some_and(|order| order.lapse(clock::now()));
        if lapsed {
            self.announce(key);
        }
    }

    /// Sends the notification of the order's present state, with its repeats, in the background.
    pub(super) fn announce(self: &Arc<Self>, key: &OrderKey) {
        self.changed();
        let letter = self
            .book()
            .orders
            .get(key)
            .and_then(|order| notification::Letter::of(self, order));
        if let Some(letter) = letter {
            tokio::spawn(notification::deliver(Arc::clone(self), letter));
        }
    }

    /// The buyer scans, and pays or not.
    pub(super) fn buy(
        self: &Arc<Self>,
        qr_code: &str,
        pays: bool,
    ) -> Result<TradeView, BuyerError> {
        let path = qr_code
            .strip_prefix(&self.base_url)
            .ok_or(BuyerError::UnknownCode)?;
        let code = path.strip_prefix("/qr/").ok_or(BuyerError::UnknownCode)?;
        let key = self.book().coded(code)?;
        self.lapse(&key);
        let view = {
            let mut book = self.book();
            let order = book.orders.get_mut(&key).ok_or(BuyerError::UnknownCode)?;
            if pays {
                order.pay(code, &self.numbers, clock::now())?;
            } else {
                order.scan(code, &self.numbers, clock::now())?;
            }
            order.view(&self.base_url)
        };
        if pays {
            self.announce(&key);
        } else {
            self.changed();
            self.watch_deadline(key);
        }
        Ok(view)
    }

    /// Changes an order by the merchant's number, and announces it if the change was allowed.
    pub(super) fn change(
        self: &Arc<Self>,
        out_trade_no: &str,
        change: impl FnOnce(&mut Order) -> bool,
    ) -> bool {
        let changed = {
            let mut book = self.book();
            book.named(out_trade_no)
                .filter(|key| book.orders.get_mut(key).is_some_and(change))
        };
        if let Some(key) = &changed {
            self.announce(key);
        }
        changed.is_some()
    }

    /// Closes a scanned trade when its time is over, though nobody asks.
    fn watch_deadline(self: &Arc<Self>, key: OrderKey) {
        let until = self
            .book()
            .orders
            .get(&key)
            .and_then(|order| order.trade.as_ref())
            .map(|trade| trade.pay_until);
        let Some(left) = until.and_then(|until| Duration::try_from(until - clock::now()).ok())
        else {
            return;
        };
        let platform = Arc::clone(self);
        tokio::spawn(async move {
            if platform.pause(left).await {
                platform.lapse(&key);
            }
        });
    }
}
