//! The domain that a run sees: its data and payments out of files.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::trial::LocalOptions;
use super::web::Answers;
use crate::cli::error::CliError;
use crate::cli::{input, show};
use crate::payment::model::PaymentId;
use crate::payment::now_ms;
use crate::plugin::{DomainView, Effects, ViewError, Viewed, Web, WebHost};
use crate::store::{Clock, Find, FindError, Shown};

/// A domain that only one run sees.
pub(super) struct TrialDomain {
    data: BTreeMap<String, Vec<u8>>,
    /// The newest first.
    payments: Vec<Value>,
    /// To its requests.
    pub(super) answers: Answers,
}

impl TrialDomain {
    /// Reads the files; `payment` is one of the domain's too.
    pub(super) fn read(payment: &Value, options: &LocalOptions) -> Result<TrialDomain, CliError> {
        let data = match &options.kv {
            Some(file) => input::object(file)?,
            None => Map::new(),
        };
        let mut payments = match &options.payments {
            Some(file) => list(file)?,
            None => Vec::new(),
        };
        payments.retain(|other| other.get("id") != payment.get("id"));
        payments.push(payment.clone());
        payments.sort_by_key(|payment| {
            std::cmp::Reverse(payment.get("ct").and_then(Value::as_i64).unwrap_or(0))
        });
        Ok(TrialDomain {
            data: data
                .into_iter()
                .map(|(key, value)| Ok((key, bytes(value)?)))
                .collect::<Result<_, CliError>>()?,
            payments,
            answers: Answers::read(options.web.as_ref())?,
        })
    }

    /// Writes the data with these changes into a file that [`TrialDomain::read`] reads.
    pub(super) fn save(&self, effects: &Effects, file: &str) -> Result<(), CliError> {
        let mut data = self.data.clone();
        for (key, value) in &effects.writes {
            match value {
                Some(value) => data.insert(key.clone(), value.clone()),
                None => data.remove(key),
            };
        }
        let data: Map<String, Value> = data
            .iter()
            .map(|(key, value)| (key.clone(), written(value)))
            .collect();
        let text = show::json(&Value::Object(data), show::Style::STRICT) + "\n";
        std::fs::write(file, text)
            .map_err(|error| CliError::usage(format!("cannot write {file}: {error}")))
    }
}

fn list(file: &str) -> Result<Vec<Value>, CliError> {
    let read: Value = serde_json::from_str(&input::text(file)?)
        .map_err(|error| CliError::usage(format!("{file}: {error}")))?;
    match read {
        Value::Array(items) => Ok(items),
        _ => Err(CliError::usage(format!("{file}: a JSON list is wanted"))),
    }
}

/// A value of the domain: a text as it is, `{"base64": …}` as its bytes, anything else as its JSON.
fn bytes(value: Value) -> Result<Vec<u8>, CliError> {
    match &value {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Object(members) if members.len() == 1 => match members.get("base64") {
            Some(Value::String(text)) => STANDARD
                .decode(text)
                .map_err(|error| CliError::usage(format!("{text:?} is not base64: {error}"))),
            _ => Ok(value.to_string().into_bytes()),
        },
        _ => Ok(value.to_string().into_bytes()),
    }
}

/// A value of the domain as people read it: its JSON where it is JSON, a text, or base64.
pub(super) fn shown(value: &[u8]) -> Value {
    match serde_json::from_slice::<Value>(value) {
        Ok(read) if !read.is_string() => read,
        _ => exact(value),
    }
}

/// The same, and [`bytes`] makes the very same bytes of it.
fn written(value: &[u8]) -> Value {
    match serde_json::from_slice::<Value>(value) {
        Ok(read) if bytes(read.clone()).is_ok_and(|bytes| bytes == value) && !read.is_string() => {
            read
        }
        _ => exact(value),
    }
}

fn exact(value: &[u8]) -> Value {
    match str::from_utf8(value) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(value) }),
    }
}

