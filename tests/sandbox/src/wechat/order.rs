//! An order and its states, without I/O.
//!
//! | state | how it comes about | what follows |
//! |---|---|---|
//! | `NOTPAY` | ordered; or a buyer at the till gave up | `SUCCESS`, `CLOSED`, at the till `REVOKED` |
//! | `USERPAYING` | at the till, the buyer has to confirm | `SUCCESS`, `PAYERROR`, `NOTPAY`, `REVOKED` |
//! | `SUCCESS` | paid | `REFUND`, at the till `REVOKED` |
//! | `REFUND` | a refund was accepted, be it of a part | further refunds |
//! | `PAYERROR` | at the till, the payment failed | `REVOKED` |
//! | `CLOSED` | by the merchant, or unpaid for seven days | nothing |
//! | `REVOKED` | by the merchant, money given back | nothing |

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::content::OrderContent;
use super::failure::{Failure, Problem};
use super::merchant::Shop;
use super::numbers::Numbers;
use super::refund::{Refund, RefundOutcome};
use super::signing::v2::SignType;

/// How long an order stays open that nobody pays or closes.
const OPEN: Duration = Duration::days(7);

/// How long a code or a prepaid session can be used.
const LINK_LIFE: Duration = Duration::hours(2);

/// How long an H5 address can be used.
const H5_LIFE: Duration = Duration::minutes(5);

/// The least that `time_expire` leaves a buyer.
const SHORTEST: Duration = Duration::minutes(1);

/// How old a payment at the till may be to be reversed.
const REVERSIBLE: Duration = Duration::days(7);

/// `trade_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeState {
    /// Paid.
    Success,
    /// Paid, and refunded in part or whole.
    Refund,
    /// Not paid.
    Notpay,
    /// Closed unpaid.
    Closed,
    /// Reversed, at the till.
    Revoked,
    /// The buyer has to confirm, at the till.
    Userpaying,
    /// The payment failed, at the till.
    Payerror,
}

impl TradeState {
    /// As messages write it, such as `NOTPAY`.
    pub fn as_str(self) -> &'static str {
        match self {
            TradeState::Success => "SUCCESS",
            TradeState::Refund => "REFUND",
            TradeState::Notpay => "NOTPAY",
            TradeState::Closed => "CLOSED",
            TradeState::Revoked => "REVOKED",
            TradeState::Userpaying => "USERPAYING",
            TradeState::Payerror => "PAYERROR",
        }
    }

    /// `trade_state_desc`.
    pub(super) fn words(self) -> &'static str {
        match self {
            TradeState::Success => "支付成功",
            TradeState::Refund => "转入退款",
            TradeState::Notpay => "订单未支付",
            TradeState::Closed => "订单已关闭",
            TradeState::Revoked => "订单已撤销",
            TradeState::Userpaying => "用户支付中，需要输入密码",
            TradeState::Payerror => "支付失败",
        }
    }
}

/// `trade_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeType {
    /// On a page within WeChat, or a mini program.
    Jsapi,
    /// By a code that the buyer scans.
    Native,
    /// From another app.
    App,
    /// By a code that the buyer shows at the till.
    Micropay,
    /// From a browser (H5).
    Mweb,
}

impl TradeType {
    /// As messages write it, such as `MWEB`.
    pub fn as_str(self) -> &'static str {
        match self {
            TradeType::Jsapi => "JSAPI",
            TradeType::Native => "NATIVE",
            TradeType::App => "APP",
            TradeType::Micropay => "MICROPAY",
            TradeType::Mweb => "MWEB",
        }
    }
}

/// Why the buyer cannot do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuyerError {
    /// This leads to no order of this platform.
    #[error("this leads to no order of this platform")]
    UnknownLink,
    /// The call of the payment is not signed by the merchant who ordered.
    #[error("the call of the payment is not rightly signed")]
    BadSignature,
    /// The code, the session or the time to pay has run out.
    #[error("the time to pay is over")]
    Expired,
    /// The order is closed.
    #[error("the order is closed")]
    Closed,
    /// The order was paid before.
    #[error("the order is already paid")]
    AlreadyPaid,
    /// There is nothing that waits for the buyer's word.
    #[error("nothing waits for the buyer")]
    NotWaiting,
}

