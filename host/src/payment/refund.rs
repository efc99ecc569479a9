//! `refund`: gives money back. The intent reserves the amount before the platform is called, and only a verified
//! statement ends it; the same order may be given again, since its number is the same.

use super::caller::{Act, Caller, no_such_payment};
use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, Case, Changes, Digest, PaymentId, Refund, RefundNo, RefundState, StoredStatement,
};
use super::money::Money;
use super::refunding::{self, RefundSettled};
use super::send::LEASE;
use super::{Payments, now_ms};
use crate::plugin::{AttemptView, Fault, Outcome, Provider, ProviderCall, RefundView};
use crate::store::{IdempotencyKey, Once};
use crate::trust::{Statement, read_refund};

const MAX_REASON: usize = 256;

/// What a caller wants back.
pub struct RefundRequest<'a> {
    /// Minor units, or with the currency behind it, as in `create`; all that is left without it.
    pub fee: Option<&'a str>,
    /// For the buyer and the books.
    pub reason: &'a str,
    /// The caller's `Idempotency-Key` with the digest of the request.
    pub idempotency: Option<(String, Digest)>,
}

impl Payments {
    /// Gives money back, as far as it was paid and is not on its way already. Gives the refund as it stands when the
    /// platform was called once; how it ends is asked about in the background.
    pub async fn refund(
        &self,
        caller: &Caller,
        id: PaymentId,
        request: RefundRequest<'_>,
    ) -> Result<Refund> {
        let case = self.case_for(caller, Act::Refund, id).await?;
        let reason = request.reason.trim().to_owned();
        if reason.len() > MAX_REASON {
            return Err(PayError::invalid(format!(
                "the reason has more than {MAX_REASON} bytes"
            )));
        }
        let amount = request.fee.map(|fee| amount(fee, &case)).transpose()?;
        let who = caller.name();
        let now = now_ms();
        let rule = move |case: &Case| -> Result<(Option<Changes>, String)> {
            let (changes, refund) = refunding::rule(case, amount, &reason, &who, now)?;
            Ok((Some(changes), refund.refund_no.to_string()))
        };
        let made = match request.idempotency {
            None => Once::Made(
                self.0
                    .store
                    .change(id, rule)
                    .await?
                    .ok_or_else(no_such_payment)??,
            ),
            Some((key, body)) => {
                let key = IdempotencyKey {
                    verb: "refund".into(),
                    key,
                    body,
                };
                let once = self.0.store.change_once(id, key, now, rule).await?;
                once.ok_or_else(no_such_payment)??
            }
        };
        let number = match made {
            Once::Made(number) => {
                self.rang(id);
                self.call_once(id, &number).await?;
                number
            }
            Once::Repeated(number) => number,
            Once::KeyUsedForOtherBody => {
                return Err(PayError::key_reused(
                    "this Idempotency-Key was used with another request: use a new key for a new refund",
                ));
            }
        };
        self.refund_of(id, &number).await
    }

    async fn refund_of(&self, id: PaymentId, number: &str) -> Result<Refund> {
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let refund = RefundNo::parse(number).and_then(|number| case.refund(&number).cloned());
        refund.ok_or_else(|| PayError::internal("the refund is gone"))
    }

    /// Leases a refund that was just ordered and calls the platform, unless the background has it already.
    async fn call_once(&self, id: PaymentId, number: &str) -> Result<()> {
        let Some(number) = RefundNo::parse(number) else {
            return Ok(());
        };
        let now = now_ms();
        let leased = self.0.store.change(id, move |case| {
            let free = case
                .refund(&number)
                .filter(|refund| refund.leased_until_ms <= now);
            let leased = free.map(|refund| Refund {
                fence: refund.fence + 1,
                leased_until_ms: now + LEASE,
                ..refund.clone()
            });
            let changes = leased.clone().map(|refund| only(case, refund));
            Ok::<_, PayError>((changes, leased))
        });
        if let Some(refund) = leased.await?.ok_or_else(no_such_payment)?? {
            self.pursue_refund(&refund).await?;
        }
        Ok(())
    }

