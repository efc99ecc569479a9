//! WeChat Pay, simulated: APIv3 and v2 of a direct merchant, buyers who scan, tap and stand at
//! the till, and the notifications with their repeats.
//!
//! [`WeChat`] is the way in; the rooms below it are its own. What it does wrong on command is in
//! [`Misbehaviour`] and [`Notice`]; the rules of signing are in [`signing`], for whoever writes
//! messages by hand.
//!
//! Over HTTP on [`url`](WeChat::url), and with TLS on [`tls_url`](WeChat::tls_url):
//!
//! | address | does |
//! |---|---|
//! | `/v3/…` | APIv3: orders by `native`, `jsapi`, `h5`, `app` and `codepay`, queries, close, reverse, refunds, certificates, trade bills |
//! | `POST /pay/…` | v2: `unifiedorder`, `micropay`, `orderquery`, `closeorder`, `refundquery` |
//! | `POST /secapi/pay/…` | v2 with the client's certificate, so with TLS alone: `reverse`, `refund` |
//! | `GET /bizpayurl/up?pr=…` | what a code leads to, `weixin://wxpay` replaced by this platform's address |
//! | `GET /cgi-bin/mmpayweb-bin/checkmweb?…` | what an `h5_url` leads to |
//! | `POST /buyer/scan`, `/buyer/pay` | the buyer, by `{"link": "…"}`; pays also by `{"call": {…}}`, the parameters of a page or an app |
//! | `POST /buyer/code` | a payment code for the till, by `{"then": "pays"}` or another of [`AtTheTill`] |
//! | `POST /buyer/confirm`, `/buyer/refuse`, `/buyer/abandon` | the buyer at the till, by `{"out_trade_no": "…"}` |
//! | `GET /trades`, `/requests`, `/notifications` | what happened |
//! | `POST /misbehave`, `DELETE /misbehave` | a [`Misbehaviour`] as JSON, or none any more |

mod book;
mod buyer;
mod clock;
mod content;
mod control;
mod failure;
mod identity;
mod issuer;
mod letter;
mod line;
mod link;
mod merchant;
mod misbehaviour;
mod notice;
mod notification;
mod numbers;
mod operation;
mod order;
mod outgoing;
mod platform;
mod refund;
pub mod signing;
mod start;
mod till;
mod tls;
mod v2;
mod v3;
mod view;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

pub use merchant::Merchant;
pub use misbehaviour::{AnswerFault, Fault, Misbehaviour, NotificationFault};
pub use notice::{Notice, NoticeBytes, NoticeSeal, NoticeSignature};
pub use operation::Operation;
pub use order::{BuyerError, TradeState, TradeType};
pub use refund::{RefundOutcome, RefundStatus};
pub use start::{SandboxError, WeChatOptions};
pub use till::AtTheTill;
pub use view::{NotificationView, RefundView, RequestView, SignatureCheck, TradeView};

use letter::Letter;
use link::key_of;
use order::{Dialect, Order};
use platform::Platform;
use refund::RefundContent;

/// How long stopping waits for connections that do not end by themselves.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running platform, used within a tokio runtime. Dropping it ends it soon;
/// [`stop`](WeChat::stop) waits for the end.
pub struct WeChat {
    platform: Arc<Platform>,
    servers: [JoinHandle<()>; 2],
}

