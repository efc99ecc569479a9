//! The audit log: a line for each request that was refused, and for each that changed something which no payment's history
//! tells. Who asked, from where, for what, and what it came to.
//!
//! No query and no body is in it: a ticket may stand in the one, and a secret in the other. Of an address that is told
//! which may be the name of something; a key or a ticket is none, wherever somebody put it.

use std::sync::{Arc, OnceLock};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::access::{self, Listed};
use super::auth::By;
use super::envelope::{Answer, BUSY, Data, Failure};
use super::metrics::method as known_method;
use super::notifications::{REFUSED, UNSEEN};
use super::numbers::Whole;
use super::source::Source;
use crate::asker::to_its_end;
use crate::home::name::{is_domain, is_item};
use crate::payment::caller::Caller;
use crate::payment::error::PayError;
use crate::payment::keys::{Known, looks_secret};
use crate::payment::{Payments, now_ms};
use crate::store::{AuditLine, AuditOf};

/// Characters of an address that are told: what is longer is no address of ours.
const ADDRESS_SHOWN: usize = 160;
/// What is refused with a status that says something else.
const OF_ITS_OWN: [&str; 3] = [BUSY.0, REFUSED, UNSEEN];

/// Who asks for what, once that is known.
#[derive(Clone, Default)]
pub(super) struct Who(Arc<Asked>);

#[derive(Default)]
struct Asked {
    by: OnceLock<Known>,
    at: OnceLock<Listed>,
}

/// The code of a refusal, beside its answer; a platform is answered in its own words.
#[derive(Clone, Copy)]
pub(super) struct Refused(pub(super) &'static str);

/// What was changed, beside the answer.
#[derive(Clone)]
pub(super) struct Changed(pub(super) String);

impl Who {
    // A request has one caller and one endpoint.

    pub(super) fn is(&self, known: &Known) {
        let _ = self.0.by.set(known.clone());
    }

    pub(super) fn asks(&self, at: Listed) {
        let _ = self.0.at.set(at);
    }
}

/// Keeps the line. What is changed has it also where whoever asked hangs up meanwhile.
pub(super) async fn keep(
    State(payments): State<Payments>,
    request: Request,
    next: Next,
) -> Response {
    if !access::is_kept(&request) {
        return noted(payments, request, next).await;
    }
    match to_its_end(noted(payments, request, next)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request that changes something was given up");
            Failure::from(PayError::internal("a fault of the host; its log says more"))
                .into_response()
        }
    }
}

async fn noted(payments: Payments, mut request: Request, next: Next) -> Response {
    let who = Who::default();
    let (method, address) = (request.method().clone(), request.uri().clone());
    let source = request.extensions().get::<Source>().copied();
    request.extensions_mut().insert(who.clone());
    let response = next.run(request).await;
    let status = response.status();
    let (by, at) = (who.0.by.get(), who.0.at.get().copied());
    let refused = response.extensions().get::<Refused>().copied();
    let is_kept = match refused {
        Some(Refused(code)) => is_refusal(code, status),
        None => status.is_success() && at.is_some_and(Listed::is_kept),
    };
    if !is_kept {
        return response;
    }
    let line = line(&method, &address, by, at, source);
    let line = AuditLine {
        refused: refused.is_some(),
        status: u32::from(status.as_u16()),
        code: refused.map_or_else(String::new, |Refused(code)| code.to_owned()),
        about: match response.extensions().get::<Changed>() {
            Some(Changed(what)) => format!("{}: {what}", line.about),
            None => line.about,
        },
        ..line
    };
    if line.refused {
        payments.note_refusal(line);
        return response;
    }
    let AuditLine {
        who, about, what, ..
    } = &line;
    tracing::info!(target: "audit", who, what, ?about, "changed");
    if let Err(error) = payments.note_change(line).await {
        // It is done: whoever asked has to know that.
        tracing::error!(%error, "a change is not in the audit log");
    }
    response
}

/// Whether an answer with this code refuses something; otherwise the host could not do its part.
fn is_refusal(code: &str, status: StatusCode) -> bool {
    status.is_client_error() || OF_ITS_OWN.contains(&code)
}

/// What may be told of an address. An account's is told by the endpoint alone.
fn told(address: &str, at: Option<Listed>) -> String {
    if let Some(at) = at
        && at.path().contains("{token}")
    {
        return at.path().to_owned();
    }
    let parts: Vec<&str> = address.split('/').map(shown).collect();
    parts.join("/").chars().take(ADDRESS_SHOWN).collect()
}

