//! `lines`: parts of a message, each with a line break behind it, signed beside the body (WeChat Pay's APIv3).
//!
//! | message | lines |
//! |---|---|
//! | request | method, path with query as sent, time, number used once, body |
//! | answer, notification | time, number used once, body |
//!
//! Time is in seconds since 1970. The body is taken as it came, and is empty where there is none (204).

use aws_lc_rs::rand;

use crate::trust::json::Object;
use crate::trust::key::Usage;
use crate::trust::manifest::Lines;
use crate::trust::message::{Failure, Message, Statement};
use crate::trust::target::Target;
use crate::trust::{scheme, set_value};

/// The longest number used once, time or key's name in a header.
const MAX_HEADER: usize = 128;

/// The text of a request that is signed.
pub(crate) fn request_text(
    method: &str,
    target: &str,
    timestamp: &str,
    nonce: &str,
    body: &[u8],
) -> Vec<u8> {
    let head = format!("{method}\n{target}\n{timestamp}\n{nonce}\n");
    [head.as_bytes(), body, b"\n"].concat()
}

/// The text of an answer or notification that is signed.
pub(crate) fn answer_text(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{timestamp}\n{nonce}\n");
    [head.as_bytes(), body, b"\n"].concat()
}

/// The value of `Authorization` for a request.
pub(crate) fn authorize(
    rule: &Lines,
    target: &Target,
    request: (&str, &str, &[u8]),
    now_ms: u64,
) -> Result<String, String> {
    let authorization = rule
        .authorization
        .as_ref()
        .ok_or("the scheme does not sign requests")?;
    let key = rule.key.0.first().map_or("", String::as_str);
    let key = target
        .keys
        .signing(key, Usage::Request)
        .map_err(|failure| failure.to_string())?;
    let (method, path, body) = request;
    let (timestamp, nonce) = ((now_ms / 1000).to_string(), nonce()?);
    let text = request_text(method, path, &timestamp, &nonce, body);
    let signature = key.sign(&text).ok_or("the request could not be signed")?;
    let mut items = Vec::new();
    for (name, value) in &authorization.set {
        if let Some(text) = set_value::resolve(value, target)? {
            if text.contains('"') || !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
                return Err(format!("{name} cannot stand in a header"));
            }
            items.push((name.as_str(), text));
        }
    }
    items.push((&authorization.nonce, nonce));
    items.push((&authorization.timestamp, timestamp));
    items.push((&authorization.signature, signature));
    Ok(written(&authorization.name, &items))
}

/// `name item="value",…`
pub(crate) fn written(name: &str, items: &[(&str, String)]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("{name} {}", items.join(","))
}

/// 32 hex digits that nobody used before.
pub(crate) fn nonce() -> Result<String, String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| "there are no random numbers")?;
    Ok(hex::encode(bytes))
}

/// Checks an answer or notification that a platform signed.
pub(super) fn verify(
    rule: &Lines,
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
    now_ms: u64,
) -> Result<Statement, Failure> {
    let signed = Signed::of(rule, message)?;
    signed.check_time(rule, now_ms)?;
    target.check_signature(
        &rule.key,
        rule.renewed_by.is_some(),
        Some(signed.serial),
        (&signed.text(message), signed.signature),
        now_ms,
    )?;
    stated(name, provider, target, message)
}

/// Whether the signature is one of those by which the platform tries whether anybody looks at it.
pub(super) fn is_probe(rule: &Lines, message: &Message) -> bool {
    let Some(headers) = &rule.headers else {
        return false;
    };
    let signature = message.header(&headers.signature).unwrap_or_default();
    let probe = headers.probe.as_ref();
    probe.is_some_and(|probe| signature.starts_with(probe))
}

/// What the headers of a message say of its signature.
pub(super) struct Signed<'a> {
    timestamp: &'a str,
    nonce: &'a str,
    pub(super) signature: &'a str,
    pub(super) serial: &'a str,
}

impl<'a> Signed<'a> {
    pub(super) fn of(rule: &Lines, message: &'a Message) -> Result<Signed<'a>, Failure> {
        let malformed = |what: String| Failure::Malformed(what);
        let headers = rule
            .headers
            .as_ref()
            .ok_or_else(|| malformed("the scheme is for requests".to_owned()))?;
        let find = |header: &str, longest: usize| {
            message
                .header(header)
                .filter(|text| !text.is_empty() && text.len() <= longest)
                .ok_or_else(|| malformed(format!("the message has no {header}")))
        };
        Ok(Signed {
            timestamp: find(&headers.timestamp, MAX_HEADER)?,
            nonce: find(&headers.nonce, MAX_HEADER)?,
            // An RSA key of 8192 bits signs with 1024 bytes.
            signature: find(&headers.signature, 2048)?,
            serial: find(&headers.serial, MAX_HEADER)?,
        })
    }

    pub(super) fn check_time(&self, rule: &Lines, now_ms: u64) -> Result<(), Failure> {
        let digits = self.timestamp.bytes().all(|b| b.is_ascii_digit());
        let at_s: u64 = self
            .timestamp
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| Failure::Malformed("the time is no number of seconds".to_owned()))?;
        match rule.window_s {
            Some(window_s) if (now_ms / 1000).abs_diff(at_s) >= window_s => Err(Failure::Stale),
            _ => Ok(()),
        }
    }

    pub(super) fn text(&self, message: &Message) -> Vec<u8> {
        answer_text(self.timestamp, self.nonce, &message.body)
    }
}

/// The body of a message whose signature holds.
fn stated(
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
) -> Result<Statement, Failure> {
    let malformed = |what: String| Failure::Malformed(what);
    scheme::require_utf8(message)?;
    let body = str::from_utf8(&message.body)
        .map_err(|_| malformed("the message is not UTF-8".to_owned()))?;
    // A 204 states nothing, and is signed all the same.
    if !body.is_empty() {
        Object::parse(body).map_err(|error| malformed(error.to_string()))?;
    }
    Ok(Statement::of_json(
        body.to_owned(),
        provider,
        target,
        name,
        &message.origin,
    ))
}
