//! `/pay/callback/…`: what a domain's owner uploads to run after a payment.

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::By;
use super::dry_run::{JudgedRun, Upload, UploadBody, may_be_kept, sample, with_verdict};
use super::envelope::{Answer, Data, Failure, InPath};
use super::openapi::BytesOr;
use super::versions;
use crate::home::name::check_callback;
use crate::home::{CallbackFile, NewCallback};
use crate::payment::error::PayError;
use crate::payment::model::CallbackKind;
use crate::payment::{Payments, now_ms};

/// Which callbacks are meant.
#[derive(Deserialize, Default, JsonSchema)]
pub(super) struct Of {
    /// Whose; only `root` may name another domain than its own.
    #[serde(default)]
    pub(super) domain: Option<String>,
    /// Those of test payments, or those of live ones. Where it is not said, those of live ones are meant, and what is not
    /// there is looked for among the others. A test key has those of test payments alone.
    #[serde(default)]
    test: Option<bool>,
    /// Which version of it; the one that counts where it is not said.
    #[serde(default)]
    version: Option<u32>,
}

pub(super) type OfDomain = Result<Query<Of>, QueryRejection>;

impl Of {
    /// Where to look, in this order.
    pub(super) fn places(&self, by: &By) -> Vec<bool> {
        let mut places = match self.test {
            Some(test) => vec![test],
            None => vec![false, true],
        };
        places.retain(|test| by.sees(*test));
        places
    }

    /// Where to put. What live payments are bound to is not for a test key.
    pub(super) fn place(&self, by: &By) -> Result<bool, Failure> {
        let test = self.test.unwrap_or(by.is_test_key());
        if by.sees(test) {
            return Ok(test);
        }
        let why = "a test key may change callbacks of test payments only";
        Err(PayError::no_privilege(why).into())
    }
}

pub(super) fn not_there() -> PayError {
    PayError::no_callback("no callback of this name")
}

/// How an upload is taken.
#[derive(Deserialize, Default, JsonSchema)]
pub(super) struct Taking {
    /// It is kept although its dry run failed.
    #[serde(default)]
    insist: bool,
    /// What its owner says of this version.
    #[serde(default)]
    note: String,
}

pub(super) async fn put(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
    taking: Result<Query<Taking>, QueryRejection>,
    headers: HeaderMap,
    body: Result<BytesOr<UploadBody<'static>>, BytesRejection>,
) -> Answer<Put> {
    let Query(of) = of?;
    let Query(taking) = taking?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let test = of.place(&by)?;
    // Before anything of it is compiled or run.
    check_callback(&name).map_err(PayError::from)?;
    check_note(&taking.note)?;
    let upload = Upload::read(&headers, body?.bytes).await?;
    let new = NewCallback {
        content: upload.content,
        note: taking.note,
        from: None,
    };
    let place = Place { domain, test, name };
    keep(&payments, place, new, upload.payment, taking.insist).await
}

/// Under which name a callback is kept, of live or of test payments.
pub(super) struct Place {
    pub(super) domain: String,
    pub(super) test: bool,
    pub(super) name: String,
}

/// What an upload came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeptCallback")]
pub(super) struct Put {
    #[serde(flatten)]
    kept: CallbackFile,
    /// What its dry run came to.
    dry_run: JudgedRun,
}

/// Admits a callback, tries it with the payment or a sample, and keeps it where nothing speaks against it.
pub(super) async fn keep(
    payments: &Payments,
    place: Place,
    new: NewCallback,
    payment: Option<Value>,
    insist: bool,
) -> Answer<Put> {
    let Place { domain, test, name } = place;
    let home = payments.home().home(&domain).map_err(PayError::from)?;
    let content = Arc::new(new.content);
    payments.admit_callback(content.clone()).await?;
    let payment = payment.unwrap_or_else(|| sample(&domain));
    let run = payments
        .dry_run(&domain, &name, content.clone(), &payment)
        .await?;
    if !insist {
        may_be_kept(&run)?;
    }
    let new = NewCallback {
        content: Arc::unwrap_or_clone(content),
        ..new
    };
    let kept = home.put_callback(test, &name, new, now_ms()).await;
    Data::of(Put {
        kept: kept.map_err(PayError::from)?,
        dry_run: with_verdict(run),
    })
}

/// Longest note of a version, in characters.
const MAX_NOTE: usize = 200;

pub(super) fn check_note(note: &str) -> Result<(), Failure> {
    if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
        let why = format!("a note is one line of at most {MAX_NOTE} characters");
        return Err(PayError::invalid(why).into());
    }
    Ok(())
}

pub(super) async fn get(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
) -> Result<Response, Failure> {
    let Query(of) = of?;
    let domain = by.domain_to_see(&payments, of.domain.as_deref()).await?;
    let places = of.places(&by);
    let content = match of.version {
        None => load(&payments, &domain, &places, &name).await?,
        Some(version) => versions::load(&payments, &domain, &places, &name, version).await?,
    };
    Ok(as_content(content))
}

/// A callback as it was uploaded.
pub(super) fn as_content(content: Vec<u8>) -> Response {
    let media_type = match CallbackKind::of(&content) {
        CallbackKind::JavaScript if !content.is_empty() => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, media_type)], content).into_response()
}

pub(super) async fn load(
    payments: &Payments,
    domain: &str,
    places: &[bool],
    name: &str,
) -> Result<Vec<u8>, Failure> {
    let home = payments.home().home(domain).map_err(PayError::from)?;
    for test in places {
        let content = home.callback(*test, name).await;
        if let Some(content) = content.map_err(PayError::from)? {
            return Ok(content);
        }
    }
    Err(not_there().into())
}

pub(super) async fn list(
    State(payments): State<Payments>,
    by: By,
    of: OfDomain,
) -> Answer<Vec<CallbackFile>> {
    let Query(of) = of?;
    let domain = by.domain_to_see(&payments, of.domain.as_deref()).await?;
    let home = payments.home().home(&domain).map_err(PayError::from)?;
    let mut callbacks = home.callbacks().await.map_err(PayError::from)?;
    let places = of.places(&by);
    callbacks.retain(|file| places.contains(&file.test));
    Data::of(callbacks)
}

/// A callback that is gone.
#[derive(Serialize, JsonSchema)]
pub(super) struct Deleted {
    /// Its name.
    name: String,
    /// Whether it was one of test payments.
    test: bool,
}

pub(super) async fn delete(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
) -> Answer<Deleted> {
    let Query(of) = of?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let home = payments.home().home(&domain).map_err(PayError::from)?;
    for test in of.places(&by) {
        let deleted = home.delete_callback(test, &name).await;
        if deleted.map_err(PayError::from)? {
            return Data::of(Deleted { name, test });
        }
    }
    Err(not_there().into())
}
