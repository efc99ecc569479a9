//! `send`: orders the payment at the platform. The intent is durable before the platform is
//! called; one sender at a time; what was sent before is repeated from the store.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, AttemptState, Case, Change, Changes, FailWhy, Offer, Payment, PaymentId,
    Presentation, State, TradeNo,
};
use super::schedule::next_ask;
use super::targets::Chosen;
use super::{Options, Payments, now_ms};
use crate::plugin::{AttemptView, Fault, Outcome, ProviderCall, Sent};
use crate::trust::Resend;

/// How long one caller of the platform keeps the attempt to itself: longer than a provider's call
/// may last, so that nobody else calls in between.
pub(super) const LEASE: Ams = 45_000;
/// How long a second sender waits for the first one's answer.
const WAIT_FOR_OTHER: Duration = Duration::from_secs(15);
const MAX_ARGS: usize = 16;
const MAX_ARG_BYTES: usize = 1024;

/// What a sender has to do.
enum Claim {
    /// Call the platform for this attempt; `resumed` when an earlier caller may have done so.
    Call {
        attempt: Box<Attempt>,
        resumed: bool,
    },
    /// It was sent: the answer is in the store.
    Stored(Box<Payment>),
    /// Somebody else is sending it.
    Busy,
    /// It expired before it was sent.
    Expired,
}

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
                Claim::Call { attempt, resumed } => {
                    return self.call_platform(id, &attempt, resumed, args).await;
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
        let resend = provider
            .manifest
            .pay_type(pay_type)
            .map(|known| known.resend);
        let kept_args = if resend == Some(Resend::Same) {
            args.to_vec()
        } else {
            Vec::new()
        };
        let client_ip = client_ip.map(str::to_owned);
        let options = self.0.options.clone();
        let chosen = self.with_settings(&case.payment, provider, offer).await;
        let offer = offer.clone();
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                claim(case, &offer, chosen, kept_args, client_ip, &options, now)
            })
            .await?
            .ok_or_else(super::caller::no_such_payment)?
    }

    /// The part between the intent and the answer. Whatever happens here, the intent is durable and
    /// the host asks later.
    async fn call_platform(
        &self,
        id: PaymentId,
        attempt: &Attempt,
        resumed: bool,
        args: &[String],
    ) -> Result<Payment> {
        let case = self
            .0
            .store
            .case(id)
            .await?
            .ok_or_else(super::caller::no_such_payment)?;
        if resumed {
            // An earlier caller may have ordered it: ask before anything is sent again.
            let asked = self.ask_platform(&case, attempt, "send").await;
            let case = self
                .0
                .store
                .case(id)
                .await?
                .ok_or_else(super::caller::no_such_payment)?;
            if super::state::is_final(case.payment.state) {
                self.release(id, attempt, None).await?;
                return Ok(case.payment);
            }
            if let Err(error) = asked {
                self.release(id, attempt, Some(error.message().to_owned()))
                    .await?;
                return Err(error);
            }
        }
        let args = if resumed {
            attempt.args.as_slice()
        } else {
            args
        };
        let answer = self.call_send(&case.payment, attempt, args).await;
        self.record_sent(id, attempt, answer).await
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

    /// Writes down what came of calling the platform.
    pub(super) async fn record_sent(
        &self,
        id: PaymentId,
        attempt: &Attempt,
        answer: Result<std::result::Result<Sent, Fault>>,
    ) -> Result<Payment> {
        let sent = match answer {
            Ok(Ok(sent)) => sent,
            Ok(Err(fault)) => return Err(self.record_fault(id, attempt, fault).await?),
            Err(error) => {
                self.release(id, attempt, Some(error.message().to_owned()))
                    .await?;
                return Err(error);
            }
        };
        let presentation = sent.presentation.map(|(kind, content)| Presentation {
            kind,
            content,
            until_ms: sent.valid_until_ms.unwrap_or(0),
        });
        let evidence = match sent.outcome {
            Outcome::Trade { claim, statement } => Some((claim, statement)),
            _ => None,
        };
        let (fence, trade_no, notes) = (attempt.fence, attempt.trade_no.clone(), sent.notes);
        let now = now_ms();
        let payment = self
            .0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>(record(case, &trade_no, fence, presentation, notes, now))
            })
            .await?
            .ok_or_else(super::caller::no_such_payment)??;
        self.rang(id);
        match evidence {
            None => Ok(payment),
            Some((claim, statement)) => {
                self.settle_by(attempt, &claim, &statement, "send").await?;
                let case = self
                    .0
                    .store
                    .case(id)
                    .await?
                    .ok_or_else(super::caller::no_such_payment)?;
                Ok(case.payment)
            }
        }
    }

    async fn record_fault(
        &self,
        id: PaymentId,
        attempt: &Attempt,
        fault: Fault,
    ) -> Result<PayError> {
        tracing::warn!(payment = %id, trade_no = %attempt.trade_no, %fault, "sending failed");
        let error = match &fault {
            Fault::Unknown(why) | Fault::Unverified(why) => {
                self.release(id, attempt, Some(why.clone())).await?;
                return Ok(PayError::send_unknown(format!(
                    "nobody knows whether the platform took the order ({why}); the payment stays WAIT \
                     and the platform is asked: check it, or send it again"
                )));
            }
            Fault::Invalid(why) => PayError::send_invalid(why.clone()),
            Fault::Misconfigured(why) => PayError::misconfigured(why.clone()),
            Fault::Unsupported => PayError::unsupported("the provider cannot send this pay type"),
        };
        let (fence, trade_no) = (attempt.fence, attempt.trade_no.clone());
        let why = error.message().to_owned();
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>((refuse(case, &trade_no, fence, why, now), ()))
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
                Ok::<_, PayError>((released(case, &trade_no, fence, error, now), ()))
            })
            .await?;
        self.rang(id);
        Ok(())
    }
}