    /// Calls the platform about a refund that the caller has leased, and gives it back with its next time.
    pub async fn pursue_refund(&self, leased: &Refund) -> Result<()> {
        let id = leased.payment;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let (Some(refund), Some(attempt)) = (
            case.refund(&leased.refund_no),
            case.attempt(&leased.trade_no),
        ) else {
            return Ok(());
        };
        let called = self.call_platform_about(&case, attempt, refund).await;
        let (number, fence) = (refund.refund_no.clone(), leased.fence);
        let now = now_ms();
        self.0
            .store
            .change(id, move |case| {
                Ok::<_, PayError>((called_once(case, &number, fence, called, now), ()))
            })
            .await?;
        self.rang(id);
        Ok(())
    }

    async fn call_platform_about(&self, case: &Case, attempt: &Attempt, refund: &Refund) -> Called {
        let parts = async {
            let provider = self.provider(attempt.provider).await?;
            let target = self
                .target(&case.payment.domain, &attempt.target, &provider)
                .await?;
            Ok::<_, PayError>((provider, target))
        };
        let (provider, target) = match parts.await {
            Ok(parts) => parts,
            Err(error) => return Called::unknown(error.message()),
        };
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        let paid = attempt.paid_minor.unwrap_or(0);
        let currency = case.payment.total.currency();
        let (Ok(amount), Ok(paid)) = (
            Money::new(refund.amount_minor, currency),
            Money::new(paid, currency),
        ) else {
            return Called::unknown("the amount cannot be told to the platform");
        };
        let view = RefundView {
            refund_no: refund.refund_no.to_string(),
            amount,
            reason: refund.reason.clone(),
            paid,
            transaction_id: refund.transaction_id.clone(),
        };
        let ask = Ask {
            payments: self,
            provider: &provider,
            call,
            attempt,
            attempt_view: AttemptView::of(&case.payment, attempt),
            view,
        };
        if refund.asks == 0 {
            return ask.order().await;
        }
        // An earlier order may have arrived: the platform is asked before it is given again.
        match ask.question().await {
            Called::NotFound => ask.order().await,
            known => known,
        }
    }

    /// Settles a refund by a verified statement. The one way by which a refund becomes OK.
    pub(super) async fn settle_refund_by(
        &self,
        attempt: &Attempt,
        claim: &str,
        statement: &Statement,
        cause: &'static str,
    ) -> Result<RefundSettled> {
        let id = attempt.payment;
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        let provider = self.provider(attempt.provider).await?;
        let target = self
            .target(&case.payment.domain, &attempt.target, &provider)
            .await?;
        let trade_no = attempt.trade_no.clone();
        let reading = read_refund(provider.manifest(), &target, trade_no.as_str(), claim, statement)
            .map_err(|error| {
                tracing::warn!(target: "audit", payment = %id, %trade_no, claim, %error, cause, "statement refused");
                self.meter().statement_refused(provider.manifest().name(), cause);
                PayError::check_unknown(format!("the statement does not settle this refund: {error}"))
            })?;
        let now = now_ms();
        let stored = StoredStatement {
            digest: Digest::of(statement.text()),
            trade_no,
            scheme: reading.scheme.clone(),
            claim: reading.claim.clone(),
            text: statement.text().to_vec(),
            at: now,
        };
        let settled = self
            .0
            .store
            .change(id, move |case| {
                let attempt = case.attempt(&stored.trade_no);
                let attempt = attempt.ok_or_else(no_such_payment)?;
                Ok::<_, PayError>(refunding::settle(
                    case, attempt, &reading, stored, cause, now,
                ))
            })
            .await?
            .ok_or_else(no_such_payment)??;
        self.meter()
            .settled(cause, settled.as_str(), statement.came());
        if settled.is_alert() {
            tracing::error!(target: "audit", payment = %id, what = settled.as_str(), "ALERT");
        } else {
            tracing::info!(target: "audit", payment = %id, what = settled.as_str(), cause, "statement");
        }
        self.rang(id);
        Ok(settled)
    }
}

