//! How messages are signed: one file for each kind of scheme that a manifest can name.

pub(crate) mod aead;
mod authenticated_json;
pub(crate) mod certificates;
pub(crate) mod json_substring;
pub(crate) mod lines;
pub(crate) mod sorted_form;
pub(crate) mod sorted_xml;
pub(crate) mod webhook;

use super::manifest::{Manifest, Purpose, Scheme};
use super::message::{Failure, Message, Origin, Statement};
use super::target::Target;

/// Checks a message by a scheme of the manifest, with the target's key.
///
/// A notification is checked only by schemes for notifications, an answer only by those for answers:
/// bytes that mean one thing here may mean another there. `now_ms` is in milliseconds since 1970: a key has its time,
/// and some kinds of messages too.
pub fn verify(
    manifest: &Manifest,
    target: &Target,
    message: &Message,
    scheme: &str,
    now_ms: u64,
) -> Result<Statement, Failure> {
    let rule = manifest
        .scheme(scheme)
        .ok_or_else(|| Failure::UnknownScheme(format!("there is no scheme {scheme:?}")))?;
    let (purpose, needed) = match &message.origin {
        Origin::Notification => (Purpose::Notification, "notifications"),
        Origin::Answer { .. } => (Purpose::Answer, "answers"),
    };
    if rule.purpose() != purpose {
        return Err(Failure::UnknownScheme(format!(
            "the scheme {scheme:?} is not for {needed}"
        )));
    }
    let provider = manifest.name();
    let verified = match rule {
        Scheme::SortedForm(rule) => {
            sorted_form::verify(rule, scheme, provider, target, message, now_ms)
        }
        Scheme::JsonSubstring(rule) => {
            json_substring::verify(rule, scheme, provider, target, message, now_ms)
        }
        Scheme::Lines(rule) => lines::verify(rule, scheme, provider, target, message, now_ms),
        Scheme::SortedXml(rule) => sorted_xml::verify(rule, scheme, provider, target, message),
        Scheme::AuthenticatedJson(_) => {
            authenticated_json::verify(scheme, provider, target, message)
        }
        Scheme::Webhook(rule) => webhook::verify(rule, scheme, provider, target, message, now_ms),
        Scheme::Aead(_) | Scheme::Certificates(_) | Scheme::Bearer(_) => Err(
            Failure::UnknownScheme(format!("the scheme {scheme:?} does not verify messages")),
        ),
    };
    verified.map(|statement| statement.of_message(message.came))
}

/// Whether a notification says itself that it cannot verify: by such ones a platform tries whether merchants look at
/// signatures. Only where the platform does so, and in the header that carries its signature.
pub fn is_probe(manifest: &Manifest, message: &Message) -> bool {
    manifest.schemes().values().any(|scheme| match scheme {
        Scheme::Lines(rule) => lines::is_probe(rule, message),
        _ => false,
    })
}

/// Refuses a message that says it is written in anything but UTF-8: the same bytes would say
/// something else to its sender.
fn require_utf8(message: &Message) -> Result<(), Failure> {
    let Some(kind) = message.header("content-type") else {
        return Ok(());
    };
    let foreign = kind.split(';').skip(1).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset")
            && !["utf-8", "utf8"]
                .iter()
                .any(|utf8| value.eq_ignore_ascii_case(utf8))
    });
    if foreign {
        return Err(Failure::Malformed("the message is not in UTF-8".to_owned()));
    }
    Ok(())
}
