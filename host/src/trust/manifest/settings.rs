//! The settings of a target: their JSON Schema, which of them are secret, and which are keys.

use std::collections::BTreeMap;
use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::error::Problems;
use crate::trust::certificate::Certificate;
use crate::trust::key::{KeyKind, PrivateKey, PublicKey, Usage};

/// What is wrong with one setting of a target. The value is never part of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The setting's name; empty when it is about all of them.
    pub field: String,
    /// What to do about it, in English.
    pub problem: String,
}

/// Secret settings by name.
pub type Secrets = BTreeMap<String, Zeroizing<String>>;

/// What the manifest says of a key.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRule {
    pub(crate) kind: KeyKind,
    pub(crate) usages: Vec<Usage>,
    /// The setting by whose text messages name this key.
    pub(crate) id: Option<String>,
}

/// One setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Setting {
    pub(crate) secret: bool,
    pub(crate) required: bool,
    pub(crate) text: bool,
    pub(crate) key: Option<KeyRule>,
}

/// The schema, compiled.
pub(crate) struct Settings {
    schema: Value,
    validator: Validator,
    fields: BTreeMap<String, Setting>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Compiles the manifest's schema; without one a target has no settings.
    pub(super) fn compile(schema: Option<Value>, problems: &mut Problems) -> Option<Settings> {
        let schema =
            schema.unwrap_or_else(|| json!({"type": "object", "additionalProperties": false}));
        let before = problems.len();
        if schema.get("type") != Some(&json!("object")) {
            problems.add("/settings/type", "must be \"object\"");
        }
        if schema.get("additionalProperties") != Some(&json!(false)) {
            problems.add(
                "/settings/additionalProperties",
                "must be false, so that a misspelt setting is noticed",
            );
        }
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut fields = BTreeMap::new();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let path = format!("/settings/properties/{name}");
                if !is_setting_name(name) {
                    problems.add(
                        &path,
                        "a setting is named by lower-case letters, digits and _",
                    );
                }
                let setting = read_setting(property, required.contains(&name.as_str()));
                match setting {
                    Ok(setting) => fields.insert(name.clone(), setting),
                    Err((below, problem)) => {
                        problems.add(&format!("{path}{below}"), problem);
                        None
                    }
                };
            }
        }
        for name in required.iter().filter(|name| !fields.contains_key(**name)) {
            problems.add(
                "/settings/required",
                format!("{name:?} is not among the properties"),
            );
        }
        let names = fields
            .iter()
            .filter_map(|(name, setting): (&String, &Setting)| {
                Some((name, setting.key.as_ref()?.id.as_ref()?))
            });
        for (name, id) in names {
            if fields
                .get(id)
                .is_none_or(|setting| setting.secret || !setting.text)
            {
                problems.add(
                    &format!("/settings/properties/{name}/x-key/id"),
                    format!("{id:?} is not a public setting of type \"string\""),
                );
            }
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .build(&schema)
            .map_err(|error| {
                let path = format!("/settings{}", error.instance_path());
                problems.add(&path, format!("not a JSON Schema: {}", error.masked()));
            });
        match validator {
            Ok(validator) if problems.len() == before => Some(Settings {
                schema,
                validator,
                fields,
            }),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
        self.fields.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.fields
            .iter()
            .map(|(name, setting)| (name.as_str(), setting))
    }

    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    /// Checks settings by the schema, and that keys can be read.
    pub(crate) fn check(&self, settings: &Map<String, Value>) -> Vec<FieldError> {
        // A schema without properties says no more of what is given than that it is too much.
        if self.fields.is_empty() {
            let surplus = settings.keys().map(|name| FieldError {
                field: name.chars().take(64).collect(),
                problem: "there is no such setting: this provider has none".to_owned(),
            });
            return surplus.collect();
        }
        let whole = Whole(Value::Object(settings.clone()));
        let mut errors: Vec<FieldError> = self
            .validator
            .iter_errors(&whole.0)
            .flat_map(|error| self.explain(&error))
            .collect();
        let mut private = Vec::new();
        let mut public = Vec::new();
        for (name, rule) in self
            .fields
            .iter()
            .filter_map(|(name, setting)| Some((name, setting.key.as_ref()?)))
        {
            let Some(text) = settings.get(name).and_then(Value::as_str) else {
                continue;
            };
            let read = match rule.kind {
                KeyKind::RsaPrivate => PrivateKey::parse(text).map(|key| private.push(key)),
                KeyKind::RsaPublic => PublicKey::parse(text).map(|key| public.push((name, key))),
                KeyKind::Secret => Ok(()),
                KeyKind::Certificate => Certificate::parse_all(text).map(|all| {
                    let leaf = all.first().and_then(|leaf| leaf.key().cloned());
                    let verifies = rule.usages.contains(&Usage::Verify);
                    public.extend(leaf.filter(|_| verifies).map(|key| (name, key)));
                }),
            };
            if let Err(error) = read {
                errors.push(FieldError {
                    field: name.clone(),
                    problem: error.to_string(),
                });
            }
        }
        for (name, _) in public
            .iter()
            .filter(|(_, key)| private.iter().any(|own| own.is_pair_of(key)))
        {
            errors.push(FieldError {
                field: (*name).clone(),
                problem: "this is the public half of the target's own private key: give the \
                          platform's public key"
                    .to_owned(),
            });
        }
        errors
    }

    fn explain(&self, error: &ValidationError<'_>) -> Vec<FieldError> {
        let path = error.instance_path().to_string();
        let field = path.trim_start_matches('/').to_owned();
        let one = |field: String, problem: String| vec![FieldError { field, problem }];
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let field = if field.is_empty() {
                    name.to_owned()
                } else {
                    format!("{field}/{name}")
                };
                one(field, "must be given".to_owned())
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known: Vec<&str> = self.fields.keys().map(String::as_str).collect();
                let problem = format!("there is no such setting; there are {}", known.join(", "));
                unexpected
                    .iter()
                    .map(|name| FieldError {
                        field: name.chars().take(64).collect(),
                        problem: problem.clone(),
                    })
                    .collect()
            }
            _ => one(field, error.masked_with("what is given").to_string()),
        }
    }

    /// Parts the public settings from the secret ones. A secret that is no text is dropped; `check`
    /// refuses it.
    pub(super) fn split(&self, settings: Map<String, Value>) -> (Map<String, Value>, Secrets) {
        let mut public = Map::new();
        let mut secrets = Secrets::new();
        for (name, value) in settings {
            match (
                self.fields.get(&name).is_some_and(|setting| setting.secret),
                value,
            ) {
                (true, Value::String(text)) => {
                    secrets.insert(name, Zeroizing::new(text));
                }
                (true, _) => {}
                (false, value) => {
                    public.insert(name, value);
                }
            }
        }
        (public, secrets)
    }
}

