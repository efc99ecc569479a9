//! Asking the platform (查单): by a caller's `check`, or by the schedule. One asker at a time per
//! attempt; what the platform states settles the payment, and not knowing changes nothing.

use super::caller::{Act, Caller, no_such_payment};
use super::ending::{Heard, Step, next_step};
use super::error::{PayError, Result};
use super::model::{Ams, Attempt, Case, Changes, Payment, PaymentId, StoredStatement, TradeNo};
use super::schedule::next_ask;
use super::sending::{held_by, lease};
use super::settle::{Evidence, Settled, settle};
use super::state::is_final;
use super::{Payments, now_ms, to_the_end};
use crate::plugin::{AttemptView, Fault, Outcome, Provider, ProviderCall};
use crate::trust::{Statement, read_claim};

/// A caller's `check` does not ask the platform again sooner than this.
const PAUSE: Ams = 1_000;

/// What asking found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// The platform stated something; it is recorded.
    Settled(Settled),
    /// The platform knows the trade and says nothing of its end.
    Pending,
    /// The platform does not know the trade (yet).
    NotFound,
}

impl Payments {
    /// Asks the platform about the payment now, and gives the payment as it stands afterwards. A
    /// final payment is only repeated.
    pub async fn check(&self, caller: &Caller, id: PaymentId) -> Result<Payment> {
        let case = self.case_for(caller, Act::Read, id).await?;
        if is_final(case.payment.state) {
            return Ok(case.payment);
        }
        let Some(attempt) = case.attempts.iter().rev().find(|attempt| attempt.is_open()) else {
            return Ok(case.payment);
        };
        let trade_no = attempt.trade_no.clone();
        let now = now_ms();
        let leased = self
            .0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>(lease_for_check(case, &trade_no, now))
            })
            .await?
            .ok_or_else(no_such_payment)??;
        if let Some(attempt) = leased {
            let this = self.clone();
            to_the_end(async move { this.ask(&attempt).await }).await?;
        }
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        self.watched(caller, &case).await;
        Ok(case.payment)
    }

    /// Asks about an attempt that the caller has leased, does what follows from the answer (sends again what a crash
    /// interrupted, captures what was approved, ends what nobody paid in time), and gives the attempt back with its
    /// next time to ask.
    pub async fn ask(&self, leased: &Attempt) -> Result<Asked> {
        let id = leased.payment;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let Some(attempt) = case.attempt(&leased.trade_no) else {
            return Ok(Asked::NotFound);
        };
        if attempt.is_being_reversed() {
            return self.end_now(leased).await.map(|_| Asked::Pending);
        }
        let asked = self.ask_platform(&case, attempt, "check").await;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let open = case
            .attempt(&leased.trade_no)
            .filter(|attempt| attempt.is_open());
        let Some(attempt) = open else {
            self.give_back(leased, &asked).await?;
            return asked;
        };
        let way = self.way(attempt).await?;
        match next_step(&case, attempt, &way, heard(&asked), self.deadline_now()) {
            Step::Wait => {
                self.give_back(leased, &asked).await?;
                asked
            }
            Step::Resend => {
                if self.renew(leased).await? {
                    let answer = self.call_send(&case.payment, leased, &attempt.args).await;
                    self.record_sent(id, leased, answer, true).await?;
                }
                Ok(Asked::Pending)
            }
            Step::Capture => {
                let captured = self.capture(&case, leased).await;
                self.give_back(leased, &captured).await?;
                captured
            }
            Step::Begin(why) => {
                if self.begin_ending(leased, why).await? {
                    self.end_after(leased, heard(&asked)).await?;
                }
                asked
            }
            Step::Close => {
                self.end_after(leased, heard(&asked)).await?;
                asked
            }
        }
    }

    /// Gives an attempt back that was asked about.
    pub(super) async fn give_back(&self, leased: &Attempt, asked: &Result<Asked>) -> Result<()> {
        let (trade_no, fence) = (leased.trade_no.clone(), leased.fence);
        let error = asked.as_ref().err().map(|error| error.message().to_owned());
        let now = now_ms();
        self.0
            .store
            .change(leased.payment, move |case| {
                Ok::<_, PayError>((asked_once(case, &trade_no, fence, error, now), ()))
            })
            .await?;
        Ok(())
    }

    /// Takes the money that the buyer approved. Capturing twice is the same as once, by the trade's number.
    async fn capture(&self, case: &Case, attempt: &Attempt) -> Result<Asked> {
        if !self.renew(attempt).await? {
            return Ok(Asked::Pending);
        }
        let (provider, call) = self.call_for(case, attempt).await?;
        let view = AttemptView::of(&case.payment, attempt);
        let said = provider.capture(call, view).await?;
        self.heard_outcome(attempt, said, "capture").await
    }

    /// The provider and target that an attempt is pinned to.
    pub(super) async fn call_for(
        &self,
        case: &Case,
        attempt: &Attempt,
    ) -> Result<(Provider, ProviderCall)> {
        let provider = self.provider(attempt.provider).await?;
        let target = self
            .target(&case.payment.domain, &attempt.target, &provider)
            .await?;
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        Ok((provider, call))
    }

    /// Asks, and settles what the platform states. Writes nothing else.
    pub(super) async fn ask_platform(
        &self,
        case: &Case,
        attempt: &Attempt,
        cause: &'static str,
    ) -> Result<Asked> {
        let (provider, call) = self.call_for(case, attempt).await?;
        let view = AttemptView::of(&case.payment, attempt);
        let said = provider.check(call, view).await?;
        self.heard_outcome(attempt, said, cause).await
    }

    /// Settles what a provider points at.
    async fn heard_outcome(
        &self,
        attempt: &Attempt,
        said: std::result::Result<Outcome, Fault>,
        cause: &'static str,
    ) -> Result<Asked> {
        match said {
            Ok(Outcome::Trade { claim, statement }) => {
                let settled = self.settle_by(attempt, &claim, &statement, cause).await?;
                Ok(Asked::Settled(settled))
            }
            Ok(Outcome::Refund { claim, statement }) => {
                self.settle_refund_by(attempt, &claim, &statement, cause)
                    .await?;
                Ok(Asked::Pending)
            }
            Ok(Outcome::NotFound) => Ok(Asked::NotFound),
            Ok(_) => Ok(Asked::Pending),
            Err(Fault::Misconfigured(why)) => Err(PayError::misconfigured(why)),
            Err(Fault::Unsupported) => Err(PayError::unsupported(
                "this pay type's platform cannot be asked",
            )),
            Err(fault) => Err(PayError::check_unknown(format!(
                "the platform's answer settles nothing ({fault}); the payment stays as it is"
            ))),
        }
    }

    /// Settles the attempt's payment by what a statement says.
    pub(super) async fn settle_by(
        &self,
        attempt: &Attempt,
        claim: &str,
        statement: &Statement,
        cause: &'static str,
    ) -> Result<Settled> {
        let case = self.0.store.case(attempt.payment).await?;
        let payment = case.ok_or_else(no_such_payment)?.payment;
        self.settle_payment_by(&payment, attempt, claim, statement, cause)
            .await
    }

    /// Reads a claim out of a statement, and settles the payment by what it says. The one way by
    /// which a payment becomes paid. Of the payment that was read before, only what is fixed at its creation counts
    /// here (its domain, and whether it is a test); the rule looks at the payment as it stands when it is changed.
    pub(super) async fn settle_payment_by(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        claim: &str,
        statement: &Statement,
        cause: &'static str,
    ) -> Result<Settled> {
        let id = payment.id;
        let provider = self.provider(attempt.provider).await?;
        let target = self
            .target(&payment.domain, &attempt.target, &provider)
            .await?;
        if provider.manifest().has_settings() && target.test != payment.test {
            return Err(PayError::check_unknown(
                "a test target never settles a live payment",
            ));
        }
        let trade_no = attempt.trade_no.clone();
        let reading = read_claim(provider.manifest(), &target, trade_no.as_str(), claim, statement)
            .map_err(|error| {
                tracing::warn!(target: "audit", payment = %id, %trade_no, claim, %error, cause, "statement refused");
                self.meter().statement_refused(provider.manifest().name(), cause);
                PayError::check_unknown(format!("the statement does not settle this payment: {error}"))
            })?;
        let now = now_ms();
        let stored = StoredStatement {
            digest: statement.digest(),
            trade_no: trade_no.clone(),
            scheme: reading.scheme.clone(),
            claim: reading.claim.clone(),
            text: statement.text().to_vec(),
            at: now,
        };
        let settled = self
            .0
            .store
            .change(id, move |case| {
                let evidence = Evidence {
                    trade_no: &trade_no,
                    reading: &reading,
                    statement: stored,
                    cause,
                };
                settle(case, &evidence, now).ok_or_else(no_such_payment)
            })
            .await?
            .ok_or_else(no_such_payment)??;
        self.meter()
            .settled(cause, settled.as_str(), statement.came());
        self.proved(payment, attempt);
        if settled.is_alert() {
            tracing::error!(target: "audit", payment = %id, trade_no = %attempt.trade_no, what = settled.as_str(), "ALERT");
        } else {
            tracing::info!(target: "audit", payment = %id, trade_no = %attempt.trade_no, what = settled.as_str(), cause, "statement");
        }
        self.rang(id);
        Ok(settled)
    }
}