/// In which dialect an order was made, and is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V3,
    V2(SignType),
}

/// What leads a buyer to an order: `pr` of a code, or a prepaid session.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) code: String,
    pub(super) prepay_id: String,
    ends: OffsetDateTime,
}

/// A payment that went through.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) transaction_id: String,
    pub(super) at: OffsetDateTime,
}

/// An order of a merchant.
pub(super) struct Order {
    pub(super) shop: Arc<Shop>,
    pub(super) content: OrderContent,
    pub(super) dialect: Dialect,
    pub(super) created: OffsetDateTime,
    pub(super) state: TradeState,
    pub(super) links: Vec<Link>,
    pub(super) payment: Option<Payment>,
    /// When it was closed or reversed.
    pub(super) ended: Option<OffsetDateTime>,
    /// What a cashier is told who scans for it again, when the payment at the till came to nothing.
    pub(super) failed: Option<Problem>,
    pub(super) refunds: Vec<Refund>,
    pub(super) refund_outcome: RefundOutcome,
    pay_until: OffsetDateTime,
}

impl Order {
    /// A new order that nobody paid.
    pub(super) fn new(
        shop: Arc<Shop>,
        content: OrderContent,
        dialect: Dialect,
        now: OffsetDateTime,
    ) -> Order {
        let open = now + OPEN;
        let pay_until = content
            .time_expire
            .map_or(open, |limit| limit.clamp(now + SHORTEST, open));
        Order {
            shop,
            content,
            dialect,
            created: now,
            state: TradeState::Notpay,
            links: Vec::new(),
            payment: None,
            ended: None,
            failed: None,
            refunds: Vec::new(),
            refund_outcome: RefundOutcome::default(),
            pay_until,
        }
    }

    /// Whether it may be ordered again with this content: only what is open, by the same way of
    /// paying, and only the same.
    pub(super) fn repeat(&self, content: &OrderContent) -> Result<(), Failure> {
        if self.content.trade_type != content.trade_type {
            return Err(Problem::NumberUsed.into());
        }
        match self.state {
            TradeState::Success | TradeState::Refund => Err(Problem::Paid.into()),
            TradeState::Closed => Err(Problem::Closed.into()),
            TradeState::Revoked => Err(Problem::Reversed.into()),
            _ if self.content.sent != content.sent => Err(Problem::Inconsistent.into()),
            _ => Ok(()),
        }
    }

    /// The newest link if it can still be used, otherwise a new one.
    pub(super) fn link(&mut self, numbers: &Numbers, now: OffsetDateTime) -> Link {
        if let Some(link) = self.links.last().filter(|link| now < link.ends) {
            return link.clone();
        }
        let life = match self.content.trade_type {
            TradeType::Mweb => H5_LIFE,
            _ => LINK_LIFE,
        };
        let link = Link {
            code: numbers.code(),
            prepay_id: numbers.prepay_id(now),
            ends: now + life,
        };
        self.links.push(link.clone());
        link
    }

    /// Whether a buyer could pay by this link now.
    pub(super) fn payable(&self, link: &str, now: OffsetDateTime) -> Result<(), BuyerError> {
        let known = self
            .links
            .iter()
            .find(|known| known.code == link || known.prepay_id == link)
            .ok_or(BuyerError::UnknownLink)?;
        match self.state {
            TradeState::Success | TradeState::Refund => Err(BuyerError::AlreadyPaid),
            TradeState::Closed | TradeState::Revoked => Err(BuyerError::Closed),
            _ if now >= known.ends || now >= self.pay_until => Err(BuyerError::Expired),
            _ => Ok(()),
        }
    }

