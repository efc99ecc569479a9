//! `sorted-form`: fields sorted by name and joined as `name=value&…`, without those that are empty
//! or left out by the manifest (Alipay's requests and notifications).
//!
//! The joined text does not escape anything, so a signed value with `&` and `=` in it could be cut
//! into other fields that give the same text: a buyer who gets `&total_amount=…` into a remark would
//! have a signature for a form of his own. A form whose text can be cut in another way is refused.
//!
//! What the host signs for a browser may hold an address with a query of its own, such as
//! `https://shop.example/paid?order=7&%6Cang=en`. The same rule would refuse it, though it can be told apart: no
//! platform has a field whose name begins with `%`, so that whoever cuts the text there gets a field that nobody reads
//! and an address that is shorter, which he could have typed as well. Whoever writes such an address spells the first
//! letter of each further name in this way (RFC 3986 §2.3: it is the same address), whatever that name is; no list of
//! a platform's fields has to be complete for it.

use std::collections::BTreeMap;

use crate::trust::manifest::SortedForm;
use crate::trust::message::{Failure, Message, Statement};
use crate::trust::target::Target;
use crate::trust::{form, scheme};

/// Fields by name, as they are signed.
pub(crate) type Signed<'a> = BTreeMap<&'a str, &'a str>;

/// The fields that are signed: those with a value, without the ones that are left out.
pub(crate) fn signed<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    omit: &[String],
) -> Signed<'a> {
    fields
        .into_iter()
        .filter(|(name, value)| !value.is_empty() && !omit.iter().any(|omitted| omitted == name))
        .collect()
}

/// The text that is signed.
pub(crate) fn text(signed: &Signed<'_>) -> String {
    let mut text = String::with_capacity(signed.iter().map(|(n, v)| n.len() + v.len() + 2).sum());
    for (name, value) in signed {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The first field, if any, that makes it possible to cut the text into other fields.
pub(crate) fn ambiguous<'a>(signed: &Signed<'a>) -> Option<&'a str> {
    torn(signed, |_| false)
}

/// The first field, if any, that makes it possible to cut the text into other fields that a platform may know.
pub(crate) fn ambiguous_to_a_platform<'a>(signed: &Signed<'a>) -> Option<&'a str> {
    torn(signed, |piece| piece.starts_with('%'))
}

fn torn<'a>(signed: &Signed<'a>, nobodys: impl Fn(&str) -> bool) -> Option<&'a str> {
    let reads_as_field = |piece: &str| piece.contains('=') && !nobodys(piece);
    signed
        .iter()
        .find(|(name, value)| {
            name.contains(['&', '=']) || value.split('&').skip(1).any(reads_as_field)
        })
        .map(|(name, _)| *name)
}

/// Checks a form that a platform signed.
pub(super) fn verify(
    rule: &SortedForm,
    name: &str,
    provider: &str,
    target: &Target,
    message: &Message,
    now_ms: u64,
) -> Result<Statement, Failure> {
    scheme::require_utf8(message)?;
    let fields =
        form::read(&message.body).map_err(|error| Failure::Malformed(error.to_string()))?;
    let find = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let signature = find(&rule.signature)
        .ok_or_else(|| Failure::Malformed(format!("the form has no {}", rule.signature)))?;
    for (field, expected) in &rule.expect {
        if !find(field).is_some_and(|value| value.eq_ignore_ascii_case(expected)) {
            return Err(Failure::Malformed(format!("{field} is not {expected}")));
        }
    }
    let pairs = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let signed = signed(pairs, &rule.omit);
    if let Some(field) = ambiguous(&signed) {
        let shown: String = field.chars().take(64).collect();
        return Err(Failure::Malformed(format!(
            "{shown:?} can be read as several fields"
        )));
    }
    target.check_signature(
        &rule.key,
        rule.renewed_by.is_some(),
        rule.serial.as_deref().and_then(find),
        (text(&signed).as_bytes(), signature),
        now_ms,
    )?;
    let stated = signed
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Ok(Statement::of_form(
        stated,
        provider,
        target,
        name,
        &message.origin,
    ))
}
