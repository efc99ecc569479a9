//! Whether schemes are sound: each for the messages that its kind can sign, with keys of the right kind.

use std::collections::BTreeMap;

use super::names::{FIELD, is_field, is_header, is_path};
use super::uses::{
    check_encryption, check_keys, check_optional_key, check_set, must_be_required, public_text,
};
use crate::trust::key::{KeyKind, Usage};
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::schemes::{
    Aead, Bearer, Certificates, CertificatesAt, JsonSubstring, KeyNames, Lines, Purpose, Scheme,
    SharedAlgorithm, SortedForm, SortedXml, Webhook,
};
use crate::trust::manifest::settings::Settings;

/// The widest window around the host's time, in seconds.
const MAX_WINDOW_S: u64 = 3600;

/// What is shorter may begin any signature.
const MIN_PROBE: usize = 8;

/// What schemes are checked against.
pub(super) struct Around<'a> {
    pub(super) schemes: &'a BTreeMap<String, Scheme>,
    pub(super) operations: &'a std::collections::BTreeSet<String>,
    /// Those of the operations whose requests name their trade.
    pub(super) naming: &'a std::collections::BTreeSet<String>,
    pub(super) settings: &'a Settings,
}

pub(super) fn check_scheme(path: &str, scheme: &Scheme, around: &Around<'_>, p: &mut Problems) {
    match scheme {
        Scheme::SortedForm(rule) => {
            around.signed(path, &rule.key, rule.purpose, rule.renewed_by.as_ref(), p);
            check_sorted_form(path, rule, around.settings, p);
        }
        Scheme::JsonSubstring(rule) => {
            around.signed(path, &rule.key, rule.purpose, rule.renewed_by.as_ref(), p);
            check_json_substring(path, rule, around.settings, p);
        }
        Scheme::Lines(rule) => {
            around.signed(path, &rule.key, rule.purpose, rule.renewed_by.as_ref(), p);
            check_lines(path, rule, around.settings, p);
        }
        Scheme::SortedXml(rule) => check_sorted_xml(path, rule, around.settings, p),
        Scheme::Aead(rule) => check_aead(path, rule, around, p),
        Scheme::Certificates(rule) => check_certificates(path, rule, around, p),
        Scheme::Bearer(rule) => check_bearer(path, rule, around.settings, p),
        Scheme::AuthenticatedJson(rule) => {
            let request = around.schemes.get(&rule.request);
            if request.is_none_or(|scheme| scheme.purpose() != Purpose::Request) {
                p.add(&format!("{path}/to"), "must be a scheme for requests");
            }
        }
        Scheme::Webhook(rule) => check_webhook(path, rule, around, p),
    }
}

