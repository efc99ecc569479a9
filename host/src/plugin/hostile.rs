//! Guests that try to get out, to hold the host up, or to take more than their share; each attack is the body of
//! one WebAssembly function. And what a well-behaved guest gets.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;
use crate::payment::model::{CallbackKind, Digest, PaymentId};

/// A component of the callback world. `body` is the core function that `run` is lifted from: it gets the payment
/// (ptr, len), the delivery (key ptr, len, try-no, callback ptr, len, late), and gives the address of a
/// result<string, string>; `items` stand beside it in the module.
fn callback(items: &str, body: &str) -> Arc<Vec<u8>> {
    Arc::new(wat::parse_str(callback_text(items, body)).unwrap())
}

fn callback_text(items: &str, body: &str) -> String {
    format!(
        r#"(component
  (import "walnut:pay/delivery-types@0.1.0" (instance $dt
    (type $d (record (field "key" string) (field "try-no" u32) (field "callback" string) (field "late" bool)))
    (export "delivery" (type (eq $d)))))
  (alias export $dt "delivery" (type $delivery))
  (import "walnut:pay/log@0.1.0" (instance $log
    (type $l (enum "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $l)))
    (export "write" (func (param "level" $level) (param "message" string)))))
  (import "walnut:pay/clock@0.1.0" (instance $clock (export "now-ms" (func (result f64)))))
  (import "walnut:pay/kv@0.1.0" (instance $kv
    (type $f (variant (case "quota") (case "denied" string)))
    (export "failure" (type $failure (eq $f)))
    (export "get" (func (param "key" string) (result (result (option (list u8)) (error $failure)))))
    (export "set" (func (param "key" string) (param "value" (list u8)) (result (result (error $failure)))))
    (export "increment" (func (param "key" string) (param "by" string) (result (result string (error $failure)))))))
  (import "walnut:pay/web@0.1.0" (instance $web
    (type $rq (record (field "step" string) (field "method" string) (field "url" string)
      (field "headers" (list (tuple string string))) (field "body" (list u8))))
    (export "request" (type $request (eq $rq)))
    (type $rs (record (field "status" u16) (field "headers" (list (tuple string string))) (field "body" (list u8))))
    (export "response" (type $response (eq $rs)))
    (type $f (variant (case "denied" string) (case "not-sent" string) (case "maybe-sent" string) (case "too-large")))
    (export "failure" (type $failure (eq $f)))
    (export "fetch" (func (param "r" $request) (result (result $response (error $failure)))))))
  (import "walnut:pay/events@0.1.0" (instance $events
    (export "emit" (func (param "name" string) (param "data" string) (result (result (error string)))))))
  (core module $libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 32768))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $log (canon lower (func $log "write") (memory $memory)))
  (core func $now (canon lower (func $clock "now-ms")))
  (core func $get (canon lower (func $kv "get") (memory $memory) (realloc $realloc)))
  (core func $set (canon lower (func $kv "set") (memory $memory) (realloc $realloc)))
  (core func $increment (canon lower (func $kv "increment") (memory $memory) (realloc $realloc)))
  (core func $fetch (canon lower (func $web "fetch") (memory $memory) (realloc $realloc)))
  (core func $emit (canon lower (func $events "emit") (memory $memory) (realloc $realloc)))
  (core module $guest
    (import "libc" "memory" (memory 1))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "now" (func $now (result f64)))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i32 i32)))
    (import "host" "fetch" (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32 i32 i32)))
    ;; The answer, 0 for ok and 1 for an error, at address 16.
    (func $answer (param $tag i32) (param $text i32) (param $len i32) (result i32)
      (i32.store8 (i32.const 16) (local.get $tag))
      (i32.store (i32.const 20) (local.get $text))
      (i32.store (i32.const 24) (local.get $len))
      (i32.const 16))
    (data (i32.const 1024) "{{\"sold\":true}}")
    (data (i32.const 1100) "sold")
    (data (i32.const 1110) "1")
    (data (i32.const 1200) "https://shop.example/hook")
    (data (i32.const 1300) "step")
    (data (i32.const 1310) "POST")
    {items}
    (func $run (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      {body}))
  (core instance $guest (instantiate $guest
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "log" (func $log)) (export "now" (func $now)) (export "get" (func $get))
      (export "set" (func $set)) (export "increment" (func $increment))
      (export "fetch" (func $fetch)) (export "emit" (func $emit))))))
  (func (export "run") (param "payment" string) (param "delivery" $delivery)
    (result (result string (error string)))
    (canon lift (core func $guest "run") (memory $memory) (realloc (func $realloc)))))"#
    )
}

const FINE: &str = "(call $answer (i32.const 0) (i32.const 1024) (i32.const 13))";

fn sandbox(dir: &TempDir, instances: u32) -> Plugins {
    sandbox_with_key(dir, instances, [7; 32])
}

