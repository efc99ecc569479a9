//! `/pay/provider`: the provider components that the operator approved.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::error::PayError;
use crate::payment::model::Digest;
use crate::payment::providers::Current;
use crate::plugin::{Unsigned, author};

fn shown(provider: &Current) -> Value {
    let pay_types: Vec<&str> = provider
        .manifest
        .pay_types()
        .map(|(name, _)| name)
        .collect();
    json!({
        "name": provider.manifest.name(),
        "version": provider.manifest.version(),
        "digest": provider.digest,
        "title": provider.manifest.title(),
        "pay_types": pay_types,
        "words": provider.manifest.in_words(),
        "settings": provider.manifest.settings_schema(),
    })
}

pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer {
    if matches!(by.0, crate::payment::caller::Caller::Ticket(_)) {
        return Err(PayError::no_privilege("a ticket is good for one payment").into());
    }
    Data::of(
        payments
            .providers()
            .all()
            .iter()
            .map(shown)
            .collect::<Vec<_>>(),
    )
}

pub(super) async fn inspect(
    State(payments): State<Payments>,
    by: By,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    by.root()?;
    let bytes = Arc::new(body?.to_vec());
    let inspected = payments.inspect_provider(bytes.clone()).await?;
    // What does not fit is told before anybody approves it.
    let author = match author(&bytes) {
        Ok(author) => json!(author.to_string()),
        Err(Unsigned::Missing) => Value::Null,
        Err(why) => return Err(PayError::bad_provider(why.to_string()).into()),
    };
    let mut told = shown(&inspected);
    if let Some(told) = told.as_object_mut() {
        told.insert("author".to_owned(), author);
    }
    Data::of(told)
}

#[derive(Deserialize)]
pub(super) struct Approved {
    digest: String,
}

pub(super) async fn put(
    State(payments): State<Payments>,
    by: By,
    approved: Result<Query<Approved>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    by.root()?;
    let Query(approved) = approved?;
    let digest = Digest::parse(&approved.digest)
        .ok_or_else(|| PayError::invalid("digest has to be the component's SHA-256 in hex"))?;
    let current = payments
        .approve_provider(Arc::new(body?.to_vec()), digest)
        .await?;
    let (name, digest) = (current.manifest.name().to_owned(), current.digest);
    Ok(Data::of(shown(&current))?.changed(format!("{name} {digest}")))
}