/// A new attempt at paying: with the payment's own id as its number when it is the first.
pub(super) fn new_attempt(
    payment: &Payment,
    chosen: &Chosen,
    number: u32,
    args: Vec<String>,
    client_ip: Option<String>,
    options: &Options,
    now: Ams,
) -> Attempt {
    let trade_no = if number == 1 {
        TradeNo::first(payment.id)
    } else {
        TradeNo::generate()
    };
    let valid_ms = chosen
        .provider
        .manifest
        .pay_type(&chosen.pay_type)
        .map_or(0, |pay_type| pay_type.valid_s.saturating_mul(1000));
    let expires_ms = payment.expires_ms.min(now + valid_ms).max(now);
    Attempt {
        notify_url: format!("{}/pay/re/{trade_no}", options.public_url),
        trade_no,
        payment: payment.id,
        number,
        pay_type: chosen.pay_type.clone(),
        target: chosen.target.clone(),
        provider: chosen.provider.digest,
        state: AttemptState::Intent,
        fail_why: None,
        created_ms: now,
        expires_ms,
        payable_until_ms: expires_ms,
        client_ip,
        args,
        notes: Map::new(),
        transaction_id: None,
        fence: 1,
        leased_until_ms: now + LEASE,
        ask_at_ms: now + LEASE,
        asks: 0,
        last_error: None,
    }
}

