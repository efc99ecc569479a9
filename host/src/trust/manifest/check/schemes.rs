//! Whether reach, schemes and templates are sound.

use std::collections::BTreeSet;

use super::names::{FIELD, is_field, is_host, is_path};
use super::uses::{check_key, check_set, public_text};
use crate::trust::key::Usage;
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{Purpose, Reach, Scheme, SortedForm, Template, TemplateKind};
use crate::trust::manifest::settings::Settings;

/// The most fields of a template.
const MAX_FIELDS: usize = 64;

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
    if !is_path(&reach.path) {
        p.add(
            &format!("{path}/path"),
            "must be a plain path such as \"/gateway.do\": no escapes, no dots alone, no query",
        );
    }
    if let Some(name) = &reach.test_gateway {
        public_text(&format!("{path}/test_gateway"), name, settings, p);
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

pub(super) fn check_scheme(path: &str, scheme: &Scheme, settings: &Settings, p: &mut Problems) {
    let usage = if scheme.purpose() == Purpose::Request {
        Usage::Request
    } else {
        Usage::Verify
    };
    check_key(&format!("{path}/key"), scheme.key(), usage, settings, p);
    match scheme {
        Scheme::SortedForm(rule) => check_sorted_form(path, rule, settings, p),
        Scheme::JsonSubstring(rule) => {
            if rule.purpose != Purpose::Answer {
                p.add(
                    &format!("{path}/use"),
                    "\"json-substring\" can only be used for \"answer\"",
                );
            }
            if rule.content_suffix.is_empty() {
                p.add(&format!("{path}/content_suffix"), "must not be empty");
            }
            if rule.signature.is_empty() || rule.signature.ends_with(&rule.content_suffix) {
                p.add(
                    &format!("{path}/signature"),
                    "must be another name than the signed one",
                );
            }
        }
    }
}

fn check_sorted_form(path: &str, rule: &SortedForm, settings: &Settings, p: &mut Problems) {
    if rule.purpose == Purpose::Answer {
        p.add(
            &format!("{path}/use"),
            "\"sorted-form\" can only be used for \"request\" and \"notification\"",
        );
    }
    if !rule.omit.contains(&rule.signature) {
        let problem = format!(
            "must contain {:?}: a signature does not sign itself",
            rule.signature
        );
        p.add(&format!("{path}/omit"), problem);
    }
    let request = rule.purpose == Purpose::Request;
    if !request && !rule.set.is_empty() {
        p.add(
            &format!("{path}/set"),
            "only requests have fields that the host sets",
        );
    }
    if !request && rule.timestamp.is_some() {
        p.add(
            &format!("{path}/timestamp"),
            "only requests have a time that the host sets",
        );
    }
    if request && !rule.expect.is_empty() {
        p.add(
            &format!("{path}/expect"),
            "only what the platform sends can be expected",
        );
    }
    check_set(&format!("{path}/set"), &rule.set, settings, p);
    if let Some(timestamp) = &rule.timestamp {
        if let Err(problem) = timestamp.time_format() {
            p.add(&format!("{path}/timestamp/format"), problem);
        }
        if rule.set.contains_key(&timestamp.field) {
            p.add(&format!("{path}/timestamp/field"), "is also in \"set\"");
        }
    }
    let fields = rule
        .omit
        .iter()
        .chain([&rule.signature])
        .chain(rule.timestamp.iter().map(|timestamp| &timestamp.field))
        .chain(rule.expect.keys());
    if fields.into_iter().any(|field| !is_field(field)) {
        p.add(path, FIELD);
    }
}

pub(super) fn check_template(
    path: &str,
    template: &Template,
    settings: &Settings,
    p: &mut Problems,
) {
    check_key(
        &format!("{path}/key"),
        &template.key,
        Usage::Client,
        settings,
        p,
    );
    let names: BTreeSet<_> = template.fields.iter().collect();
    if names.is_empty()
        || names.len() != template.fields.len()
        || names.len() > MAX_FIELDS
        || names.iter().any(|name| !is_field(name))
    {
        p.add(
            &format!("{path}/fields"),
            format!("must name 1 to {MAX_FIELDS} fields, each once"),
        );
    }
    check_set(&format!("{path}/set"), &template.set, settings, p);
    for name in template.set.keys().filter(|name| !names.contains(name)) {
        p.add(&format!("{path}/set/{name}"), "is not among the fields");
    }
    if template.kind == TemplateKind::SortedForm && template.set.is_empty() {
        p.add(
            &format!("{path}/set"),
            "must set what makes this text no other request (such as its method)",
        );
    }
}
