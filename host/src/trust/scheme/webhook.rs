//! `webhook`: a notification of which only a checksum of the body is signed (PayPal).
//!
//! The text is `id|time|webhook|crc32`: two headers, a setting, and the CRC-32 of the body in decimal. Whoever saw one
//! such signature can write another body with the same checksum, so that it settles nothing: it only tells that asking
//! the platform is worth it. That no stranger can make the host ask is what the signature is good for.

use crate::trust::json::Object;
use crate::trust::manifest::Webhook;
use crate::trust::message::{Failure, Message, Statement};
use crate::trust::scheme;
use crate::trust::target::Target;

/// The longest header.
const MAX_HEADER: usize = 2048;

/// The text that is signed.
pub(crate) fn text(id: &str, time: &str, webhook: &str, body: &[u8]) -> String {
    let checksum = crc32fast::hash(body);
    format!("{id}|{time}|{webhook}|{checksum}")
}

/// Checks a notification by the certificates that the host fetched.
pub(super) fn verify(
    rule: &Webhook,
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
    now_ms: u64,
) -> Result<Statement, Failure> {
    let malformed = |what: String| Failure::Malformed(what);
    let find = |header: &str| {
        message
            .header(header)
            .filter(|text| !text.is_empty() && text.len() <= MAX_HEADER)
            .ok_or_else(|| malformed(format!("the message has no {header}")))
    };
    let algorithm = find(&rule.headers.algorithm)?;
    if !algorithm.eq_ignore_ascii_case("SHA256withRSA") {
        return Err(malformed("it is signed in another way".to_owned()));
    }
    let (id, time) = (find(&rule.headers.id)?, find(&rule.headers.time)?);
    let signature = find(&rule.headers.signature)?;
    if id.contains('|') || time.contains('|') {
        return Err(malformed("its headers can be cut in two ways".to_owned()));
    }
    // Platforms give it once they know where they are to notify, which is after the target was put.
    let webhook = target
        .setting(&rule.webhook)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(format!("the target's {:?} is not set", rule.webhook)))?;
    let text = text(id, time, &webhook, &message.body);
    let keys = target.fetched_keys(now_ms);
    // Its certificate is named by an address and not by its own number: any that is known may have signed it.
    if !keys
        .iter()
        .any(|key| key.verify(text.as_bytes(), signature).is_ok())
    {
        return Err(Failure::UnknownKey(
            "no certificate that is known here signed it".to_owned(),
        ));
    }
    scheme::require_utf8(message)?;
    let body = str::from_utf8(&message.body)
        .map_err(|_| malformed("the message is not UTF-8".to_owned()))?;
    Object::parse(body).map_err(|error| malformed(error.to_string()))?;
    Ok(Statement::of_json(
        body.to_owned(),
        provider,
        target,
        name,
        &message.origin,
    ))
}
