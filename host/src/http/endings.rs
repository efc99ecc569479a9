//! `/pay/ajax/check`, by `POST`, `close`, `reverse`, `refund`, `resolve`: how payments end otherwise than by being paid.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{Json, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::auth::By;
use super::envelope::{Answer, Data};
use super::payments::{checked, idempotency_key, payment_id};
use crate::payment::error::PayError;
use crate::payment::model::Digest;
use crate::payment::refund::RefundRequest;
use crate::payment::resolve::Decision;
use crate::payment::{Payments, now_ms, view};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct IdBody {
    id: String,
}

pub(super) async fn close(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<IdBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    let payment = payments.close(&by.0, payment_id(&body.id)?).await?;
    Ok(Data::of(view::to_json(&payment, now_ms()))?.changed(payment.id.to_string()))
}

/// Asks the platform, as `GET` does: for callers to whom a `GET` is only a look.
pub(super) async fn ask(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<IdBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    checked(&payments, &by, &body.id).await
}

pub(super) async fn reverse(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<IdBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    let payment = payments.reverse(&by.0, payment_id(&body.id)?).await?;
    Ok(Data::of(view::to_json(&payment, now_ms()))?.changed(payment.id.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct RefundBody {
    id: String,
    /// Minor units, as a number or a text; all that is left without it.
    #[serde(default)]
    fee: Option<Value>,
    #[serde(default)]
    reason: String,
}

pub(super) async fn refund(
    State(payments): State<Payments>,
    by: By,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = body?;
    let read: RefundBody = serde_json::from_slice(&body).map_err(|error| {
        PayError::invalid(format!(
            "the body has to be a JSON object with the payment's id: {error}"
        ))
    })?;
    let id = payment_id(&read.id)?;
    let fee = match &read.fee {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let idempotency = idempotency_key(&headers)?.map(|key| (key, Digest::of(&body)));
    let request = RefundRequest {
        fee: fee.as_deref(),
        reason: &read.reason,
        idempotency,
    };
    let refund = payments.refund(&by.0, id, request).await?;
    let payment = payments.get(&by.0, id).await?;
    let currency = payment.total.currency();
    let answer = Data::of(view::refund_to_json(&refund, currency.caller_code()))?;
    Ok(answer.changed(id.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct ResolveBody {
    id: String,
    decision: Decision,
    reason: String,
}

pub(super) async fn resolve(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<ResolveBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    let id = payment_id(&body.id)?;
    let payment = payments
        .resolve(&by.0, id, body.decision, &body.reason)
        .await?;
    Ok(Data::of(view::to_json(&payment, now_ms()))?.changed(id.to_string()))
}
