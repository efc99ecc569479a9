//! `/openapi.json` against what the host really answers: every answer of every story is held to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::shop::Answer;

/// The same of every host of this program.
static DOCUMENT: OnceCell<Contract> = OnceCell::const_new();

struct Contract {
    document: Value,
    read: Mutex<HashMap<String, Option<Arc<Validator>>>>,
}

/// Looks at an answer. A host that has gone says nothing of itself.
pub(super) async fn hold(http: &Client, method: &Method, url: &Url, answer: &Answer) {
    let document = || async {
        let found = http.get(url.join("/openapi.json").unwrap()).send().await?;
        let document = found.error_for_status()?.json().await?;
        Ok::<_, reqwest::Error>(Contract {
            document,
            read: Mutex::default(),
        })
    };
    if let Ok(contract) = DOCUMENT.get_or_try_init(document).await {
        contract.check(method, url.path(), answer);
    }
}

impl Contract {
    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let name = method.as_str().to_lowercase();
        let paths = self.document["paths"].as_object().unwrap();
        let mut described = paths.iter().filter(|(template, _)| is_like(template, path));
        let Some((template, operation)) = described.find_map(|(template, methods)| {
            let operation = methods.get(&name)?;
            Some((template, operation))
        }) else {
            return;
        };
        let place = format!("{method} {template}: {}", answer.status);
        let said = || String::from_utf8_lossy(&answer.bytes).into_owned();
        let response = &operation["responses"][answer.status.to_string()];
        assert!(
            response.is_object(),
            "{place} is in no document: {}",
            said()
        );
        let kind = answer.headers.get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap());
        let kind = kind.split(';').next().unwrap().trim();
        let content = response["content"].as_object();
        if answer.bytes.is_empty() || content.is_none() {
            return;
        }
        let media = content.and_then(|kinds| kinds.get(kind));
        assert!(media.is_some(), "{place}: {kind} is in no document");
        let Some(schema) = media.and_then(|media| media.get("schema")) else {
            return;
        };
        if kind != "application/json" {
            return;
        }
        let validator = {
            let mut read = self.read.lock().unwrap();
            let validator = read.entry(place.clone());
            validator.or_insert_with(|| self.validator(schema)).clone()
        };
        let validator = validator.unwrap_or_else(|| panic!("{place} has no schema: {schema}"));
        let instance: Value = serde_json::from_slice(&answer.bytes).unwrap();
        if let Err(wrong) = validator.validate(&instance) {
            panic!(
                "{place}: {} at {}: {}",
                wrong,
                wrong.instance_path(),
                said()
            );
        }
    }

    fn validator(&self, schema: &Value) -> Option<Arc<Validator>> {
        let whole = json!({ "components": self.document["components"], "allOf": [schema] });
        jsonschema::validator_for(&whole).ok().map(Arc::new)
    }
}

/// Whether an address is one of `/a/{b}`.
fn is_like(template: &str, path: &str) -> bool {
    let (mut parts, mut own) = (path.split('/'), template.split('/'));
    loop {
        match (own.next(), parts.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name == part => {}
            (Some(name), Some(part)) if name.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
}
