//! What a domain may write into a target, and what becomes of it.

use serde_json::json;

use super::*;

/// The errors for settings in which one is changed; `null` removes it.
fn errors(name: &str, value: Value) -> Vec<(String, String)> {
    let mut settings = settings();
    match value {
        Value::Null => drop(settings.remove(name)),
        value => drop(settings.insert(name.to_owned(), value)),
    }
    match zfb().check_settings(&settings) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_iter()
            .map(|error| (error.field, error.problem))
            .collect(),
    }
}

#[test]
fn sound_settings_are_taken() {
    assert_eq!(errors("x", Value::Null), []);
    assert_eq!(errors("seller_id", json!("2088102000000001")), []);
    assert_eq!(
        errors("gateway", json!("http://127.0.0.1:1/gateway.do")),
        []
    );
}

#[test]
fn every_wrong_setting_is_named_with_what_to_do() {
    for (name, value, says) in [
        ("app_id", Value::Null, "must be given"),
        ("app_id", json!("secret-7"), "does not match"),
        ("app_id", json!(2021), "not of type \"string\""),
        (
            "colour",
            json!("secret-7"),
            "no such setting; there are alipay_public_key, app_id",
        ),
        ("app_private_key", Value::Null, "must be given"),
        ("app_private_key", json!("secret-7"), "this is no key"),
        (
            "app_private_key",
            json!(["secret-7"]),
            "not of type \"string\"",
        ),
        (
            "app_private_key",
            json!("secret-7".repeat(2000)),
            "is longer than",
        ),
        (
            "app_private_key",
            json!(platform().spki_pem),
            "give the private key",
        ),
        (
            "alipay_public_key",
            json!(merchant().pkcs1_pem),
            "this is a private key",
        ),
        (
            "alipay_public_key",
            json!(merchant().spki_pem),
            "public half of the target's own",
        ),
        (
            "gateway",
            json!("http://secret-7.example.com/"),
            "must be https",
        ),
    ] {
        let found = errors(name, value.clone());
        assert!(
            found
                .iter()
                .any(|(field, problem)| field == name && problem.contains(says)),
            "{name} = {value:.40}: {found:?}"
        );
        assert!(
            found
                .iter()
                .all(|(_, problem)| !problem.contains("secret-7")),
            "{found:?}"
        );
    }
}

#[test]
fn secrets_are_parted_from_what_may_be_shown() {
    let manifest = zfb();
    let (public, secrets) = manifest.split_settings(settings());
    assert_eq!(
        public.keys().collect::<Vec<_>>(),
        ["app_id", "alipay_public_key"]
    );
    assert_eq!(secrets.keys().collect::<Vec<_>>(), ["app_private_key"]);
    let target = live(&manifest);
    assert_eq!(target.setting("app_id").as_deref(), Some(APP_ID));
    assert_eq!(target.setting("app_private_key"), None);
    assert_eq!(target.setting("nonsense"), None);
    let shown = format!("{target:?} {manifest:?}");
    assert!(
        !shown.contains(&merchant().pkcs8_base64[100..140]),
        "{shown}"
    );
}

#[test]
fn a_live_target_has_no_gateway_of_its_own() {
    let mut settings = settings();
    settings.insert("gateway".to_owned(), json!("http://127.0.0.1:1"));
    let errors = assemble(&zfb(), false, settings).unwrap_err();
    assert_eq!(errors[0].field, "gateway");
}

#[test]
fn a_target_without_its_secrets_is_not_assembled() {
    let manifest = zfb();
    let (public, _) = manifest.split_settings(settings());
    let errors = Target::assemble(
        &manifest,
        "acme".into(),
        reference(),
        false,
        public,
        Default::default(),
    );
    assert_eq!(errors.unwrap_err()[0].field, "app_private_key");
}

#[test]
fn free_has_nothing_to_set() {
    let free = Manifest::parse(FREE.as_bytes()).unwrap();
    assert!(free.check_settings(&Map::new()).is_ok());
    let errors = free.check_settings(&settings()).unwrap_err();
    assert!(
        errors
            .iter()
            .all(|error| error.problem.contains("this provider has none")),
        "{errors:?}"
    );
}