    /// The money has moved.
    pub(super) fn paid(&mut self, numbers: &Numbers, now: OffsetDateTime) {
        self.state = TradeState::Success;
        self.payment = Some(Payment {
            transaction_id: numbers.transaction_id(now),
            at: now,
        });
    }

    /// The buyer at the till confirms.
    pub(super) fn confirm(
        &mut self,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Result<(), BuyerError> {
        self.waits()?;
        self.paid(numbers, now);
        Ok(())
    }

    /// The buyer at the till refuses, or their bank does.
    pub(super) fn refuse(&mut self) -> Result<(), BuyerError> {
        self.waits()?;
        self.state = TradeState::Payerror;
        self.failed = Some(Problem::NotEnough);
        Ok(())
    }

    /// The buyer at the till goes away without a word.
    pub(super) fn abandon(&mut self) -> Result<(), BuyerError> {
        self.waits()?;
        self.state = TradeState::Notpay;
        self.failed = Some(Problem::CodeExpired);
        Ok(())
    }

    fn waits(&self) -> Result<(), BuyerError> {
        match self.state {
            TradeState::Userpaying => Ok(()),
            _ => Err(BuyerError::NotWaiting),
        }
    }

    /// The merchant closes: what is unpaid, once or again.
    pub(super) fn close(&mut self, now: OffsetDateTime) -> Result<(), Failure> {
        if self.content.trade_type == TradeType::Micropay {
            let why = "付款码支付的订单不能关单，请调用撤销订单API";
            return Err(Failure::new(Problem::Request, why));
        }
        match self.state {
            TradeState::Success | TradeState::Refund => Err(Problem::Paid.into()),
            TradeState::Closed => Ok(()),
            _ => {
                self.state = TradeState::Closed;
                self.ended = Some(now);
                Ok(())
            }
        }
    }

    /// The merchant reverses a payment at the till that is at least so old: what was paid goes
    /// back, what was not cannot be paid any more.
    pub(super) fn reverse(
        &mut self,
        now: OffsetDateTime,
        not_before: Duration,
    ) -> Result<(), Failure> {
        let refuse = |why: &str| Err(Failure::new(Problem::Request, why));
        if self.content.trade_type != TradeType::Micropay {
            return refuse("只有付款码支付的订单可以撤销");
        }
        let age = now - self.created;
        match self.state {
            TradeState::Revoked => Ok(()),
            TradeState::Refund => refuse("订单已转入退款，不能撤销"),
            _ if age >= REVERSIBLE => refuse("订单超过7天，不能撤销"),
            _ if age < not_before => refuse("支付后15秒内不能撤销"),
            _ => {
                self.state = TradeState::Revoked;
                self.ended = Some(now);
                Ok(())
            }
        }
    }

    /// Closes what nobody paid for a week.
    pub(super) fn lapse(&mut self, now: OffsetDateTime) {
        if self.state == TradeState::Notpay && now >= self.created + OPEN {
            self.state = TradeState::Closed;
            self.ended = Some(now);
        }
    }

    /// Ends every link and the time to pay now.
    pub(super) fn run_out(&mut self, now: OffsetDateTime) {
        self.pay_until = self.pay_until.min(now);
        for link in &mut self.links {
            link.ends = link.ends.min(now);
        }
    }

    /// Ends every link so much earlier, and leaves the order its time.
    pub(super) fn age_links(&mut self, by: Duration) {
        for link in &mut self.links {
            link.ends -= by;
        }
    }

    /// Moves everything that happened with it so far into the past.
    pub(super) fn age(&mut self, by: Duration) {
        self.created -= by;
        self.pay_until -= by;
        for link in &mut self.links {
            link.ends -= by;
        }
        if let Some(payment) = self.payment.as_mut() {
            payment.at -= by;
        }
        if let Some(ended) = self.ended.as_mut() {
            *ended -= by;
        }
        for refund in &mut self.refunds {
            refund.age(by);
        }
    }
}
