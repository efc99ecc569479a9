//! `authenticated-json`: an unsigned JSON answer over TLS to a request that the host itself authenticated (PayPal).
//!
//! Who answered is known by the host's name in the platform's certificate, and about whose account by the token in the
//! request.

use crate::trust::json::Object;
use crate::trust::message::{Failure, Message, Origin, Statement};
use crate::trust::scheme;
use crate::trust::target::Target;

/// Takes an answer to a request that was authenticated.
pub(super) fn verify(
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
) -> Result<Statement, Failure> {
    let malformed = |what: String| Failure::Malformed(what);
    if !matches!(message.origin, Origin::Answer { signed: true, .. }) {
        return Err(Failure::UnknownScheme(format!(
            "the scheme {name:?} is for answers to requests that the host authenticated"
        )));
    }
    scheme::require_utf8(message)?;
    let body = str::from_utf8(&message.body)
        .map_err(|_| malformed("the answer is not UTF-8".to_owned()))?;
    Object::parse(body).map_err(|error| malformed(error.to_string()))?;
    Ok(Statement::of_json(
        body.to_owned(),
        provider,
        target,
        name,
        &message.origin,
    ))
}
