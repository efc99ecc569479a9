//! `/pay/provider`: the provider components that the operator approved.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::By;
use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::error::PayError;
use crate::payment::model::Digest;
use crate::payment::providers::Current;
use crate::plugin::{Unsigned, author};

/// A provider component.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub(super) struct ProviderView {
    /// The platform, as it calls it.
    name: String,
    /// Its own version.
    version: String,
    /// SHA-256 of the component.
    digest: Digest,
    /// What people read, by language.
    title: BTreeMap<String, String>,
    /// The pay types that it speaks.
    pay_types: Vec<String>,
    /// What the host does with what it says: for whoever approves it.
    words: Vec<String>,
    /// The JSON Schema of its targets' settings.
    settings: Value,
    /// Why it does not run at this host any more, where it does not: it lacks the signature that the operator asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = "the component is not signed")]
    refused: Option<String>,
}

/// A provider component before it is approved.
#[derive(Serialize, JsonSchema)]
pub(super) struct Inspected {
    #[serde(flatten)]
    provider: ProviderView,
    /// Whose signature it has; null where it is not signed.
    author: Option<String>,
}

fn shown(provider: &Current) -> ProviderView {
    let pay_types = provider.manifest.pay_types();
    ProviderView {
        name: provider.manifest.name().to_owned(),
        version: provider.manifest.version().to_owned(),
        digest: provider.digest,
        title: provider.manifest.title().clone(),
        pay_types: pay_types.map(|(name, _)| name.to_owned()).collect(),
        words: provider.manifest.in_words(),
        settings: provider.manifest.settings_schema().clone(),
        refused: None,
    }
}

pub(super) async fn list(State(payments): State<Payments>, by: By) -> Answer<Vec<ProviderView>> {
    if matches!(by.0, crate::payment::caller::Caller::Ticket(_)) {
        return Err(PayError::no_privilege("a ticket is good for one payment").into());
    }
    let unsigned = payments.unsigned_providers().await?;
    let refused = |digest| {
        let mut of_digest = unsigned.iter().filter(|(kept, _)| kept.digest == digest);
        of_digest.next().map(|(_, why)| why.clone())
    };
    let all = payments.providers().all();
    let all = all.iter().map(|provider| ProviderView {
        refused: refused(provider.digest),
        ..shown(provider)
    });
    Data::of(all.collect::<Vec<_>>())
}

pub(super) async fn inspect(
    State(payments): State<Payments>,
    by: By,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Inspected> {
    by.root()?;
    let bytes = Arc::new(Vec::from(body?));
    let inspected = payments.inspect_provider(bytes.clone()).await?;
    // What does not fit is told before anybody approves it.
    let author = match author(&bytes) {
        Ok(author) => Some(author.to_string()),
        Err(Unsigned::Missing) => None,
        Err(why) => return Err(PayError::bad_provider(why.to_string()).into()),
    };
    Data::of(Inspected {
        provider: shown(&inspected),
        author,
    })
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Approved {
    /// SHA-256 of the component, in hex: the one that was looked at.
    digest: String,
}

pub(super) async fn put(
    State(payments): State<Payments>,
    by: By,
    approved: Result<Query<Approved>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<ProviderView> {
    by.root()?;
    let Query(approved) = approved?;
    let digest = Digest::parse(&approved.digest)
        .ok_or_else(|| PayError::invalid("digest has to be the component's SHA-256 in hex"))?;
    let current = payments
        .approve_provider(Arc::new(Vec::from(body?)), digest)
        .await?;
    let (name, digest) = (current.manifest.name().to_owned(), current.digest);
    Data::changed(shown(&current), format!("{name} {digest}"))
}
