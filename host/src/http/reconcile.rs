//! `/pay/ajax/reconcile`: the platforms' bills of a day against the store.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use serde::Deserialize;

use super::auth::By;
use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::error::PayError;
use crate::payment::reconcile::Reconciliation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Body {
    day: String,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    target: Option<String>,
}

pub(super) async fn reconcile(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<Body>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    if matches!(by.0, Caller::Ticket(_)) {
        return Err(PayError::no_privilege("this key may not do that").into());
    }
    let domain = by.domain(&payments, body.domain.as_deref()).await?;
    let wanted = Reconciliation {
        day: &body.day,
        platform: body.platform.as_deref(),
        target: body.target.as_deref(),
        test_only: by.is_test_key(),
    };
    Data::of(payments.reconcile(&domain, wanted).await?)
}
