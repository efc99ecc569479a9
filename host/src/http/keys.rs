//! `/pay/key` and `/pay/domain/{name}/key`: API keys, made, listed, followed by others, and ended.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::payment::Payments;
use crate::payment::caller::{Caller, Scope};
use crate::payment::error::PayError;
use crate::payment::keys::{IssuedKey, KeyOf, NewKey};
use crate::payment::model::Ams;
use crate::store::StoredKey;

/// How long a key and the one that follows it are both good, where nobody says otherwise: a day.
const OVERLAP: Ams = 24 * 3_600_000;

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
    #[serde(default)]
    name: String,
    #[serde(default)]
    expi: Ams,
}

/// A new key of the operator's.
pub(super) async fn add(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<AddBody>, JsonRejection>,
) -> Answer {
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
            expires_ms: body.expi,
        })
        .await?;
    let answer = Data::of(json!({
        "id": issued.id, "key": issued.key, "role": role, "name": body.name, "expi": issued.expires_ms,
    }))?;
    Ok(answer.changed(format!("{role} {}", issued.id)))
}

/// The operator's keys.
pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer {
    by.operator()?;
    listed(&payments, None).await
}

async fn listed(payments: &Payments, domain: Option<&str>) -> Answer {
    let keys = payments
        .store()
        .keys(domain)
        .await
        .map_err(PayError::from)?;
    Data::of(keys.iter().map(shown).collect::<Vec<Value>>())
}

fn shown(key: &StoredKey) -> Value {
    let mut shown = json!({
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "ct": key.created_ms,
        "expi": key.expires_ms,
        "used": key.used_ms,
    });
    if let Value::Object(shown) = &mut shown {
        if key.domain.is_some() {
            shown.insert("test".to_owned(), key.test.into());
            shown.insert("refund".to_owned(), key.refunds.into());
        }
        if let Some(successor) = &key.successor {
            shown.insert("successor".to_owned(), successor.as_str().into());
        }
    }
    shown
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainKeyBody {
    /// For test payments only; that of a test key is in any case.
    #[serde(default)]
    test: bool,
    #[serde(default)]
    name: String,
    #[serde(default = "owner")]
    scope: Scope,
    #[serde(default)]
    refund: bool,
    #[serde(default)]
    expi: Ams,
}

fn owner() -> Scope {
    Scope::Owner
}

/// A new key of a domain.
pub(super) async fn add_of_domain(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    body: Result<Json<DomainKeyBody>, JsonRejection>,
) -> Answer {
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
        expires_ms: body.expi,
    };
    let issued = payments.issue_key(new).await?;
    let answer = Data::of(json!({
        "id": issued.id, "key": issued.key, "test": test, "name": body.name, "role": body.scope,
        "refund": body.refund || body.scope == Scope::Owner, "expi": issued.expires_ms,
    }))?;
    Ok(answer.changed(format!("{} {}", body.scope.as_str(), issued.id)))
}

/// The keys of a domain.
pub(super) async fn list_of_domain(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
) -> Answer {
    let domain = by.domain_to_see(&payments, Some(&name)).await?;
    listed(&payments, Some(&domain)).await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateBody {
    /// How much longer the earlier key is good.
    #[serde(default)]
    overlap_ms: Option<Ams>,
}

/// A key that takes over from another one.
pub(super) async fn rotate(
    State(payments): State<Payments>,
    by: By,
    InPath(id): InPath<String>,
    body: Result<Json<RotateBody>, JsonRejection>,
) -> Answer {
    changeable(&payments, &by, &id).await?;
    let Json(body) = body?;
    let overlap = body.overlap_ms.unwrap_or(OVERLAP);
    let IssuedKey {
        id: new,
        key,
        expires_ms,
    } = payments.rotate_key(&id, overlap).await?;
    let answer = json!({ "id": new, "key": key, "follows": id, "expi": expires_ms });
    Ok(Data::of(answer)?.changed(new))
}

/// Ends a key at once.
pub(super) async fn revoke(
    State(payments): State<Payments>,
    by: By,
    InPath(id): InPath<String>,
) -> Answer {
    changeable(&payments, &by, &id).await?;
    match payments.revoke_key(&id).await? {
        true => Data::of(json!({ "id": id, "revoked": true })),
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
