//! `/pay/session`: signing in to the pages. A browser has its session in a cookie that no script can read and that no
//! other site's request carries; what changes anything must say besides that it comes from one of the pages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::AppendHeaders;
use axum::{Extension, Json, http::HeaderName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::By;
use super::envelope::{Answer, Data, Failure};
use super::source::ByTls;
use crate::payment::Payments;
use crate::payment::caller::{Caller, Scope};
use crate::payment::error::PayError;
use crate::payment::money::Currency;
use crate::payment::session::LASTS;

const NAME: &str = "walnut_session";
/// A header that no form can set, and no other site's script without asking this host first.
const FROM_A_PAGE: HeaderName = HeaderName::from_static("x-walnut-page");

/// Signing in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct SignIn {
    /// An API key.
    key: String,
}

/// Signs in with an API key.
pub(super) async fn begin(
    State(payments): State<Payments>,
    by_tls: Option<Extension<ByTls>>,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<(Cookie, Data<SignedIn>), Failure> {
    // What stands in a wrong place may be the key.
    let Json(body) = body.map_err(|error| Failure::unread(error, r#"{"key":"…"}"#))?;
    from_a_page(&headers)?;
    let (caller, session) = payments.begin_session(body.key.trim()).await?;
    let cookie = cookie(by_tls.is_some(), &payments, &session, LASTS / 1000);
    Ok((cookie, Data::plain(shown(&caller))))
}

/// Who is signed in.
pub(super) async fn get(by: By) -> Answer<SignedIn> {
    Data::of(shown(&by.0))
}

/// Signs out.
pub(super) async fn end(
    State(payments): State<Payments>,
    by_tls: Option<Extension<ByTls>>,
    headers: HeaderMap,
) -> Result<(Cookie, Data<SignedOut>), Failure> {
    from_a_page(&headers)?;
    let cookie = cookie(by_tls.is_some(), &payments, "", 0);
    Ok((cookie, Data::plain(SignedOut {})))
}

/// Whoever signed in.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignedIn {
    #[serde(flatten)]
    who: SignedInAs,
    /// The decimals of each currency: what the pages read amounts by.
    currencies: &'static BTreeMap<String, u8>,
}

/// Made once: it is a part of what every page asks first.
static CURRENCIES: LazyLock<BTreeMap<String, u8>> = LazyLock::new(|| {
    let decimals = Currency::all().map(|one| (one.caller_code().to_owned(), one.decimals()));
    decimals.collect()
});

#[derive(Serialize, JsonSchema)]
#[serde(tag = "role", rename_all = "lowercase")]
enum SignedInAs {
    /// The operator.
    Root,
    /// Whoever looks after the host.
    Op,
    /// By a domain's key.
    Domain {
        /// Which.
        domain: String,
        /// Whether for test payments only.
        test: bool,
        /// What the key is for.
        scope: Scope,
        /// Whether it may give money back.
        refunds: bool,
    },
    /// By a payment's ticket.
    Ticket {
        /// The payment.
        id: String,
    },
}

/// Nobody is signed in any more.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignedOut {}

fn shown(caller: &Caller) -> SignedIn {
    let who = match caller {
        Caller::Root => SignedInAs::Root,
        Caller::Op => SignedInAs::Op,
        Caller::Domain {
            name,
            test,
            scope,
            refunds,
        } => SignedInAs::Domain {
            domain: name.clone(),
            test: *test,
            scope: *scope,
            refunds: *refunds,
        },
        Caller::Ticket(id) => SignedInAs::Ticket { id: id.to_string() },
    };
    SignedIn {
        who,
        currencies: &CURRENCIES,
    }
}

type Cookie = AppendHeaders<[(HeaderName, String); 1]>;

fn cookie(by_tls: bool, payments: &Payments, session: &str, seconds: u64) -> Cookie {
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
