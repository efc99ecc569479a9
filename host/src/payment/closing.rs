//! Ending attempts: `close`, `reverse`, expiry, and making room for another pay type. The intent is durable first;
//! then the platform is asked, told, and asked again, and only then the attempt is over.

use super::ask::{Asked, heard};
use super::caller::{Act, Caller, no_such_payment};
use super::ending::{self, Heard};
use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, AttemptState, Case, Changes, EndWhy, FailWhy, Payment, PaymentId, State, TradeNo,
};
use super::sending::{held_by, lease};
use super::{Payments, now_ms, to_the_end};
use crate::plugin::{AttemptView, Fault, Reversal};
use crate::trust::PayType;

/// How soon the platform may want to be asked again to undo a payment, and how late.
const AGAIN: std::ops::RangeInclusive<Ams> = 500..=60_000;

/// What came of ending an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// It is over, without money.
    Over,
    /// It was paid before it could be ended.
    Paid,
    /// It may still be paid, or nobody knows: the host goes on.
    StillOpen,
}

impl Payments {
    /// Ends a payment unpaid. What the platform cannot close yet (a code that nobody scanned) is closed as soon as it
    /// can be, at the latest when its time has run out; until then the payment stays WAIT.
    pub async fn close(&self, caller: &Caller, id: PaymentId) -> Result<Payment> {
        let case = self.case_for(caller, Act::Close, id).await?;
        let ways = self.ways(&case).await?;
        let now = now_ms();
        self.begin_and_go_on(id, move |case| close(case, &ways, now))
            .await
    }

    /// Undoes a till payment of unknown end, whether it was paid or not.
    pub async fn reverse(&self, caller: &Caller, id: PaymentId) -> Result<Payment> {
        let case = self.case_for(caller, Act::Close, id).await?;
        let ways = self.ways(&case).await?;
        let now = now_ms();
        self.begin_and_go_on(id, move |case| reverse(case, &ways, now))
            .await
    }

    async fn begin_and_go_on(
        &self,
        id: PaymentId,
        rule: impl FnOnce(&Case) -> Result<(Option<Changes>, Vec<Attempt>)> + Clone + Send + 'static,
    ) -> Result<Payment> {
        let leased = self
            .0
            .store
            .change(id, rule)
            .await?
            .ok_or_else(no_such_payment)??;
        self.rang(id);
        for attempt in leased {
            let this = self.clone();
            // What goes wrong is written on the attempt, and the host goes on in the background.
            let ended = to_the_end(async move { this.end_now(&attempt).await }).await;
            if let Err(error) = ended {
                tracing::warn!(payment = %id, %error, "closing");
            }
        }
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        Ok(case.payment)
    }

    /// Ends a payment past its deadline that nobody can pay any more.
    pub async fn expire(&self, id: PaymentId) -> Result<()> {
        let (now, judged_at) = (now_ms(), self.deadline_now());
        self.0
            .store
            .change(id, move |case| {
                let payment = &case.payment;
                let due = matches!(payment.state, State::New | State::Wait)
                    && payment.expires_ms <= judged_at
                    && payment.hold.is_none()
                    && !case.attempts.iter().any(Attempt::is_open);
                let changes = due.then(|| ending::fail(payment, FailWhy::Expired, "expire", now));
                Ok::<_, PayError>((changes, ()))
            })
            .await?;
        self.rang(id);
        Ok(())
    }

    /// Writes the intent to end an attempt that the caller has leased; `false` when it is too late for that.
    pub(super) async fn begin_ending(&self, leased: &Attempt, why: EndWhy) -> Result<bool> {
        let (trade_no, fence) = (leased.trade_no.clone(), leased.fence);
        let now = now_ms();
        let begun = self.0.store.change(leased.payment, move |case| {
            let held = held_by(case, &trade_no, fence);
            let held = held.filter(|attempt| attempt.is_open() && attempt.ending.is_none());
            let held = held.filter(|_| case.payment.hold.is_none());
            let begun = held.is_some();
            let changes = held.map(|attempt| ending::begin(case, &attempt, why, now));
            Ok::<_, PayError>((changes, begun))
        });
        let begun = begun.await?.ok_or_else(no_such_payment)??;
        self.rang(leased.payment);
        Ok(begun)
    }

    /// Lets an attempt that could not be ended go on as before.
    pub(super) async fn give_up_ending(&self, attempt: &Attempt, reason: &str) -> Result<()> {
        let (trade_no, reason) = (attempt.trade_no.clone(), reason.to_owned());
        let now = now_ms();
        self.0
            .store
            .change(attempt.payment, move |case| {
                let open = case.attempt(&trade_no).filter(|attempt| attempt.is_open());
                let changes = open.map(|attempt| ending::give_up(case, attempt, &reason, now));
                Ok::<_, PayError>((changes, ()))
            })
            .await?;
        self.rang(attempt.payment);
        Ok(())
    }

