//! `/pay/session`: signing in to the pages. A browser has its session in a cookie that no script can read and that no
//! other site's request carries; what changes anything must say besides that it comes from one of the pages.
//!
//! A host beside this one in the same domain may set cookies for both, and so sign somebody in as whom it likes. Browsers let
//! nobody else set a cookie whose name begins with `__Host-`, which is for TLS alone: that is its name where it comes by TLS,
//! and no other is read there. Elsewhere, of two sessions neither counts.

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

/// The cookie's name, where browsers send it without TLS.
const NAME: &str = "walnut_session";
/// The same where they send it over TLS only.
const SECURE_NAME: &str = "__Host-walnut_session";
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
    let cookie = cookie(
        is_secure(by_tls.is_some(), &payments),
        &session,
        LASTS / 1000,
    );
    Ok((cookie, Data::plain(shown(&caller))))
}

/// Who is signed in.
pub(super) async fn get(by: By) -> Answer<SignedIn> {
    Data::of(shown(&by.0))
}

/// Signs out: the session is good nowhere from then on. The browser forgets it whatever becomes of that.
pub(super) async fn end(
    State(payments): State<Payments>,
    by_tls: Option<Extension<ByTls>>,
    headers: HeaderMap,
) -> Result<(Cookie, Answer<SignedOut>), Failure> {
    from_a_page(&headers)?;
    let secure = is_secure(by_tls.is_some(), &payments);
    let sessions: Vec<String> = all(&headers, secure).map(str::to_owned).collect();
    let ended = payments.end_sessions(&sessions).await;
    let answer = ended.map_err(Failure::from);
    Ok((
        cookie(secure, "", 0),
        answer.map(|()| Data::plain(SignedOut {})),
    ))
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

/// Whether browsers send the cookie over TLS only: where the request came that way, or the host is reached that way.
fn is_secure(by_tls: bool, payments: &Payments) -> bool {
    by_tls || payments.is_reached_by_tls()
}

fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { NAME }
}

fn cookie(secure: bool, session: &str, seconds: u64) -> Cookie {
    // Browsers take the name over TLS for the whole host only.
    let (path, over_tls) = if secure {
        ("/", "; Secure")
    } else {
        ("/pay", "")
    };
    let name = name(secure);
    let cookie = format!(
        "{name}={session}; Path={path}; HttpOnly; SameSite=Strict; Max-Age={seconds}{over_tls}"
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

/// All sessions that come with a request.
fn all(headers: &HeaderMap, secure: bool) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(COOKIE).into_iter();
    cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(move |(named, session)| *named == name(secure) && !session.is_empty())
        .map(|(_, session)| session)
}

/// The one session that comes with a request, if any does.
fn only(headers: &HeaderMap, secure: bool) -> Result<Option<&str>, PayError> {
    let mut sessions = all(headers, secure);
    let first = sessions.next();
    match sessions.all(|other| Some(other) == first) {
        true => Ok(first),
        false => Err(PayError::unauthorized(
            "several sessions came at once, and one of them is not yours: delete the cookies of this site and of those \
             beside it, and sign in again",
        )),
    }
}

/// The session of a request, where it has one. What changes anything must come from a page.
pub(super) fn of(parts: &Parts, payments: &Payments) -> Result<Option<String>, Failure> {
    let by_tls = parts.extensions.get::<ByTls>().is_some();
    let session = only(&parts.headers, is_secure(by_tls, payments))?;
    if session.is_some() && !matches!(parts.method, Method::GET | Method::HEAD) {
        from_a_page(&parts.headers)?;
    }
    Ok(session.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(cookies: &[&'static str], secure: bool) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_static(cookie));
        }
        let only = only(&headers, secure);
        only.map(|session| session.map(str::to_owned))
            .map_err(|error| error.code())
    }

    #[test]
    fn nobody_is_signed_in_by_a_cookie_that_another_host_may_have_set() {
        let mine = || Ok(Some("mine".to_owned()));
        assert_eq!(read(&["a=b; walnut_session=mine"], false), mine());
        assert_eq!(read(&["__Host-walnut_session=mine"], true), mine());
        // Each name counts where it belongs.
        assert_eq!(read(&["walnut_session=theirs"], true), Ok(None));
        assert_eq!(read(&["__Host-walnut_session=mine"], false), Ok(None));
        let both = "walnut_session=theirs; __Host-walnut_session=mine";
        assert_eq!(read(&[both], true), mine());
        // The same twice is one, an empty one is none.
        let twice = "walnut_session=mine; walnut_session=; walnut_session=mine";
        assert_eq!(read(&[twice], false), mine());
        let refused = Err("e.auth.required");
        for secure in [false, true] {
            let two = match secure {
                false => ["walnut_session=theirs", "walnut_session=mine"],
                true => ["__Host-walnut_session=theirs", "__Host-walnut_session=mine"],
            };
            assert_eq!(read(&two, secure), refused);
        }
        assert_eq!(
            read(&["walnut_session=theirs; walnut_session=mine"], false),
            refused
        );
    }

    #[test]
    fn a_cookie_for_tls_is_of_this_host_alone() {
        let AppendHeaders([(_, plain)]) = cookie(false, "s", 5);
        assert_eq!(
            plain,
            "walnut_session=s; Path=/pay; HttpOnly; SameSite=Strict; Max-Age=5"
        );
        let AppendHeaders([(_, secure)]) = cookie(true, "s", 5);
        assert_eq!(
            secure,
            "__Host-walnut_session=s; Path=/; HttpOnly; SameSite=Strict; Max-Age=5; Secure"
        );
    }
}
