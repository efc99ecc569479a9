//! What is refused before anything of it runs, with words that its author can act on; and what of the compiled
//! code on disk is believed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::payment::model::{CallbackKind, Digest};

fn options(dir: &TempDir, cache_key: [u8; 32]) -> PluginOptions {
    PluginOptions {
        instances: 2,
        cache_dir: dir.path().join("compiled"),
        cache_key,
        allow_local_gateways: false,
        compiler: None,
    }
}

fn sandbox(dir: &TempDir, cache_key: [u8; 32]) -> Plugins {
    Plugins::start(options(dir, cache_key)).unwrap()
}

fn component(text: &str) -> Arc<Vec<u8>> {
    Arc::new(wat::parse_str(text).unwrap())
}

async fn refusal(wasm: impl Into<Arc<Vec<u8>>>) -> Refusal {
    let dir = TempDir::new().unwrap();
    sandbox(&dir, [1; 32])
        .admit_callback(wasm.into())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn what_is_no_component_is_told_what_it_is() {
    assert!(matches!(refusal(Vec::new()).await, Refusal::Empty));
    for neither in [&b"\x7fELF\0\0\0\0"[..], b"\xff\xfer\0e\0t\0", b"GIF89a\xf7"] {
        let refusal = refusal(neither.to_vec()).await;
        assert!(matches!(refusal, Refusal::NoCallback), "{refusal}");
    }
    assert!(matches!(
        refusal(component("(module)")).await,
        Refusal::CoreModule
    ));
    let mut large = callback_world_component();
    large.resize(limits::COMPONENT_BYTES + 1, 0);
    let large = refusal(large).await;
    assert!(matches!(large, Refusal::TooLarge { .. }), "{large}");
    let large = refusal(vec![b' '; limits::SCRIPT_BYTES + 1]).await;
    assert!(matches!(large, Refusal::ScriptTooLarge { .. }), "{large}");
    let mut cut = callback_world_component();
    cut.truncate(cut.len() / 2);
    assert!(matches!(refusal(cut).await, Refusal::Invalid(_)));
}

#[tokio::test]
async fn every_offending_name_is_told_at_once() {
    let offending = component(
        r#"(component
            (import "wasi:cli/stdout@0.2.0" (instance (export "get-stdout" (func))))
            (import "walnut:pay/settings@0.1.0" (instance (export "get" (func (param "name" string) (result (option string))))))
            (import "walnut:pay/clock@0.1.0" (instance (export "now-ms" (func (result f64))) (export "set" (func))))
            (import "fork" (func)))"#,
    );
    let refusal = refusal(offending).await;
    let Refusal::World(mismatch) = &refusal else {
        panic!("{refusal}")
    };
    let imports = [
        "fork",
        "walnut:pay/clock@0.1.0#set",
        "walnut:pay/settings@0.1.0",
        "wasi:cli/stdout@0.2.0",
    ];
    assert_eq!(mismatch.imports, imports);
    assert_eq!(mismatch.exports, ["run"]);
    assert!(
        refusal.to_string().contains("there is no WASI here"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_right_name_with_a_wrong_type_is_refused() {
    let import = component(
        r#"(component
            (import "walnut:pay/clock@0.1.0" (instance (export "now-ms" (func (result u64)))))
            (core module $m (func (export "run")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#,
    );
    let import = refusal(import).await;
    assert!(matches!(import, Refusal::Contract(_)), "{import}");
    let export = component(
        r#"(component
            (core module $m (func (export "run")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#,
    );
    let export = refusal(export).await;
    assert!(
        matches!(export, Refusal::Contract(_) | Refusal::Start(_)),
        "{export}"
    );
}

#[tokio::test]
async fn a_provider_carries_one_manifest() {
    let section = |count: usize| {
        let section = r#"(@custom "walnut:manifest" "{\"manifest\":1}")"#.repeat(count);
        wat::parse_str(format!("(component {section})")).unwrap()
    };
    let none = admission::manifest(&section(0));
    assert!(matches!(none, Err(Refusal::NoManifest)));
    assert!(matches!(
        admission::manifest(&section(2)),
        Err(Refusal::SeveralManifests(2))
    ));
    let wrong = admission::manifest(&section(1));
    assert!(matches!(wrong, Err(Refusal::Manifest(_))));
    // One that hides in a module inside is not the component's.
    let inside = wat::parse_str(
        r#"(component (core module (@custom "walnut:manifest" "{}")) (component (@custom "walnut:manifest" "{}")))"#,
    );
    let inside = admission::manifest(&inside.unwrap());
    assert!(matches!(inside, Err(Refusal::NoManifest)));
}

#[tokio::test]
async fn a_callback_is_no_provider() {
    let dir = TempDir::new().unwrap();
    let wasm = Arc::new(callback_world_component());
    let refusal = sandbox(&dir, [1; 32])
        .admit_provider(wasm)
        .await
        .map(drop)
        .unwrap_err();
    let Refusal::World(mismatch) = &refusal else {
        panic!("{refusal}")
    };
    assert_eq!(mismatch.exports, ["walnut:pay/provider@0.1.0"]);
}

/// The smallest callback: it always answers `{}`.
fn callback_world_component() -> Vec<u8> {
    wat::parse_str(
        r#"(component
            (import "walnut:pay/delivery-types@0.1.0" (instance $dt
              (type $d (record (field "key" string) (field "try-no" u32) (field "callback" string) (field "late" bool)))
              (export "delivery" (type (eq $d)))))
            (alias export $dt "delivery" (type $delivery))
            (core module $m
              (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
              (data (i32.const 16) "\00\00\00\00\20\00\00\00\02\00\00\00")
              (data (i32.const 32) "{}")
              (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 16)))
            (core instance $i (instantiate $m))
            (func (export "run") (param "payment" string) (param "delivery" $delivery)
              (result (result string (error string)))
              (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc")))))"#,
    )
    .unwrap()
}

async fn answers(callback: Callback) {
    let call = CallbackCall {
        domain: "shop".into(),
        view: Arc::new(EmptyDomain),
        now_ms: 0,
    };
    let delivery = DeliveryView {
        key: "k".into(),
        try_no: 1,
        callback: "sale".into(),
        late: false,
    };
    let run = callback.run(call, &json!({}), delivery).await.unwrap();
    assert_eq!(run.answer.as_deref(), Ok("{}"));
}

fn only_entry(dir: &TempDir) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(dir.path().join("compiled")).unwrap().collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().unwrap().unwrap().path()
}

#[tokio::test]
async fn compiled_code_is_kept_and_only_believed_when_it_is_our_own() {
    let dir = TempDir::new().unwrap();
    let wasm = Arc::new(callback_world_component());
    let digest = sandbox(&dir, [1; 32])
        .admit_callback(wasm.clone())
        .await
        .unwrap();
    let entry = only_entry(&dir);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&entry).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    // A new start needs neither the bytes nor the compiler.
    let kept = sandbox(&dir, [1; 32])
        .callback(CallbackKind::Component, digest, async || Ok(None))
        .await
        .unwrap();
    answers(kept).await;

    // One changed byte, anywhere, and a host with another key: it is thrown away.
    let good = fs::read(&entry).unwrap();
    for at in [0, 40, good.len() / 2, good.len() - 1] {
        let mut tampered = good.clone();
        tampered[at] ^= 1;
        fs::write(&entry, &tampered).unwrap();
        let plugins = sandbox(&dir, [1; 32]);
        let error = plugins
            .callback(CallbackKind::Component, digest, async || Ok(None))
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable, "{error}");
        assert!(!entry.exists());
        answers(
            plugins
                .callback(CallbackKind::Component, digest, async || {
                    Ok(Some(wasm.clone()))
                })
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(only_entry(&dir), entry);
    }
    fs::write(&entry, &good[..20]).unwrap();
    let plugins = sandbox(&dir, [1; 32]);
    answers(
        plugins
            .callback(CallbackKind::Component, digest, async || {
                Ok(Some(wasm.clone()))
            })
            .await
            .unwrap(),
    )
    .await;
    let other = sandbox(&dir, [2; 32]);
    assert!(
        other
            .callback(CallbackKind::Component, digest, async || Ok(None))
            .await
            .is_err()
    );

    // An entry of another component under this name is as foreign.
    let plugins = sandbox(&dir, [1; 32]);
    let mut second = callback_world_component();
    // An empty custom section makes other bytes of the same component.
    second.extend_from_slice(b"\0\x02\x01x");
    plugins
        .admit_callback(Arc::new(second.clone()))
        .await
        .unwrap();
    let swapped = fs::read(only_entry(&dir)).unwrap();
    fs::write(&entry, swapped).unwrap();
    assert!(
        plugins
            .callback(CallbackKind::Component, digest, async || Ok(None))
            .await
            .is_err()
    );

    // Bytes that are not the component's own are not taken for it.
    let wrong = plugins
        .callback(CallbackKind::Component, digest, async || {
            Ok(Some(Arc::new(second)))
        })
        .await
        .map(drop);
    assert_eq!(wrong.unwrap_err().kind, Kind::Unavailable);
    assert_ne!(digest, Digest::of(b""));
}

#[tokio::test]
async fn what_was_compiled_is_not_compiled_again() {
    let dir = TempDir::new().unwrap();
    let wasm = Arc::new(callback_world_component());
    let digest = sandbox(&dir, [1; 32])
        .admit_callback(wasm.clone())
        .await
        .unwrap();
    // There is no such compiler.
    let without = PluginOptions {
        compiler: Some(dir.path().join("compiler")),
        ..options(&dir, [1; 32])
    };
    let without = Plugins::start(without).unwrap();
    assert_eq!(without.admit_callback(wasm.clone()).await.unwrap(), digest);
    answers(without.try_callback(wasm).await.unwrap()).await;
    let mut other = callback_world_component();
    other.extend_from_slice(b"\0\x02\x01x");
    let refusal = without.admit_callback(Arc::new(other)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Host(_)), "{refusal}");
}

#[tokio::test]
async fn of_a_component_that_is_only_tried_nothing_is_kept() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, [1; 32]);
    let wasm = Arc::new(callback_world_component());
    answers(plugins.try_callback(wasm.clone()).await.unwrap()).await;
    let entries = fs::read_dir(dir.path().join("compiled")).unwrap();
    assert_eq!(entries.count(), 0);
    let digest = Digest::of(&wasm);
    assert!(
        plugins
            .callback(CallbackKind::Component, digest, async || Ok(None))
            .await
            .is_err()
    );
}
