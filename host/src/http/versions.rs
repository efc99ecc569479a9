//! The versions of a callback: what was put under its name, and the way back.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Query, State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::By;
use super::callbacks::{OfDomain, Place, Put, check_note, keep, not_there};
use super::envelope::{Answer, Data, Failure, InPath};
use crate::home::{CallbackVersion, NewCallback};
use crate::payment::Payments;
use crate::payment::error::PayError;

/// The versions that are kept, the latest first; the first one counts.
pub(super) async fn list(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
) -> Answer<Vec<CallbackVersion>> {
    let Query(of) = of?;
    let domain = by.domain_to_see(&payments, of.domain.as_deref()).await?;
    let (_, versions) = find(&payments, &domain, &of.places(&by), &name).await?;
    Data::of(versions)
}

/// Whether those of test payments were found, and all versions.
async fn find(
    payments: &Payments,
    domain: &str,
    places: &[bool],
    name: &str,
) -> Result<(bool, Vec<CallbackVersion>), Failure> {
    let home = payments.home().home(domain).map_err(PayError::from)?;
    for test in places {
        let versions = home.callback_versions(*test, name).await;
        let versions = versions.map_err(PayError::from)?;
        if !versions.is_empty() {
            return Ok((*test, versions));
        }
    }
    Err(not_there().into())
}

/// The content of one version.
pub(super) async fn load(
    payments: &Payments,
    domain: &str,
    places: &[bool],
    name: &str,
    version: u32,
) -> Result<Vec<u8>, Failure> {
    let (test, versions) = find(payments, domain, places, name).await?;
    let home = payments.home().home(domain).map_err(PayError::from)?;
    let content = home.callback_version(test, name, version).await;
    let content = content.map_err(PayError::from)?;
    Ok(content.ok_or_else(|| not_kept(version, &versions))?)
}

fn not_kept(version: u32, versions: &[CallbackVersion]) -> PayError {
    let kept: Vec<String> = versions
        .iter()
        .map(|kept| kept.version.to_string())
        .collect();
    PayError::no_callback(format!(
        "version {version} of this callback is not kept; there are {}",
        kept.join(", ")
    ))
}

/// Which version is to count again.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct RollBack {
    /// The last one that has another content, where it is not said.
    #[serde(default)]
    version: Option<u32>,
    /// What its owner says of it: one line.
    #[serde(default)]
    note: String,
}

/// Puts the content of an earlier version again, as a new version. Its dry run is shown and refuses nothing: whoever
/// rolls back is in a hurry, and it ran before.
pub(super) async fn roll_back(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
    body: Result<Json<RollBack>, JsonRejection>,
) -> Answer<Put> {
    let Query(of) = of?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let test = of.place(&by)?;
    let Json(body) = body?;
    check_note(&body.note)?;
    let (_, versions) = find(&payments, &domain, &[test], &name).await?;
    let version = match body.version {
        Some(version) => version,
        None => before(&versions)?,
    };
    let content = load(&payments, &domain, &[test], &name, version).await?;
    let new = NewCallback {
        content,
        note: body.note,
        from: Some(version),
    };
    let place = Place { domain, test, name };
    keep(&payments, place, new, None, true).await
}

/// The last version whose content is another one than that which counts.
fn before(versions: &[CallbackVersion]) -> Result<u32, Failure> {
    let current = versions.first().map(|current| current.sha256);
    let other = versions.iter().find(|kept| Some(kept.sha256) != current);
    let found = other.map(|kept| kept.version);
    Ok(found.ok_or_else(|| PayError::no_callback("no version with another content is kept"))?)
}