/// A part of an address where it may be a name or an id, and no secret.
fn shown(part: &str) -> &str {
    let is_shown = part.is_empty() || (is_item(part) && !looks_secret(part));
    if is_shown { part } else { "…" }
}

fn line(
    method: &Method,
    address: &Uri,
    by: Option<&Known>,
    at: Option<Listed>,
    source: Option<Source>,
) -> AuditLine {
    let (who, own, test) = match by.map(|known| &known.caller) {
        None => ("nobody".to_owned(), None, false),
        Some(Caller::Domain { name, test, .. }) => (name.clone(), Some(name.clone()), *test),
        Some(caller) => (caller.name(), None, false),
    };
    let is_operator = matches!(
        by.map(|known| &known.caller),
        Some(Caller::Root | Caller::Op)
    );
    AuditLine {
        at_ms: now_ms(),
        who,
        key: by.and_then(|known| known.key.clone()),
        // The operator names whose affair it is.
        domain: own.or_else(|| named_domain(address).filter(|_| is_operator)),
        test,
        source: source.map(|Source(address)| address.to_canonical().to_string()),
        what: at.map_or_else(|| known_method(method).to_owned(), Listed::endpoint),
        about: told(address.path(), at),
        times: 1,
        ..AuditLine::default()
    }
}

fn named_domain(address: &Uri) -> Option<String> {
    if let Some(rest) = address.path().strip_prefix("/pay/domain/") {
        let name = rest.split('/').next();
        return name.filter(|name| is_domain(name)).map(str::to_owned);
    }
    form_urlencoded::parse(address.query()?.as_bytes())
        .find(|(name, domain)| name == "domain" && is_domain(domain))
        .map(|(_, domain)| domain.into_owned())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Whose affair it is; for the operator.
    #[serde(default)]
    domain: Option<String>,
    /// By this caller.
    #[serde(default)]
    who: Option<String>,
    /// Refused with this code.
    #[serde(default, rename = "errCode")]
    code: Option<String>,
    /// Only what was refused, or only what was done.
    #[serde(default)]
    refused: Option<bool>,
    /// At this time or later.
    #[serde(default)]
    since: Whole,
    /// Before this time.
    #[serde(default)]
    until: Whole,
    /// Older than the line with this `seq`.
    #[serde(default)]
    before: Whole,
    /// At most so many lines.
    #[serde(default)]
    limit: u32,
}

/// The audit log, the newest line first.
pub(super) async fn list(
    State(payments): State<Payments>,
    by: By,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer<Vec<AuditLine>> {
    let Query(wanted) = wanted?;
    let of = AuditOf {
        domain: wanted.domain,
        test_only: false,
        refused: wanted.refused,
        who: wanted.who,
        code: wanted.code,
        since_ms: wanted.since.0,
        until_ms: wanted.until.0,
        before: wanted.before.0,
        limit: wanted.limit,
    };
    Data::of(payments.audit(&by.0, of).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_told_and_secrets_are_not() {
        for (address, expected) in [
            ("/pay/callback/record-sale.2", "/pay/callback/record-sale.2"),
            ("/pay/key/0123456789abcdef", "/pay/key/0123456789abcdef"),
            ("/pay/key/wk_live_0123456789abcdef_secret", "/pay/key/…"),
            ("/pay/key/x.WK_LIVE_0123", "/pay/key/…"),
            ("/pay/callback/hawk_1", "/pay/callback/hawk_1"),
            ("/pay/key/%77k_live_0123", "/pay/key/…"),
            ("/wt_0123_secret/x", "/…/x"),
            ("/pay/a b\n/c", "/pay/…/c"),
            ("/pay/支付", "/pay/…"),
            ("", ""),
        ] {
            assert_eq!(told(address, None), expected);
        }
        let long = format!("/pay/{}", "x".repeat(65));
        assert_eq!(told(&long, None), "/pay/…", "no name is as long");
        let many = "/x".repeat(1_000);
        assert_eq!(told(&many, None).len(), ADDRESS_SHOWN);
        let named = |address: &str| named_domain(&address.parse().unwrap());
        assert_eq!(named("/pay/domain/shop/key").as_deref(), Some("shop"));
        assert_eq!(named("/pay/target?domain=shop").as_deref(), Some("shop"));
        assert_eq!(named("/pay/target?domain=wk_live_0_s"), None);
        assert_eq!(named("/pay/domain/wk_live_0_s"), None);
    }
}
