//! `resolve`: a person decides on a payment that is held.

use serde_json::{Map, Value, json};

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{Ams, AttemptState, Case, Change, Changes, FailWhy, Payment, PaymentId, State};
use super::settle::edit_platform;
use super::{Payments, now_ms};

/// What the person decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
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
    if decision == Decision::Refund {
        return Err(PayError::cannot_resolve(
            "this release cannot give money back: refund it at the platform, then dismiss the hold",
        ));
    }
    let mut payment = case.payment.clone();
    payment.hold = None;
    payment.changed_ms = now;
    let mut attempts = Vec::new();
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
            attempts.extend(attempt.cloned().map(|mut attempt| {
                attempt.state = AttemptState::Ok;
                attempt.fail_why = None;
                attempt.ask_at_ms = 0;
                attempt
            }));
            "accept"
        }
        Decision::Dismiss | Decision::Refund => {
            if let Some(attempt) = attempt {
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
            "dismiss"
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
        payment: payment.clone(),
        attempts,
        history: vec![line],
        statement: None,
        deliver,
    };
    Ok((Some(changes), payment))
}
