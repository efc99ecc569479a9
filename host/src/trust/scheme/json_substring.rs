//! `json-substring`: an object whose one member is signed as it stands in the bytes, with the
//! signature beside it (the answers of Alipay's gateway).
//!
//! The member is cut out by a JSON parser, so that braces, quotes and escapes within texts do not
//! mislead it. Its name is made of the operation that the host asked for, since the name itself is
//! not signed: an answer to another operation is no answer.

use crate::trust::json::Object;
use crate::trust::manifest::JsonSubstring;
use crate::trust::message::{Failure, Message, Origin, Statement};
use crate::trust::scheme;
use crate::trust::target::Target;

/// The signed bytes and their signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extract<'a> {
    pub(crate) content: &'a str,
    pub(crate) signature: String,
}

/// The member's name for an operation: `alipay.trade.query` becomes `alipay_trade_query_response`.
pub(crate) fn member(operation: &str, suffix: &str) -> String {
    format!("{}{suffix}", operation.replace('.', "_"))
}

/// Cuts the signed member out of an answer.
pub(crate) fn extract<'a>(
    body: &'a str,
    member: &str,
    suffix: &str,
    signature: &str,
) -> Result<Extract<'a>, Failure> {
    let malformed = |what: String| Failure::Malformed(what);
    let answer = Object::parse(body).map_err(|error| malformed(error.to_string()))?;
    if let Some(other) = answer
        .names()
        .find(|name| name.ends_with(suffix) && *name != member)
    {
        let other: String = other.chars().take(80).collect();
        return Err(malformed(format!(
            "the answer has {other:?}, not only {member:?}"
        )));
    }
    let content = answer
        .raw(member)
        .ok_or_else(|| malformed(format!("the answer has no {member:?}")))?;
    let signature = answer
        .raw(signature)
        .and_then(|raw| serde_json::from_str::<String>(raw).ok())
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(format!("the answer has no {signature:?}")))?;
    Ok(Extract { content, signature })
}

/// Checks an answer that a platform signed.
pub(super) fn verify(
    rule: &JsonSubstring,
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
) -> Result<Statement, Failure> {
    let Origin::Answer { operation, .. } = &message.origin else {
        return Err(Failure::UnknownScheme(format!(
            "the scheme {name:?} is for answers"
        )));
    };
    scheme::require_utf8(message)?;
    let body = str::from_utf8(&message.body)
        .map_err(|_| Failure::Malformed("the answer is not UTF-8".to_owned()))?;
    let member = member(operation, &rule.content_suffix);
    let extract = extract(body, &member, &rule.content_suffix, &rule.signature)?;
    let key = target.verifying_key(&rule.key)?;
    key.verify(extract.content.as_bytes(), &extract.signature)
        .map_err(|_| Failure::BadSignature)?;
    // An encrypted answer is a text here; no scheme opens it, so nothing is stated.
    Object::parse(extract.content)
        .map_err(|error| Failure::Malformed(format!("the signed part: {error}")))?;
    Ok(Statement::of_json(
        extract.content.to_owned(),
        provider,
        target,
        name,
        &message.origin,
    ))
}