impl WeChat {
    /// The address of this platform, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.platform.base_url.clone()
    }

    /// The same with TLS, such as `https://127.0.0.1:40124`. Its certificate is good for
    /// `localhost` as well, and is by the authority that each merchant is
    /// [told](Merchant::tls_ca_pem).
    pub fn tls_url(&self) -> String {
        self.platform.tls_url.clone()
    }

    /// Every order, by merchant and number.
    pub fn trades(&self) -> Vec<TradeView> {
        self.platform.trades()
    }

    /// The order of a merchant's number; the first merchant's, should two have used the same.
    pub fn trade(&self, out_trade_no: &str) -> Option<TradeView> {
        self.trades()
            .into_iter()
            .find(|trade| trade.out_trade_no == out_trade_no)
    }

    /// The last requests that reached the platform, oldest first; at most 10,000.
    pub fn requests(&self) -> Vec<RequestView> {
        self.platform.book().requests()
    }

    /// The last notifications that were sent or tried, oldest first; at most 10,000.
    pub fn notifications(&self) -> Vec<NotificationView> {
        self.platform.book().notifications()
    }

    /// Looks now and after everything that happens, until there is something; so a test needs no
    /// clock to wait for the platform.
    pub async fn until<T>(&self, mut look: impl FnMut(&WeChat) -> Option<T>) -> T {
        let mut changes = self.platform.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives in self, so this ends with a change only.
            let _ = changes.changed().await;
        }
    }

    /// The buyer follows a link and does not pay: the order stays as it is.
    ///
    /// # Errors
    /// As the buyer is told.
    pub async fn scan(&self, link: &str) -> Result<TradeView, BuyerError> {
        let key = key_of(link, &self.platform.base_url).ok_or(BuyerError::UnknownLink)?;
        self.platform.buy(&key, None, false)
    }

    /// The buyer follows a link (`code_url`, `h5_url`, or a prepay id) and pays. The notification
    /// follows in the background.
    ///
    /// # Errors
    /// As the buyer is told.
    pub async fn pay(&self, link: &str) -> Result<TradeView, BuyerError> {
        let key = key_of(link, &self.platform.base_url).ok_or(BuyerError::UnknownLink)?;
        self.platform.buy(&key, None, true)
    }

    /// The buyer pays by the parameters that a page within WeChat or an app hands over (调起支付),
    /// once WeChat has verified their `paySign` or `sign`.
    ///
    /// # Errors
    /// As the buyer is told.
    pub async fn pay_by_call(&self, parameters: &Value) -> Result<TradeView, BuyerError> {
        buyer::call(&self.platform, parameters)
    }

    /// The buyer shows a payment code that does this when it is scanned; good for a minute, once.
    pub fn show_code(&self, then: AtTheTill) -> String {
        self.platform.show_code(then)
    }

    /// The buyer at the till confirms: paid.
    ///
    /// # Errors
    /// [`BuyerError::NotWaiting`], [`BuyerError::UnknownLink`].
    pub fn confirm(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.platform.confirm(out_trade_no)
    }

    /// The buyer at the till, or their bank, refuses: `PAYERROR`.
    ///
    /// # Errors
    /// [`BuyerError::NotWaiting`], [`BuyerError::UnknownLink`].
    pub fn refuse(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.platform.decide(out_trade_no, Order::refuse)
    }

    /// The buyer at the till goes away: `NOTPAY`.
    ///
    /// # Errors
    /// [`BuyerError::NotWaiting`], [`BuyerError::UnknownLink`].
    pub fn abandon(&self, out_trade_no: &str) -> Result<TradeView, BuyerError> {
        self.platform.decide(out_trade_no, Order::abandon)
    }

    /// Lets the time of an order's links and its time to pay run out now. It stays `NOTPAY`.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn run_out(&self, out_trade_no: &str) -> Result<(), SandboxError> {
        self.change(out_trade_no, |order| order.run_out(clock::now()))
    }

    /// Lets the links of an order run out so much earlier, and leaves it its time to pay.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn age_links(&self, out_trade_no: &str, by: Duration) -> Result<(), SandboxError> {
        let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
        self.change(out_trade_no, |order| order.age_links(by))
    }

    /// Moves everything that happened with an order into the past: a week later it is closed, a
    /// year later it cannot be refunded, and what is of yesterday is in yesterday's bill.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn age(&self, out_trade_no: &str, by: Duration) -> Result<(), SandboxError> {
        let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
        self.change(out_trade_no, |order| order.age(by))
    }

    /// What shall become of the order's refunds by themselves, those in process included.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn decide_refunds(
        &self,
        out_trade_no: &str,
        outcome: RefundOutcome,
    ) -> Result<(), SandboxError> {
        self.change(out_trade_no, |order| order.refund_outcome = outcome)
    }

    fn change(
        &self,
        out_trade_no: &str,
        change: impl FnOnce(&mut Order),
    ) -> Result<(), SandboxError> {
        let changed = {
            let mut book = self.platform.book();
            book.named(out_trade_no).map(change)
        };
        self.platform.changed();
        changed.ok_or_else(|| SandboxError::NoOrder(out_trade_no.to_owned()))
    }

    /// Ends a refund now, with its notification: one in process in any way, an abnormal one with
    /// success.
    ///
    /// # Errors
    /// [`SandboxError::NoRefund`]; [`SandboxError::State`] when it has ended.
    pub fn settle_refund(
        &self,
        out_refund_no: &str,
        status: RefundStatus,
    ) -> Result<(), SandboxError> {
        let fits = |refund: &refund::Refund| refund.content.out_refund_no == out_refund_no;
        match self.platform.settle_refund(fits, status) {
            Some(true) => Ok(()),
            Some(false) => Err(SandboxError::State(out_refund_no.to_owned())),
            None => Err(SandboxError::NoRefund(out_refund_no.to_owned())),
        }
    }

    /// The merchant gives money back at the platform's own console: a refund under a number of
    /// the console's, and nobody is notified. Gives the number.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not paid or so much is not left.
    pub fn refund(&self, out_trade_no: &str, fee_fen: u64) -> Result<String, SandboxError> {
        let numbers = &self.platform.numbers;
        let out_refund_no = format!("console{}", numbers.serial());
        let started = {
            let mut book = self.platform.book();
            let order = book.named(out_trade_no);
            let order = order.ok_or_else(|| SandboxError::NoOrder(out_trade_no.to_owned()))?;
            let content = RefundContent {
                out_refund_no: out_refund_no.clone(),
                fee_fen,
                total_fen: order.content.total_fen,
                notify_url: None,
                dialect: Dialect::V3,
                sent: Value::Null,
            };
            let refund = order.refund(content, numbers, clock::now());
            refund.map(|refund| refund.refund_id.clone())
        };
        let state = |_| SandboxError::State(out_trade_no.to_owned());
        self.platform.start_refund(started.map_err(state)?);
        Ok(out_refund_no)
    }

    /// Adds something to be done wrong, after what is already there.
    pub fn misbehave(&self, misbehaviour: Misbehaviour) {
        self.platform.book().misbehaviours.push(misbehaviour);
    }

    /// Forgets all that was to be done wrong.
    pub fn behave(&self) {
        self.platform.book().misbehaviours.clear();
    }

    /// Sends one notification of an order's payment now, once, changed as the notice says; also
    /// for an order that nobody paid, as somebody would who forges one. Standing misbehaviours do
    /// not touch it.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`], [`SandboxError::NoAddress`].
    pub async fn notify(
        &self,
        out_trade_no: &str,
        notice: &Notice,
    ) -> Result<NotificationView, SandboxError> {
        let letter = {
            let mut book = self.platform.book();
            let order = book.named(out_trade_no);
            order.map(|order| Letter::payment(&self.platform, order))
        };
        let letter = letter.ok_or_else(|| SandboxError::NoOrder(out_trade_no.to_owned()))?;
        self.send(&letter, notice).await
    }

    /// The same of a refund; of one in process it tells of success.
    ///
    /// # Errors
    /// [`SandboxError::NoRefund`], [`SandboxError::NoAddress`].
    pub async fn notify_refund(
        &self,
        out_refund_no: &str,
        notice: &Notice,
    ) -> Result<NotificationView, SandboxError> {
        let letter = {
            let book = self.platform.book();
            let mut found = book.orders.values().filter_map(|order| {
                let mut refunds = order.refunds.iter();
                let refund =
                    refunds.find(|refund| refund.content.out_refund_no == out_refund_no)?;
                Some(Letter::refund(&self.platform, order, refund))
            });
            found.next()
        };
        let letter = letter.ok_or_else(|| SandboxError::NoRefund(out_refund_no.to_owned()))?;
        self.send(&letter, notice).await
    }

    async fn send(
        &self,
        letter: &Letter,
        notice: &Notice,
    ) -> Result<NotificationView, SandboxError> {
        if notice.url.is_none() && !letter.has_address() {
            return Err(SandboxError::NoAddress(letter.out_trade_no.clone()));
        }
        Ok(notification::send(&self.platform, letter, notice, 1).await)
    }

    /// Is down: whoever is connected is cut off, and connecting is refused, on both ports.
    pub async fn go_down(&self) {
        self.platform.door.shut().await;
    }

    /// Is up again, on the same ports.
    pub async fn come_up(&self) {
        self.platform.door.reopen(self.servers.len()).await;
    }

    /// Stops and waits until nothing of it runs.
    pub async fn stop(mut self) {
        self.platform.stop.send_replace(true);
        let servers = async {
            for server in &mut self.servers {
                let _ = server.await;
            }
        };
        if tokio::time::timeout(STOP_TIMEOUT, servers).await.is_err() {
            self.platform.door.cut_all();
            for server in &self.servers {
                server.abort();
            }
        }
        self.platform.stop.closed().await;
    }
}

impl Drop for WeChat {
    fn drop(&mut self) {
        self.platform.stop.send_replace(true);
    }
}
