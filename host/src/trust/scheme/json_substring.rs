//! `json-substring`: an object whose one member is signed as it stands in the bytes, with the
//! signature beside it (the answers of Alipay's gateway).
//!
//! The member is cut out by a JSON parser, so that braces, quotes and escapes within texts do not
//! mislead it. Its name is made of the operation that the host asked for, since the name itself is
//! not signed: an answer to another operation is no answer.

use crate::trust::json::Object;
use crate::trust::key::Usage;
use crate::trust::manifest::JsonSubstring;
use crate::trust::message::{Failure, Message, Origin, Statement};
use crate::trust::target::Target;
use crate::trust::{scheme, sealed};

/// The signed bytes and their signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extract<'a> {
    pub(crate) content: &'a str,
    pub(crate) signature: String,
    /// Names the key that signed, where the answer says so.
    pub(crate) serial: Option<String>,
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
    serial: Option<&str>,
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
    let text = |name: &str| {
        answer
            .raw(name)
            .and_then(|raw| serde_json::from_str::<String>(raw).ok())
            .filter(|text| !text.is_empty())
    };
    let serial = serial.and_then(text);
    let signature =
        text(signature).ok_or_else(|| malformed(format!("the answer has no {signature:?}")))?;
    Ok(Extract {
        content,
        signature,
        serial,
    })
}

/// The same by a scheme's rule, for the operation that was asked for.
pub(super) fn extract_of<'a>(
    rule: &JsonSubstring,
    message: &Message,
    body: &'a str,
) -> Result<Extract<'a>, Failure> {
    let Origin::Answer { operation, .. } = &message.origin else {
        return Err(Failure::UnknownScheme(
            "the scheme is for answers".to_owned(),
        ));
    };
    let member = member(operation, &rule.content_suffix);
    let serial = rule.serial.as_deref();
    extract(body, &member, &rule.content_suffix, &rule.signature, serial)
}

/// Checks an answer that a platform signed.
pub(super) fn verify(
    rule: &JsonSubstring,
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
    now_ms: u64,
) -> Result<Statement, Failure> {
    scheme::require_utf8(message)?;
    let body = str::from_utf8(&message.body)
        .map_err(|_| Failure::Malformed("the answer is not UTF-8".to_owned()))?;
    let extract = extract_of(rule, message, body)?;
    target.check_signature(
        &rule.key,
        rule.renewed_by.is_some(),
        extract.serial.as_deref(),
        (extract.content.as_bytes(), &extract.signature),
        now_ms,
    )?;
    let content = opened(rule, target, extract.content)?;
    Object::parse(&content)
        .map_err(|error| Failure::Malformed(format!("the signed part: {error}")))?;
    Ok(Statement::of_json(
        content,
        provider,
        target,
        name,
        &message.origin,
    ))
}

/// The signed part; where it is a text and the scheme says how, what is encrypted in it.
pub(super) fn opened(
    rule: &JsonSubstring,
    target: &Target,
    content: &str,
) -> Result<String, Failure> {
    let (Some(key), true) = (&rule.decrypt, content.starts_with('"')) else {
        return Ok(content.to_owned());
    };
    let ciphertext: String = serde_json::from_str(content)
        .map_err(|error| Failure::Malformed(format!("the signed part: {error}")))?;
    sealed::open_cbc(target.keys.secret(key, Usage::Decrypt)?, &ciphertext)
}
