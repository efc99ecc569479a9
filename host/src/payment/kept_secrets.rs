//! Secrets that need not be given anew each time a target's settings are put.

use serde_json::{Map, Value};

use crate::home::StoredTarget;
use crate::trust::{FieldError, Manifest};

/// The settings as they were put, with each secret that was left out as the version in use has it. A secret that is
/// `null` is taken out.
///
/// # Errors
/// Where an address that the target names itself has changed: what was sealed for one address is not sent to another
/// because somebody who does not know it says so.
pub(super) fn with_kept_secrets(
    manifest: &Manifest,
    mut settings: Map<String, Value>,
    now: Option<&StoredTarget>,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    let kept: Vec<(String, Value)> = now
        .iter()
        .flat_map(|now| &now.secrets)
        .filter(|(name, _)| manifest.is_secret(name) && !settings.contains_key(*name))
        .map(|(name, secret)| (name.clone(), Value::from(secret.as_str())))
        .collect();
    let moved = now.and_then(|now| {
        manifest
            .own_addresses()
            .find(|name| stated(&settings, name) != stated(&now.settings, name))
    });
    if let (Some(moved), false) = (moved, kept.is_empty()) {
        let anew = |(name, _): (String, Value)| FieldError {
            field: name,
            problem: format!("give it anew, since {moved} has changed"),
        };
        return Err(kept.into_iter().map(anew).collect());
    }
    settings.retain(|name, value| !(value.is_null() && manifest.is_secret(name)));
    settings.extend(kept);
    Ok(settings)
}

/// An empty text says as little as none.
fn stated<'a>(settings: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    settings.get(name).filter(|value| *value != "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;

    fn manifest() -> Manifest {
        let json = include_bytes!("../../../plugins/providers/paypal/manifest.json");
        Manifest::parse(json).unwrap()
    }

    fn stored(gateway: &str) -> StoredTarget {
        let Value::Object(settings) = json!({ "client_id": "A", "gateway": gateway }) else {
            unreachable!()
        };
        StoredTarget {
            platform: "paypal".into(),
            name: "main".into(),
            version: 1,
            test: true,
            default: false,
            retired: false,
            settings,
            secrets: [("client_secret".to_owned(), Zeroizing::new("s".to_owned()))].into(),
        }
    }

    fn put(settings: Value, now: Option<&StoredTarget>) -> Result<Value, String> {
        let Value::Object(settings) = settings else {
            unreachable!()
        };
        with_kept_secrets(&manifest(), settings, now)
            .map(Value::Object)
            .map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn what_is_left_out_stays_and_what_is_null_goes() {
        let now = stored("https://one.test");
        let given = |more: Value| {
            let mut all = json!({ "client_id": "B", "gateway": "https://one.test" });
            all.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            all
        };
        let with = |secret: &str| given(json!({ "client_secret": secret }));
        assert_eq!(put(given(json!({})), Some(&now)), Ok(with("s")));
        assert_eq!(put(with("new"), Some(&now)), Ok(with("new")));
        let none = given(json!({ "client_secret": null }));
        assert_eq!(put(none, Some(&now)), Ok(given(json!({}))));
        assert_eq!(put(given(json!({})), None), Ok(given(json!({}))));
    }

    #[test]
    fn a_secret_does_not_follow_to_another_address() {
        let now = stored("https://one.test");
        let elsewhere = json!({ "client_id": "A", "gateway": "https://two.test" });
        let refused = put(elsewhere.clone(), Some(&now)).unwrap_err();
        assert_eq!(
            refused,
            "client_secret: give it anew, since gateway has changed"
        );
        assert!(put(json!({ "client_id": "A" }), Some(&now)).is_err());
        let mut anew = elsewhere;
        anew["client_secret"] = json!("s");
        assert_eq!(put(anew.clone(), Some(&now)), Ok(anew));
        assert!(
            put(
                json!({ "client_id": "A", "gateway": "" }),
                Some(&stored(""))
            )
            .is_ok()
        );
    }
}
