//! Whether settings that are used elsewhere in a manifest may be used so.

use std::collections::BTreeMap;

use super::names::{FIELD, is_field};
use crate::trust::key::{KeyKind, Usage};
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::SetValue;
use crate::trust::manifest::settings::Settings;

/// A key of this name, that may be used so and that every target has.
pub(super) fn check_key(
    path: &str,
    name: &str,
    usage: Usage,
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
    if usage == Usage::Verify && rule.kind != KeyKind::RsaPublic {
        p.add(
            path,
            format!("the key {name:?} must be of kind \"rsa-public\""),
        );
    }
    must_be_required(path, name, settings, p);
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
        }
    }
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
