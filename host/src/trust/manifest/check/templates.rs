//! Whether templates, identities and the fetching of bills are sound.

use std::collections::{BTreeMap, BTreeSet};

use super::names::is_field;
use super::uses::{check_encryption, check_key, check_optional_key, check_set, must_be_required};
use crate::trust::key::{KeyKind, Usage};
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{BillRule, IdentityRule};
use crate::trust::manifest::schemes::{Purpose, Scheme};
use crate::trust::manifest::settings::Settings;
use crate::trust::manifest::templates::{Template, TemplateKind};

/// The most fields of a template.
const MAX_FIELDS: usize = 64;

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
    if let Some(timestamp) = &template.timestamp {
        if let Err(problem) = timestamp.time_format() {
            p.add(&format!("{path}/timestamp/format"), problem);
        }
        if !names.contains(&timestamp.field) || template.set.contains_key(&timestamp.field) {
            p.add(
                &format!("{path}/timestamp/field"),
                "must be among the fields, and not in \"set\"",
            );
        }
    }
    if let Some(encryption) = &template.encrypt {
        let path = format!("{path}/encrypt");
        check_encryption(&path, encryption, settings, p);
        let given = |field: &String| names.contains(field) && !template.set.contains_key(field);
        let of_form = template.kind == TemplateKind::SortedForm;
        if !of_form
            || !given(&encryption.field)
            || encryption.set.keys().any(|field| names.contains(field))
        {
            p.add(
                &path,
                "must encrypt a field that the provider gives, for a \"sorted-form\", and add others than there are",
            );
        }
    }
    if let Some(field) = &template.query {
        let of_form = template.kind == TemplateKind::SortedForm;
        if !of_form || !is_field(field) || names.contains(field) {
            p.add(
                &format!("{path}/query"),
                "must name the field of the signature, for a \"sorted-form\", and not among the fields",
            );
        }
    }
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

pub(super) fn check_identity(
    path: &str,
    rule: &IdentityRule,
    settings: &Settings,
    p: &mut Problems,
) {
    for (part, name, kind) in [
        ("certificate", &rule.certificate, KeyKind::Certificate),
        ("key", &rule.key, KeyKind::RsaPrivate),
    ] {
        let path = format!("{path}/{part}");
        check_optional_key(&path, name, Usage::Identity, &[kind], settings, p);
    }
    must_be_required(&format!("{path}/key"), &rule.key, settings, p);
}

pub(super) fn check_bill(rule: &BillRule, schemes: &BTreeMap<String, Scheme>, p: &mut Problems) {
    let signs = schemes
        .get(&rule.auth)
        .is_some_and(|scheme| scheme.purpose() == Purpose::Request);
    if !signs {
        p.add("/bill/auth", "must be a scheme for requests");
    }
}