fn sandbox_with_key(dir: &TempDir, instances: u32, cache_key: [u8; 32]) -> Plugins {
    let cache_dir = dir.path().join("compiled");
    let options = PluginOptions {
        instances,
        cache_dir,
        cache_key,
        allow_local_gateways: false,
        compiler: None,
    };
    Plugins::start(options).unwrap()
}

fn call(view: impl DomainView + 'static) -> CallbackCall {
    CallbackCall {
        domain: "shop".into(),
        view: Arc::new(view),
        now_ms: 1_790_000_000_000,
    }
}

/// Of another domain.
fn of_rival() -> CallbackCall {
    CallbackCall {
        domain: "rival".into(),
        ..call(EmptyDomain)
    }
}

fn delivery() -> DeliveryView {
    DeliveryView {
        key: "k1".into(),
        try_no: 1,
        callback: "sale".into(),
        late: false,
    }
}

async fn loaded(plugins: &Plugins, wasm: Arc<Vec<u8>>) -> Callback {
    let digest = plugins.admit_callback(wasm.clone()).await.unwrap();
    plugins
        .callback(CallbackKind::Component, digest, async || Ok(Some(wasm)))
        .await
        .unwrap()
}

async fn run(plugins: &Plugins, items: &str, body: &str) -> Result<Run, PluginError> {
    let callback = loaded(plugins, callback(items, body)).await;
    callback
        .run(call(EmptyDomain), &json!({"id": "0190"}), delivery())
        .await
}

async fn attack(items: &str, body: &str) -> PluginError {
    let dir = TempDir::new().unwrap();
    run(&sandbox(&dir, 2), items, body).await.unwrap_err()
}

#[tokio::test]
async fn a_callback_answers_and_its_effects_are_given_back() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let body = "(call $increment (i32.const 1100) (i32.const 4) (i32.const 1110) (i32.const 1) (i32.const 64))
        (call $emit (i32.const 1100) (i32.const 4) (i32.const 1024) (i32.const 13) (i32.const 64))
        (call $emit (i32.const 1100) (i32.const 0) (i32.const 1024) (i32.const 13) (i32.const 64))
        (call $log (i32.const 1) (i32.const 1100) (i32.const 4))";
    let run = run(&plugins, "", &format!("{body} {FINE}")).await.unwrap();
    assert_eq!(run.answer.as_deref(), Ok(r#"{"sold":true}"#));
    assert_eq!(run.effects.reads, [("sold".to_owned(), 0)]);
    assert_eq!(
        run.effects.writes,
        [("sold".to_owned(), Some(b"1".to_vec()))]
    );
    assert_eq!(
        run.effects.events,
        [("sold".to_owned(), r#"{"sold":true}"#.to_owned())]
    );
    assert_eq!(run.log, "info: sold\n");
    assert!(run.spent.memory_bytes >= 65_536, "{:?}", run.spent);
}

#[tokio::test]
async fn a_callback_reads_what_it_wrote_and_nothing_of_the_run_before() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    // The value of "sold" before, then 1 written, then the value again: 1 if the first was none, else 0.
    let body = "(call $get (i32.const 1100) (i32.const 4) (i32.const 64))
        (if (i32.load8_u (i32.const 68)) (then (return (call $answer (i32.const 1) (i32.const 1300) (i32.const 4)))))
        (call $set (i32.const 1100) (i32.const 4) (i32.const 1110) (i32.const 1) (i32.const 64))
        (call $get (i32.const 1100) (i32.const 4) (i32.const 64))
        (call $answer (i32.const 0) (i32.load (i32.const 72)) (i32.load (i32.const 76)))";
    let callback = loaded(&plugins, callback("", body)).await;
    for _ in 0..2 {
        let run = callback
            .run(call(EmptyDomain), &json!({}), delivery())
            .await
            .unwrap();
        assert_eq!(run.answer.as_deref(), Ok("1"));
    }
}

#[tokio::test]
async fn an_endless_loop_ends_and_others_run_meanwhile() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 4);
    let endless = loaded(&plugins, callback("", "(loop $l (br $l)) (unreachable)")).await;
    let quick = loaded(&plugins, callback("", FINE)).await;
    // One thread for both, so that only giving way lets the quick ones run.
    let looping =
        tokio::spawn(async move { endless.run(call(EmptyDomain), &json!({}), delivery()).await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
        quick.run(of_rival(), &json!({}), delivery()).await.unwrap();
    }
    assert!(!looping.is_finished());
    let error = looping.await.unwrap().unwrap_err();
    assert_eq!(error.kind, Kind::Timeout, "{error}");
    assert!(error.what.contains("CPU time"), "{error}");
    assert!(error.backtrace.contains("run"), "{error:?}");
}

#[tokio::test]
async fn a_start_function_that_spins_is_refused_at_upload() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let spin = "(func $spin (loop $l (br $l))) (start $spin)";
    let refusal = plugins
        .admit_callback(callback(spin, FINE))
        .await
        .unwrap_err();
    let Refusal::Start(error) = &refusal else {
        panic!("{refusal}")
    };
    assert_eq!(error.kind, Kind::Timeout);
}

