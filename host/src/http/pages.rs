//! The pages that people use, and what they are made of. Everything is in the binary, and nothing on a page comes from
//! anywhere else.

mod packed;

use axum::extract::RawQuery;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    LINK, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

pub(super) use self::packed::Made;
use self::packed::{Packed, takes_gzip};
use super::envelope::{Failure, InPath};
use super::payments::payment_id;
use crate::payment::error::PayError;
use crate::payment::ticket::Tickets;

/// A file of the pages.
struct File {
    name: &'static str,
    kind: &'static str,
    packed: Packed,
}

/// A text that is built in.
macro_rules! packed {
    ($name:expr) => {
        Packed::new(|| Made::of(include_str!(concat!("../../pages/", $name))))
    };
}

macro_rules! files {
    ($($name:literal $kind:literal;)+) => {
        [$(File { name: $name, kind: $kind, packed: packed!($name) }),+]
    };
}

/// What the pages load.
static FILES: [File; 16] = files! {
    "style.css" "text/css; charset=utf-8";
    "words.js" "text/javascript; charset=utf-8";
    "host.js" "text/javascript; charset=utf-8";
    "cashier.js" "text/javascript; charset=utf-8";
    "till.js" "text/javascript; charset=utf-8";
    "console.js" "text/javascript; charset=utf-8";
    "console-words.js" "text/javascript; charset=utf-8";
    "console-overview.js" "text/javascript; charset=utf-8";
    "console-payments.js" "text/javascript; charset=utf-8";
    "console-payment.js" "text/javascript; charset=utf-8";
    "console-callbacks.js" "text/javascript; charset=utf-8";
    "console-targets.js" "text/javascript; charset=utf-8";
    "console-operator.js" "text/javascript; charset=utf-8";
    "api.js" "text/javascript; charset=utf-8";
    "parts.js" "text/javascript; charset=utf-8";
    "icon.svg" "image/svg+xml";
};

/// Scripts, styles and requests of this host alone, and none inside the page itself; nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same, and a platform's page in a frame where it is made for that.
const CASHIER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; frame-src https: http:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

static CASHIER: Packed = packed!("cashier.html");
static TILL: Packed = packed!("till.html");
static CONSOLE: Packed = packed!("console.html");
static API: Packed = packed!("api.html");

/// The buyer's page. It is the same for every payment: what it shows it asks for, with its ticket.
pub(super) async fn cashier(
    InPath(id): InPath<String>,
    RawQuery(query): RawQuery,
    asked: HeaderMap,
) -> Response {
    let mut response = page(&asked, &CASHIER, CASHIER_POLICY, "camera=()");
    if let Some(ahead) = asked_ahead(&id, &query.unwrap_or_default()) {
        response.headers_mut().insert(LINK, ahead);
    }
    response
}

/// What the page will ask for first, so that a browser asks for it together with the scripts.
fn asked_ahead(id: &str, query: &str) -> Option<HeaderValue> {
    let id = payment_id(id).ok()?;
    let ticket = query
        .split('&')
        .find_map(|part| part.strip_prefix("ticket="))?;
    // As tickets are written, and nothing that a header could not have.
    let plain = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'_' | b'-' | b'.');
    if !Tickets::is_ticket(ticket) || !ticket.bytes().all(plain) {
        return None;
    }
    let links = ["offers", "get"].map(|verb| {
        format!("</pay/ajax/{verb}?id={id}&ticket={ticket}>; rel=preload; as=fetch; crossorigin")
    });
    HeaderValue::try_from(links.join(", ")).ok()
}

/// The shop assistant's page; it may use the camera to read a buyer's code.
pub(super) async fn till(asked: HeaderMap) -> Response {
    page(&asked, &TILL, POLICY, "camera=(self)")
}

/// The owner's and the operator's page.
pub(super) async fn console(asked: HeaderMap) -> Response {
    page(&asked, &CONSOLE, POLICY, "camera=()")
}

/// The endpoints, for whoever writes a program that calls them.
pub(super) async fn api(asked: HeaderMap) -> Response {
    page(&asked, &API, POLICY, "camera=()")
}

fn page(
    asked: &HeaderMap,
    page: &'static Packed,
    policy: &'static str,
    permissions: &'static str,
) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy),
        // The address of the buyer's page has a ticket in it.
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-cache"),
        (PERMISSIONS, permissions),
    ];
    (headers, body(page.made(), takes_gzip(asked))).into_response()
}

/// A file of the pages.
pub(super) async fn file(
    InPath(name): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let file = FILES
        .iter()
        .find(|file| file.name == name)
        .ok_or_else(|| PayError::not_found("there is nothing at this address"))?;
    Ok(as_asked(file.packed.made(), file.kind, &headers))
}

/// A text for whoever asked for it; what is known costs no bytes.
pub(super) fn as_asked(made: &Made, kind: &'static str, asked: &HeaderMap) -> Response {
    let gzip = takes_gzip(asked);
    let tag = made.tag(gzip);
    let known = asked
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let told = [
        (CONTENT_TYPE, kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Asked about each time, so that a new release is seen at once.
        (CACHE_CONTROL, "no-cache"),
        (ETAG, tag),
    ];
    if known == Some(tag) {
        let varies = [(VARY, "accept-encoding")];
        return (StatusCode::NOT_MODIFIED, told, varies).into_response();
    }
    (told, body(made, gzip)).into_response()
}

/// The text, packed for whoever takes it so.
fn body(made: &Made, gzip: bool) -> Response {
    let mut response = made.bytes(gzip).into_response();
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
