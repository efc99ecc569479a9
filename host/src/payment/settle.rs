//! What a verified statement does to a payment: the heart of the rules, without any I/O.
//!
//! The caller has verified the statement and read it: its trade is this attempt, its account is
//! the attempt's target. Amount and currency are compared here. A payment that was paid is never
//! lost: verified `paid` on any attempt is recorded, whatever the state.

mod notes;

use serde_json::{Map, Value, json};

use super::ask;
use super::ending;
use super::model::{
    Ams, Attempt, AttemptState, Case, Change, Changes, EndWhy, Ending, FailWhy, Hold, Payment,
    RefundCause, State, StoredStatement, TradeNo,
};
use super::refunding;
use super::schedule::next_ask;
use crate::trust::{Reading, Stated};
pub(super) use notes::edit_platform;

/// What came of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// The payment became OK.
    Paid,
    /// The payment became OK after it had expired or was closed.
    PaidLate,
    /// The payment was OK through another attempt: money that has to be given back.
    Extra,
    /// The statement contradicts the payment: held for a decision by hand.
    Held,
    /// The payment or attempt became FAIL.
    Failed,
    /// Money went back at the platform; recorded.
    Refunded,
    /// The buyer agreed; the money has to be captured.
    Approved,
    /// The attempt is being undone: nothing is acted upon until that has come to its end.
    Parked,
    /// Nothing is decided yet.
    Waiting,
    /// It says what is committed already.
    Repeated,
    /// It contradicts what is committed; recorded for the operator, nothing else changed.
    Contradiction,
}

impl Settled {
    /// The word for logs and audit lines.
    pub fn as_str(&self) -> &'static str {
        match self {
            Settled::Paid => "paid",
            Settled::PaidLate => "paid late",
            Settled::Extra => "extra payment",
            Settled::Held => "held",
            Settled::Failed => "failed",
            Settled::Refunded => "refunded at the platform",
            Settled::Approved => "approved",
            Settled::Parked => "parked while the payment is being undone",
            Settled::Waiting => "waiting",
            Settled::Repeated => "repeated",
            Settled::Contradiction => "contradiction",
        }
    }

    /// Whether an operator has to look at it.
    pub fn is_alert(&self) -> bool {
        matches!(
            self,
            Settled::Extra | Settled::Held | Settled::Contradiction
        )
    }
}

/// A verified statement about one attempt, and how it came here.
pub struct Evidence<'a> {
    /// The attempt that it is about.
    pub trade_no: &'a TradeNo,
    /// What it states.
    pub reading: &'a Reading,
    /// The bytes, kept when they are acted upon.
    pub statement: StoredStatement,
    /// `notification`, `check` or `send`.
    pub cause: &'static str,
}

/// Decides what the statement changes. `None` where the case has no such attempt.
pub fn settle(
    case: &Case,
    evidence: &Evidence<'_>,
    now: Ams,
) -> Option<(Option<Changes>, Settled)> {
    let attempt = case
        .attempts
        .iter()
        .find(|a| a.trade_no == *evidence.trade_no)?;
    let step = Step {
        case,
        attempt,
        evidence,
        now,
    };
    if attempt.is_being_reversed() {
        return Some((None, Settled::Parked));
    }
    let result = match evidence.reading.state {
        Stated::Paid => step.paid(),
        Stated::Refunded | Stated::SomeRefunded => step.refunded(),
        Stated::Closed => step.ended(FailWhy::Closed),
        Stated::Declined => step.ended(FailWhy::Declined),
        Stated::Approved => step.approved(),
        Stated::Waiting | Stated::Other(_) => step.waiting(),
    };
    Some(result)
}

struct Step<'a> {
    case: &'a Case,
    attempt: &'a Attempt,
    evidence: &'a Evidence<'a>,
    now: Ams,
}

