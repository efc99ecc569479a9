//! `/pay/ajax/check`, by `POST`, `close`, `reverse`, `refund`, `resolve`: how payments end otherwise than by being paid.

use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{Json, State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::By;
use super::envelope::{Answer, Data, Failure};
use super::openapi::{IdempotencyKey, Raw};
use super::payments::{checked, payment_id};
use crate::payment::create::Fee;
use crate::payment::error::PayError;
use crate::payment::model::Digest;
use crate::payment::refund::RefundRequest;
use crate::payment::resolve::Decision;
use crate::payment::view::{CaseView, PaymentView, RefundView};
use crate::payment::{Payments, now_ms, view};

/// Which payment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct IdBody {
    /// The payment.
    id: String,
}

pub(super) async fn close(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<IdBody>, JsonRejection>,
) -> Answer<PaymentView> {
    let Json(body) = body?;
    let payment = payments.close(&by.0, payment_id(&body.id)?).await?;
    Data::changed(view::payment(&payment, now_ms()), payment.id.to_string())
}

/// Asks the platform, as `GET` does: for callers to whom a `GET` is only a look.
pub(super) async fn ask(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<IdBody>, JsonRejection>,
) -> Answer<CaseView> {
    let Json(body) = body?;
    checked(&payments, &by, &body.id).await
}

pub(super) async fn reverse(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<IdBody>, JsonRejection>,
) -> Answer<PaymentView> {
    let Json(body) = body?;
    let payment = payments.reverse(&by.0, payment_id(&body.id)?).await?;
    Data::changed(view::payment(&payment, now_ms()), payment.id.to_string())
}

/// What is to go back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct RefundBody {
    /// The payment.
    id: String,
    /// Minor units, as a number or a text; all that is left without it.
    #[serde(default)]
    fee: Option<Fee>,
    /// For the buyer and the books.
    #[serde(default)]
    reason: String,
}

pub(super) async fn refund(
    State(payments): State<Payments>,
    by: By,
    key: Result<IdempotencyKey, Failure>,
    body: Result<Raw<RefundBody>, BytesRejection>,
) -> Answer<RefundView> {
    let body = body?.bytes;
    let read: RefundBody = serde_json::from_slice(&body).map_err(|error| {
        PayError::invalid(format!(
            "the body has to be a JSON object with the payment's id: {error}"
        ))
    })?;
    let id = payment_id(&read.id)?;
    let fee = read.fee.map(Fee::into_text);
    let IdempotencyKey(key) = key?;
    let idempotency = key.map(|key| (key, Digest::of(&body)));
    let request = RefundRequest {
        fee: fee.as_deref(),
        reason: &read.reason,
        idempotency,
    };
    let refund = payments.refund(&by.0, id, request).await?;
    let payment = payments.get(&by.0, id).await?;
    let currency = payment.total.currency();
    Data::changed(
        view::refund(&refund, currency.caller_code()),
        id.to_string(),
    )
}

/// What a person decided.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct ResolveBody {
    /// The payment.
    id: String,
    /// What is to be done.
    decision: Decision,
    /// Why, for the history.
    reason: String,
}

pub(super) async fn resolve(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<ResolveBody>, JsonRejection>,
) -> Answer<PaymentView> {
    let Json(body) = body?;
    let id = payment_id(&body.id)?;
    let payment = payments
        .resolve(&by.0, id, body.decision, &body.reason)
        .await?;
    Data::changed(view::payment(&payment, now_ms()), id.to_string())
}
