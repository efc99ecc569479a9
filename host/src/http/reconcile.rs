//! `/pay/ajax/reconcile`: the platforms' bills of a day against the store.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::By;
use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::error::PayError;
use crate::payment::reconcile::Reconciliation;
use crate::payment::reconciling::Report;

/// What is compared.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Reconcile")]
pub(super) struct Body {
    /// `YYYY-MM-DD`, in the time zone of each platform.
    day: String,
    /// Whose; for the operator.
    #[serde(default)]
    domain: Option<String>,
    /// Accounts at this platform alone.
    #[serde(default)]
    platform: Option<String>,
    /// Accounts of this name alone.
    #[serde(default)]
    target: Option<String>,
}

pub(super) async fn reconcile(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<Body>, JsonRejection>,
) -> Answer<Report> {
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