impl Step<'_> {
    fn paid(&self) -> (Option<Changes>, Settled) {
        let payment = &self.case.payment;
        if self.attempt.state == AttemptState::Ok {
            return self.paid_again();
        }
        if !self.amount_matches() {
            return self.mismatch();
        }
        match (payment.state, payment.fail_why) {
            (State::Ok, _) => self.extra(),
            (State::Fail, Some(FailWhy::Declined | FailWhy::Reversed)) => {
                self.hold("the platform says it was paid, after it was declined or reversed")
            }
            (State::Fail, _) => self.becomes_ok(Settled::PaidLate),
            (State::New | State::Wait, _) => self.becomes_ok(Settled::Paid),
        }
    }

    /// About an attempt that is known to be paid: it repeats what is committed, and may tell of money that went back.
    fn paid_again(&self) -> (Option<Changes>, Settled) {
        let stated = self.evidence.reading.amount;
        let known = stated.is_some_and(|amount| {
            Some(amount.minor()) == self.attempt.paid_minor
                && amount.currency() == self.case.payment.total.currency()
        });
        if !known {
            return self.contradiction("the amount or currency is not what was paid");
        }
        self.external_refund().unwrap_or((None, Settled::Repeated))
    }

    fn amount_matches(&self) -> bool {
        self.evidence.reading.amount == Some(self.case.payment.total)
    }

    fn becomes_ok(&self, settled: Settled) -> (Option<Changes>, Settled) {
        let mut payment = self.changed_payment();
        payment.state = State::Ok;
        payment.fail_why = None;
        let dropped = payment.hold.take();
        payment.late = settled == Settled::PaidLate;
        payment.closed_ms = self.now;
        payment.pay_type = Some(self.attempt.pay_type.clone());
        payment.target = Some(self.attempt.target.name.clone());
        payment.presentation = None;
        self.note_platform(&mut payment, "paid");
        let deliver = payment.callback.is_some();
        let mut changes = self.changes(payment, self.paid_attempt());
        changes.deliver = deliver;
        changes.attempts.extend(self.superseded());
        if let Some(hold) = dropped {
            changes = with_detail(changes, "hold", json!(hold));
        }
        (Some(changes), settled)
    }

    /// The other attempts that could still be paid are closed from now on.
    fn superseded(&self) -> impl Iterator<Item = Attempt> {
        let others = ending::others(self.case, &self.attempt.trade_no);
        let open = others.filter(|other| other.is_open() && other.ending.is_none());
        open.map(|other| Attempt {
            ending: Some(Ending {
                why: EndWhy::Superseded,
                since_ms: self.now,
            }),
            ask_at_ms: self.now,
            ..other.clone()
        })
    }

    /// OK through another attempt already: this money has to be given back.
    fn extra(&self) -> (Option<Changes>, Settled) {
        let mut payment = self.changed_payment();
        self.note_platform(&mut payment, "extra");
        let total = payment.total.minor();
        let mut changes = self.changes(payment, self.paid_attempt());
        let back = refunding::order(
            self.attempt,
            total,
            "paid twice",
            RefundCause::Extra,
            self.now,
        );
        let number = back.refund_no.to_string();
        changes.refunds.push(back);
        (
            Some(with_detail(
                changes,
                "extra",
                json!({ "refund_no": number }),
            )),
            Settled::Extra,
        )
    }

    /// Right trade and account, wrong amount or currency.
    fn mismatch(&self) -> (Option<Changes>, Settled) {
        if self.case.payment.state == State::Ok {
            return self.contradiction("the amount or currency is not that of the payment");
        }
        self.hold("the platform says it was paid with another amount or currency")
    }

    fn hold(&self, why: &str) -> (Option<Changes>, Settled) {
        let statement = self.evidence.statement.digest.to_string();
        let reading = self.evidence.reading;
        let mut payment = self.changed_payment();
        // One decision at a time: what another attempt says meanwhile comes back with the next question about it.
        let known = payment.hold.is_some();
        let amount = json!([reading.amount_text, reading.currency_text, why]);
        let dismissed = self.edit_notes(&mut payment, |notes| {
            notes
                .get("dismissed")
                .and_then(|d| d.get(self.attempt.trade_no.as_str()))
                == Some(&amount)
        });
        if known || dismissed {
            return (None, Settled::Repeated);
        }
        payment.hold = Some(Hold {
            why: why.to_owned(),
            trade_no: self.attempt.trade_no.to_string(),
            paid_minor: reading.amount.map(|amount| amount.minor()),
            paid_text: reading.amount_text.clone(),
            paid_currency: reading.currency_text.clone(),
            statement,
            at: self.now,
            state: payment.state,
        });
        let mut attempt = self.touched_attempt();
        attempt.transaction_id = reading.transaction.clone().or(attempt.transaction_id);
        attempt.ending = None;
        let changes = self.changes(payment, attempt);
        (
            Some(with_detail(changes, "held", json!(why))),
            Settled::Held,
        )
    }

    /// Evidence against an OK payment: written down once, nothing else changes.
    fn contradiction(&self, why: &str) -> (Option<Changes>, Settled) {
        let digest = self.evidence.statement.digest.to_string();
        let mut payment = self.changed_payment();
        let before = self.edit_notes(&mut payment, |notes| {
            notes.insert("contradiction".into(), json!(digest))
        });
        if before == Some(json!(digest)) {
            return (None, Settled::Repeated);
        }
        let changes = self.changes(payment, self.attempt.clone());
        (
            Some(with_detail(changes, "contradiction", json!(why))),
            Settled::Contradiction,
        )
    }

    /// Refunded means that it was paid.
    fn refunded(&self) -> (Option<Changes>, Settled) {
        match self.case.payment.state {
            State::Ok if self.attempt.state == AttemptState::Ok => {
                self.external_refund().unwrap_or((None, Settled::Repeated))
            }
            _ if self.case.reserved_minor(&self.attempt.trade_no) > 0
                || self.attempt.fail_why == Some(FailWhy::Reversed) =>
            {
                (None, Settled::Repeated)
            }
            State::Ok => self.contradiction("an attempt that nobody knew to be paid was refunded"),
            State::New | State::Wait | State::Fail => {
                self.hold("the platform says it was paid and given back")
            }
        }
    }

    /// What went back beyond the host's own refunds was refunded at the platform's own console: recorded when it is
    /// news.
    fn external_refund(&self) -> Option<(Option<Changes>, Settled)> {
        let reading = self.evidence.reading;
        let paid = self.attempt.paid_minor.unwrap_or(0);
        let total = match (reading.refunded, &reading.state) {
            (Some(refunded), _) if !refunded.is_zero() => refunded.minor().min(paid),
            (_, Stated::Refunded) => paid,
            (_, Stated::SomeRefunded) => return self.refund_of_unknown_amount(),
            _ => return None,
        };
        let outside = total - self.case.reserved_minor(&self.attempt.trade_no);
        let mut payment = self.changed_payment();
        let known = refunding::outside::total_minor(&payment, self.attempt);
        if outside <= known {
            return None;
        }
        refunding::outside::note_total(&mut payment, self.attempt, outside);
        payment.refunded_minor = payment.refunded_minor.saturating_add(outside - known);
        let changes = self.changes(payment, self.attempt.clone());
        Some((
            Some(with_detail(changes, "refunded", json!(outside))),
            Settled::Refunded,
        ))
    }

    /// The platform says that money went back and not how much: the host's own refunds explain it, or it is told once.
    fn refund_of_unknown_amount(&self) -> Option<(Option<Changes>, Settled)> {
        if self.case.reserved_minor(&self.attempt.trade_no) > 0 {
            return None;
        }
        let mut payment = self.changed_payment();
        let trade_no = json!(self.attempt.trade_no);
        let known = self.edit_notes(&mut payment, |notes| {
            notes.insert("refunded_somehow".into(), trade_no.clone())
        });
        if known == Some(trade_no) {
            return None;
        }
        let changes = self.changes(payment, self.attempt.clone());
        let words = "given back at the platform, which does not say how much";
        Some((
            Some(with_detail(changes, "refunded", json!(words))),
            Settled::Refunded,
        ))
    }

    /// A definite no about this attempt.
    fn ended(&self, why: FailWhy) -> (Option<Changes>, Settled) {
        match self.attempt.state {
            AttemptState::Ok => return self.contradiction("closed or declined after it was paid"),
            AttemptState::Fail => return (None, Settled::Repeated),
            AttemptState::Intent | AttemptState::Wait | AttemptState::Refused => {}
        }
        let (why, ends_payment) =
            ending::refused_by_platform(self.case, self.attempt, why, self.now);
        let (mut payment, attempt) =
            ending::over(self.case, self.attempt, why, ends_payment, self.now);
        if why == FailWhy::Declined {
            self.note_decline(&mut payment);
        }
        (Some(self.changes(payment, attempt)), Settled::Failed)
    }

    /// The buyer agreed: whoever asks next has the money captured.
    fn approved(&self) -> (Option<Changes>, Settled) {
        if !self.attempt.is_open() {
            return (None, Settled::Repeated);
        }
        let mut payment = self.changed_payment();
        let known = self.edit_notes(&mut payment, |notes| {
            notes.insert("approved".into(), json!(self.attempt.trade_no))
        });
        if known == Some(json!(self.attempt.trade_no)) {
            return (None, Settled::Approved);
        }
        let mut attempt = self.touched_attempt();
        attempt.ask_at_ms = self.now;
        let changes = self.changes(payment, attempt);
        (
            Some(with_detail(changes, "approved", json!(true))),
            Settled::Approved,
        )
    }

    fn waiting(&self) -> (Option<Changes>, Settled) {
        if self.attempt.state != AttemptState::Intent {
            return (self.begun_transaction(), Settled::Waiting);
        }
        let mut attempt = self.touched_attempt();
        attempt.transaction_id = self.evidence.reading.transaction.clone();
        attempt.ask_at_ms = next_ask(&attempt, self.now);
        (
            Some(self.changes(self.changed_payment(), attempt)),
            Settled::Waiting,
        )
    }

    /// The platform has a number of its own for what is under way, which was not known: no news about the payment, but
    /// what is under way does not end by its deadline alone.
    fn begun_transaction(&self) -> Option<Changes> {
        let number = self.evidence.reading.transaction.clone()?;
        let new = self.attempt.is_open() && self.attempt.transaction_id.is_none();
        new.then(|| {
            let attempt = Attempt {
                transaction_id: Some(number),
                ..self.attempt.clone()
            };
            ask::only(self.case, attempt)
        })
    }

    fn changed_payment(&self) -> Payment {
        let mut payment = self.case.payment.clone();
        payment.changed_ms = self.now;
        payment
    }

    /// The attempt, known to the platform from now on.
    fn touched_attempt(&self) -> Attempt {
        let mut attempt = self.attempt.clone();
        if attempt.state == AttemptState::Intent {
            attempt.state = AttemptState::Wait;
        }
        attempt
    }

    fn paid_attempt(&self) -> Attempt {
        let mut attempt = self.attempt.clone();
        attempt.state = AttemptState::Ok;
        attempt.fail_why = None;
        attempt.ending = None;
        attempt.paid_minor = self.evidence.reading.amount.map(|amount| amount.minor());
        attempt.transaction_id = self
            .evidence
            .reading
            .transaction
            .clone()
            .or(attempt.transaction_id);
        attempt.ask_at_ms = 0;
        attempt.last_error = None;
        attempt
    }

    fn changes(&self, payment: Payment, attempt: Attempt) -> Changes {
        let line = Change {
            at: self.now,
            cause: self.evidence.cause.to_owned(),
            from: Some(self.case.payment.state),
            to: payment.state,
            trade_no: Some(attempt.trade_no.to_string()),
            statement: Some(self.evidence.statement.digest.to_string()),
            detail: Map::new(),
        };
        Changes {
            attempts: vec![attempt],
            history: vec![line],
            statement: Some(self.evidence.statement.clone()),
            ..Changes::of(payment)
        }
    }
}

fn with_detail(mut changes: Changes, name: &str, value: Value) -> Changes {
    if let Some(line) = changes.history.last_mut() {
        line.detail.insert(name.to_owned(), value);
    }
    changes
}
