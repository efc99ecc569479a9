//! `/pay/target/…`: a domain's accounts at the platforms. Secrets go in and never come out.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Json, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::payment::Payments;
use crate::payment::error::PayError;
use crate::payment::target_settings::{ListedTarget, ShownTarget};

/// Whose targets are meant; only `root` may name another domain than its own.
#[derive(Deserialize, Default, JsonSchema)]
pub(super) struct Of {
    #[serde(default)]
    /// Whose; for the operator.
    domain: Option<String>,
}

type OfDomain = Result<Query<Of>, QueryRejection>;

/// An account at a platform.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTarget")]
pub(super) struct PutBody {
    /// Whether it pays test payments only; for ever.
    #[serde(default)]
    test: bool,
    /// Whether `send` takes it where none is named.
    #[serde(default)]
    default: bool,
    /// By the provider's schema, secrets among them.
    settings: Map<String, Value>,
}

fn unreadable(error: JsonRejection) -> Failure {
    Failure::unread(
        error,
        r#"{"settings":{…}}, with "test" and "default" beside it where they are true"#,
    )
}

/// An account that was put.
#[derive(Serialize, JsonSchema)]
pub(super) struct PutTarget {
    /// The platform.
    platform: String,
    /// Its name in the domain.
    name: String,
    /// Counted from 1.
    version: u32,
    /// Whether it pays test payments only.
    test: bool,
    /// What to enter at the platform, where it has to be entered.
    notify_url: Option<String>,
}

pub(super) async fn put(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
    body: Result<Json<PutBody>, JsonRejection>,
) -> Answer<PutTarget> {
    let domain = by.domain(&payments, of?.domain.as_deref()).await?;
    let Json(body) = body.map_err(unreadable)?;
    if by.is_test_key() && !body.test {
        return Err(PayError::no_privilege("a test key may put test targets only").into());
    }
    let version = payments
        .put_target(
            &domain,
            &platform,
            &name,
            body.test,
            body.default,
            body.settings,
        )
        .await?;
    let notify_url = payments.notify_url(&domain, &platform, &name, false);
    let put = PutTarget {
        platform,
        name,
        version,
        test: body.test,
        notify_url,
    };
    Data::changed(put, format!("version {version}"))
}

pub(super) async fn get(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
) -> Answer<ShownTarget> {
    let domain = by.domain_to_see(&payments, of?.domain.as_deref()).await?;
    let shown = payments.show_target(&domain, &platform, &name).await?;
    if !by.sees(shown.test) {
        return Err(no_such_target().into());
    }
    Data::of(shown)
}

pub(super) async fn list(
    State(payments): State<Payments>,
    by: By,
    of: OfDomain,
) -> Answer<Vec<ListedTarget>> {
    let domain = by.domain_to_see(&payments, of?.domain.as_deref()).await?;
    let mut listed = payments.list_targets(&domain).await?;
    listed.retain(|listed| by.sees(listed.target.test));
    Data::of(listed)
}

/// An account that no new payment goes to.
#[derive(Serialize, JsonSchema)]
pub(super) struct Retired {
    /// The platform.
    platform: String,
    /// Its name in the domain.
    name: String,
    /// It is.
    retired: bool,
}

pub(super) async fn delete(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
) -> Answer<Retired> {
    let domain = by.domain(&payments, of?.domain.as_deref()).await?;
    let hidden = is_hidden(&payments, &by, &domain, &platform, &name).await?;
    if hidden || !payments.retire_target(&domain, &platform, &name).await? {
        return Err(PayError::not_found("no such target in use").into());
    }
    Data::of(Retired {
        platform,
        name,
        retired: true,
    })
}

fn no_such_target() -> PayError {
    PayError::not_found("no such target")
}

/// Whether there is such a target that the caller may not know of. One that is for tests, or live, stays that for ever.
async fn is_hidden(
    payments: &Payments,
    by: &By,
    domain: &str,
    platform: &str,
    name: &str,
) -> Result<bool, Failure> {
    if !by.is_test_key() {
        return Ok(false);
    }
    let home = payments.home().home(domain).map_err(PayError::from)?;
    let found = home.target_summary(platform, name).await;
    let found = found.map_err(PayError::from)?;
    Ok(found.is_some_and(|target| !by.sees(target.test)))
}

/// What came of trying an account.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tried {
    /// The platform.
    platform: String,
    /// Its name in the domain.
    name: String,
    /// Whether the platform takes what it signs.
    works: bool,
    /// What the platform said, or why nothing came of it.
    said: String,
}

/// Makes a harmless signed request with the target's settings, and says what came of it.
pub(super) async fn test(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
) -> Answer<Tried> {
    let domain = by.domain(&payments, of?.domain.as_deref()).await?;
    if is_hidden(&payments, &by, &domain, &platform, &name).await? {
        return Err(no_such_target().into());
    }
    let said = payments.test_target(&domain, &platform, &name).await?;
    Data::of(Tried {
        platform,
        name,
        works: said.is_ok(),
        said: said.unwrap_or_else(|why| why),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::{FromRequest, Request};

    use super::*;

    #[tokio::test]
    async fn a_body_that_cannot_be_read_is_not_repeated() {
        for body in [
            r#"{"settings":"MIIEvgIBADANBg"}"#,
            r#"{"settings":{},"test":"MIIEvgIBADANBg"}"#,
            r#"{"settings":{},"MIIEvgIBADANBg":1}"#,
            r#"{"settings":{"MIIEvgIBADANBg"#,
            r#""MIIEvgIBADANBg""#,
        ] {
            let request = Request::post("/")
                .header("content-type", "application/json")
                .body(Body::from(body))
                .unwrap();
            let read = Json::<PutBody>::from_request(request, &()).await;
            let refused = unreadable(read.map(drop).unwrap_err());
            let shown = refused.message();
            assert!(shown.contains("at line 1 column"), "{shown}");
            assert!(!shown.contains("MIIE"), "{shown}");
        }
    }
}
