//! `/pay/ajax/deliveries` and `/pay/ajax/replay`: what became of the runs of callbacks, and running them again.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Json, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::By;
use super::envelope::{Answer, Data};
use super::payments::payment_id;
use crate::payment::Payments;
use crate::payment::error::PayError;
use crate::payment::model::Ams;
use crate::store::{DeliveriesOf, Delivery, DeliveryState};

/// Which deliveries are listed.
#[derive(Deserialize, Default, JsonSchema)]
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
    /// So many are passed over.
    #[serde(default)]
    skip: u32,
    /// At most so many are answered; 10 where it is not said.
    #[serde(default)]
    limit: Option<u32>,
}

/// How many are listed where it is not said.
const LIMIT: u32 = 10;

pub(super) async fn list(
    State(payments): State<Payments>,
    by: By,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer<Vec<DeliveryView>> {
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
    Data::of(listed.into_iter().map(shown).collect())
}

fn state(text: &str) -> Result<DeliveryState, PayError> {
    DeliveryState::of_shown(text)
        .ok_or_else(|| PayError::invalid("state is one of waiting, running, done and dead"))
}

/// One run of a callback, with all its tries.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct DeliveryView {
    /// By which it is run again.
    key: String,
    /// The payment it is for.
    payment: String,
    /// Whose.
    seller_nm: String,
    /// Whether the payment is a test.
    test: bool,
    /// The callback's name.
    callback: String,
    /// `waiting`, `running`, `done` or `dead`.
    state: &'static str,
    /// How often it was tried.
    tries: u32,
    /// When it was due first.
    ct: Ams,
    /// When it is tried next.
    due: Ams,
    /// When it was done, or given up; 0 before.
    ended: Ams,
    /// Why the last try failed.
    error: Option<String>,
    /// What the callback wrote in its last try.
    log: String,
}

fn shown(delivery: Delivery) -> DeliveryView {
    DeliveryView {
        payment: delivery.payment.to_string(),
        key: delivery.key,
        seller_nm: delivery.domain,
        test: delivery.test,
        callback: delivery.callback,
        state: delivery.state.shown(),
        tries: delivery.tries,
        ct: delivery.created_ms,
        due: delivery.due_ms,
        ended: delivery.ended_ms,
        error: delivery.last_error,
        log: delivery.log,
    }
}

/// What is to be run again: one delivery, or all that are dead.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct ReplayBody {
    /// This one.
    #[serde(default)]
    key: Option<String>,
    /// All that were given up.
    #[serde(default)]
    all_dead: bool,
    /// With `all_dead`, those of callbacks of this name.
    #[serde(default)]
    callback: Option<String>,
    /// With `all_dead`, those of this domain; for the operator.
    #[serde(default)]
    domain: Option<String>,
}

/// What is run again.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Replayed {
    /// The one that was named.
    One {
        /// Which.
        key: String,
        /// As it stands now.
        state: &'static str,
    },
    /// All that were given up.
    All {
        /// How many.
        retried: u32,
    },
}

pub(super) async fn replay(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<ReplayBody>, JsonRejection>,
) -> Answer<Replayed> {
    let Json(body) = body?;
    match (body.key, body.all_dead) {
        (Some(key), false) => {
            payments.retry(&by.0, &key).await?;
            let one = Replayed::One {
                key: key.clone(),
                state: DeliveryState::Due.shown(),
            };
            Data::changed(one, key)
        }
        (None, true) => {
            let of = DeliveriesOf {
                domain: body.domain,
                callback: body.callback,
                ..DeliveriesOf::default()
            };
            let retried = payments.retry_dead(&by.0, of).await?;
            Data::changed(Replayed::All { retried }, format!("{retried} dead ones"))
        }
        _ => Err(PayError::invalid("give the key of one delivery, or all_dead: true").into()),
    }
}