#[tokio::test]
async fn waiting_is_bounded_on_the_wall() {
    let wall = std::time::Duration::from_millis(1);
    let error = super::call::within(wall, std::future::pending::<wasmtime::Result<()>>()).await;
    let who = super::error::Who::component("sale", Digest::of(b""));
    assert_eq!(
        who.failed(&error.unwrap_err(), String::new()).kind,
        Kind::Timeout
    );
}

#[tokio::test]
async fn memory_and_tables_are_bounded_together() {
    let grow = "(loop $l (drop (memory.grow (i32.const 16))) (br $l)) (unreachable)";
    let error = attack("", grow).await;
    assert_eq!(error.kind, Kind::Memory, "{error}");
    assert!(error.backtrace.contains("run"), "{error:?}");
    let items = "(table $t 1 funcref)";
    let grow =
        "(loop $l (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $l)) (unreachable)";
    let error = attack(items, grow).await;
    assert_eq!(error.kind, Kind::Memory, "{error}");
}

#[tokio::test]
async fn memories_that_are_too_many_or_too_large_are_refused_at_upload() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let memories = "(memory $a 1) (memory $b 1) (memory $c 1)";
    for items in [memories, "(memory $a 600)", "(table $t 10000 funcref)"] {
        let refusal = plugins
            .admit_callback(callback(items, FINE))
            .await
            .unwrap_err();
        assert!(matches!(refusal, Refusal::Demands(_)), "{items}: {refusal}");
    }
    // Each is within its own bound, and together they are not.
    let refusal = plugins
        .admit_callback(callback("(memory $a 400) (memory $b 400)", FINE))
        .await;
    let Err(Refusal::Start(error)) = refusal else {
        panic!("{refusal:?}")
    };
    assert_eq!(error.kind, Kind::Memory);
}

#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let error = attack("(func $deep (result i32) (call $deep))", "(call $deep)").await;
    assert_eq!(
        (error.kind, &*error.what),
        (Kind::Trap, "call stack exhausted")
    );
    assert!(error.backtrace.contains("deep"), "{error:?}");
    assert!(error.backtrace.lines().count() <= limits::BACKTRACE_FRAMES);
}

#[tokio::test]
async fn an_error_tells_where_and_what_was_logged_last() {
    let items = "(func $inner (unreachable)) (func $outer (call $inner))";
    let body =
        "(call $log (i32.const 3) (i32.const 1300) (i32.const 4)) (call $outer) (i32.const 0)";
    let error = attack(items, body).await;
    assert_eq!((error.kind, error.plugin.as_str()), (Kind::Trap, "sale"));
    assert_eq!(&*error.log_tail, "error: step\n");
    let names: Vec<&str> = error
        .backtrace
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert!(
        names[0].ends_with("inner") && names[1].ends_with("outer"),
        "{names:?}"
    );
    assert!(error.to_string().starts_with("plugin sale ("), "{error}");
    assert!(!error.to_string().contains('\n') && error.full().contains("  error: step\n"));
}

#[tokio::test]
async fn a_flood_of_host_calls_ends() {
    let error = attack("", "(loop $l (drop (call $now)) (br $l)) (unreachable)").await;
    assert_eq!(error.kind, Kind::Denied, "{error}");
}

#[tokio::test]
async fn giant_texts_are_not_copied() {
    let body = "(drop (memory.grow (i32.const 64)))
        (call $log (i32.const 0) (i32.const 0) (i32.const 4194304)) (unreachable)";
    let error = attack("", body).await;
    assert_eq!(error.kind, Kind::Trap, "{error}");
    let body = "(drop (memory.grow (i32.const 64)))
        (call $answer (i32.const 1) (i32.const 0) (i32.const 4194304))";
    let error = attack("", body).await;
    assert_eq!(error.kind, Kind::Trap, "{error}");
    let answer = "(call $answer (i32.const 0) (i32.const 1300) (i32.const 4))";
    let error = attack("", answer).await;
    assert_eq!(error.kind, Kind::Guest, "{error}");
    assert!(error.what.contains("not JSON"), "{error}");
}

#[tokio::test]
async fn the_web_is_denied_with_whom_to_ask() {
    let dir = TempDir::new().unwrap();
    let body = "(call $fetch (i32.const 1300) (i32.const 4) (i32.const 1310) (i32.const 4)
          (i32.const 1200) (i32.const 25) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $answer (i32.load8_u (i32.const 64)) (i32.load (i32.const 72)) (i32.load (i32.const 76)))";
    let run = run(&sandbox(&dir, 2), "", body).await.unwrap();
    let denied = "the operator has not granted the domain \"shop\" the host shop.example: ask for \
        `walnut domain set shop --web shop.example`";
    assert_eq!(run.answer, Err(denied.to_owned()));
}

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
        (Err("no disk".to_owned()), Kind::Down),
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
