//! `/pay/ajax/deliveries` and `/pay/ajax/replay`: what became of the runs of callbacks, and running them again.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Json, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data};
use super::payments::payment_id;
use crate::payment::Payments;
use crate::payment::error::PayError;
use crate::store::{DeliveriesOf, Delivery, DeliveryState};

/// Which deliveries are listed.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Of this payment.
    #[serde(default)]
    id: Option<String>,
    /// Of callbacks of this name.
    #[serde(default)]
    callback: Option<String>,
    /// `waiting`, `running`, `done` or `dead`.
    #[serde(default)]
    state: Option<String>,
    /// Of this domain; for the operator.
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    skip: u32,
    #[serde(default)]
    limit: Option<u32>,
}

/// How many are listed where it is not said.
const LIMIT: u32 = 10;

pub(super) async fn list(
    State(payments): State<Payments>,
    by: By,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer {
    let Query(which) = which?;
    let of = DeliveriesOf {
        domain: which.domain,
        test_only: false,
        payment: which.id.as_deref().map(payment_id).transpose()?,
        callback: which.callback,
        state: which.state.as_deref().map(state).transpose()?,
    };
    let limit = which.limit.unwrap_or(LIMIT);
    let listed = payments.deliveries(&by.0, of, which.skip, limit).await?;
    Data::of(listed.iter().map(shown).collect::<Vec<Value>>())
}

fn state(text: &str) -> Result<DeliveryState, PayError> {
    DeliveryState::of_shown(text)
        .ok_or_else(|| PayError::invalid("state is one of waiting, running, done and dead"))
}

fn shown(delivery: &Delivery) -> Value {
    json!({
        "key": delivery.key,
        "payment": delivery.payment.to_string(),
        "seller_nm": delivery.domain,
        "test": delivery.test,
        "callback": delivery.callback,
        "state": delivery.state.shown(),
        "tries": delivery.tries,
        "ct": delivery.created_ms,
        "due": delivery.due_ms,
        "ended": delivery.ended_ms,
        "error": delivery.last_error,
        "log": delivery.log,
    })
}

/// What is to be run again: one delivery, or all that are dead.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct ReplayBody {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    all_dead: bool,
    /// With `all_dead`, those of callbacks of this name.
    #[serde(default)]
    callback: Option<String>,
    /// With `all_dead`, those of this domain; for the operator.
    #[serde(default)]
    domain: Option<String>,
}

pub(super) async fn replay(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<ReplayBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    match (body.key, body.all_dead) {
        (Some(key), false) => {
            payments.retry(&by.0, &key).await?;
            let answer = Data::of(json!({ "key": key, "state": DeliveryState::Due.shown() }))?;
            Ok(answer.changed(key))
        }
        (None, true) => {
            let of = DeliveriesOf {
                domain: body.domain,
                callback: body.callback,
                ..DeliveriesOf::default()
            };
            let retried = payments.retry_dead(&by.0, of).await?;
            Ok(Data::of(json!({ "retried": retried }))?.changed(format!("{retried} dead ones")))
        }
        _ => Err(PayError::invalid("give the key of one delivery, or all_dead: true").into()),
    }
}
