//! Whether what a provider may reach is said exactly.

use std::collections::BTreeSet;

use super::names::{FIELD, is_field, is_host, is_path, is_word};
use super::uses::{check_optional_key, public_text};
use crate::trust::key::{KeyKind, Usage};
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{Reach, RequestTrade};
use crate::trust::manifest::settings::Settings;
use crate::trust::reach::placeholder;

pub(super) fn check_reach(path: &str, reach: &Reach, settings: &Settings, p: &mut Problems) {
    if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&reach.method.as_str()) {
        p.add(
            &format!("{path}/method"),
            "must be GET, POST, PUT, PATCH or DELETE",
        );
    }
    if reach.live.is_empty() {
        p.add(&format!("{path}/live"), "must name at least one host");
    }
    for (part, hosts) in [("live", &reach.live), ("test", &reach.test)] {
        for (at, host) in hosts.iter().enumerate() {
            if !is_host(host) {
                p.add(
                    &format!("{path}/{part}/{at}"),
                    "must be a full host name in lower case, without wildcard, port or address",
                );
            }
        }
    }
    if reach.test.iter().any(|host| reach.live.contains(host)) {
        p.add(
            &format!("{path}/test"),
            "a test target must not reach a host for live ones",
        );
    }
    check_path(path, reach, p);
    if let Some(trade) = &reach.trade {
        check_trade(&format!("{path}/trade"), trade, reach, p);
    }
    if let Some(name) = &reach.test_gateway {
        public_text(&format!("{path}/test_gateway"), name, settings, p);
    }
    if let Some(name) = &reach.test_authority {
        let path = format!("{path}/test_authority");
        let kinds = [KeyKind::Certificate];
        check_optional_key(&path, name, Usage::Authority, &kinds, settings, p);
        if reach.test_gateway.is_none() {
            p.add(
                &path,
                "is only for an address of the target's own (\"test_gateway\")",
            );
        }
    }
    if let Some(operation) = &reach.operation {
        if !is_field(&operation.field) {
            p.add(&format!("{path}/operation/field"), FIELD);
        }
        let names: BTreeSet<_> = operation.one_of.iter().collect();
        let wrong = |name: &&String| name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic());
        if names.is_empty() || names.len() != operation.one_of.len() || names.iter().any(wrong) {
            p.add(
                &format!("{path}/operation/one_of"),
                "must name operations, each once",
            );
        }
    }
}

/// Whether such requests can have their trade there.
fn check_trade(path: &str, trade: &RequestTrade, reach: &Reach, p: &mut Problems) {
    match trade {
        RequestTrade::Part { part } if !reach.parts.contains_key(part) => {
            p.add(
                &format!("{path}/part"),
                format!("{part:?} is no part of the path"),
            );
        }
        RequestTrade::Body { .. } if reach.operation.is_some() => {
            p.add(
                path,
                "such a request is a form: name the \"field\" in which the trade stands",
            );
        }
        RequestTrade::Body { .. } if reach.method == "GET" => {
            p.add(path, "a GET has no body: name a part of the path");
        }
        RequestTrade::Field { field, .. } if !is_field(field) => {
            p.add(&format!("{path}/field"), FIELD);
        }
        _ => {}
    }
}

/// A plain path, in which a whole part may stand for what `parts` says of it.
fn check_path(path: &str, reach: &Reach, p: &mut Problems) {
    let mut named = BTreeSet::new();
    let plain: Vec<&str> = reach
        .path
        .split('/')
        .map(|part| match placeholder(part) {
            Some(name) if is_word(name) && named.insert(name) => "x",
            _ => part,
        })
        .collect();
    if !is_path(&plain.join("/")) {
        p.add(
            &format!("{path}/path"),
            "must be a plain path such as \"/gateway.do\": no escapes, no dots alone, no query; a part that \
             differs from request to request is a name in braces, each name once",
        );
    }
    let known: BTreeSet<&str> = reach.parts.keys().map(String::as_str).collect();
    if named != known {
        p.add(
            &format!("{path}/parts"),
            "must say what each part in braces may be, and nothing else",
        );
    }
    if !known.is_empty() && reach.operation.is_some() {
        p.add(
            &format!("{path}/operation"),
            "a path with parts names its operation by itself",
        );
    }
}