    /// Goes on ending an attempt that the caller has leased: asks first, unless it is being undone.
    pub(super) async fn end_now(&self, leased: &Attempt) -> Result<Ended> {
        let case = self
            .0
            .store
            .case(leased.payment)
            .await?
            .ok_or_else(no_such_payment)?;
        let Some(attempt) = case
            .attempt(&leased.trade_no)
            .filter(|attempt| attempt.is_open())
        else {
            return Ok(ended(&case, &leased.trade_no));
        };
        if attempt.is_being_reversed() {
            return self.undo(&case, leased).await;
        }
        let asked = self.ask_platform(&case, attempt, "check").await;
        match heard(&asked) {
            Heard::Nothing => {
                self.give_back(leased, &asked).await?;
                asked.map(|_| Ended::StillOpen)
            }
            known => self.end_after(leased, known).await,
        }
    }

    /// Goes on ending an attempt that was just asked about.
    pub(super) async fn end_after(&self, leased: &Attempt, known: Heard) -> Result<Ended> {
        let id = leased.payment;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let Some(attempt) = case
            .attempt(&leased.trade_no)
            .filter(|attempt| attempt.is_open())
        else {
            return Ok(ended(&case, &leased.trade_no));
        };
        if attempt.is_being_reversed() {
            return self.undo(&case, leased).await;
        }
        if known == Heard::Nothing || !self.renew(leased).await? {
            self.give_back(leased, &Ok(Asked::Pending)).await?;
            return Ok(Ended::StillOpen);
        }
        let way = self.way(attempt).await?;
        let asked = self.close_and_ask(&case, attempt, &way).await;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let Some(attempt) = case
            .attempt(&leased.trade_no)
            .filter(|attempt| attempt.is_open())
        else {
            return Ok(ended(&case, &leased.trade_no));
        };
        if ending::is_over(attempt, &way, heard(&asked), self.deadline_now()) {
            self.finish(leased, "expire").await?;
            return Ok(Ended::Over);
        }
        self.give_back(leased, &asked).await?;
        asked.map(|_| Ended::StillOpen)
    }

    /// Tells the platform to close the trade, and asks once more.
    async fn close_and_ask(&self, case: &Case, attempt: &Attempt, way: &PayType) -> Result<Asked> {
        if way.closable {
            let (provider, call) = self.call_for(case, attempt).await?;
            let view = AttemptView::of(&case.payment, attempt);
            match provider.close(call, view).await? {
                Ok(()) | Err(Fault::Unsupported) => {}
                Err(fault) => {
                    return Err(PayError::check_unknown(format!(
                        "the platform did not close the trade: {fault}"
                    )));
                }
            }
            if !self.renew(attempt).await? {
                return Ok(Asked::Pending);
            }
        }
        self.ask_platform(case, attempt, "close").await
    }

    /// Tells the platform to undo the trade.
    async fn undo(&self, case: &Case, leased: &Attempt) -> Result<Ended> {
        if !self.renew(leased).await? {
            return Ok(Ended::StillOpen);
        }
        let (provider, call) = self.call_for(case, leased).await?;
        let said = provider
            .reverse(call, AttemptView::of(&case.payment, leased))
            .await;
        match said {
            Ok(Ok(Reversal::Undone)) => {
                self.finish(leased, "reverse").await?;
                Ok(Ended::Over)
            }
            Ok(Ok(Reversal::AgainInMs(ms))) => {
                let pause = Ams::from(ms).clamp(*AGAIN.start(), *AGAIN.end());
                self.give_back_until(leased, now_ms() + pause).await?;
                Ok(Ended::StillOpen)
            }
            Ok(Ok(Reversal::Refused(why))) => {
                // The platform keeps the money, or never had it: from here on what it states counts again.
                self.give_up_ending(leased, &why).await?;
                self.give_back_until(leased, now_ms()).await?;
                Err(PayError::not_reversible(format!(
                    "the platform does not undo it: {why}"
                )))
            }
            Ok(Err(fault)) => {
                let error =
                    PayError::check_unknown(format!("nobody knows whether it is undone ({fault})"));
                self.give_back(leased, &Err(PayError::check_unknown(error.message())))
                    .await?;
                Err(error)
            }
            Err(error) => {
                self.give_back(leased, &Err(PayError::check_unknown(error.to_string())))
                    .await?;
                Err(error.into())
            }
        }
    }

    async fn finish(&self, leased: &Attempt, cause: &'static str) -> Result<()> {
        let (trade_no, fence) = (leased.trade_no.clone(), leased.fence);
        let now = now_ms();
        let why = self.0.store.change(leased.payment, move |case| {
            let held = held_by(case, &trade_no, fence).filter(|attempt| attempt.is_open());
            let why = held
                .as_ref()
                .and_then(|attempt| attempt.ending)
                .map(|ending| ending.why);
            let changes = held
                .zip(why)
                .map(|(attempt, why)| ending::finish(case, &attempt, why, cause, now));
            Ok::<_, PayError>((changes, why))
        });
        if let Some(why) = why.await?.ok_or_else(no_such_payment)?? {
            tracing::info!(target: "audit", payment = %leased.payment, trade_no = %leased.trade_no, why = why.as_str(), "attempt ended");
        }
        self.rang(leased.payment);
        Ok(())
    }

