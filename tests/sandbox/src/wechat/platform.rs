//! The running platform that handlers, buyers and notifications share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};

use super::book::{Book, OrderKey};
use super::clock;
use super::issuer::Issuer;
use super::letter::Letter;
use super::line::{Door, Line};
use super::merchant::Shop;
use super::notification;
use super::numbers::Numbers;
use super::order::{BuyerError, Order, TradeType};
use super::refund::{Refund, RefundStatus};
use super::signing::{KeyError, SigningKey};
use super::view::TradeView;

/// How long a refund stays in process, before scaling. An assumption: really seconds for a
/// balance and days for a bank card.
const REFUND_TAKES: Duration = Duration::from_secs(5);

/// What merchants have to keep to, scaled or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How old a payment at the till has to be to be reversed.
    pub(super) reverse_after: Duration,
    /// How old an order has to be to be closed by v2.
    pub(super) v2_close_after: Duration,
    /// How long a merchant may take to reply to a notification.
    pub(super) reply_within: Duration,
}

impl Rules {
    /// As WeChat Pay has them.
    pub(super) const REAL: Rules = Rules {
        reverse_after: Duration::from_secs(15),
        v2_close_after: Duration::from_secs(5 * 60),
        reply_within: Duration::from_secs(5),
    };

    /// Shortened, but a reply has a second at least: the machine is no faster.
    pub(super) fn scaled(by: u32) -> Rules {
        Rules {
            reverse_after: Rules::REAL.reverse_after / by,
            v2_close_after: Rules::REAL.v2_close_after / by,
            reply_within: (Rules::REAL.reply_within / by).max(Duration::from_secs(1)),
        }
    }
}

/// The platform's state and its ways to the outside.
pub(super) struct Platform {
    pub(super) base_url: String,
    pub(super) tls_url: String,
    pub(super) time_scale: u32,
    pub(super) rules: Rules,
    pub(super) numbers: Numbers,
    pub(super) client: reqwest::Client,
    /// Certifies merchants and the platform's own keys.
    pub(super) tenpay: Arc<Issuer>,
    /// The authority behind the listener with TLS.
    pub(super) tls_ca_pem: String,
    pub(super) door: Arc<Door>,
    /// True once the platform stops. Each task holds a receiver, so that the end can wait for it.
    pub(super) stop: watch::Sender<bool>,
    /// Told whenever something happened that a view shows.
    pub(super) changes: watch::Sender<()>,
    pub(super) stranger: OnceCell<SigningKey>,
    pub(super) book: Mutex<Book>,
}

impl Platform {
    /// The memory. A panic elsewhere leaves it readable: each change to it is one statement.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address that a request came to.
    pub(super) fn url_of(&self, line: &Line) -> &str {
        if line.secure {
            &self.tls_url
        } else {
            &self.base_url
        }
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

    /// The key of somebody who is not WeChat Pay; made when it is first needed.
    pub(super) async fn stranger(&self) -> Result<&SigningKey, KeyError> {
        let make = || async {
            let made = tokio::task::spawn_blocking(SigningKey::generate).await;
            made.unwrap_or(Err(KeyError::Generate))
        };
        self.stranger.get_or_try_init(make).await
    }

    /// Sends a notification with its repeats, in the background.
    fn announce(self: &Arc<Self>, letter: Option<Letter>) {
        self.changed();
        if let Some(letter) = letter.filter(Letter::has_address) {
            tokio::spawn(notification::deliver(Arc::clone(self), letter));
        }
    }

    /// The buyer follows a link, and pays or not; as anybody, or as the one with this openid.
    pub(super) fn buy(
        self: &Arc<Self>,
        link: &str,
        signer: Option<&Shop>,
        pays: bool,
    ) -> Result<TradeView, BuyerError> {
        let (view, letter) = {
            let (now, mut book) = (clock::now(), self.book());
            let order = book.linked(link)?;
            if signer.is_some_and(|shop| shop.mchid != order.shop.mchid) {
                return Err(BuyerError::BadSignature);
            }
            order.lapse(now);
            order.payable(link, now)?;
            if pays {
                order.paid(&self.numbers, now);
            }
            let letter = pays.then(|| Letter::payment(self, order));
            (TradeView::of(order, &self.base_url), letter)
        };
        self.announce(letter);
        Ok(view)
    }

    /// The buyer at the till decides. There is no notification of what happens at a till.
    pub(super) fn decide(
        &self,
        out_trade_no: &str,
        decide: impl FnOnce(&mut Order) -> Result<(), BuyerError>,
    ) -> Result<TradeView, BuyerError> {
        let view = {
            let mut book = self.book();
            let order = book.named(out_trade_no);
            let order = order.ok_or(BuyerError::UnknownLink)?;
            if order.content.trade_type != TradeType::Micropay {
                return Err(BuyerError::NotWaiting);
            }
            decide(order)?;
            TradeView::of(order, &self.base_url)
        };
        self.changed();
        Ok(view)
    }

    /// Lets a refund take its course in the background.
    pub(super) fn start_refund(self: &Arc<Self>, refund_id: String) {
        self.changed();
        let platform = Arc::clone(self);
        tokio::spawn(async move {
            // Held to the end, so that stopping waits for this task.
            let _running = platform.stop.subscribe();
            if platform.pause(REFUND_TAKES / platform.time_scale).await {
                platform.finish_refund(&refund_id);
            }
        });
    }

    fn finish_refund(self: &Arc<Self>, refund_id: &str) {
        let outcome = {
            let mut book = self.book();
            let found = book.refund_mut(|refund| refund.refund_id == refund_id);
            let key = found
                .filter(|(_, refund)| refund.status == RefundStatus::Processing)
                .map(|(key, _)| key);
            key.and_then(|key| book.orders.get(&key))
                .and_then(|order| order.refund_outcome.status())
        };
        if let Some(status) = outcome {
            self.settle_refund(|refund| refund.refund_id == refund_id, status);
        }
    }

    /// Ends a refund, or starts an abnormal one again, and tells of it; false when its status does
    /// not allow that, none when there is no such refund.
    pub(super) fn settle_refund(
        self: &Arc<Self>,
        fits: impl Fn(&Refund) -> bool,
        status: RefundStatus,
    ) -> Option<bool> {
        let (settled, letter): (bool, Option<Letter>) = {
            let mut book = self.book();
            let (key, refund) = book.refund_mut(fits)?;
            let settled = refund.settle(status, clock::now());
            let refund = refund.clone();
            let tells = settled && status != RefundStatus::Processing;
            let letter = book
                .orders
                .get(&key)
                .filter(|_| tells)
                .map(|order| Letter::refund(self, order, &refund));
            (settled, letter)
        };
        self.announce(letter);
        Some(settled)
    }

    /// A copy of every order.
    pub(super) fn trades(&self) -> Vec<TradeView> {
        let book = self.book();
        let orders = book.orders.values();
        orders
            .map(|order| TradeView::of(order, &self.base_url))
            .collect()
    }

    /// The order at a place, looked at.
    pub(super) fn with_order<T>(
        &self,
        key: &OrderKey,
        look: impl FnOnce(&mut Order) -> T,
    ) -> Option<T> {
        self.book().orders.get_mut(key).map(look)
    }
}
