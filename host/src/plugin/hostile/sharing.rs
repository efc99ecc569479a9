//! Callbacks that keep their places, and stores that do not answer.

use serde_json::Map;

use super::*;
use crate::payment::model::PaymentId;

/// A view of a store that never answers.
struct Silent;

impl DomainView for Silent {
    fn kv_get<'a>(&'a self, _: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
        Box::pin(std::future::pending())
    }
    fn kv_size(&self) -> Viewed<'_, u64> {
        Box::pin(std::future::pending())
    }
    fn payment(&self, _: PaymentId) -> Viewed<'_, Option<Value>> {
        Box::pin(std::future::pending())
    }
    fn payments<'a>(&'a self, _: &'a Map<String, Value>, _: u32) -> Viewed<'a, Vec<Value>> {
        Box::pin(std::future::pending())
    }
}

/// A view of a store that fails.
struct Failing;

impl DomainView for Failing {
    fn kv_get<'a>(&'a self, _: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
        Box::pin(async { Err(ViewError::Failed("no disk".into())) })
    }
    fn kv_size(&self) -> Viewed<'_, u64> {
        Box::pin(async { Err(ViewError::Failed("no disk".into())) })
    }
    fn payment(&self, _: PaymentId) -> Viewed<'_, Option<Value>> {
        Box::pin(async { Err(ViewError::Failed("no disk".into())) })
    }
    fn payments<'a>(&'a self, _: &'a Map<String, Value>, _: u32) -> Viewed<'a, Vec<Value>> {
        Box::pin(async { Err(ViewError::Failed("no disk".into())) })
    }
}

#[tokio::test]
async fn a_store_that_fails_is_no_fault_of_the_callback() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let body = format!("(call $get (i32.const 1100) (i32.const 4) (i32.const 64)) {FINE}");
    let wasm = callback("", &body);
    let reads = loaded(&plugins, wasm.clone()).await;
    let error = reads
        .run(call(Failing), &json!({}), delivery())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, &*error.what),
        (Kind::Down, "no disk"),
        "{error}"
    );
    // Nor when its content cannot be read; what is gone is gone.
    let elsewhere = TempDir::new().unwrap();
    let plugins = sandbox(&elsewhere, 2);
    for (found, kind) in [
        (Err(NotLoaded::Down("no disk".to_owned())), Kind::Down),
        (
            Err(NotLoaded::Refused("not signed".to_owned())),
            Kind::Unavailable,
        ),
        (Ok(None), Kind::Unavailable),
    ] {
        let digest = Digest::of(&wasm);
        let error = plugins
            .callback(CallbackKind::Component, digest, async || found)
            .await
            .map(drop);
        assert_eq!(error.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_full_pool_is_busy_and_gets_its_places_back() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 1);
    let body = format!("(call $get (i32.const 1100) (i32.const 4) (i32.const 64)) {FINE}");
    let callback = loaded(&plugins, callback("", &body)).await;
    let waiting = {
        let callback = callback.clone();
        tokio::spawn(async move { callback.run(call(Silent), &json!({}), delivery()).await })
    };
    tokio::task::yield_now().await;
    let error = callback
        .run(call(EmptyDomain), &json!({}), delivery())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Busy, "{error}");
    waiting.abort();
    assert!(waiting.await.is_err());
    callback
        .run(call(EmptyDomain), &json!({}), delivery())
        .await
        .unwrap();
}

#[tokio::test]
async fn one_domain_leaves_places_to_the_others() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 8);
    let body = format!("(call $get (i32.const 1100) (i32.const 4) (i32.const 64)) {FINE}");
    let callback = loaded(&plugins, callback("", &body)).await;
    for _ in 0..2 {
        let callback = callback.clone();
        tokio::spawn(async move { callback.run(call(Silent), &json!({}), delivery()).await });
    }
    tokio::task::yield_now().await;
    let full = callback
        .run(call(EmptyDomain), &json!({}), delivery())
        .await
        .unwrap_err();
    assert_eq!(full.kind, Kind::Busy, "{full}");
    callback
        .run(of_rival(), &json!({}), delivery())
        .await
        .unwrap();
}
