//! Dry runs of callbacks: by themselves (`POST /pay/callback/…/test`), and before an upload is kept.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::By;
use super::callbacks::{OfDomain, load};
use super::envelope::{Answer, Data, Failure, InPath};
use crate::home::name::check_callback;
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::dry_run::{DryRun, Verdict};
use crate::payment::error::PayError;
use crate::plugin::{Run, Spent, WebRequest};

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

/// A callback that comes with the request: its bytes, or JSON with more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UploadBody {
    content_base64: String,
    /// The payment to run it for.
    #[serde(default)]
    payment: Option<Value>,
}

/// The same, read.
pub(super) struct Upload {
    pub(super) content: Vec<u8>,
    pub(super) payment: Option<Value>,
}

impl Upload {
    /// A body of JSON says so; any other is the callback itself.
    pub(super) fn read(headers: &HeaderMap, body: Bytes) -> Result<Upload, Failure> {
        let media_type = headers.get(header::CONTENT_TYPE);
        let is_json = media_type
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"));
        if is_json {
            return Upload::read_json(&body);
        }
        Ok(Upload {
            content: body.to_vec(),
            payment: None,
        })
    }

    fn read_json(body: &[u8]) -> Result<Upload, Failure> {
        let upload: UploadBody = serde_json::from_slice(body).map_err(|error| {
            PayError::invalid(format!(
                "the body is not the JSON of an upload, {{\"content_base64\":\"…\",\"payment\":{{…}}}}: {error}"
            ))
        })?;
        let content = STANDARD
            .decode(&upload.content_base64)
            .map_err(|error| PayError::invalid(format!("content_base64 is not base64: {error}")))?;
        check_payment(upload.payment.as_ref())?;
        Ok(Upload {
            content,
            payment: upload.payment,
        })
    }
}

/// Runs a callback that comes with the request, under the name of the address.
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
    let upload = Upload::read_json(&body?)?;
    let domain = match &by.0 {
        Caller::Domain { name, .. } => Some(name.as_str()),
        _ => None,
    };
    run(&payments, domain, &name, upload.content, upload.payment).await
}

/// Without a domain, which only the operator may leave out, it runs as nobody's.
async fn run(
    payments: &Payments,
    domain: Option<&str>,
    name: &str,
    content: Vec<u8>,
    payment: Option<Value>,
) -> Answer {
    check_payment(payment.as_ref())?;
    let payment = payment.unwrap_or_else(|| sample(domain.unwrap_or("example")));
    let dry = payments
        .dry_run(
            domain.unwrap_or_default(),
            name,
            Arc::new(content),
            &payment,
        )
        .await?;
    match &dry.run {
        Ok(_) => Data::of(shown(&dry)),
        Err(error) => Err(PayError::bad_callback(error.full()).into()),
    }
}

/// Refuses an upload whose dry run failed. One that failed behind an answer which the host made up is taken: its
/// receiver may answer otherwise.
pub(super) fn may_be_kept(dry: &DryRun) -> Result<(), Failure> {
    match dry.verdict() {
        Verdict::Failed(why) => Err(PayError::dry_run_failed(format!(
            "the callback failed with a sample payment, and nothing was kept. Mend it, give a payment that suits it \
             (--payment FILE), or insist (--insist, ?insist=true). {why}"
        ))
        .into()),
        Verdict::Passed | Verdict::Unsure(_) => Ok(()),
    }
}

/// A dry run with what it says of the callback.
pub(super) fn with_verdict(dry: &DryRun) -> Value {
    let verdict = dry.verdict();
    let mut all = Map::new();
    all.insert("verdict".to_owned(), verdict.as_str().into());
    let why = match verdict {
        Verdict::Passed => None,
        Verdict::Failed(_) => Some("it failed, and was kept since you insisted"),
        Verdict::Unsure(_) => Some(
            "it failed behind a request: a dry run sends none, and answers each with status 200 and {}",
        ),
    };
    if let Some(why) = why {
        all.insert("why".to_owned(), why.into());
    }
    if let Value::Object(shown) = shown(dry) {
        all.extend(shown);
    }
    Value::Object(all)
}

fn shown(dry: &DryRun) -> Value {
    let requests: Vec<Value> = dry.requests.iter().map(shown_request).collect();
    let mut shown = match &dry.run {
        Ok(run) => shown_run(run),
        Err(error) => json!({ "answer": null, "error": error.full(), "log": error.log_tail }),
    };
    if let Value::Object(shown) = &mut shown {
        shown.insert("requests".to_owned(), requests.into());
    }
    shown
}

fn shown_run(run: &Run) -> Value {
    let writes: Vec<Value> = run
        .effects
        .writes
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value.as_deref().map(text) }))
        .collect();
    json!({
        "answer": run.answer.as_ref().ok(),
        "error": run.answer.as_ref().err(),
        "kv": writes,
        "events": run.effects.events,
        "log": run.log,
        "micros": run.spent.micros,
        "memory_bytes": run.spent.memory_bytes,
        "limits": {
            "micros": Spent::LIMITS.micros,
            "memory_bytes": Spent::LIMITS.memory_bytes,
        },
    })
}

fn shown_request(request: &WebRequest) -> Value {
    json!({
        "step": request.step,
        "method": request.method,
        "url": request.url.as_str(),
        "headers": request.headers,
        "len": request.body.len(),
        "body": text(shown_part(&request.body)),
    })
}

/// Bytes of a request's body that are shown.
const SHOWN_BODY: usize = 16 << 10;

/// The start of a body, cut at a character where it is text.
fn shown_part(body: &[u8]) -> &[u8] {
    let start = body.get(..SHOWN_BODY).unwrap_or(body);
    match str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).unwrap_or(start)
        }
        _ => start,
    }
}

fn text(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// A payment as it looks when its callback runs.
pub(super) fn sample(domain: &str) -> Value {
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

fn check_payment(payment: Option<&Value>) -> Result<(), Failure> {
    match payment {
        Some(payment) if !payment.is_object() => {
            Err(PayError::invalid("the payment has to be a JSON object").into())
        }
        _ => Ok(()),
    }
}

fn read_json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| PayError::invalid(format!("the body is not JSON: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_and_stays_text() {
        let long = "元".repeat(SHOWN_BODY);
        let part = shown_part(long.as_bytes());
        assert_eq!(part.len(), SHOWN_BODY / 3 * 3);
        assert!(text(part).is_string());
        assert_eq!(shown_part(b"\xff\xfe"), b"\xff\xfe");
        assert_eq!(shown_part(b"all"), b"all");
    }
}