impl DomainView for TrialDomain {
    fn kv_get<'a>(&'a self, key: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
        Box::pin(async move { Ok(self.data.get(key).map(|value| (value.clone(), 1))) })
    }

    fn kv_size(&self) -> Viewed<'_, u64> {
        let size = |(key, value): (&String, &Vec<u8>)| (key.len() + value.len()) as u64;
        Box::pin(async move { Ok(self.data.iter().map(size).sum()) })
    }

    fn payment(&self, id: PaymentId) -> Viewed<'_, Option<Value>> {
        Box::pin(async move {
            Ok(self
                .payments
                .iter()
                .find(|payment| has_id(payment, id))
                .cloned())
        })
    }

    fn payments<'a>(
        &'a self,
        matching: &'a Map<String, Value>,
        limit: u32,
    ) -> Viewed<'a, Vec<Value>> {
        Box::pin(async move {
            let refused = |error: FindError| ViewError::Refused(error.to_string());
            let now = i64::try_from(now_ms()).unwrap_or(0);
            let mut find = Find::new(None);
            find.limit = limit;
            find.matching(matching, &Clock::at(now, TimeZone::system()))
                .map_err(refused)?;
            find.check().map_err(refused)?;
            let found = self.payments.iter().filter(|payment| match payment {
                Value::Object(payment) => find.condition.holds(&Shown(payment)),
                _ => false,
            });
            Ok(found.take(limit as usize).cloned().collect())
        })
    }

    fn web<'a>(&'a self, _host: &'a WebHost) -> Viewed<'a, Web> {
        Box::pin(async move { Ok(self.answers.web()) })
    }
}

fn has_id(payment: &Value, id: PaymentId) -> bool {
    let own = payment.get("id").and_then(Value::as_str);
    own.and_then(PaymentId::parse) == Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(options: &LocalOptions) -> TrialDomain {
        let payment = json!({"id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "st": "OK", "ct": 5});
        TrialDomain::read(&payment, options).unwrap()
    }

    fn file(dir: &tempfile::TempDir, name: &str, content: &str) -> Option<String> {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        Some(path.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn data_comes_from_a_file_and_goes_back() {
        let temp = tempfile::tempdir().unwrap();
        let text = r#"{"sold": 41, "note": "many", "raw": {"base64": "/w=="}, "sale": {"a": 1},
            "spaced": "{ \"a\": 1 }"}"#;
        let options = LocalOptions {
            kv: file(&temp, "kv.json", text),
            ..LocalOptions::default()
        };
        let read = domain(&options);
        let get = async |key| read.kv_get(key).await.unwrap().map(|(value, _)| value);
        assert_eq!(get("sold").await.unwrap(), b"41");
        assert_eq!(get("note").await.unwrap(), b"many");
        assert_eq!(get("raw").await.unwrap(), [0xff]);
        assert_eq!(get("sale").await.unwrap(), br#"{"a":1}"#);
        assert_eq!(get("none").await, None);
        assert_eq!(read.kv_size().await.unwrap(), 6 + 8 + 4 + 11 + 16);

        let effects = Effects {
            writes: vec![("sold".into(), Some(b"42".to_vec())), ("note".into(), None)],
            ..Effects::default()
        };
        read.save(&effects, options.kv.as_ref().unwrap()).unwrap();
        let again = domain(&options);
        assert_eq!(again.data["sold"], b"42");
        assert_eq!(again.data["raw"], [0xff]);
        assert_eq!(again.data.get("note"), None);
        assert_eq!(again.data["spaced"], br#"{ "a": 1 }"#, "byte for byte");
    }

    #[tokio::test]
    async fn payments_are_found_as_in_a_host() {
        let temp = tempfile::tempdir().unwrap();
        let text = r#"[{"id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5c", "st": "FAIL", "ct": 9}]"#;
        let options = LocalOptions {
            payments: file(&temp, "payments.json", text),
            ..LocalOptions::default()
        };
        let read = domain(&options);
        let found = async |matching: Value, limit| {
            let Value::Object(matching) = matching else {
                unreachable!()
            };
            read.payments(&matching, limit).await
        };
        let all = found(json!({}), 10).await.unwrap();
        assert_eq!(
            (all.len(), &all[0]["st"]),
            (2, &json!("FAIL")),
            "the newest first"
        );
        assert_eq!(found(json!({"st": ["OK"]}), 10).await.unwrap().len(), 1);
        assert_eq!(found(json!({}), 1).await.unwrap().len(), 1);
        assert_eq!(found(json!({"ct": "[6,]"}), 10).await.unwrap().len(), 1);
        assert!(matches!(
            found(json!({"ct": "soon"}), 1).await,
            Err(ViewError::Refused(_))
        ));
        let id = PaymentId::parse("0190a5b1c2d37e4f8a9b0c1d2e3f4a5b").unwrap();
        assert_eq!(read.payment(id).await.unwrap().unwrap()["st"], "OK");
    }
}
