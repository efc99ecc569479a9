//! Requests on their way to the platform: checked against the reach, completed and signed.

use std::collections::HashSet;

use url::Url;

use super::form;
use super::key::Usage;
use super::manifest::{Manifest, Purpose, Reach, Scheme, SortedForm, is_field};
use super::reach::{Address, Denied, Grant, grants};
use super::scheme::sorted_form;
use super::set_value;
use super::target::Target;

const FORM: &str = "application/x-www-form-urlencoded";

/// Headers that a provider may set; everything else is the host's.
const HEADERS: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// A request as a provider asks for it.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// In upper case.
    pub method: String,
    /// The absolute address.
    pub url: String,
    /// Of `Accept`, `Accept-Language`, `Content-Type` and `User-Agent`, each at most once.
    pub headers: Vec<(String, String)>,
    /// As it is to be sent.
    pub body: Vec<u8>,
    /// The scheme of the manifest that signs it.
    pub auth: Option<String>,
    /// A client certificate. No kind of target has one yet, so that naming one is denied.
    pub identity: Option<String>,
}

/// A request that may be made. Redirects must not be followed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// In upper case.
    pub method: String,
    /// With everything that the host added.
    pub url: Url,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// What is asked for: the operation by the manifest's field, else `METHOD /path`. It goes into
    /// [`super::Origin::Answer`], together with `signed`.
    pub operation: String,
    /// The host signed it with the target's key.
    pub signed: bool,
    /// The address is a test target's own and on this machine: it may only be called when the host
    /// runs with local gateways allowed. All others must resolve to public addresses.
    pub local_gateway: bool,
}

/// Checks a request against the manifest's reach, adds what the host has to add, and signs it.
/// `now_ms` is milliseconds since 1970.
pub fn prepare(
    manifest: &Manifest,
    target: &Target,
    outgoing: Outgoing,
    now_ms: u64,
) -> Result<Prepared, Denied> {
    if outgoing.identity.is_some() {
        return Denied::because("the target has no client certificate: leave \"identity\" out");
    }
    let address = Address::read(&outgoing.url)?;
    let granted = grants(manifest.reach(), target, &outgoing.method, &address)?;
    let headers = check_headers(&outgoing.headers)?;
    let rule = outgoing
        .auth
        .as_deref()
        .map(|name| request_scheme(manifest, name))
        .transpose()?;
    let base = format!("{}://{}{}", address.scheme, address.authority, address.path);
    if rule.is_none() && granted.iter().any(|grant| grant.reach.operation.is_none()) {
        return plain(outgoing, headers, granted);
    }

    let query = fields("query", address.query.unwrap_or_default().as_bytes())?;
    let body = fields("body", &outgoing.body)?;
    let all = || {
        query
            .iter()
            .chain(&body)
            .map(|(name, value)| (name.as_str(), value.as_str()))
    };
    check_names(all(), &granted, rule)?;
    let (grant, operation) = operation(&granted, all())?;

    let added = match rule {
        Some(rule) => sign(rule, target, all(), now_ms)?,
        None => Vec::new(),
    };
    // Written anew, so that what is sent has the one reading that was checked.
    let written = |part: &form::Fields| {
        form::write(
            part.iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    };
    let query = query.into_iter().chain(added).collect();
    let url = Url::parse(&format!("{base}?{}", written(&query)))
        .map_err(|error| Denied(format!("the address: {error}")))?;
    let body_text = written(&body);
    let headers = form_headers(headers, !body_text.is_empty())?;
    Ok(Prepared {
        method: outgoing.method,
        url,
        headers,
        body: body_text.into_bytes(),
        operation,
        signed: rule.is_some(),
        local_gateway: grant.local,
    })
}

/// A request that no scheme signs and no field tells apart: it goes as it is.
fn plain(
    outgoing: Outgoing,
    headers: Vec<(String, String)>,
    granted: Vec<Grant<'_>>,
) -> Result<Prepared, Denied> {
    let Some(grant) = granted
        .into_iter()
        .find(|grant| grant.reach.operation.is_none())
    else {
        return Denied::because("the manifest does not reach this address");
    };
    let url = Url::parse(&outgoing.url).map_err(|error| Denied(format!("the address: {error}")))?;
    Ok(Prepared {
        operation: format!("{} {}", outgoing.method, grant.reach.path),
        method: outgoing.method,
        url,
        headers,
        body: outgoing.body,
        signed: false,
        local_gateway: grant.local,
    })
}

fn request_scheme<'m>(manifest: &'m Manifest, name: &str) -> Result<&'m SortedForm, Denied> {
    match manifest.scheme(name) {
        Some(Scheme::SortedForm(rule)) if rule.purpose == Purpose::Request => Ok(rule),
        Some(_) => Denied::because(format!("the scheme {name:?} does not sign requests")),
        None => Denied::because(format!("there is no scheme {name:?}")),
    }
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
    let key = target
        .signing_key(&rule.key, Usage::Request)
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

fn check_headers(given: &[(String, String)]) -> Result<Vec<(String, String)>, Denied> {
    let mut headers: Vec<(String, String)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        if !HEADERS.contains(&name.as_str()) {
            let shown: String = name.chars().take(64).collect();
            return Denied::because(format!(
                "a provider may not set the header {shown:?}, only {}",
                HEADERS.join(", ")
            ));
        }
        if headers.iter().any(|(have, _)| *have == name) {
            return Denied::because(format!("the header {name:?} comes twice"));
        }
        if !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Denied::because(format!(
                "the header {name:?} has more than plain text in it"
            ));
        }
        headers.push((name, value.clone()));
    }
    Ok(headers)
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
