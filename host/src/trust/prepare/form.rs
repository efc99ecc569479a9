//! Requests that are forms: told apart by a field, or signed as such.

use std::collections::HashSet;

use url::Url;

use super::{Granted, Outgoing, Parts, trade};
use crate::trust::form;
use crate::trust::key::Usage;
use crate::trust::manifest::{Encryption, Reach, SortedForm, is_field};
use crate::trust::reach::{Address, Denied, Grant};
use crate::trust::scheme::sorted_form;
use crate::trust::target::Target;
use crate::trust::{sealed, set_value};

const FORM: &str = "application/x-www-form-urlencoded";

/// Checks the fields of a request, adds what the host sets, and signs them.
pub(super) fn complete<'m>(
    outgoing: &Outgoing,
    headers: Vec<(String, String)>,
    address: &Address<'_>,
    granted: &[Grant<'m>],
    rule: Option<&SortedForm>,
    target: &Target,
    now_ms: u64,
) -> Result<(Granted<'m>, Parts), Denied> {
    let mut query = fields("query", address.query.unwrap_or_default().as_bytes())?;
    let mut body = fields("body", &outgoing.body)?;
    let all = query.iter().chain(&body);
    check_names(all.clone().map(pair), granted, rule)?;
    let (grant, operation) = operation(granted, all.clone().map(pair))?;
    // Before anything of it is encrypted.
    let trade = trade::of_form(grant.reach, all.map(pair));

    let mut added = form::Fields::new();
    if let Some(encryption) = rule.and_then(|rule| rule.encrypt.as_ref()) {
        added.extend(encrypt(encryption, target, [&mut query, &mut body])?);
    }
    if let Some(rule) = rule {
        let given = query.iter().chain(&body).chain(&added).map(pair);
        let signed = sign(rule, target, given, now_ms)?;
        added.extend(signed);
    }
    // Written anew, so that what is sent has the one reading that was checked.
    query.extend(added);
    let base = format!("{}://{}{}", address.scheme, address.authority, address.path);
    let url = Url::parse(&format!("{base}?{}", form::write(query.iter().map(pair))))
        .map_err(|error| Denied(format!("the address: {error}")))?;
    let body = form::write(body.iter().map(pair));
    let headers = form_headers(headers, !body.is_empty())?;
    let parts = Parts {
        url,
        headers,
        body: body.into_bytes(),
    };
    let granted = Granted {
        grant,
        operation,
        trade,
    };
    Ok((granted, parts))
}

fn pair((name, value): &(String, String)) -> (&str, &str) {
    (name, value)
}

/// Encrypts a field where the target has the key, and says what the host adds then.
fn encrypt(
    rule: &Encryption,
    target: &Target,
    parts: [&mut form::Fields; 2],
) -> Result<form::Fields, Denied> {
    let Ok(key) = target.keys.secret(&rule.key, Usage::Request) else {
        return Ok(form::Fields::new());
    };
    let field = parts
        .into_iter()
        .flatten()
        .find(|(name, value)| *name == rule.field && !value.is_empty());
    let Some((_, value)) = field else {
        return Ok(form::Fields::new());
    };
    *value = sealed::seal_cbc(key, value).map_err(|failure| Denied(failure.to_string()))?;
    let mut added = form::Fields::new();
    for (name, value) in &rule.set {
        if let Some(text) = set_value::resolve(value, target).map_err(Denied)? {
            added.push((name.clone(), text));
        }
    }
    Ok(added)
}

fn fields(part: &str, bytes: &[u8]) -> Result<form::Fields, Denied> {
    form::read(bytes).map_err(|error| Denied(format!("the {part}: {error}")))
}

