//! Dry runs of callbacks: by themselves (`POST /pay/callback/…/test`), and before an upload is kept.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::auth::By;
use super::bodies::is_json;
use super::callbacks::{OfDomain, load};
use super::envelope::{Answer, Data, Failure, InPath};
use super::openapi::{Raw, RawIfAny};
use crate::home::name::check_callback;
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::dry_run::{DryRun, Verdict};
use crate::payment::error::PayError;
use crate::plugin::{Spent, WebRequest};

/// Runs an uploaded callback with a sample payment, in a domain without data.
pub(super) async fn test(
    State(payments): State<Payments>,
    by: By,
    InPath(name): InPath<String>,
    of: OfDomain,
    body: Result<RawIfAny<Map<String, Value>>, BytesRejection>,
) -> Answer<RunView> {
    let Query(of) = of?;
    let domain = by.domain(&payments, of.domain.as_deref()).await?;
    let content = load(&payments, &domain, &of.places(&by), &name).await?;
    let body = body?.bytes;
    let payment = if body.is_empty() {
        None
    } else {
        Some(read_apart(body, read_json).await?)
    };
    run(&payments, Some(&domain), &name, content, payment).await
}

/// A callback that comes with the request, with more.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadBody<'a> {
    /// Its bytes.
    #[serde(borrow)]
    content_base64: Cow<'a, str>,
    /// The payment to run it for; a sample where there is none.
    #[serde(default)]
    #[schemars(with = "Option<Map<String, Value>>")]
    payment: Option<Value>,
}

/// The same, read.
pub(super) struct Upload {
    pub(super) content: Vec<u8>,
    pub(super) payment: Option<Value>,
}

impl Upload {
    /// A body of JSON says so; any other is the callback itself.
    pub(super) async fn read(headers: &HeaderMap, body: Bytes) -> Result<Upload, Failure> {
        if is_json(headers) {
            return read_apart(body, Upload::read_json).await;
        }
        Ok(Upload {
            content: body.into(),
            payment: None,
        })
    }

    /// What it takes was taken of the memory when it came: the decoded content is shorter than its text.
    fn read_json(body: &[u8]) -> Result<Upload, Failure> {
        let upload: UploadBody = serde_json::from_slice(body).map_err(|error| {
            PayError::invalid(format!(
                "the body is not the JSON of an upload, {{\"content_base64\":\"…\",\"payment\":{{…}}}}: {error}"
            ))
        })?;
        let content = STANDARD
            .decode(upload.content_base64.as_bytes())
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
    body: Result<Raw<UploadBody<'static>>, BytesRejection>,
) -> Answer<RunView> {
    if matches!(by.0, Caller::Ticket(_) | Caller::Op) {
        return Err(PayError::no_privilege("this key may not run callbacks").into());
    }
    check_callback(&name).map_err(PayError::from)?;
    let upload = read_apart(body?.bytes, Upload::read_json).await?;
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
) -> Answer<RunView> {
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
        Ok(_) => Data::of(shown(dry)),
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
#[derive(Serialize, JsonSchema)]
pub(super) struct JudgedRun {
    /// `passed`, `failed`, or `unsure`: it failed behind an answer that the host made up.
    verdict: &'static str,
    /// Why it was kept although it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(flatten)]
    run: RunView,
}

/// A run of a callback that changed nothing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DryRun")]
pub(super) struct RunView {
    /// What the callback answered, a JSON text.
    answer: Option<String>,
    /// Its own error, or what ended it.
    error: Option<String>,
    #[serde(flatten)]
    cost: Option<Cost>,
    /// What it wrote.
    log: String,
    /// The requests that it would have sent; each was answered with status 200 and `{}`.
    requests: Vec<RequestView>,
}

/// What a run that came to an answer would have changed, and took.
#[derive(Serialize, JsonSchema)]
struct Cost {
    /// Keys that would have been set, or deleted.
    kv: Vec<Written>,
    /// Events that would have been told: their names, and JSON texts.
    events: Vec<(String, String)>,
    /// How long it computed, in microseconds.
    micros: u64,
    /// The most memory that it had.
    memory_bytes: u64,
    /// What it may take.
    limits: Limits,
}

/// What one run may take.
#[derive(Serialize, JsonSchema)]
struct Limits {
    /// Microseconds of computing.
    micros: u64,
    /// Bytes of memory.
    memory_bytes: u64,
}

/// A key of the domain's data.
#[derive(Serialize, JsonSchema)]
struct Written {
    /// Which.
    key: String,
    /// What it would have been set to; null where it would have been deleted.
    value: Option<Shown>,
}

/// Bytes as people read them.
#[derive(PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Shown {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes {
        /// In base64.
        base64: String,
    },
}

