//! The running platform that handlers, buyers and notifications share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};

use super::authority::Authority;
use super::book::{Book, OrderKey};
use super::clock;
use super::content::OrderKind;
use super::letter::{self, Letter};
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
    /// Whether nobody can reach the platform.
    pub(super) down: Arc<AtomicBool>,
    authority: OnceCell<Arc<Authority>>,
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
            down: Arc::default(),
            authority: OnceCell::new(),
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

    /// The authority that certifies keys; made when it is first needed.
    pub(super) async fn authority(self: &Arc<Self>) -> Result<&Arc<Authority>, KeyError> {
        let make = || async {
            let platform = Arc::clone(self);
            let made = tokio::task::spawn_blocking(move || Authority::new(&platform.numbers)).await;
            made.unwrap_or(Err(KeyError::Generate)).map(Arc::new)
        };
        self.authority.get_or_try_init(make).await
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
        let mut book = self.book();
        let order = book.orders.get(key);
        let Some(letter) = order.and_then(|order| Letter::of(self, order)) else {
            return;
        };
        book.announce(&letter.out_trade_no, letter.notify_id());
        let fault = book.take_notification_fault(&letter.out_trade_no);
        drop(book);
        tokio::spawn(notification::deliver(Arc::clone(self), letter, fault));
    }

    /// The buyer comes by a QR code or a page, and pays or not.
    pub(super) fn buy(self: &Arc<Self>, text: &str, pays: bool) -> Result<TradeView, BuyerError> {
        let path = text.strip_prefix(&self.base_url);
        let code = path.and_then(|path| {
            let page = path.strip_prefix("/cashier/");
            path.strip_prefix("/qr/").or(page)
        });
        let code = code.ok_or(BuyerError::UnknownCode)?;
        let key = self.book().coded(code)?;
        self.lapse(&key);
        let view = {
            let mut book = self.book();
            let order = book.orders.get_mut(&key).ok_or(BuyerError::UnknownCode)?;
            let now = clock::now();
            let trade = order.scan(code, &self.numbers, now)?;
            if pays {
                trade.pay(now);
                send_back(order);
            }
            TradeView::of(order, &self.base_url)
        };
        if pays {
            self.announce(&key);
        } else {
            self.changed();
            self.watch_deadline(key);
        }
        Ok(view)
    }

    /// The buyer who was asked pays, refuses or walks away.
    pub(super) fn answer_question(
        self: &Arc<Self>,
        out_trade_no: &str,
        says: BuyersWord,
    ) -> Result<TradeView, BuyerError> {
        let key = self.book().named(out_trade_no);
        let key = key.ok_or(BuyerError::NobodyAsked)?;
        self.lapse(&key);
        let view = {
            let mut book = self.book();
            let order = book.orders.get_mut(&key).ok_or(BuyerError::NobodyAsked)?;
            let (trade, now) = (order.asked()?, clock::now());
            match says {
                BuyersWord::Yes => trade.pay(now),
                BuyersWord::No => trade.close(now),
                BuyersWord::Nothing => trade.deserted = true,
            }
            send_back(order);
            TradeView::of(order, &self.base_url)
        };
        if says == BuyersWord::Nothing {
            self.changed();
        } else {
            self.announce(&key);
        }
        Ok(view)
    }

    /// Changes an order by the merchant's number; the key if the change was allowed.
    pub(super) fn change(
        &self,
        out_trade_no: &str,
        change: impl FnOnce(&mut Order) -> bool,
    ) -> Option<OrderKey> {
        let mut book = self.book();
        book.named(out_trade_no)
            .filter(|key| book.orders.get_mut(key).is_some_and(change))
    }

    /// Closes a trade that waits when its time is over, though nobody asks.
    pub(super) fn watch_deadline(self: &Arc<Self>, key: OrderKey) {
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

/// What a buyer says who was asked to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuyersWord {
    Yes,
    No,
    Nothing,
}

/// Once it is paid, a page leads the buyer's browser back to the merchant.
fn send_back(order: &mut Order) {
    let method = match order.content.kind {
        OrderKind::Page => "alipay.trade.page.pay",
        OrderKind::Wap => "alipay.trade.wap.pay",
        OrderKind::QrCode | OrderKind::Till => return,
    };
    let paid = order.trade.as_ref().filter(|trade| trade.paid.is_some());
    let (Some(url), Some(trade)) = (&order.return_url, paid) else {
        return;
    };
    let joint = if url.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(letter::return_fields(order, trade, method))
        .finish();
    order.returned_to = Some(format!("{url}{joint}{query}"));
}
