//! `/pay/domain/…`: the operator's domains and their API keys.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::payment::error::PayError;
use crate::payment::{Payments, now_ms};
use crate::store::StoreError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddBody {
    name: String,
}

pub(super) async fn add(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<AddBody>, JsonRejection>,
) -> Answer {
    by.root()?;
    let Json(body) = body?;
    // The home checks the name's form.
    payments.home().home(&body.name).map_err(PayError::from)?;
    let added = payments
        .store()
        .add_domain(&body.name, now_ms())
        .await
        .map_err(|error| match error {
            StoreError::Exists(what) => PayError::exists(format!("{what} exists already")),
            other => PayError::from(other),
        })?;
    Data::of(json!({ "id": added.id, "name": added.name, "ct": added.created_ms }))
}

pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer {
    by.operator()?;
    let domains = payments.store().domains().await.map_err(PayError::from)?;
    let listed: Vec<Value> = domains
        .iter()
        .map(|domain| json!({ "id": domain.id, "name": domain.name, "ct": domain.created_ms }))
        .collect();
    Data::of(listed)
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyBody {
    #[serde(default)]
    test: bool,
}

async fn existing(payments: &Payments, name: &str) -> Result<(), Failure> {
    match payments
        .store()
        .domain(name)
        .await
        .map_err(PayError::from)?
    {
        Some(_) => Ok(()),
        None => Err(PayError::not_found("no such domain").into()),
    }
}

pub(super) async fn key(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    body: Result<Json<KeyBody>, JsonRejection>,
) -> Answer {
    by.root()?;
    existing(&payments, &name).await?;
    let Json(body) = body?;
    let issued = payments.issue_domain_key(&name, body.test).await?;
    Data::of(json!({ "id": issued.id, "key": issued.key, "test": body.test }))
}

pub(super) async fn keys(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
) -> Answer {
    by.operator()?;
    existing(&payments, &name).await?;
    let keys = payments
        .store()
        .keys(Some(&name))
        .await
        .map_err(PayError::from)?;
    let listed: Vec<Value> = keys
        .iter()
        .map(|key| json!({ "id": key.id, "test": key.test, "ct": key.created_ms }))
        .collect();
    Data::of(listed)
}