/// A request that a delivery would have sent.
#[derive(Serialize, JsonSchema)]
struct RequestView {
    /// Its name within the delivery.
    step: String,
    /// The method.
    method: String,
    /// The address.
    url: String,
    /// Names and values.
    headers: Vec<(String, String)>,
    /// Bytes of its body.
    len: usize,
    /// The body's beginning.
    body: Shown,
}

pub(super) fn with_verdict(dry: DryRun) -> JudgedRun {
    let verdict = dry.verdict();
    let why = match verdict {
        Verdict::Passed => None,
        Verdict::Failed(_) => Some("it failed, and was kept since you insisted"),
        Verdict::Unsure(_) => Some(
            "it failed behind a request: a dry run sends none, and answers each with status 200 and {}",
        ),
    };
    JudgedRun {
        verdict: verdict.as_str(),
        why,
        run: shown(dry),
    }
}

fn shown(dry: DryRun) -> RunView {
    let requests = dry.requests.into_iter().map(shown_request).collect();
    match dry.run {
        Ok(run) => {
            let writes = run.effects.writes.into_iter();
            let kv = writes.map(|(key, value)| Written {
                key,
                value: value.as_deref().map(text),
            });
            let (answer, error) = match run.answer {
                Ok(answer) => (Some(answer), None),
                Err(error) => (None, Some(error)),
            };
            RunView {
                answer,
                error,
                cost: Some(Cost {
                    kv: kv.collect(),
                    events: run.effects.events,
                    micros: run.spent.micros,
                    memory_bytes: run.spent.memory_bytes,
                    limits: Limits {
                        micros: Spent::LIMITS.micros,
                        memory_bytes: Spent::LIMITS.memory_bytes,
                    },
                }),
                log: run.log,
                requests,
            }
        }
        Err(error) => RunView {
            answer: None,
            error: Some(error.full()),
            cost: None,
            log: error.log_tail.into(),
            requests,
        },
    }
}

fn shown_request(request: WebRequest) -> RequestView {
    RequestView {
        step: request.step,
        method: request.method,
        url: request.url.into(),
        headers: request.headers,
        len: request.body.len(),
        body: text(shown_part(&request.body)),
    }
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

fn text(bytes: &[u8]) -> Shown {
    match str::from_utf8(bytes) {
        Ok(text) => Shown::Text(text.to_owned()),
        Err(_) => Shown::Bytes {
            base64: STANDARD.encode(bytes),
        },
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

/// Bodies from this size on are read where nobody else's request waits for it.
const LARGE: usize = 256 << 10;

async fn read_apart<T: Send + 'static>(
    body: Bytes,
    read: fn(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if body.len() < LARGE {
        return read(&body);
    }
    let read = tokio::task::spawn_blocking(move || read(&body)).await;
    read.map_err(|_| PayError::internal("the body was not read to its end"))?
}

fn read_json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| PayError::invalid(format!("the body is not JSON: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_is_read_however_large_it_is_and_its_text_is_escaped() {
        for bytes in [3, LARGE] {
            let content = vec![0xff; bytes];
            let text = STANDARD.encode(&content);
            for text in [text.replace('/', "\\/"), text] {
                let body = format!(r#"{{"content_base64":"{text}","payment":{{}}}}"#);
                let upload = read_apart(body.into(), Upload::read_json).await;
                let upload = upload.unwrap_or_else(|failure| panic!("{}", failure.message()));
                assert!(upload.content == content);
                assert_eq!(upload.payment, Some(json!({})));
            }
        }
    }

    #[test]
    fn a_long_body_is_cut_and_stays_text() {
        let long = "元".repeat(SHOWN_BODY);
        let part = shown_part(long.as_bytes());
        assert_eq!(part.len(), SHOWN_BODY / 3 * 3);
        assert!(matches!(text(part), Shown::Text(_)));
        assert_eq!(shown_part(b"\xff\xfe"), b"\xff\xfe");
        assert_eq!(shown_part(b"all"), b"all");
    }
}
