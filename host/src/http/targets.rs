//! `/pay/target/…`: a domain's accounts at the platforms. Secrets go in and never come out.

use std::error::Error;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Json, Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::payment::Payments;
use crate::payment::error::PayError;

/// Whose targets are meant; only `root` may name another domain than its own.
#[derive(Deserialize, Default)]
pub(super) struct Of {
    #[serde(default)]
    domain: Option<String>,
}

type OfDomain = Result<Query<Of>, QueryRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutBody {
    #[serde(default)]
    test: bool,
    #[serde(default)]
    default: bool,
    settings: Map<String, Value>,
}

/// What is wrong with a body that may hold secrets: where, and nothing of what stands there.
fn unreadable(error: JsonRejection) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(at) = found.downcast_ref::<At>() {
            return PayError::invalid(format!(
                "the body has to be {{\"settings\":{{…}}}}, with \"test\" and \"default\" beside it where they \
                 are true; it is not at line {} column {}",
                at.inner().line(),
                at.inner().column()
            ))
            .into();
        }
        cause = found.source();
    }
    Failure::from(error)
}

/// As axum reads JSON.
type At = serde_path_to_error::Error<serde_json::Error>;

pub(super) async fn put(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
    body: Result<Json<PutBody>, JsonRejection>,
) -> Answer {
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
    let answer = Data::of(json!({
        "platform": platform,
        "name": name,
        "version": version,
        "test": body.test,
        "notify_url": notify_url,
    }))?;
    Ok(answer.changed(format!("version {version}")))
}

pub(super) async fn get(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
) -> Answer {
    let domain = by.domain_to_see(&payments, of?.domain.as_deref()).await?;
    Data::of(payments.show_target(&domain, &platform, &name).await?)
}

pub(super) async fn list(State(payments): State<Payments>, by: By, of: OfDomain) -> Answer {
    let domain = by.domain_to_see(&payments, of?.domain.as_deref()).await?;
    Data::of(payments.list_targets(&domain).await?)
}

pub(super) async fn delete(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
) -> Answer {
    let domain = by.domain(&payments, of?.domain.as_deref()).await?;
    if by.is_test_key() {
        let home = payments.home().home(&domain).map_err(PayError::from)?;
        let target = home
            .target(&platform, &name)
            .await
            .map_err(PayError::from)?;
        if target.is_some_and(|target| !target.test) {
            return Err(PayError::no_privilege("a test key may retire test targets only").into());
        }
    }
    match payments.retire_target(&domain, &platform, &name).await? {
        true => Data::of(json!({ "platform": platform, "name": name, "retired": true })),
        false => Err(PayError::not_found("no such target in use").into()),
    }
}

/// Makes a harmless signed request with the target's settings, and says what came of it.
pub(super) async fn test(
    State(payments): State<Payments>,
    by: By,
    InPath((platform, name)): InPath<(String, String)>,
    of: OfDomain,
) -> Answer {
    let domain = by.domain(&payments, of?.domain.as_deref()).await?;
    let said = payments.test_target(&domain, &platform, &name).await?;
    Data::of(
        json!({ "platform": platform, "name": name, "works": said.is_ok(), "said": said.unwrap_or_else(|why| why) }),
    )
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
