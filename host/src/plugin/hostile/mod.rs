//! Guests that try to get out, to hold the host up, or to take more than their share; each attack is the body of
//! one WebAssembly function. And what a well-behaved guest gets.
//!
//! | file         | attacks                                                                        |
//! | ------------ | ------------------------------------------------------------------------------ |
//! | `time`       | the clock: loops, wherever a guest gets to run, and floods of calls to the host |
//! | `space`      | the memory: growth, recursion, tables, static data, handles                    |
//! | `texts`      | what crosses: giant and deep texts, lengths that lie                           |
//! | `mutated`    | the reader of components: cut and changed ones                                 |
//! | `sharing`    | the places of others                                                           |
//! | `exchanging` | nobody: what a guest gets, and what its owner is told                          |
//!
//! `table` holds `docs/security.md` to all of this.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::payment::model::{CallbackKind, Digest};

mod exchanging;
mod mutated;
mod sharing;
mod space;
mod table;
mod texts;
mod time;

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
  (type $own (resource (rep i32)))
  (core func $handle (canon resource.new $own))
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
    (import "host" "handle" (func $handle (param i32) (result i32)))
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
      (export "fetch" (func $fetch)) (export "emit" (func $emit))
      (export "handle" (func $handle))))))
  (func (export "run") (param "payment" string) (param "delivery" $delivery)
    (result (result string (error string)))
    (canon lift (core func $guest "run") (memory $memory) (realloc (func $realloc)))))"#
    )
}

const FINE: &str = "(call $answer (i32.const 0) (i32.const 1024) (i32.const 13))";

fn sandbox(dir: &TempDir, instances: u32) -> Plugins {
    let cache_dir = dir.path().join("compiled");
    let options = PluginOptions {
        instances,
        cache_dir,
        cache_key: [7; 32],
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

/// Runs a callback of this text.
async fn run_text(text: &str, payment: &Value) -> Result<Run, PluginError> {
    let dir = TempDir::new().unwrap();
    let wasm = Arc::new(wat::parse_str(text).unwrap());
    let callback = loaded(&sandbox(&dir, 2), wasm).await;
    callback.run(call(EmptyDomain), payment, delivery()).await
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
