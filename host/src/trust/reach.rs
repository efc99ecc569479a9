//! Where a provider may send: exactly the hosts, methods, paths and operations of its manifest.
//!
//! An address is compared as it is written and never brought into shape first: one that a parser
//! would have to change (another case, a port, a user, dots or escapes in the path) is not the
//! granted one.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::gateway::Gateway;
use super::manifest::Reach;
use super::target::Target;

/// A request that the host does not make. The text says what the manifest allows instead, and
/// repeats no value of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

impl Denied {
    pub(super) fn because<T>(why: impl Into<String>) -> Result<T, Denied> {
        Err(Denied(why.into()))
    }
}

/// An address in its parts, each as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Address<'a> {
    /// Takes an absolute address that is written in the one plain form.
    pub(super) fn read(text: &'a str) -> Result<Address<'a>, Denied> {
        let url = Url::parse(text).map_err(|error| Denied(format!("the address: {error}")))?;
        if url.as_str() != text {
            return Denied::because(
                "the address is not in its plain form: write the host in lower case, without its \
                 usual port, and escape only what must be escaped",
            );
        }
        if text.contains(['#', '@', '\\']) {
            return Denied::because("the address has a user, a fragment or a backslash");
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| Denied("the address has no host".to_owned()))?;
        let (before, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (rest, None),
        };
        let slash = before
            .find('/')
            .ok_or_else(|| Denied("the address has no path".to_owned()))?;
        let (authority, path) = before.split_at(slash);
        Ok(Address {
            scheme,
            authority,
            path,
            query,
        })
    }
}

/// What a part of a path may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Grammar {
    /// 32 lower-case hex digits: a number of the host's own.
    Hex32,
    /// 1 to 64 letters, digits and dashes: a number of the platform's.
    Word,
}

impl Grammar {
    fn fits(self, part: &str) -> bool {
        match self {
            Grammar::Hex32 => {
                part.len() == 32 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            }
            Grammar::Word => {
                (1..=64).contains(&part.len())
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            }
        }
    }

    /// For the person who approves the manifest.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Grammar::Hex32 => "32 hex digits",
            Grammar::Word => "1 to 64 letters, digits and dashes",
        }
    }
}

/// The name of a part in braces.
pub(crate) fn placeholder(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// Whether a path is one of the pattern's.
fn path_fits(pattern: &str, parts: &BTreeMap<String, Grammar>, path: &str) -> bool {
    if parts.is_empty() {
        return pattern == path;
    }
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) => {
                let fits = match placeholder(wanted) {
                    Some(name) => parts.get(name).is_some_and(|grammar| grammar.fits(given)),
                    None => wanted == given,
                };
                if !fits {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// A grant of the manifest that covers an address.
#[derive(Clone, Copy)]
pub(super) struct Grant<'m> {
    pub(super) reach: &'m Reach,
    /// The address is on this machine.
    pub(super) local: bool,
    /// The address is a test target's own.
    pub(super) own: bool,
}

/// The grants that cover method and address for this target.
pub(super) fn grants<'m>(
    reach: &'m [Reach],
    target: &Target,
    method: &str,
    address: &Address<'_>,
) -> Result<Vec<Grant<'m>>, Denied> {
    let found: Vec<Grant<'m>> = reach
        .iter()
        .filter(|reach| reach.method == method)
        .filter_map(|reach| covers(reach, target, address))
        .collect();
    if found.is_empty() {
        let kind = if target.test { "a test" } else { "a live" };
        return Denied::because(format!(
            "the manifest does not reach this address for {kind} target; it reaches {}",
            reached(reach, target)
        ));
    }
    Ok(found)
}

/// The grant, where it covers the address.
fn covers<'m>(reach: &'m Reach, target: &Target, address: &Address<'_>) -> Option<Grant<'m>> {
    let gateway = reach
        .test_gateway
        .as_deref()
        .and_then(|setting| target.gateway(setting));
    if let (true, Some(gateway)) = (target.test, gateway) {
        // The own address replaces the platform's: test payments go to one place.
        return (address.scheme == gateway.scheme()
            && address.authority == gateway.authority()
            && own_path(reach, gateway).map_or_else(
                || path_fits(&reach.path, &reach.parts, address.path),
                |own| own == address.path,
            ))
        .then(|| Grant {
            reach,
            local: gateway.is_local(),
            own: true,
        });
    }
    let hosts = if target.test {
        &reach.test
    } else {
        &reach.live
    };
    (address.scheme == "https"
        && path_fits(&reach.path, &reach.parts, address.path)
        && hosts.iter().any(|host| host == address.authority))
    .then_some(Grant {
        reach,
        local: false,
        own: false,
    })
}

/// The path of a test target's own address, where it stands for one address that serves many operations.
fn own_path<'g>(reach: &Reach, gateway: &'g Gateway) -> Option<&'g str> {
    gateway.path().filter(|_| reach.operation.is_some())
}

fn reached(reach: &[Reach], target: &Target) -> String {
    let mut places = Vec::new();
    for reach in reach {
        let gateway = reach
            .test_gateway
            .as_deref()
            .and_then(|name| target.gateway(name));
        if let (true, Some(gateway)) = (target.test, gateway) {
            let path = own_path(reach, gateway).unwrap_or(&reach.path);
            let (scheme, authority) = (gateway.scheme(), gateway.authority());
            places.push(format!("{} {scheme}://{authority}{path}", reach.method));
        } else {
            let hosts = if target.test {
                &reach.test
            } else {
                &reach.live
            };
            let place = |host| format!("{} https://{host}{}", reach.method, reach.path);
            places.extend(hosts.iter().map(place));
        }
    }
    places.sort();
    places.dedup();
    if places.is_empty() {
        "nothing".to_owned()
    } else {
        places.join(", ")
    }
}
