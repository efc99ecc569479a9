//! Requests on their way to the platform: checked against the reach, completed and signed.
//!
//! | file | is |
//! |---|---|
//! | [`form`] | requests that are forms |
//! | [`token`] | tokens that the host fetches and adds |
//! | [`trade`] | which trade a request is about |

mod form;
mod token;
mod trade;

use std::collections::BTreeSet;

use url::Url;

use super::manifest::{Errand, Manifest, Purpose, Scheme};
use super::reach::{Address, Denied, Grant, grants};
use super::scheme::{lines, sorted_xml};
use super::target::Target;
use super::tls::Tls;
use super::xml;
pub use token::{TokenRefused, forget_token, keep_token, token_request};

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
    /// The manifest's name of a client certificate that the target has.
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
    /// The number of the trade that a signed request is about, where the manifest says where it stands and something
    /// stands there.
    pub trade: Option<String>,
    /// What the provider has to be called for; anything, where there is nothing.
    pub during: BTreeSet<Errand>,
    /// The address is a test target's own and on this machine: it may only be called when the host
    /// runs with local gateways allowed. All others must resolve to public addresses.
    pub local_gateway: bool,
    /// Whose target it is: no connection of another domain's is used.
    pub domain: String,
    /// What makes the connection the target's own, where it has to be.
    pub tls: Option<Tls>,
}

/// What is asked for, and by which grant.
struct Granted<'m> {
    grant: Grant<'m>,
    operation: String,
    trade: Option<String>,
}

/// The parts of a request that signing may change.
struct Parts {
    url: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Checks a request against the manifest's reach, adds what the host has to add, and signs it.
/// `now_ms` is milliseconds since 1970.
pub fn prepare(
    manifest: &Manifest,
    target: &Target,
    outgoing: Outgoing,
    now_ms: u64,
) -> Result<Prepared, Denied> {
    let address = Address::read(&outgoing.url)?;
    let granted = grants(manifest.reach(), target, &outgoing.method, &address)?;
    let scheme = outgoing
        .auth
        .as_deref()
        .map(|name| request_scheme(manifest, name).map(|scheme| (name, scheme)))
        .transpose()?;
    let more = match scheme {
        Some((_, Scheme::Bearer(rule))) => rule.headers.as_slice(),
        _ => &[],
    };
    let headers = check_headers(&outgoing.headers, more)?;
    let form_rule = match scheme {
        Some((_, Scheme::SortedForm(rule))) => Some(rule),
        _ => None,
    };
    let by_field = granted.iter().all(|grant| grant.reach.operation.is_some());
    let (granted, parts) = if form_rule.is_some() || (scheme.is_none() && by_field) {
        form::complete(
            &outgoing, headers, &address, &granted, form_rule, target, now_ms,
        )?
    } else {
        let mut granted = by_path(&outgoing.method, &granted)?;
        granted.trade = trade::of_request(
            granted.grant.reach,
            scheme.map(|(_, scheme)| scheme),
            address.path,
            &outgoing.body,
        );
        let url =
            Url::parse(&outgoing.url).map_err(|error| Denied(format!("the address: {error}")))?;
        let mut parts = Parts {
            url,
            headers,
            body: outgoing.body,
        };
        if let Some((name, scheme)) = scheme {
            sign(scheme, name, target, &outgoing.method, &mut parts, now_ms)?;
        }
        (granted, parts)
    };
    if manifest.renewal(&granted.operation).is_some() && !target.may_renew(now_ms) {
        return Denied::because("the platform was asked for its certificates just now: wait");
    }
    let authority = granted
        .grant
        .own
        .then_some(granted.grant.reach.test_authority.as_deref())
        .flatten();
    let tls = target
        .tls(outgoing.identity.as_deref(), authority)
        .map_err(Denied)?;
    Ok(Prepared {
        method: outgoing.method,
        url: parts.url,
        headers: parts.headers,
        body: parts.body,
        operation: granted.operation,
        signed: outgoing.auth.is_some(),
        trade: granted.trade.filter(|_| outgoing.auth.is_some()),
        during: granted.grant.reach.during.clone(),
        local_gateway: granted.grant.local,
        domain: target.domain.clone(),
        tls,
    })
}

/// The grant of a request that no field tells apart.
fn by_path<'m>(method: &str, granted: &[Grant<'m>]) -> Result<Granted<'m>, Denied> {
    let found = granted
        .iter()
        .find(|grant| grant.reach.operation.is_none())
        .ok_or_else(|| Denied("the manifest does not reach this address".to_owned()))?;
    Ok(Granted {
        grant: *found,
        operation: format!("{method} {}", found.reach.path),
        trade: None,
    })
}

/// Signs a request that is no form, or adds a token to it.
fn sign(
    scheme: &Scheme,
    name: &str,
    target: &Target,
    method: &str,
    parts: &mut Parts,
    now_ms: u64,
) -> Result<(), Denied> {
    match scheme {
        Scheme::Lines(rule) => {
            let path = match parts.url.query() {
                Some(query) => format!("{}?{query}", parts.url.path()),
                None => parts.url.path().to_owned(),
            };
            let request = (method, path.as_str(), parts.body.as_slice());
            let value = lines::authorize(rule, target, request, now_ms).map_err(Denied)?;
            parts.headers.push(("authorization".to_owned(), value));
        }
        Scheme::SortedXml(rule) => {
            let fields = xml::read(&parts.body, sorted_xml::ROOT)
                .map_err(|error| Denied(error.to_string()))?;
            let host_sets = |field: &str| {
                rule.set
                    .keys()
                    .chain([&rule.signature])
                    .chain(&rule.nonce)
                    .any(|own| own == field)
            };
            if let Some((field, _)) = fields.iter().find(|(field, _)| host_sets(field)) {
                return Denied::because(format!("the host sets the field {field:?} itself"));
            }
            parts.body = sorted_xml::complete(rule, target, fields).map_err(Denied)?;
            parts.headers.retain(|(name, _)| name != "content-type");
            parts.headers.push((
                "content-type".to_owned(),
                "text/xml; charset=utf-8".to_owned(),
            ));
        }
        Scheme::Bearer(_) => {
            let token = target.platform.token(name, now_ms).ok_or_else(|| {
                Denied("there is no token: it has to be fetched first".to_owned())
            })?;
            let value = format!("Bearer {}", token.as_str());
            parts.headers.push(("authorization".to_owned(), value));
        }
        _ => return Denied::because(format!("the scheme {name:?} does not sign requests")),
    }
    Ok(())
}

fn request_scheme<'m>(manifest: &'m Manifest, name: &str) -> Result<&'m Scheme, Denied> {
    match manifest.scheme(name) {
        Some(scheme) if scheme.purpose() == Purpose::Request => Ok(scheme),
        Some(_) => Denied::because(format!("the scheme {name:?} does not sign requests")),
        None => Denied::because(format!("there is no scheme {name:?}")),
    }
}

fn check_headers(
    given: &[(String, String)],
    more: &[String],
) -> Result<Vec<(String, String)>, Denied> {
    let mut headers: Vec<(String, String)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        if !HEADERS.contains(&name.as_str()) && !more.contains(&name) {
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
