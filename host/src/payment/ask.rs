//! Asking the platform (查单): by a caller's `check`, or by the schedule. One asker at a time per
//! attempt; what the platform states settles the payment, and not knowing changes nothing.

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, AttemptState, Case, Changes, Digest, Payment, PaymentId, StoredStatement,
};
use super::schedule::next_ask;
use super::send::{LEASE, held_by};
use super::settle::{Evidence, Settled, settle};
use super::state::is_final;
use super::{Payments, now_ms};
use crate::plugin::{AttemptView, Fault, Outcome, ProviderCall};
use crate::trust::{Resend, Statement, read_claim};

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
        let Some(attempt) = case.attempts.iter().rev().find(|attempt| is_open(attempt)) else {
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
            .ok_or_else(super::caller::no_such_payment)??;
        if let Some(attempt) = leased {
            self.ask(&attempt).await?;
        }
        let case = self
            .0
            .store
            .case(id)
            .await?
            .ok_or_else(super::caller::no_such_payment)?;
        Ok(case.payment)
    }

    /// Asks about an attempt that the caller has leased, takes up again what a crash interrupted,
    /// and gives the attempt back with its next time to ask.
    pub async fn ask(&self, attempt: &Attempt) -> Result<Asked> {
        let id = attempt.payment;
        let case = self
            .0
            .store
            .case(id)
            .await?
            .ok_or_else(super::caller::no_such_payment)?;
        let asked = self.ask_platform(&case, attempt, "check").await;
        if matches!(asked, Ok(Asked::NotFound)) && self.may_resend(&case, attempt) {
            // Nobody knows whether the order arrived: the same one again is safe.
            let answer = self.call_send(&case.payment, attempt, &attempt.args).await;
            self.record_sent(id, attempt, answer).await?;
            return Ok(Asked::Pending);
        }
        let (trade_no, fence) = (attempt.trade_no.clone(), attempt.fence);
        let error = asked.as_ref().err().map(|error| error.message().to_owned());
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>((asked_once(case, &trade_no, fence, error, now), ()))
            })
            .await?;
        asked
    }

    fn may_resend(&self, case: &Case, attempt: &Attempt) -> bool {
        let resend = self
            .0
            .providers
            .of_platform(&attempt.target.platform)
            .and_then(|current| {
                current
                    .manifest
                    .pay_type(&attempt.pay_type)
                    .map(|p| p.resend)
            });
        attempt.state == AttemptState::Intent
            && case.payment.hold.is_none()
            && !is_final(case.payment.state)
            && now_ms() < attempt.expires_ms
            && resend == Some(Resend::Same)
    }

    /// Asks, and settles what the platform states. Writes nothing else.
    pub(super) async fn ask_platform(
        &self,
        case: &Case,
        attempt: &Attempt,
        cause: &'static str,
    ) -> Result<Asked> {
        let provider = self.provider(attempt.provider).await?;
        let target = self
            .target(&case.payment.domain, &attempt.target, &provider)
            .await?;
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        match provider
            .check(call, AttemptView::of(&case.payment, attempt))
            .await?
        {
            Ok(Outcome::Trade { claim, statement }) => {
                let settled = self.settle_by(attempt, &claim, &statement, cause).await?;
                Ok(Asked::Settled(settled))
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

    /// Reads a claim out of a statement, and settles the payment by what it says. The one way by
    /// which a payment becomes paid.
    pub(super) async fn settle_by(
        &self,
        attempt: &Attempt,
        claim: &str,
        statement: &Statement,
        cause: &'static str,
    ) -> Result<Settled> {
        let id = attempt.payment;
        let case = self
            .0
            .store
            .case(id)
            .await?
            .ok_or_else(super::caller::no_such_payment)?;
        let provider = self.provider(attempt.provider).await?;
        let target = self
            .target(&case.payment.domain, &attempt.target, &provider)
            .await?;
        if provider.manifest().has_settings() && target.test != case.payment.test {
            return Err(PayError::check_unknown(
                "a test target never settles a live payment",
            ));
        }
        let trade_no = attempt.trade_no.clone();
        let reading = read_claim(provider.manifest(), &target, trade_no.as_str(), claim, statement)
            .map_err(|error| {
                tracing::warn!(target: "audit", payment = %id, %trade_no, claim, %error, cause, "statement refused");
                PayError::check_unknown(format!("the statement does not settle this payment: {error}"))
            })?;
        let now = now_ms();
        let stored = StoredStatement {
            digest: Digest::of(statement.text()),
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
                settle(case, &evidence, now).ok_or_else(super::caller::no_such_payment)
            })
            .await?
            .ok_or_else(super::caller::no_such_payment)??;
        if settled.is_alert() {
            tracing::error!(target: "audit", payment = %id, trade_no = %attempt.trade_no, what = settled.as_str(), "ALERT");
        } else {
            tracing::info!(target: "audit", payment = %id, trade_no = %attempt.trade_no, what = settled.as_str(), cause, "statement");
        }
        self.rang(id);
        Ok(settled)
    }
}

fn is_open(attempt: &Attempt) -> bool {
    matches!(attempt.state, AttemptState::Intent | AttemptState::Wait)
}

/// Leases the attempt, unless somebody has it or it was asked about just now.
fn lease_for_check(
    case: &Case,
    trade_no: &super::model::TradeNo,
    now: Ams,
) -> (Option<Changes>, Option<Attempt>) {
    let found = case
        .attempts
        .iter()
        .find(|attempt| attempt.trade_no == *trade_no);
    let Some(attempt) = found.filter(|a| is_open(a) && a.leased_until_ms <= now) else {
        return (None, None);
    };
    let asked_lately = attempt.asks > 0 && attempt.ask_at_ms > now + EAGER_LEFT;
    if asked_lately {
        return (None, None);
    }
    let mut leased = attempt.clone();
    leased.fence += 1;
    leased.leased_until_ms = now + LEASE;
    (Some(only(case, leased.clone())), Some(leased))
}

/// An attempt that is asked about every 5 s was asked less than [`PAUSE`] ago when more than this is
/// left until the next question.
const EAGER_LEFT: Ams = 5_000 - PAUSE;

/// The attempt is given back, with its next time to ask.
fn asked_once(
    case: &Case,
    trade_no: &super::model::TradeNo,
    fence: u64,
    error: Option<String>,
    now: Ams,
) -> Option<Changes> {
    let mut attempt = held_by(case, trade_no, fence)?;
    attempt.leased_until_ms = 0;
    attempt.asks = attempt.asks.saturating_add(1);
    attempt.last_error = error;
    attempt.ask_at_ms = next_ask(&attempt, now);
    Some(only(case, attempt))
}

/// A change of an attempt that is no news about the payment.
fn only(case: &Case, attempt: Attempt) -> Changes {
    Changes {
        payment: case.payment.clone(),
        attempts: vec![attempt],
        history: Vec::new(),
        statement: None,
        deliver: false,
    }
}

impl Payments {
    /// Ends payments that expired before they were sent.
    pub async fn expire(&self, id: PaymentId) -> Result<()> {
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                let due = case.payment.state == super::model::State::New
                    && case.payment.expires_ms <= now;
                Ok::<_, PayError>((due.then(|| super::send::expire(&case.payment, now)), ()))
            })
            .await?;
        self.rang(id);
        Ok(())
    }
}