impl Around<'_> {
    /// The keys of a signature of RSA.
    fn signed(
        &self,
        path: &str,
        keys: &KeyNames,
        purpose: Purpose,
        renewed_by: Option<&String>,
        p: &mut Problems,
    ) {
        let renewed = renewed_by.is_some();
        check_keys(
            &format!("{path}/key"),
            keys,
            purpose,
            renewed,
            self.settings,
            p,
        );
        if let Some(name) = renewed_by {
            let brings = matches!(self.schemes.get(name), Some(Scheme::Certificates(_)));
            if !brings || purpose == Purpose::Request {
                p.add(
                    &format!("{path}/renewed_by"),
                    "must be a scheme of kind \"certificates\", for what the platform signs",
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
    if let Some(encryption) = &rule.encrypt {
        let path = format!("{path}/encrypt");
        check_encryption(&path, encryption, settings, p);
        if !request || !is_field(&encryption.field) {
            p.add(&path, "must name a field of a request");
        }
    }
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

fn check_json_substring(path: &str, rule: &JsonSubstring, settings: &Settings, p: &mut Problems) {
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
    if let Some(key) = &rule.decrypt {
        let path = format!("{path}/decrypt");
        let kinds = [KeyKind::Secret];
        check_optional_key(&path, key, Usage::Decrypt, &kinds, settings, p);
    }
}

fn check_lines(path: &str, rule: &Lines, settings: &Settings, p: &mut Problems) {
    let request = rule.purpose == Purpose::Request;
    if request == rule.headers.is_some() {
        p.add(
            &format!("{path}/headers"),
            "must be there for what the platform sends, and for nothing else",
        );
    }
    if request != rule.authorization.is_some() {
        p.add(
            &format!("{path}/authorization"),
            "must be there for requests, and for nothing else",
        );
    }
    // Without a window somebody may send an old notification for ever.
    if request == rule.window_s.is_some()
        || rule
            .window_s
            .is_some_and(|s| !(1..=MAX_WINDOW_S).contains(&s))
    {
        p.add(
            &format!("{path}/window_s"),
            format!("must be 1 to {MAX_WINDOW_S} seconds for what the platform sends, and for nothing else"),
        );
    }
    if let Some(rule) = &rule.authorization {
        let path = format!("{path}/authorization");
        check_set(&format!("{path}/set"), &rule.set, settings, p);
        let mut names: Vec<&String> = rule.set.keys().collect();
        names.extend([&rule.name, &rule.nonce, &rule.timestamp, &rule.signature]);
        let count = names.len();
        names.sort();
        names.dedup();
        if names.len() != count || names.iter().any(|name| !is_field(name)) {
            p.add(&path, format!("{FIELD}, each name once"));
        }
    }
    if let Some(headers) = &rule.headers {
        let names = [
            &headers.timestamp,
            &headers.nonce,
            &headers.signature,
            &headers.serial,
        ];
        if names.iter().any(|name| !is_header(name)) {
            p.add(&format!("{path}/headers"), "must name headers");
        }
        let notified = rule.purpose == Purpose::Notification;
        let probe = headers.probe.as_ref();
        if probe.is_some_and(|probe| !notified || probe.len() < MIN_PROBE) {
            p.add(
                &format!("{path}/headers/probe"),
                format!("must be {MIN_PROBE} characters or more, for notifications alone"),
            );
        }
    }
}

fn check_sorted_xml(path: &str, rule: &SortedXml, settings: &Settings, p: &mut Problems) {
    let (usage, request) = match rule.purpose {
        Purpose::Request => (Usage::Request, true),
        _ => (Usage::Verify, false),
    };
    let key = format!("{path}/key");
    check_optional_key(&key, &rule.key, usage, &[KeyKind::Secret], settings, p);
    if let SharedAlgorithm::Setting(name) = &rule.algorithm {
        public_text(&format!("{path}/algorithm"), name, settings, p);
    }
    let sets = !rule.set.is_empty() || rule.nonce.is_some();
    if sets && !request {
        p.add(
            &format!("{path}/set"),
            "only requests have fields that the host sets",
        );
    }
    check_set(&format!("{path}/set"), &rule.set, settings, p);
    if rule
        .nonce
        .iter()
        .chain([&rule.signature])
        .any(|field| !is_field(field) || rule.set.contains_key(field))
    {
        p.add(path, FIELD);
    }
}

fn check_aead(path: &str, rule: &Aead, around: &Around<'_>, p: &mut Problems) {
    let key = format!("{path}/key");
    let kinds = [KeyKind::Secret];
    check_optional_key(&key, &rule.key, Usage::Decrypt, &kinds, around.settings, p);
    must_be_required(&key, &rule.key, around.settings, p);
    let of = around.schemes.get(&rule.of);
    let verifies = |scheme: &Scheme| {
        matches!(scheme.purpose(), Purpose::Answer | Purpose::Notification)
            && scheme.forgeable().is_none()
    };
    if !of.is_some_and(verifies) {
        p.add(
            &format!("{path}/of"),
            "must be a scheme that verifies what the platform signed",
        );
    }
}

fn check_certificates(path: &str, rule: &Certificates, around: &Around<'_>, p: &mut Problems) {
    let answer = rule.answer.as_ref().map(|name| around.schemes.get(name));
    let signed = match (&rule.at, answer) {
        (CertificatesAt::Pem, None) => true,
        (CertificatesAt::Pem, Some(_)) | (_, None) => false,
        (_, Some(scheme)) => scheme.is_some_and(|scheme| {
            matches!(scheme, Scheme::Lines(_) | Scheme::JsonSubstring(_))
                && scheme.purpose() == Purpose::Answer
        }),
    };
    if !signed {
        p.add(
            &format!("{path}/answer"),
            "must be a scheme for answers, of kind \"lines\" or \"json-substring\"; none for \"pem\"",
        );
    }
    let unknown = |name: &&String| !around.operations.contains(*name);
    if rule.operations.is_empty() || rule.operations.iter().any(|name| unknown(&name)) {
        p.add(
            &format!("{path}/operations"),
            "must name operations of \"reach\"",
        );
    }
    let named = !rule.issuer.is_empty() || matches!(rule.at, CertificatesAt::Pem);
    if !named || rule.issuer.iter().any(|name| name.trim().is_empty()) {
        p.add(
            &format!("{path}/issuer"),
            "must name who issues the platform's certificates",
        );
    }
    if let Some(name) = &rule.authority {
        let path = format!("{path}/authority");
        let kinds = [KeyKind::Certificate];
        check_optional_key(&path, name, Usage::Issuer, &kinds, around.settings, p);
    }
    match &rule.at {
        CertificatesAt::Encrypted(list) => {
            let key = &list.key;
            let path = format!("{path}/at/encrypted/key");
            let kinds = [KeyKind::Secret];
            check_optional_key(&path, key, Usage::Decrypt, &kinds, around.settings, p);
            must_be_required(&path, key, around.settings, p);
        }
        CertificatesAt::Base64(_) if rule.authority.is_none() => p.add(
            &format!("{path}/authority"),
            "must be named: nothing else speaks for a certificate that came in the open",
        ),
        CertificatesAt::Base64(_) | CertificatesAt::Pem => {}
    }
    let count = around
        .schemes
        .values()
        .filter(|scheme| matches!(scheme, Scheme::Certificates(_)))
        .count();
    if count > 1 {
        p.add(path, "a platform has one scheme that brings certificates");
    }
}

fn check_bearer(path: &str, rule: &Bearer, settings: &Settings, p: &mut Problems) {
    if !is_path(&rule.path) {
        p.add(&format!("{path}/path"), "must be a plain path");
    }
    if rule.form.keys().any(|field| !is_field(field)) {
        p.add(&format!("{path}/form"), FIELD);
    }
    if rule
        .headers
        .iter()
        .any(|name| !is_header(name) || !name.bytes().all(|b| !b.is_ascii_uppercase()))
    {
        p.add(
            &format!("{path}/headers"),
            "must name headers in lower case",
        );
    }
    let user = format!("{path}/user");
    public_text(&user, &rule.user, settings, p);
    must_be_required(&user, &rule.user, settings, p);
    let password = format!("{path}/password");
    let kinds = [KeyKind::Secret];
    check_optional_key(
        &password,
        &rule.password,
        Usage::Request,
        &kinds,
        settings,
        p,
    );
    must_be_required(&password, &rule.password, settings, p);
}

fn check_webhook(path: &str, rule: &Webhook, around: &Around<'_>, p: &mut Problems) {
    let webhook = format!("{path}/webhook");
    public_text(&webhook, &rule.webhook, around.settings, p);
    let brings = around.schemes.get(&rule.renewed_by);
    if !matches!(brings, Some(Scheme::Certificates(_))) {
        p.add(
            &format!("{path}/renewed_by"),
            "must be a scheme of kind \"certificates\"",
        );
    }
    let headers = &rule.headers;
    let names = [
        &headers.id,
        &headers.time,
        &headers.signature,
        &headers.algorithm,
    ];
    if names.iter().any(|name| !is_header(name)) {
        p.add(&format!("{path}/headers"), "must name headers");
    }
}