/// Writes the intent, or says that there is nothing to do. What was sent stays sent, whatever became
/// of its target since: only a new attempt needs what was `chosen`.
fn claim(
    case: &Case,
    offer: &Offer,
    chosen: Result<Chosen>,
    args: Vec<String>,
    client_ip: Option<String>,
    options: &Options,
    now: Ams,
) -> Result<(Option<Changes>, Claim)> {
    let payment = &case.payment;
    if payment.hold.is_some() {
        return Err(PayError::held(
            "the payment is held for a decision by hand (resolve)",
        ));
    }
    if super::state::is_final(payment.state) {
        return Ok((None, Claim::Stored(Box::new(payment.clone()))));
    }
    let open = case
        .attempts
        .iter()
        .find(|attempt| matches!(attempt.state, AttemptState::Intent | AttemptState::Wait));
    if let Some(open) = open {
        return resume(case, open, offer, now);
    }
    if now >= payment.expires_ms {
        return Ok((Some(expire(payment, now)), Claim::Expired));
    }
    let chosen = chosen?;
    let number = u32::try_from(case.attempts.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let attempt = new_attempt(payment, &chosen, number, args, client_ip, options, now);
    let mut changed = payment.clone();
    changed.state = State::Wait;
    changed.changed_ms = now;
    changed.sent_ms = now;
    changed.pay_type = Some(attempt.pay_type.clone());
    changed.target = Some(attempt.target.name.clone());
    let mut line = line(payment, &changed, &attempt, "send", now);
    line.detail.insert("pay_tp".into(), json!(attempt.pay_type));
    line.detail
        .insert("pay_target".into(), json!(attempt.target.name));
    let changes = changes(changed, attempt.clone(), line);
    Ok((
        Some(changes),
        Claim::Call {
            attempt: Box::new(attempt),
            resumed: false,
        },
    ))
}

/// The payment has an open attempt: its answer is stored, or it has to be taken up again.
fn resume(
    case: &Case,
    open: &Attempt,
    offer: &Offer,
    now: Ams,
) -> Result<(Option<Changes>, Claim)> {
    let payment = &case.payment;
    if open.pay_type != offer.pay_tp || open.target.name != offer.pay_target {
        return Err(PayError::switch(format!(
            "the payment was sent by {} to the target {:?} already; it cannot be switched while that \
             one may still be paid",
            open.pay_type, open.target.name
        )));
    }
    if open.state == AttemptState::Wait && payment.presentation.is_some() {
        return Ok((None, Claim::Stored(Box::new(payment.clone()))));
    }
    if open.leased_until_ms > now {
        return Ok((None, Claim::Busy));
    }
    if open.state == AttemptState::Wait {
        return Ok((None, Claim::Stored(Box::new(payment.clone()))));
    }
    let attempt = lease(open, now);
    let mut changed = payment.clone();
    changed.changed_ms = now;
    let line = line(payment, &changed, &attempt, "resend", now);
    Ok((
        Some(changes(changed, attempt.clone(), line)),
        Claim::Call {
            attempt: Box::new(attempt),
            resumed: true,
        },
    ))
}

/// The attempt, kept to one caller of the platform.
fn lease(attempt: &Attempt, now: Ams) -> Attempt {
    let mut leased = attempt.clone();
    leased.fence += 1;
    leased.leased_until_ms = now + LEASE;
    leased
}

/// A payment that was never sent and whose deadline has passed.
pub(super) fn expire(payment: &Payment, now: Ams) -> Changes {
    let mut changed = payment.clone();
    changed.state = State::Fail;
    changed.fail_why = Some(FailWhy::Expired);
    changed.changed_ms = now;
    changed.closed_ms = now;
    changed.presentation = None;
    let line = Change {
        at: now,
        cause: "expire".into(),
        from: Some(payment.state),
        to: State::Fail,
        trade_no: None,
        statement: None,
        detail: Map::new(),
    };
    Changes {
        payment: changed,
        attempts: Vec::new(),
        history: vec![line],
        statement: None,
        deliver: false,
    }
}

/// The platform took the order.
fn record(
    case: &Case,
    trade_no: &TradeNo,
    fence: u64,
    presentation: Option<Presentation>,
    notes: Option<Map<String, Value>>,
    now: Ams,
) -> (Option<Changes>, Payment) {
    let Some(mut attempt) = held_by(case, trade_no, fence) else {
        return (None, case.payment.clone());
    };
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    attempt.leased_until_ms = 0;
    attempt.last_error = None;
    if let Some(notes) = notes {
        attempt.notes = notes;
    }
    if attempt.state == AttemptState::Intent {
        attempt.state = AttemptState::Wait;
    }
    attempt.ask_at_ms = next_ask(&attempt, now);
    // The notification may have been faster than the answer: then there is nothing to show.
    if payment.state == State::Wait {
        payment.presentation = presentation;
    }
    let mut line = line(&case.payment, &payment, &attempt, "sent", now);
    line.detail.insert(
        "re_tp".into(),
        json!(payment.presentation.as_ref().map(|p| p.kind)),
    );
    (Some(changes(payment.clone(), attempt, line)), payment)
}

/// The provider refused before any trade was made: the attempt is over, the payment may be sent again.
fn refuse(case: &Case, trade_no: &TradeNo, fence: u64, why: String, now: Ams) -> Option<Changes> {
    let mut attempt = held_by(case, trade_no, fence)?;
    if attempt.state == AttemptState::Intent {
        attempt.state = AttemptState::Refused;
    }
    attempt.leased_until_ms = 0;
    attempt.last_error = Some(why.clone());
    attempt.ask_at_ms = next_ask(&attempt, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(&case.payment, &payment, &attempt, "refused", now);
    line.detail.insert("error".into(), json!(why));
    Some(changes(payment, attempt, line))
}

pub(super) fn released(
    case: &Case,
    trade_no: &TradeNo,
    fence: u64,
    error: Option<String>,
    now: Ams,
) -> Option<Changes> {
    let mut attempt = held_by(case, trade_no, fence)?;
    attempt.leased_until_ms = 0;
    attempt.last_error = error.clone();
    attempt.ask_at_ms = next_ask(&attempt, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(&case.payment, &payment, &attempt, "unknown", now);
    if let Some(error) = error {
        line.detail.insert("error".into(), json!(error));
    }
    Some(changes(payment, attempt, line))
}

/// The attempt, if the caller still holds it; whoever holds an older fence may not write.
pub(super) fn held_by(case: &Case, trade_no: &TradeNo, fence: u64) -> Option<Attempt> {
    case.attempts
        .iter()
        .find(|attempt| attempt.trade_no == *trade_no && attempt.fence == fence)
        .cloned()
}

fn line(before: &Payment, after: &Payment, attempt: &Attempt, cause: &str, now: Ams) -> Change {
    Change {
        at: now,
        cause: cause.to_owned(),
        from: Some(before.state),
        to: after.state,
        trade_no: Some(attempt.trade_no.to_string()),
        statement: None,
        detail: Map::new(),
    }
}

fn changes(payment: Payment, attempt: Attempt, line: Change) -> Changes {
    Changes {
        payment,
        attempts: vec![attempt],
        history: vec![line],
        statement: None,
        deliver: false,
    }
}