    async fn give_back_until(&self, leased: &Attempt, ask_at: Ams) -> Result<()> {
        let (trade_no, fence) = (leased.trade_no.clone(), leased.fence);
        self.0
            .store
            .change(leased.payment, move |case| {
                let held = held_by(case, &trade_no, fence);
                let changes = held.map(|mut attempt| {
                    attempt.leased_until_ms = 0;
                    attempt.asks = attempt.asks.saturating_add(1);
                    attempt.ask_at_ms = ask_at;
                    super::ask::only(case, attempt)
                });
                Ok::<_, PayError>((changes, ()))
            })
            .await?;
        self.rang(leased.payment);
        Ok(())
    }
}

fn ended(case: &Case, trade_no: &TradeNo) -> Ended {
    match case.attempt(trade_no).map(|attempt| attempt.state) {
        Some(AttemptState::Ok) => Ended::Paid,
        Some(AttemptState::Intent | AttemptState::Wait) => Ended::StillOpen,
        _ => Ended::Over,
    }
}

/// Writes the intents to close all open attempts and leases those that nobody has; whoever has one goes on with it.
fn close(
    case: &Case,
    ways: &[(TradeNo, PayType)],
    now: Ams,
) -> Result<(Option<Changes>, Vec<Attempt>)> {
    let payment = &case.payment;
    may_end(payment)?;
    let open: Vec<&Attempt> = case
        .attempts
        .iter()
        .filter(|attempt| attempt.is_open())
        .collect();
    if payment.state == State::Fail {
        return Ok((None, Vec::new()));
    }
    if open.is_empty() {
        return Ok((
            Some(ending::fail(payment, FailWhy::Closed, "close", now)),
            Vec::new(),
        ));
    }
    let why = |attempt: &Attempt| {
        let way = ways
            .iter()
            .find(|(trade_no, _)| *trade_no == attempt.trade_no);
        match way {
            Some((_, way)) if way.reversible => EndWhy::Reversed,
            _ => EndWhy::Closed,
        }
    };
    Ok(begin_all(
        case,
        open.into_iter().map(|attempt| (attempt, why(attempt))),
        now,
    ))
}

/// The same for the till payment that is to be undone.
fn reverse(
    case: &Case,
    ways: &[(TradeNo, PayType)],
    now: Ams,
) -> Result<(Option<Changes>, Vec<Attempt>)> {
    may_end(&case.payment)?;
    if case.payment.fail_why == Some(FailWhy::Reversed) {
        return Ok((None, Vec::new()));
    }
    let reversible = |attempt: &&Attempt| {
        let way = ways
            .iter()
            .find(|(trade_no, _)| *trade_no == attempt.trade_no);
        attempt.is_open() && way.is_some_and(|(_, way)| way.reversible)
    };
    let till: Vec<&Attempt> = case.attempts.iter().filter(reversible).collect();
    if till.is_empty() {
        return Err(PayError::not_reversible(
            "the payment has no till payment of unknown end: close it instead",
        ));
    }
    Ok(begin_all(
        case,
        till.into_iter().map(|attempt| (attempt, EndWhy::Reversed)),
        now,
    ))
}

fn may_end(payment: &Payment) -> Result<()> {
    if payment.hold.is_some() {
        return Err(PayError::held(
            "the payment is held for a decision by hand (resolve)",
        ));
    }
    if payment.state == State::Ok {
        return Err(PayError::already_paid(
            "the payment is paid: refund it instead",
        ));
    }
    Ok(())
}

fn begin_all<'a>(
    case: &Case,
    attempts: impl Iterator<Item = (&'a Attempt, EndWhy)>,
    now: Ams,
) -> (Option<Changes>, Vec<Attempt>) {
    let mut all = Changes::of(case.payment.clone());
    let mut leased = Vec::new();
    for (attempt, why) in attempts {
        let free = attempt.leased_until_ms <= now;
        let taken = if free {
            lease(attempt, now)
        } else {
            attempt.clone()
        };
        let begun = match taken.ending {
            // Closing weighs more than making room; an undoing goes on.
            Some(ending) if ending.why != EndWhy::Superseded => super::ask::only(case, taken),
            _ => ending::begin(case, &taken, why, now),
        };
        all.payment = begun.payment;
        all.history.extend(begun.history);
        if free {
            leased.extend(begun.attempts.iter().cloned());
        }
        all.attempts.extend(begun.attempts);
    }
    (Some(all), leased)
}
