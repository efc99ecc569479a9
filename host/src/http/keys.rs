//! `/pay/key` and `/pay/domain/{name}/key`: API keys, made, listed, followed by others, and ended.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use super::numbers::Whole;
use crate::payment::Payments;
use crate::payment::caller::{Caller, Scope};
use crate::payment::error::PayError;
use crate::payment::keys::{IssuedKey, KeyOf, NewKey};
use crate::payment::model::Ams;
use crate::store::StoredKey;

/// How long a key and the one that follows it are both good, where nobody says otherwise: a day.
const OVERLAP: Ams = 24 * 3_600_000;

/// What the operator's keys are for.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Role {
    /// Everything.
    Root,
    /// Reads everything, changes nothing.
    Op,
}

/// A new key of the operator's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewKey")]
pub(super) struct AddBody {
    /// What it is for.
    role: Role,
    /// What its owner calls it.
    #[serde(default)]
    name: String,
    /// When it ends by itself; 0 for never.
    #[serde(default)]
    expi: Whole,
}

/// A key of the operator's, shown this once.
#[derive(Serialize, JsonSchema)]
pub(super) struct OperatorsKey {
    /// By which it is revoked.
    id: String,
    /// The key itself.
    key: String,
    /// What it is for.
    role: Role,
    /// What its owner calls it.
    name: String,
    /// When it ends by itself; 0 for never.
    expi: Ams,
}

/// A new key of the operator's.
pub(super) async fn add(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<AddBody>, JsonRejection>,
) -> Answer<OperatorsKey> {
    by.root()?;
    let Json(body) = body?;
    let (of, role) = match body.role {
        Role::Root => (KeyOf::Root, "root"),
        Role::Op => (KeyOf::Op, "op"),
    };
    let issued = payments
        .issue_key(NewKey {
            of,
            name: &body.name,
            expires_ms: body.expi.0,
        })
        .await?;
    let changed = format!("{role} {}", issued.id);
    let key = OperatorsKey {
        id: issued.id,
        key: issued.key,
        role: body.role,
        name: body.name,
        expi: issued.expires_ms,
    };
    Data::changed(key, changed)
}

/// The operator's keys.
pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer<Vec<KeyView>> {
    by.operator()?;
    listed(&payments, &by, None).await
}

/// A test key is told of those for tests.
async fn listed(payments: &Payments, by: &By, domain: Option<&str>) -> Answer<Vec<KeyView>> {
    let keys = payments.store().keys(domain).await;
    let keys = keys.map_err(PayError::from)?;
    let seen = keys.iter().filter(|key| by.sees(key.test));
    Data::of(seen.map(shown).collect())
}

/// A key, without its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(super) struct KeyView {
    /// By which it is revoked.
    id: String,
    /// What its owner calls it.
    name: String,
    /// `root`, `op`, `owner`, `server` or `till`.
    role: String,
    /// When it was made.
    ct: Ams,
    /// When it ends by itself; 0 for never.
    expi: Ams,
    /// When it was used, within a minute; 0 for never.
    used: Ams,
    /// Of a domain's: whether it is for test payments only.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<bool>,
    /// Of a domain's: whether it may give money back.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<bool>,
    /// The id of the key that takes over from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<String>,
}

fn shown(key: &StoredKey) -> KeyView {
    let of_domain = key.domain.is_some();
    KeyView {
        id: key.id.clone(),
        name: key.name.clone(),
        role: key.role.clone(),
        ct: key.created_ms,
        expi: key.expires_ms,
        used: key.used_ms,
        test: of_domain.then_some(key.test),
        refund: of_domain.then_some(key.refunds),
        successor: key.successor.clone(),
    }
}

/// A new key of a domain.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewDomainKey")]
pub(super) struct DomainKeyBody {
    /// For test payments only; that of a test key is in any case.
    #[serde(default)]
    test: bool,
    /// What its owner calls it.
    #[serde(default)]
    name: String,
    /// What it is for.
    #[serde(default = "owner")]
    scope: Scope,
    /// Whether it may give money back; an owner's may.
    #[serde(default)]
    refund: bool,
    /// When it ends by itself; 0 for never.
    #[serde(default)]
    expi: Whole,
}

