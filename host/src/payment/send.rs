//! `send`: orders the payment at the platform. The intent is durable before the platform is
//! called; one sender at a time; what was sent before is repeated from the store; another pay type ends the earlier
//! attempt first.

use std::time::Duration;

use super::caller::{Act, Caller, no_such_payment};
use super::closing::Ended;
use super::error::{PayError, Result};
use super::model::{Attempt, Case, EndWhy, Payment, PaymentId, Presentation, TradeNo};
use super::sending::{self, Claim, Wish, cannot_switch};
use super::targets::check_args;
use super::{Payments, now_ms, to_the_end};
use crate::plugin::{AttemptView, Fault, Outcome, ProviderCall, Sent};
use crate::trust::{PayType, Resend};

pub(super) use super::sending::{LEASE, held_by, new_attempt};

/// How long a second sender waits for the first one's answer.
const WAIT_FOR_OTHER: Duration = Duration::from_secs(15);
const MAX_ARGS: usize = 16;
const MAX_ARG_BYTES: usize = 1024;

impl Payments {
    /// Orders the payment at the platform, or gives the stored answer when it was sent before.
    pub async fn send(
        &self,
        caller: &Caller,
        id: PaymentId,
        pay_type: &str,
        target: Option<&str>,
        args: &[String],
        client_ip: Option<&str>,
    ) -> Result<Payment> {
        if args.len() > MAX_ARGS || args.iter().any(|arg| arg.len() > MAX_ARG_BYTES) {
            return Err(PayError::invalid(
                "at most 16 arguments of at most 1024 bytes",
            ));
        }
        let client_ip = super::create::read_client_ip(client_ip)?;
        let client_ip = client_ip.as_deref();
        let mut changes = self.0.changed.subscribe();
        let deadline = tokio::time::Instant::now() + WAIT_FOR_OTHER;
        loop {
            match self
                .claim(caller, id, pay_type, target, args, client_ip)
                .await?
            {
                Claim::Stored(payment) => return Ok(*payment),
                Claim::Expired => {
                    self.rang(id);
                    return Err(PayError::expired(
                        "the payment has expired: create a new one",
                    ));
                }
                // A caller that hangs up must not leave the call and its answer half done.
                Claim::Call { payment, attempt } => {
                    let (this, args) = (self.clone(), args.to_vec());
                    return to_the_end(async move {
                        let answer = this.call_send(&payment, &attempt, &args).await;
                        this.record_sent(id, &attempt, answer, false).await
                    })
                    .await;
                }
                Claim::Resume(attempt) => {
                    let this = self.clone();
                    return to_the_end(async move { this.resume(id, &attempt).await }).await;
                }
                Claim::End(attempt) => {
                    let this = self.clone();
                    to_the_end(async move { this.end_for_another(&attempt).await }).await?;
                    continue;
                }
                Claim::Busy => {}
            }
            // Whoever falls behind looks at the store again as well.
            let changed =
                async { while changes.recv().await.is_ok_and(|changed| changed != id) {} };
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(PayError::busy(
                    "another request is sending this payment: try again",
                ));
            }
        }
    }

    async fn claim(
        &self,
        caller: &Caller,
        id: PaymentId,
        pay_type: &str,
        target: Option<&str>,
        args: &[String],
        client_ip: Option<&str>,
    ) -> Result<Claim> {
        let case = self.case_for(caller, Act::Send, id).await?;
        if super::state::is_final(case.payment.state) {
            return Ok(Claim::Stored(Box::new(case.payment)));
        }
        let (provider, offer) = self.offered(&case.payment, pay_type, target)?;
        let fitting = check_args(&provider, pay_type, args);
        let known = provider.manifest.pay_type(pay_type);
        let args = if known.is_some_and(|known| known.resend == Resend::Same) {
            args.to_vec()
        } else {
            Vec::new()
        };
        let client_ip = client_ip.map(str::to_owned);
        let options = self.0.options.clone();
        let ways = self.ways(&case).await?;
        let chosen = self.with_settings(&case.payment, provider, offer).await;
        let offer = offer.clone();
        let (now, judged_at) = (now_ms(), self.deadline_now());
        self.0
            .store
            .change(id, move |case| {
                let wish = Wish {
                    offer: &offer,
                    chosen,
                    fitting,
                    args,
                    client_ip,
                    ways,
                    options: &options,
                    judged_at,
                };
                sending::claim(case, wish, now)
            })
            .await?
            .ok_or_else(no_such_payment)?
    }

    /// What the manifests that they are pinned to say of the open attempts' pay types.
    pub(super) async fn ways(&self, case: &Case) -> Result<Vec<(TradeNo, PayType)>> {
        let mut ways = Vec::new();
        for attempt in case.attempts.iter().filter(|attempt| attempt.is_open()) {
            ways.push((attempt.trade_no.clone(), self.way(attempt).await?));
        }
        Ok(ways)
    }

    /// What the manifest that it is pinned to says of an attempt's pay type.
    pub(super) async fn way(&self, attempt: &Attempt) -> Result<PayType> {
        let provider = self.provider(attempt.provider).await?;
        let way = provider.manifest().pay_type(&attempt.pay_type).cloned();
        way.ok_or_else(|| PayError::internal("the attempt's provider does not know its pay type"))
    }

    /// Ends an attempt so that another one can be begun. Where the platform cannot close it, the operator decides
    /// whether both may be open at once.
    async fn end_for_another(&self, attempt: &Attempt) -> Result<()> {
        let superseded = attempt
            .ending
            .is_some_and(|ending| ending.why == EndWhy::Superseded);
        match self.end_now(attempt).await {
            Ok(Ended::Over | Ended::Paid) => Ok(()),
            Ok(Ended::StillOpen) if superseded && self.0.options.overlap.is_on() => Ok(()),
            Ok(Ended::StillOpen) if superseded => {
                let error = cannot_switch(attempt);
                self.give_up_ending(attempt, error.message()).await?;
                Err(error)
            }
            Ok(Ended::StillOpen) => Err(PayError::busy(
                "the platform has not said yet how the earlier attempt ended: try again",
            )),
            Err(_) if superseded && self.0.options.overlap.is_on() => Ok(()),
            Err(error) if superseded => {
                self.give_up_ending(attempt, error.message()).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes up what an earlier caller left between the intent and the answer. Whatever happens here, the intent is
    /// durable and the host asks later.
    async fn resume(&self, id: PaymentId, attempt: &Attempt) -> Result<Payment> {
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        // The platform may have the order: ask before anything is sent again.
        let asked = self.ask_platform(&case, attempt, "send").await;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let goes_on = case
            .attempt(&attempt.trade_no)
            .is_some_and(Attempt::is_open)
            && !super::state::is_final(case.payment.state)
            && case.payment.hold.is_none();
        if !goes_on {
            self.release(id, attempt, None).await?;
            return Ok(case.payment);
        }
        if let Err(error) = asked {
            self.release(id, attempt, Some(error.message().to_owned()))
                .await?;
            return Err(error);
        }
        if !self.renew(attempt).await? {
            return Ok(case.payment);
        }
        let answer = self.call_send(&case.payment, attempt, &attempt.args).await;
        self.record_sent(id, attempt, answer, true).await
    }

    /// Calls the provider's `send` with the versions that the attempt is pinned to.
    pub(super) async fn call_send(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        args: &[String],
    ) -> Result<std::result::Result<Sent, Fault>> {
        let provider = self.provider(attempt.provider).await?;
        let target = self
            .target(&payment.domain, &attempt.target, &provider)
            .await?;
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        Ok(provider
            .send(call, AttemptView::of(payment, attempt), args)
            .await?)
    }

    /// Writes down what came of calling the platform; `again` when the same order may have arrived before.
    pub(super) async fn record_sent(
        &self,
        id: PaymentId,
        attempt: &Attempt,
        answer: Result<std::result::Result<Sent, Fault>>,
        again: bool,
    ) -> Result<Payment> {
        let sent = match answer {
            Ok(Ok(sent)) => sent,
            Ok(Err(fault)) => return Err(self.record_fault(id, attempt, fault, again).await?),
            Err(error) => {
                self.release(id, attempt, Some(error.message().to_owned()))
                    .await?;
                return Err(error);
            }
        };
        let presentation = sent.presentation.map(|(kind, content)| Presentation {
            kind,
            content,
            until_ms: sent.valid_until_ms.unwrap_or(0).min(attempt.expires_ms),
        });
        let evidence = match sent.outcome {
            Outcome::Trade { claim, statement } => Some((claim, statement)),
            _ => None,
        };
        let (fence, trade_no) = (attempt.fence, attempt.trade_no.clone());
        let (notes, words) = (sent.notes, sent.words);
        let now = now_ms();
        let payment = self
            .0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>(sending::record(
                    case,
                    &trade_no,
                    fence,
                    presentation,
                    notes,
                    words,
                    now,
                ))
            })
            .await?
            .ok_or_else(no_such_payment)??;
        self.rang(id);
        match evidence {
            None => Ok(payment),
            Some((claim, statement)) => {
                self.settle_by(attempt, &claim, &statement, "send").await?;
                let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
                Ok(case.payment)
            }
        }
    }

    async fn record_fault(
        &self,
        id: PaymentId,
        attempt: &Attempt,
        fault: Fault,
        again: bool,
    ) -> Result<PayError> {
        tracing::warn!(payment = %id, trade_no = %attempt.trade_no, %fault, "sending failed");
        let error = match &fault {
            Fault::Invalid(why) => PayError::send_invalid(why.clone()),
            Fault::Misconfigured(why) => PayError::misconfigured(why.clone()),
            Fault::Unsupported => PayError::unsupported("the provider cannot send this pay type"),
            Fault::Unknown(why) | Fault::Unverified(why) => unknown(why),
        };
        // "No trade was made" is said of this call alone: an earlier one may have made it.
        if again || matches!(fault, Fault::Unknown(_) | Fault::Unverified(_)) {
            let why = fault.to_string();
            self.release(id, attempt, Some(why.clone())).await?;
            return Ok(if again { unknown(&why) } else { error });
        }
        let (fence, trade_no) = (attempt.fence, attempt.trade_no.clone());
        let why = error.message().to_owned();
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>((sending::refuse(case, &trade_no, fence, why, now), ()))
            })
            .await?;
        self.rang(id);
        Ok(error)
    }

    /// Gives the attempt back, with what went wrong.
    pub(super) async fn release(
        &self,
        id: PaymentId,
        attempt: &Attempt,
        error: Option<String>,
    ) -> Result<()> {
        let (fence, trade_no) = (attempt.fence, attempt.trade_no.clone());
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>((sending::released(case, &trade_no, fence, error, now), ()))
            })
            .await?;
        self.rang(id);
        Ok(())
    }

    /// Keeps the attempt for another call of the platform; `false` when somebody else has it by now.
    pub(super) async fn renew(&self, attempt: &Attempt) -> Result<bool> {
        let (fence, trade_no) = (attempt.fence, attempt.trade_no.clone());
        let until = now_ms() + LEASE;
        let renewed = self.0.store.change(attempt.payment, move |case| {
            let held = held_by(case, &trade_no, fence);
            let kept = held.is_some();
            let changes = held.map(|mut attempt| {
                attempt.leased_until_ms = until;
                super::ask::only(case, attempt)
            });
            Ok::<_, PayError>((changes, kept))
        });
        renewed.await?.ok_or_else(no_such_payment)?
    }
}

fn unknown(why: &str) -> PayError {
    PayError::send_unknown(format!(
        "nobody knows whether the platform took the order ({why}); the payment stays WAIT \
         and the platform is asked: check it, or send it again"
    ))
}
