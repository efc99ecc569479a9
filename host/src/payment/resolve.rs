//! `resolve`: a person decides on a payment that is held.

use serde_json::{Map, Value, json};

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, AttemptState, Case, Change, Changes, FailWhy, Hold, Payment, PaymentId, Refund,
    RefundCause, State,
};
use super::refunding;
use super::schedule::next_ask;
use super::settle::edit_platform;
use super::{Payments, now_ms};

/// What the person decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Take what was paid for the whole: the payment becomes OK.
    Accept,
    /// Give the money back, then go on as before.
    Refund,
    /// The statement is to be passed over: the payment goes on as before.
    Dismiss,
}

impl Payments {
    /// Ends a hold by hand.
    pub async fn resolve(
        &self,
        caller: &Caller,
        id: PaymentId,
        decision: Decision,
        reason: &str,
    ) -> Result<Payment> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() || reason.len() > 1024 {
            return Err(PayError::invalid(
                "give a reason of 1 to 1024 bytes: it is kept in the history",
            ));
        }
        self.case_for(caller, Act::Resolve, id).await?;
        let who = match caller {
            Caller::Domain { name, .. } => name.clone(),
            _ => "root".to_owned(),
        };
        let now = now_ms();
        let payment = self
            .0
            .store
            .change(id, move |case| rule(case, decision, &reason, &who, now))
            .await?
            .ok_or_else(super::caller::no_such_payment)??;
        self.rang(id);
        Ok(payment)
    }
}

fn rule(
    case: &Case,
    decision: Decision,
    reason: &str,
    who: &str,
    now: Ams,
) -> Result<(Option<Changes>, Payment)> {
    let Some(hold) = case.payment.hold.clone() else {
        return Err(PayError::not_held("the payment is not held"));
    };
    let mut payment = case.payment.clone();
    payment.hold = None;
    payment.changed_ms = now;
    let (mut attempts, mut refunds) = (Vec::new(), Vec::new());
    let attempt = case
        .attempts
        .iter()
        .find(|a| a.trade_no.as_str() == hold.trade_no);
    let mut detail = Map::new();
    detail.insert("reason".into(), json!(reason));
    detail.insert("by".into(), json!(who));
    detail.insert("hold".into(), json!(hold));
    let word = match decision {
        Decision::Accept => {
            payment.late = matches!(payment.fail_why, Some(FailWhy::Expired | FailWhy::Closed));
            payment.state = State::Ok;
            payment.fail_why = None;
            payment.closed_ms = now;
            payment.presentation = None;
            if let Some(attempt) = attempt {
                payment.pay_type = Some(attempt.pay_type.clone());
                payment.target = Some(attempt.target.name.clone());
                edit_platform(&mut payment, &attempt.target.platform, |notes| {
                    notes.insert("trade_no".into(), json!(attempt.trade_no));
                    notes.insert("transaction_id".into(), json!(attempt.transaction_id));
                    notes.insert("at".into(), json!(now));
                    notes.insert("accepted".into(), json!(hold.paid_text));
                });
                attempts.push(Attempt {
                    state: AttemptState::Ok,
                    fail_why: None,
                    ending: None,
                    paid_minor: paid_minor(&case.payment, &hold),
                    ask_at_ms: 0,
                    ..attempt.clone()
                });
            }
            "accept"
        }
        Decision::Dismiss | Decision::Refund => {
            if let Some(attempt) = attempt {
                if decision == Decision::Refund {
                    let (paid, back) = give_back(&case.payment, attempt, &hold, now)?;
                    detail.insert("refund_no".into(), json!(back.refund_no));
                    attempts.push(paid);
                    refunds.push(back);
                }
                edit_platform(&mut payment, &attempt.target.platform, |notes| {
                    let known = notes.entry("dismissed").or_insert_with(|| json!({}));
                    if let Value::Object(known) = known {
                        known.insert(
                            hold.trade_no.clone(),
                            json!([hold.paid_text, hold.paid_currency, hold.why]),
                        );
                    }
                });
            }
            match decision {
                Decision::Refund => "refund",
                _ => "dismiss",
            }
        }
    };
    detail.insert("decision".into(), json!(word));
    let line = Change {
        at: now,
        cause: "resolve".into(),
        from: Some(case.payment.state),
        to: payment.state,
        trade_no: Some(hold.trade_no),
        statement: Some(hold.statement),
        detail,
    };
    let deliver = decision == Decision::Accept
        && payment.callback.is_some()
        && case.payment.state != State::Ok;
    let changes = Changes {
        attempts,
        refunds,
        history: vec![line],
        deliver,
        ..Changes::of(payment.clone())
    };
    Ok((Some(changes), payment))
}

/// What was paid, where it can be read and is in the payment's own currency.
fn paid_minor(payment: &Payment, hold: &Hold) -> Option<i64> {
    let same = hold.paid_currency == payment.total.currency().code();
    hold.paid_minor.filter(|_| same)
}

/// The attempt whose money goes back, over, and the refund of all that was paid for it.
fn give_back(
    payment: &Payment,
    attempt: &Attempt,
    hold: &Hold,
    now: Ams,
) -> Result<(Attempt, Refund)> {
    let paid = paid_minor(payment, hold).filter(|paid| *paid > 0).ok_or_else(|| {
        PayError::cannot_resolve(
            "the amount that the platform states cannot be read, or is in another currency: refund it at the \
             platform, then dismiss the hold",
        )
    })?;
    let mut over = attempt.clone();
    if over.state != AttemptState::Ok {
        over.state = AttemptState::Fail;
        over.fail_why = Some(FailWhy::Closed);
        over.ending = None;
        over.leased_until_ms = 0;
    }
    over.paid_minor = Some(paid);
    over.ask_at_ms = next_ask(&over, now);
    let back = refunding::order(
        &over,
        paid,
        "held for another amount",
        RefundCause::Resolved,
        now,
    );
    Ok((over, back))
}