fn owner() -> Scope {
    Scope::Owner
}

/// A key of a domain, shown this once.
#[derive(Serialize, JsonSchema)]
pub(super) struct DomainsKey {
    /// By which it is revoked.
    id: String,
    /// The key itself.
    key: String,
    /// Whether it is for test payments only.
    test: bool,
    /// What its owner calls it.
    name: String,
    /// What it is for.
    role: Scope,
    /// Whether it may give money back.
    refund: bool,
    /// When it ends by itself; 0 for never.
    expi: Ams,
}

/// A new key of a domain.
pub(super) async fn add_of_domain(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    body: Result<Json<DomainKeyBody>, JsonRejection>,
) -> Answer<DomainsKey> {
    let domain = by.domain(&payments, Some(&name)).await?;
    let Json(body) = body?;
    let test = body.test || by.is_test_key();
    let new = NewKey {
        of: KeyOf::Domain {
            name: &domain,
            scope: body.scope,
            test,
            refunds: body.refund,
        },
        name: &body.name,
        expires_ms: body.expi.0,
    };
    let issued = payments.issue_key(new).await?;
    let changed = format!("{} {}", body.scope.as_str(), issued.id);
    let key = DomainsKey {
        id: issued.id,
        key: issued.key,
        test,
        name: body.name,
        role: body.scope,
        refund: body.refund || body.scope == Scope::Owner,
        expi: issued.expires_ms,
    };
    Data::changed(key, changed)
}

/// The keys of a domain.
pub(super) async fn list_of_domain(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
) -> Answer<Vec<KeyView>> {
    let domain = by.domain_to_see(&payments, Some(&name)).await?;
    listed(&payments, &by, Some(&domain)).await
}

/// How a key is followed by another.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rotate")]
pub(super) struct RotateBody {
    /// How much longer the earlier key is good, in milliseconds; a day where it is not said.
    #[serde(default)]
    overlap_ms: Option<Whole>,
}

/// A key that takes over from another one, shown this once.
#[derive(Serialize, JsonSchema)]
pub(super) struct NextKey {
    /// By which it is revoked.
    id: String,
    /// The key itself.
    key: String,
    /// The id of the earlier one.
    follows: String,
    /// When it ends by itself; 0 for never.
    expi: Ams,
}

/// A key that takes over from another one.
pub(super) async fn rotate(
    State(payments): State<Payments>,
    by: By,
    InPath(id): InPath<String>,
    body: Result<Json<RotateBody>, JsonRejection>,
) -> Answer<NextKey> {
    changeable(&payments, &by, &id).await?;
    let Json(body) = body?;
    let overlap = body.overlap_ms.map_or(OVERLAP, |overlap| overlap.0);
    let IssuedKey {
        id: new,
        key,
        expires_ms,
    } = payments.rotate_key(&id, overlap).await?;
    let next = NextKey {
        id: new.clone(),
        key,
        follows: id,
        expi: expires_ms,
    };
    Data::changed(next, new)
}

/// A key that has ended.
#[derive(Serialize, JsonSchema)]
pub(super) struct Revoked {
    /// Which.
    id: String,
    /// It has.
    revoked: bool,
}

/// Ends a key at once.
pub(super) async fn revoke(
    State(payments): State<Payments>,
    by: By,
    InPath(id): InPath<String>,
) -> Answer<Revoked> {
    changeable(&payments, &by, &id).await?;
    match payments.revoke_key(&id).await? {
        true => Data::of(Revoked { id, revoked: true }),
        false => Err(no_such_key()),
    }
}

fn no_such_key() -> Failure {
    PayError::not_found("no such key in use").into()
}

/// Whether the caller may change this key: its domain's owner, or root. A test key changes none of a live one's.
async fn changeable(payments: &Payments, by: &By, id: &str) -> Result<(), Failure> {
    let found = payments.store().key(id).await.map_err(PayError::from)?;
    let key = found.ok_or_else(no_such_key)?;
    match &by.0 {
        Caller::Root => Ok(()),
        Caller::Domain { name, test, .. }
            if key.domain.as_ref() == Some(name) && (!test || key.test) =>
        {
            Ok(())
        }
        _ => Err(no_such_key()),
    }
}
