//! `/pay/domain/…`: the operator's domains, and what their callbacks may reach.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::payment::error::PayError;
use crate::payment::{Payments, now_ms};
use crate::plugin::WebHost;
use crate::store::{Domain, StoreError};

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
    Ok(Data::of(shown(&added))?.changed(added.name))
}

fn shown(domain: &Domain) -> Value {
    json!({ "id": domain.id, "name": domain.name, "ct": domain.created_ms, "web": domain.web })
}

pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer {
    by.operator()?;
    let domains = payments.store().domains().await.map_err(PayError::from)?;
    Data::of(domains.iter().map(shown).collect::<Vec<Value>>())
}

/// One domain; its owner may look at its own.
pub(super) async fn get(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
) -> Answer {
    let name = by.domain_to_see(&payments, Some(&name)).await?;
    Data::of(shown(&existing(&payments, &name).await?))
}

/// What the operator sets of a domain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetBody {
    /// The hosts that its callbacks may send requests to, and no others.
    web: Vec<String>,
}

/// Hosts that one domain may be granted: each delivery that sends a request reads all of them.
const MAX_WEB_HOSTS: usize = 64;

pub(super) async fn set(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    body: Result<Json<SetBody>, JsonRejection>,
) -> Answer {
    by.root()?;
    let before = existing(&payments, &name).await?;
    let Json(body) = body?;
    if body.web.len() > MAX_WEB_HOSTS {
        let why = format!("a domain is granted at most {MAX_WEB_HOSTS} hosts");
        return Err(PayError::too_many(why).into());
    }
    let mut web = Vec::with_capacity(body.web.len());
    for text in &body.web {
        let host = WebHost::parse(text).map_err(PayError::invalid)?.to_string();
        if !web.contains(&host) {
            web.push(host);
        }
    }
    let set = payments.store().set_web(&name, web.clone()).await;
    if !set.map_err(PayError::from)? {
        return Err(no_such_domain().into());
    }
    tracing::info!(target: "audit", domain = %name, from = ?before.web, to = ?web, "hosts granted to callbacks");
    let granted = web.join(" ");
    Ok(Data::of(shown(&Domain { web, ..before }))?.changed(granted))
}

fn no_such_domain() -> PayError {
    PayError::not_found("no such domain")
}

async fn existing(payments: &Payments, name: &str) -> Result<Domain, Failure> {
    let found = payments.store().domain(name).await;
    let found = found.map_err(PayError::from)?;
    Ok(found.ok_or_else(no_such_domain)?)
}
