//! `/pay/key`: the operator's own API keys, and the end of anybody's.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, InPath};
use crate::payment::error::PayError;
use crate::payment::{Payments, now_ms};

/// What the operator's keys are for.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    /// Everything.
    Root,
    /// Reads everything, changes nothing.
    Op,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddBody {
    role: Role,
}

pub(super) async fn add(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<AddBody>, JsonRejection>,
) -> Answer {
    by.root()?;
    let Json(body) = body?;
    let (issued, role) = match body.role {
        Role::Root => (payments.issue_root_key().await?, "root"),
        Role::Op => (payments.issue_op_key().await?, "op"),
    };
    Data::of(json!({ "id": issued.id, "key": issued.key, "role": role }))
}

pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer {
    by.operator()?;
    let keys = payments.store().keys(None).await.map_err(PayError::from)?;
    let listed: Vec<Value> = keys
        .iter()
        .map(|key| json!({ "id": key.id, "role": key.role, "ct": key.created_ms }))
        .collect();
    Data::of(listed)
}

pub(super) async fn revoke(
    State(payments): State<Payments>,
    by: By,
    InPath(id): InPath<String>,
) -> Answer {
    by.root()?;
    match payments
        .store()
        .revoke_key(&id, now_ms())
        .await
        .map_err(PayError::from)?
    {
        true => Data::of(json!({ "id": id, "revoked": true })),
        false => Err(PayError::not_found("no such key in use").into()),
    }
}
