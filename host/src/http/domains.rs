//! `/pay/domain/…`: the operator's domains, and what their callbacks may reach.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::payment::error::PayError;
use crate::payment::model::Ams;
use crate::payment::{Payments, now_ms};
use crate::plugin::WebHost;
use crate::store::{Domain, StoreError};

/// A new domain.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewDomain")]
pub(super) struct AddBody {
    /// Lower-case letters, digits and hyphens.
    name: String,
}

pub(super) async fn add(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<AddBody>, JsonRejection>,
) -> Answer<DomainView> {
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
    let name = added.name.clone();
    Data::changed(shown(added), name)
}

/// A merchant of this host.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Domain")]
pub(super) struct DomainView {
    /// For ever.
    id: String,
    /// By which it is called.
    name: String,
    /// When it was added.
    ct: Ams,
    /// The hosts that its callbacks may send requests to.
    web: Vec<String>,
}

fn shown(domain: Domain) -> DomainView {
    DomainView {
        id: domain.id,
        name: domain.name,
        ct: domain.created_ms,
        web: domain.web,
    }
}

pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer<Vec<DomainView>> {
    by.operator()?;
    let domains = payments.store().domains().await.map_err(PayError::from)?;
    Data::of(domains.into_iter().map(shown).collect())
}

/// One domain; its owner may look at its own.
pub(super) async fn get(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
) -> Answer<DomainView> {
    let name = by.domain_to_see(&payments, Some(&name)).await?;
    Data::of(shown(existing(&payments, &name).await?))
}

/// What the operator sets of a domain.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DomainSettings")]
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
) -> Answer<DomainView> {
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
    Data::changed(shown(Domain { web, ..before }), granted)
}

fn no_such_domain() -> PayError {
    PayError::not_found("no such domain")
}

async fn existing(payments: &Payments, name: &str) -> Result<Domain, Failure> {
    let found = payments.store().domain(name).await;
    let found = found.map_err(PayError::from)?;
    Ok(found.ok_or_else(no_such_domain)?)
}
