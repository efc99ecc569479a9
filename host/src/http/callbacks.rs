//! `/pay/callback/…`: what a domain's owner uploads to run after a payment.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, Failure, InPath};
use crate::home::name::check_callback;
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::error::PayError;
use crate::plugin::Run;

/// Which callbacks are meant.
#[derive(Deserialize, Default)]
pub(super) struct Of {
    /// Whose; only `root` may name another domain than its own.
    #[serde(default)]
    domain: Option<String>,
    /// Those of test payments, or those of live ones. Where it is not said, a test key means those of test payments and
    /// any other key those of live ones, and what is not there is looked for among the others.
    #[serde(default)]
    test: Option<bool>,
}

type OfDomain = Result<Query<Of>, QueryRejection>;

impl Of {
    /// Where to look, in this order.
    fn places(&self, by: &By) -> Vec<bool> {
        match self.test {
            Some(test) => vec![test],
            None => vec![by.is_test_key(), !by.is_test_key()],
        }
    }

    /// Where to put.
    fn place(&self, by: &By) -> Result<bool, Failure> {
        let test = self.test.unwrap_or(by.is_test_key());
        may_change(by, test)?;
        Ok(test)
    }
}

/// What live payments are bound to is not for a test key.
fn may_change(by: &By, test: bool) -> Result<(), Failure> {
    if by.is_test_key() && !test {
        let why = "a test key may change callbacks of test payments only";
        return Err(PayError::no_privilege(why).into());
    }
    Ok(())
}

fn not_there() -> PayError {
    PayError::no_callback("no callback of this name")
}

pub(super) async fn put(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Query(of) = of?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let test = of.place(&by)?;
    // Before anything of it is compiled.
    check_callback(&name).map_err(PayError::from)?;
    let body = body?;
    let home = payments.home().home(&domain).map_err(PayError::from)?;
    payments.admit_callback(Arc::new(body.to_vec())).await?;
    let kept = home
        .put_callback(test, &name, body.to_vec())
        .await
        .map_err(PayError::from)?;
    Data::of(kept)
}

pub(super) async fn get(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
) -> Result<Response, Failure> {
    let Query(of) = of?;
    let domain = by.domain_to_see(&payments, of.domain.as_deref()).await?;
    let content = load(&payments, &domain, &of.places(&by), &name).await?;
    Ok((
        [(header::CONTENT_TYPE, "application/octet-stream")],
        content,
    )
        .into_response())
}

async fn load(
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

pub(super) async fn list(State(payments): State<Payments>, by: By, of: OfDomain) -> Answer {
    let Query(of) = of?;
    let domain = by.domain_to_see(&payments, of.domain.as_deref()).await?;
    let home = payments.home().home(&domain).map_err(PayError::from)?;
    let mut callbacks = home.callbacks().await.map_err(PayError::from)?;
    callbacks.retain(|file| of.test.is_none_or(|test| test == file.test));
    Data::of(callbacks)
}

pub(super) async fn delete(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
) -> Answer {
    let Query(of) = of?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let home = payments.home().home(&domain).map_err(PayError::from)?;
    for test in of.places(&by) {
        let Err(refused) = may_change(&by, test) else {
            if home
                .delete_callback(test, &name)
                .await
                .map_err(PayError::from)?
            {
                return Data::of(json!({ "name": name, "test": test }));
            }
            continue;
        };
        let found = home.callback(test, &name).await.map_err(PayError::from)?;
        if found.is_some() {
            return Err(refused);
        }
    }
    Err(not_there().into())
}

/// Runs an uploaded callback with a sample payment, in a domain without data.
pub(super) async fn test(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Query(of) = of?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let content = load(&payments, &domain, &of.places(&by), &name).await?;
    let body = body?;
    let payment = if body.is_empty() {
        None
    } else {
        Some(read_json(&body)?)
    };
    run(&payments, Some(&domain), &name, content, payment).await
}

/// A component that is not kept, with the payment to run it for.
#[derive(Deserialize)]
struct Upload {
    content_base64: String,
    #[serde(default)]
    payment: Option<Value>,
}

/// Runs a component that comes with the request, under the name of the address.
pub(super) async fn test_upload(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    if matches!(by.0, Caller::Ticket(_) | Caller::Op) {
        return Err(PayError::no_privilege("this key may not run callbacks").into());
    }
    check_callback(&name).map_err(PayError::from)?;
    let body = body?;
    let upload: Upload = serde_json::from_slice(&body).map_err(|error| {
        PayError::invalid(format!(
            "the body is not the JSON of a test (to keep a callback, PUT it): {error}"
        ))
    })?;
    let content = STANDARD
        .decode(&upload.content_base64)
        .map_err(|error| PayError::invalid(format!("content_base64 is not base64: {error}")))?;
    let domain = match &by.0 {
        Caller::Domain { name, .. } => Some(name.as_str()),
        _ => None,
    };
    run(&payments, domain, &name, content, upload.payment).await
}

/// Without a domain, which only the operator may leave out, it runs as nobody's.
async fn run(
    payments: &Payments,
    domain: Option<&str>,
    name: &str,
    content: Vec<u8>,
    payment: Option<Value>,
) -> Answer {
    let payment = payment.unwrap_or_else(|| sample(domain.unwrap_or("example")));
    if !payment.is_object() {
        return Err(PayError::invalid("the payment has to be a JSON object").into());
    }
    let run = payments
        .dry_run(
            domain.unwrap_or_default(),
            name,
            Arc::new(content),
            &payment,
        )
        .await?;
    Data::of(shown(&run))
}

fn shown(run: &Run) -> Value {
    let text = |bytes: &Vec<u8>| match str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    };
    let writes: Vec<Value> = run
        .effects
        .writes
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value.as_ref().map(text) }))
        .collect();
    json!({
        "answer": run.answer.as_ref().ok(),
        "error": run.answer.as_ref().err(),
        "kv": writes,
        "events": run.effects.events,
        "log": run.log,
        "micros": run.spent.micros,
        "memory_bytes": run.spent.memory_bytes,
    })
}

/// A payment as it looks when its callback runs.
fn sample(domain: &str) -> Value {
    let now = crate::payment::now_ms();
    json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "nm": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
        "tp": "wn_payment", "ct": now, "lm": now, "brief": "sample", "fee": 2300, "cur": "RMB",
        "st": "OK", "test": true, "pay_tp": "zfb.qrcode", "pay_target": "sample",
        "re_tp": null, "re_obj": null, "buyer_tp": 0, "buyer_id": "", "buyer_nm": "",
        "seller_id": "sample", "seller_nm": domain, "len": 0, "send_at": now, "close_at": now,
        "apply_at": 0, "apply_re": null, "expi": now, "late": false, "overdue": false,
    })
}

fn read_json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| PayError::invalid(format!("the body is not JSON: {error}")).into())
}
