//! Texts that callers, platforms and authors of components write.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use walnut::outside;
use walnut::payment::model::TargetRef;
use walnut::trust::{Manifest, Target};

use crate::NOW_MS;
use crate::platforms::{PAYPAL, WX, ZFB};

/// A form: written and read again it is the same.
pub fn form(bytes: &[u8]) {
    if let Ok(fields) = outside::form(bytes) {
        let written = outside::write_form(&fields);
        assert_eq!(outside::form(written.as_bytes()), Ok(fields));
    }
}

/// A flat XML document: written and read again it is the same.
pub fn xml(bytes: &[u8]) {
    if let Ok(fields) = outside::xml(bytes) {
        let written = outside::write_xml(&fields);
        assert_eq!(outside::xml(written.as_bytes()), Ok(fields));
    }
}

/// JSON whose bytes are signed: what walnut takes for JSON is, and what stands behind a name is a part of it.
pub fn json(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let is_json = serde_json::from_str::<&RawValue>(text).is_ok();
    let once = outside::refuse_repeated_names(text).is_ok();
    assert!(is_json || !once, "what is no JSON has no names in it");
    let Ok(members) = outside::json(text) else {
        return;
    };
    assert!(is_json);
    // Numbers may be too large for it, and values too deep.
    let whole = serde_json::from_str::<Map<String, Value>>(text).ok();
    for (name, raw) in &members {
        assert!(text.contains(raw), "{name}");
        if let Some(whole) = &whole {
            assert_eq!(whole.get(name), serde_json::from_str(raw).ok().as_ref());
        }
    }
    assert!(whole.is_none_or(|whole| whole.len() == members.len()));
}

/// JSON as people write it: what was read is JSON, and that is read as the same.
pub fn relaxed(bytes: &[u8]) {
    if let Ok(Ok(read)) = str::from_utf8(bytes).map(outside::relaxed) {
        let strict = Value::Object(read.clone()).to_string();
        assert_eq!(
            outside::relaxed(&strict),
            Ok(read),
            "JSON is relaxed JSON too"
        );
    }
}

/// A question for payments.
pub fn question(bytes: &[u8]) {
    if let Ok(Ok(matching)) = str::from_utf8(bytes).map(outside::relaxed) {
        let _ = outside::question(&matching, NOW_MS.cast_signed());
    }
}

/// The body of `create`.
pub fn create(body: &[u8]) {
    if outside::create(body, NOW_MS).is_ok() {
        let read: Value = serde_json::from_slice(body).expect("it is JSON");
        assert!(read.is_object());
    }
}

/// A provider's manifest: what is taken can be told to the operator who approves it.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert!(!manifest.in_words().is_empty());
        let again = Manifest::parse(manifest.source().as_bytes()).expect("it was taken once");
        assert_eq!(again.in_words(), manifest.in_words());
    }
}

/// A target's settings: what does not fit the schema is no target, and what is secret is not shown.
pub fn settings(bytes: &[u8]) {
    let Ok(settings) = serde_json::from_slice::<Map<String, Value>>(bytes) else {
        return;
    };
    thread_local! {
        static MANIFESTS: [Manifest; 3] =
            [WX, ZFB, PAYPAL].map(|text| Manifest::parse(text.as_bytes()).unwrap());
    }
    MANIFESTS.with(|manifests| {
        for manifest in manifests {
            assembled(manifest, settings.clone());
        }
    });
}

fn assembled(manifest: &Manifest, settings: Map<String, Value>) {
    let fits = manifest.check_settings(&settings).is_ok();
    let (public, secrets) = manifest.split_settings(settings);
    let shown = public.keys().find(|name| manifest.is_secret(name));
    assert_eq!(shown, None, "a secret is not among what is shown");
    let reference = TargetRef {
        platform: manifest.name().to_owned(),
        name: "shop".to_owned(),
        version: 1,
    };
    let made = Target::assemble(
        manifest,
        "acme".to_owned(),
        reference,
        false,
        public,
        secrets,
    );
    assert!(
        fits || made.is_err(),
        "what does not fit the schema is no target"
    );
}