/// Field names that every reader takes for the same, none of them twice in any case of letters, and
/// none that only the host may set.
fn check_names<'a>(
    all: impl Iterator<Item = (&'a str, &'a str)>,
    granted: &[Grant<'_>],
    rule: Option<&SortedForm>,
) -> Result<(), Denied> {
    let mut seen = HashSet::new();
    for (name, _) in all {
        let shown: String = name.chars().take(64).collect();
        if !is_field(name) {
            return Denied::because(format!("{shown:?} is not a name for a field"));
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            return Denied::because(format!("the field {shown:?} comes twice"));
        }
        if rule.is_some_and(|rule| host_sets(rule, name)) {
            return Denied::because(format!("the host sets the field {shown:?} itself"));
        }
        let operation = granted
            .iter()
            .filter_map(|grant| grant.reach.operation.as_ref());
        if let Some(rule) = operation
            .into_iter()
            .find(|rule| rule.field != name && rule.field.eq_ignore_ascii_case(name))
        {
            return Denied::because(format!(
                "the field {shown:?} must be written {:?}",
                rule.field
            ));
        }
    }
    Ok(())
}

fn host_sets(rule: &SortedForm, name: &str) -> bool {
    rule.set
        .keys()
        .chain([&rule.signature])
        .chain(&rule.omit)
        .chain(rule.timestamp.iter().map(|timestamp| &timestamp.field))
        .chain(rule.encrypt.iter().flat_map(|rule| rule.set.keys()))
        .any(|field| field.eq_ignore_ascii_case(name))
}

/// The grant whose operation is asked for, and its name.
fn operation<'m, 'a>(
    granted: &[Grant<'m>],
    all: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<(Grant<'m>, String), Denied> {
    let asked = |reach: &Reach| match &reach.operation {
        None => Some(format!("{} {}", reach.method, reach.path)),
        Some(rule) => all
            .clone()
            .find(|(name, _)| *name == rule.field)
            .filter(|(_, value)| rule.one_of.iter().any(|granted| granted == value))
            .map(|(_, value)| value.to_owned()),
    };
    if let Some(found) = granted
        .iter()
        .find_map(|grant| asked(grant.reach).map(|name| (*grant, name)))
    {
        return Ok(found);
    }
    let allowed: Vec<String> = granted
        .iter()
        .filter_map(|grant| grant.reach.operation.as_ref())
        .map(|rule| format!("{} = {}", rule.field, rule.one_of.join(" | ")))
        .collect();
    Denied::because(format!(
        "the manifest reaches this address only with {}",
        allowed.join(", ")
    ))
}

/// The fields that the host adds: those it sets, the time, and the signature as the last.
fn sign<'a>(
    rule: &SortedForm,
    target: &Target,
    given: impl Iterator<Item = (&'a str, &'a str)>,
    now_ms: u64,
) -> Result<form::Fields, Denied> {
    let mut added = form::Fields::new();
    for (field, value) in &rule.set {
        if let Some(text) = set_value::resolve(value, target).map_err(Denied)? {
            added.push((field.clone(), text));
        }
    }
    if let Some(timestamp) = &rule.timestamp {
        let format = timestamp.time_format().map_err(Denied)?;
        added.push((timestamp.field.clone(), format.write(now_ms)));
    }
    let key = rule.key.0.first().map_or("", String::as_str);
    let key = target
        .keys
        .signing(key, Usage::Request)
        .map_err(|failure| Denied(failure.to_string()))?;
    let mut all: Vec<(&str, &str)> = given.collect();
    all.extend(
        added
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let text = sorted_form::text(&sorted_form::signed(all, &rule.omit));
    let signature = key
        .sign(text.as_bytes())
        .ok_or_else(|| Denied("the request could not be signed".to_owned()))?;
    added.push((rule.signature.clone(), signature));
    Ok(added)
}

/// A body that is a form says so, and says that it is UTF-8.
fn form_headers(
    mut headers: Vec<(String, String)>,
    body: bool,
) -> Result<Vec<(String, String)>, Denied> {
    let plain = |value: &str| value.replace(' ', "").to_ascii_lowercase();
    match headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .map(|(_, value)| plain(value))
    {
        Some(kind) if kind == FORM || kind == format!("{FORM};charset=utf-8") => {}
        Some(_) => return Denied::because(format!("the body must be of type {FORM}, in UTF-8")),
        None if body => {
            headers.push(("content-type".to_owned(), format!("{FORM};charset=utf-8")));
        }
        None => {}
    }
    Ok(headers)
}