/// One call about one refund.
struct Ask<'a> {
    payments: &'a Payments,
    provider: &'a Provider,
    call: ProviderCall,
    attempt: &'a Attempt,
    attempt_view: AttemptView,
    view: RefundView,
}

impl Ask<'_> {
    async fn order(&self) -> Called {
        let said = self
            .provider
            .refund(
                self.call.clone(),
                self.attempt_view.clone(),
                self.view.clone(),
            )
            .await;
        match said {
            Ok(Ok(outcome)) => self.heard(outcome).await,
            Ok(Err(fault @ (Fault::Unknown(_) | Fault::Unverified(_)))) => {
                Called::unknown(&fault.to_string())
            }
            Ok(Err(fault)) => Called::Refused(fault.to_string()),
            Err(error) => Called::unknown(&error.to_string()),
        }
    }

    async fn question(&self) -> Called {
        let said = self
            .provider
            .check_refund(
                self.call.clone(),
                self.attempt_view.clone(),
                self.view.clone(),
            )
            .await;
        match said {
            Ok(Ok(outcome)) => self.heard(outcome).await,
            Ok(Err(fault)) => Called::unknown(&fault.to_string()),
            Err(error) => Called::unknown(&error.to_string()),
        }
    }

    async fn heard(&self, outcome: Outcome) -> Called {
        let settled = match outcome {
            Outcome::Refund { claim, statement } => self
                .payments
                .settle_refund_by(self.attempt, &claim, &statement, "refund")
                .await
                .map(|_| ()),
            Outcome::Trade { claim, statement } => self
                .payments
                .settle_by(self.attempt, &claim, &statement, "refund")
                .await
                .map(|_| ()),
            Outcome::NotFound => return Called::NotFound,
            Outcome::Pending | Outcome::Ask | Outcome::Ignored => Ok(()),
        };
        match settled {
            Ok(()) => Called::Taken,
            Err(error) => Called::unknown(error.message()),
        }
    }
}

/// What came of calling the platform, besides the statements that were settled.
#[derive(Clone)]
enum Called {
    /// The platform has it.
    Taken,
    /// The platform does not know it.
    NotFound,
    /// Surely not made; the text says why.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

impl Called {
    fn unknown(why: &str) -> Called {
        Called::Unknown(why.to_owned())
    }
}

/// The refund is given back, with its next time to ask; whoever holds an older fence writes nothing.
fn called_once(
    case: &Case,
    number: &RefundNo,
    fence: u64,
    called: Called,
    now: Ams,
) -> Option<Changes> {
    let mut refund = case
        .refund(number)
        .filter(|refund| refund.fence == fence)?
        .clone();
    refund.leased_until_ms = 0;
    refund.asks = refund.asks.saturating_add(1);
    if !refund.is_open() {
        refund.ask_at_ms = 0;
        return Some(only(case, refund));
    }
    match called {
        Called::Refused(why) => return Some(refunding::refused(case, &refund, why, now)),
        Called::Unknown(why) => refund.last_error = Some(why),
        Called::NotFound => {}
        Called::Taken => {
            refund.last_error = refund
                .last_error
                .filter(|_| refund.state == RefundState::Stuck)
        }
    }
    refund.ask_at_ms = refunding::next_ask(&refund, now);
    Some(only(case, refund))
}

/// A change of a refund that is no news about the payment.
fn only(case: &Case, refund: Refund) -> Changes {
    Changes {
        refunds: vec![refund],
        ..Changes::of(case.payment.clone())
    }
}

fn amount(fee: &str, case: &Case) -> Result<i64> {
    let currency = case.payment.total.currency();
    let money = Money::parse(fee, Some(currency.code()))
        .map_err(|error| PayError::invalid_fee(error.to_string()))?;
    if money.currency() != currency {
        return Err(PayError::invalid_fee(format!(
            "the payment is in {}",
            currency.caller_code()
        )));
    }
    Ok(money.minor())
}