/// Settings with their secrets, wiped when no longer needed.
struct Whole(Value);

impl Drop for Whole {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites every text in a JSON value.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_setting_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn read_setting(property: &Value, required: bool) -> Result<Setting, (&'static str, String)> {
    let text = property.get("type") == Some(&json!("string"));
    let secret = match property.get("writeOnly") {
        None => false,
        Some(Value::Bool(secret)) => *secret,
        Some(_) => return Err(("/writeOnly", "must be true or false".to_owned())),
    };
    let key = match property.get("x-key") {
        None => None,
        Some(rule) => Some(KeyRule::deserialize(rule).map_err(|e| ("/x-key", e.to_string()))?),
    };
    if (secret || key.is_some()) && !text {
        return Err((
            "/type",
            "secrets and keys must be of type \"string\"".to_owned(),
        ));
    }
    if let Some(rule) = &key {
        if rule.kind.is_secret() && !secret {
            return Err((
                "/writeOnly",
                "must be true: this key is a secret".to_owned(),
            ));
        }
        if rule.id.is_some() && rule.kind != KeyKind::RsaPublic {
            return Err((
                "/x-key/id",
                "is for keys of kind \"rsa-public\": others have a name of their own, or none"
                    .to_owned(),
            ));
        }
        if rule.usages.is_empty() {
            return Err((
                "/x-key/usages",
                "must name what the key is used for".to_owned(),
            ));
        }
        if let Some(usage) = rule.usages.iter().find(|usage| !rule.kind.allows(**usage)) {
            let problem = format!(
                "a key of kind {:?} cannot be used for {:?}",
                rule.kind.as_str(),
                usage.as_str()
            );
            return Err(("/x-key/usages", problem));
        }
    }
    Ok(Setting {
        secret,
        required,
        text,
        key,
    })
}
