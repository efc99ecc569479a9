//! `/pay/session`: signing in to the pages. A browser has its session in a cookie that no script can read and that no
//! other site's request carries; what changes anything must say besides that it comes from one of the pages.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json, http::HeaderName};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::By;
use super::envelope::{Answer, Data, Failure};
use super::source::ByTls;
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::error::PayError;
use crate::payment::money::Currency;
use crate::payment::session::LASTS;

const NAME: &str = "walnut_session";
/// A header that no form can set, and no other site's script without asking this host first.
const FROM_A_PAGE: HeaderName = HeaderName::from_static("x-walnut-page");

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct SignIn {
    key: String,
}

/// Signs in with an API key.
pub(super) async fn begin(
    State(payments): State<Payments>,
    by_tls: Option<Extension<ByTls>>,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(body) = body?;
    from_a_page(&headers)?;
    let (caller, session) = payments.begin_session(body.key.trim()).await?;
    let cookie = cookie(by_tls.is_some(), &payments, &session, LASTS / 1000);
    Ok((cookie, Data::of(shown(&caller))?).into_response())
}

/// Who is signed in.
pub(super) async fn get(by: By) -> Answer {
    Data::of(shown(&by.0))
}

/// Signs out.
pub(super) async fn end(
    State(payments): State<Payments>,
    by_tls: Option<Extension<ByTls>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    from_a_page(&headers)?;
    Ok((
        cookie(by_tls.is_some(), &payments, "", 0),
        Data::of(json!({}))?,
    )
        .into_response())
}

fn shown(caller: &Caller) -> Value {
    let mut shown = match caller {
        Caller::Root => json!({ "role": "root" }),
        Caller::Op => json!({ "role": "op" }),
        Caller::Domain {
            name,
            test,
            scope,
            refunds,
        } => {
            json!({ "role": "domain", "domain": name, "test": test, "scope": scope, "refunds": refunds })
        }
        Caller::Ticket(id) => json!({ "role": "ticket", "id": id.to_string() }),
    };
    // What the pages read amounts by.
    let currencies: Map<String, Value> = Currency::all()
        .map(|one| (one.caller_code().to_owned(), one.decimals().into()))
        .collect();
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("currencies".to_owned(), currencies.into());
    }
    shown
}

fn cookie(
    by_tls: bool,
    payments: &Payments,
    session: &str,
    seconds: u64,
) -> AppendHeaders<[(HeaderName, String); 1]> {
    // Browsers send it over TLS only, where it came that way, or the host is reached that way.
    let secure = if by_tls || payments.is_reached_by_tls() {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{NAME}={session}; Path=/pay; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
    );
    AppendHeaders([(SET_COOKIE, cookie)])
}

fn from_a_page(headers: &HeaderMap) -> Result<(), PayError> {
    let elsewhere = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin");
    if elsewhere || !headers.contains_key(FROM_A_PAGE) {
        return Err(PayError::no_privilege(
            "a session is used by this host's own pages: send the header X-Walnut-Page",
        ));
    }
    Ok(())
}

/// The session of a request, where it has one. What changes anything must come from a page.
pub(super) fn of(parts: &Parts) -> Result<Option<String>, Failure> {
    let session = parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, session)| *name == NAME && !session.is_empty())
        .map(|(_, session)| session.to_owned());
    if session.is_some() && !matches!(parts.method, Method::GET | Method::HEAD) {
        from_a_page(&parts.headers)?;
    }
    Ok(session)
}