/// What asking found, as far as the next step depends on it.
pub(super) fn heard(asked: &Result<Asked>) -> Heard {
    match asked {
        Ok(Asked::Settled(settled)) => Heard::of(*settled),
        Ok(Asked::Pending) => Heard::Waiting,
        Ok(Asked::NotFound) => Heard::NotFound,
        Err(_) => Heard::Nothing,
    }
}

/// Leases the attempt, unless somebody has it or it was asked about just now.
fn lease_for_check(
    case: &Case,
    trade_no: &TradeNo,
    now: Ams,
) -> (Option<Changes>, Option<Attempt>) {
    let free = case.attempt(trade_no).filter(|attempt| {
        // A question that was asked later than now was so before the clock was set back.
        let paused = (attempt.asked_ms..attempt.asked_ms + PAUSE).contains(&now);
        attempt.is_open() && attempt.leased_until_ms <= now && !paused
    });
    let Some(attempt) = free else {
        return (None, None);
    };
    let leased = lease(attempt, now);
    (Some(only(case, leased.clone())), Some(leased))
}

/// The attempt is given back, with its next time to ask.
fn asked_once(
    case: &Case,
    trade_no: &TradeNo,
    fence: u64,
    error: Option<String>,
    now: Ams,
) -> Option<Changes> {
    let mut attempt = held_by(case, trade_no, fence)?;
    attempt.leased_until_ms = 0;
    attempt.asks = attempt.asks.saturating_add(1);
    attempt.asked_ms = now;
    attempt.last_error = error;
    attempt.ask_at_ms = next_ask(&attempt, now);
    Some(only(case, attempt))
}

/// A change of an attempt that is no news about the payment.
pub(super) fn only(case: &Case, attempt: Attempt) -> Changes {
    Changes {
        attempts: vec![attempt],
        ..Changes::of(case.payment.clone())
    }
}
