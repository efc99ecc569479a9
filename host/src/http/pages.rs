//! The pages that people use, and what they are made of. Everything is in the binary, and nothing on a page comes from
//! anywhere else.

use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use super::envelope::Failure;
use crate::payment::error::PayError;
use crate::payment::model::Digest;

/// A file of the pages.
struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal $kind:literal;)+) => {
        [$(File { name: $name, kind: $kind, text: include_str!(concat!("../../pages/", $name)) }),+]
    };
}

/// What the pages load.
const FILES: [File; 15] = files! {
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

/// The buyer's page. It is the same for every payment: what it shows it asks for, with its ticket.
pub(super) async fn cashier() -> Response {
    page(
        include_str!("../../pages/cashier.html"),
        CASHIER_POLICY,
        "camera=()",
    )
}

/// The shop assistant's page; it may use the camera to read a buyer's code.
pub(super) async fn till() -> Response {
    page(
        include_str!("../../pages/till.html"),
        POLICY,
        "camera=(self)",
    )
}

/// The owner's and the operator's page.
pub(super) async fn console() -> Response {
    page(
        include_str!("../../pages/console.html"),
        POLICY,
        "camera=()",
    )
}

fn page(text: &'static str, policy: &'static str, permissions: &'static str) -> Response {
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
    (headers, text).into_response()
}

/// A file of the pages.
pub(super) async fn file(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let file = FILES
        .iter()
        .find(|file| file.name == name)
        .ok_or_else(|| PayError::not_found("there is nothing at this address"))?;
    let tag = format!("\"{}\"", Digest::of(file.text.as_bytes()));
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let told = [
        (CONTENT_TYPE, file.kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Asked about each time, so that a new release is seen at once; what is known costs no bytes.
        (CACHE_CONTROL, "no-cache"),
        (ETAG, tag.as_str()),
    ];
    if known == Some(tag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, told).into_response());
    }
    Ok((told, file.text).into_response())
}
