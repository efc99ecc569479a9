//! Whether settings that are used elsewhere in a manifest may be used so.

use std::collections::BTreeMap;

use super::names::{FIELD, is_field};
use crate::trust::key::{KeyKind, Usage};
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::schemes::{Encryption, KeyNames, Purpose};
use crate::trust::manifest::settings::Settings;
use crate::trust::manifest::templates::SetValue;

/// A key of this name, that may be used so and that every target has.
pub(super) fn check_key(
    path: &str,
    name: &str,
    usage: Usage,
    settings: &Settings,
    p: &mut Problems,
) {
    check_optional_key(path, name, usage, &[], settings, p);
    must_be_required(path, name, settings, p);
}

/// A key of this name, that may be used so, and that is of one of these kinds (any, when none is named).
pub(super) fn check_optional_key(
    path: &str,
    name: &str,
    usage: Usage,
    kinds: &[KeyKind],
    settings: &Settings,
    p: &mut Problems,
) {
    let Some(setting) = settings.get(name) else {
        return p.add(path, format!("there is no setting {name:?}"));
    };
    let Some(rule) = &setting.key else {
        return p.add(
            path,
            format!("the setting {name:?} is no key: give it an \"x-key\""),
        );
    };
    if !rule.usages.contains(&usage) {
        let problem = format!(
            "the key {name:?} may not be used for {:?}: see its usages",
            usage.as_str()
        );
        p.add(path, problem);
    }
    if !kinds.is_empty() && !kinds.contains(&rule.kind) {
        let kinds: Vec<String> = kinds
            .iter()
            .map(|kind| format!("{:?}", kind.as_str()))
            .collect();
        let problem = format!("the key {name:?} must be of kind {}", kinds.join(" or "));
        p.add(path, problem);
    }
}

/// The keys of a scheme with a signature of RSA: one that every target has, or several of which it has one at least.
pub(super) fn check_keys(
    path: &str,
    names: &KeyNames,
    purpose: Purpose,
    renewed: bool,
    settings: &Settings,
    p: &mut Problems,
) {
    let (usage, kinds) = if purpose == Purpose::Request {
        (Usage::Request, &[KeyKind::RsaPrivate][..])
    } else {
        (
            Usage::Verify,
            &[KeyKind::RsaPublic, KeyKind::Certificate][..],
        )
    };
    for name in &names.0 {
        check_optional_key(path, name, usage, kinds, settings, p);
    }
    match names.0.as_slice() {
        [] => p.add(path, "must name a key"),
        [only] if !renewed => must_be_required(path, only, settings, p),
        [_] => {}
        _ if purpose == Purpose::Request => p.add(path, "a request is signed with one key"),
        _ => {}
    }
}

/// Fields that the host sets.
pub(super) fn check_set(
    path: &str,
    set: &BTreeMap<String, SetValue>,
    settings: &Settings,
    p: &mut Problems,
) {
    for (field, value) in set {
        let path = format!("{path}/{field}");
        if !is_field(field) {
            p.add(&path, FIELD);
        }
        match value {
            SetValue::Literal(text) => {
                if text.is_empty() || text.chars().any(char::is_control) {
                    p.add(&path, "must be a text of one line");
                }
            }
            SetValue::Setting { name, when_set } => {
                public_text(&path, name, settings, p);
                if !when_set {
                    must_be_required(&path, name, settings, p);
                }
            }
            SetValue::CertificateSn { name, when_set } => {
                let key = settings.get(name).and_then(|setting| setting.key.as_ref());
                if key.is_none_or(|rule| rule.kind != KeyKind::Certificate) {
                    p.add(&path, format!("the setting {name:?} is no certificate"));
                }
                if !when_set {
                    must_be_required(&path, name, settings, p);
                }
            }
        }
    }
}

/// A field that is encrypted where the target has the key.
pub(super) fn check_encryption(
    path: &str,
    rule: &Encryption,
    settings: &Settings,
    p: &mut Problems,
) {
    let key = format!("{path}/key");
    let kinds = [KeyKind::Secret];
    check_optional_key(&key, &rule.key, Usage::Request, &kinds, settings, p);
    check_set(&format!("{path}/set"), &rule.set, settings, p);
}

/// A public setting that is a text.
pub(super) fn public_text(path: &str, name: &str, settings: &Settings, p: &mut Problems) {
    match settings.get(name) {
        None => p.add(path, format!("there is no setting {name:?}")),
        Some(setting) if setting.secret => {
            p.add(
                path,
                format!("the setting {name:?} is a secret and must not be sent"),
            );
        }
        Some(setting) if !setting.text => {
            p.add(
                path,
                format!("the setting {name:?} must be of type \"string\""),
            );
        }
        Some(_) => {}
    }
}

/// A setting that every target has.
pub(super) fn must_be_required(path: &str, name: &str, settings: &Settings, p: &mut Problems) {
    if settings.get(name).is_some_and(|setting| !setting.required) {
        p.add(
            path,
            format!("the setting {name:?} must be among the required ones"),
        );
    }
}
