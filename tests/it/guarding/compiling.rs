//! Components that are too much for the compiler, and callers that hang up while it works.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use crate::world::{Host, RECORD_SALE, Shop};

/// A callback of one function with this body.
fn callback(body: &str) -> Vec<u8> {
    wat::parse_str(callback_text(body, "")).unwrap()
}

/// The same as text, with more definitions in the component.
fn callback_text(body: &str, more: &str) -> String {
    format!(
        r#"(component
            (import "walnut:pay/delivery-types@0.1.0" (instance $dt
              (type $d (record (field "key" string) (field "try-no" u32) (field "callback" string) (field "late" bool)))
              (export "delivery" (type (eq $d)))))
            (alias export $dt "delivery" (type $delivery))
            (core module $m
              (memory (export "memory") 1)
              (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
              (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (local $l i32) {body} (i32.const 16)))
            {more}
            (core instance $i (instantiate $m))
            (func (export "run") (param "payment" string) (param "delivery" $delivery)
              (result (result string (error string)))
              (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc")))))"#
    )
}

/// Twenty thousand jumps to sixty places each: the compiler takes gigabytes for these 1.3 MB.
pub(super) fn greedy() -> Vec<u8> {
    let places: Vec<String> = (0..60).map(|place| place.to_string()).collect();
    let jump = format!("(block (br_table {} (local.get 0)))", places.join(" "));
    let (open, close) = ("(block ".repeat(60), ")".repeat(60));
    callback(&format!("{open}{}{close}", jump.repeat(20_000)))
}

/// So many branches in one function that the compiler is busy for a minute.
pub(super) fn tedious() -> Vec<u8> {
    let branch =
        "(block (br_if 0 (local.get $l)) (local.set $l (i32.add (local.get $l) (local.get 0))))";
    callback(&branch.repeat(100_000))
}

/// A few hundred bytes whose code is gigabytes: thirty modules, each with the first and one of the last bytes of 15 MiB of
/// memory, which the compiler writes out whole.
fn swelling() -> Vec<u8> {
    let module =
        r#"(core module (memory 240) (data (i32.const 0) "x") (data (i32.const 15728639) "x"))"#;
    wat::parse_str(callback_text("(unreachable)", &module.repeat(30))).unwrap()
}

/// The compilers that the host with this data root runs: their directories in `/proc`.
pub(super) fn compilers(host: &Host) -> Vec<PathBuf> {
    let root = host.data_root().display().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let command = fs::read_to_string(path.join("cmdline")).ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        Some((path, command, parent.trim().to_owned()))
    });
    let processes: Vec<_> = processes.collect();
    let hosts: Vec<String> = processes
        .iter()
        .filter(|(_, command, _)| command.contains(&root))
        .filter_map(|(path, ..)| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    processes
        .into_iter()
        .filter(|(_, command, parent)| {
            command.contains("compile-component") && hosts.contains(parent)
        })
        .map(|(path, ..)| path)
        .collect()
}

/// How far a process stands back behind others.
fn nice(process: &Path) -> Option<i32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The 19th field; the second is the name in brackets, and may be anything.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(16)?.parse().ok()
}

pub(super) async fn until(what: &str, is: impl Fn() -> bool) {
    let patience = Duration::from_secs(120);
    let look = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(patience, look).await.is_ok();
    assert!(seen, "{what}");
}

fn put(shop: &Shop, name: &str, component: Vec<u8>) -> tokio::task::JoinHandle<()> {
    let request = shop.request(Method::PUT, &format!("/pay/callback/{name}"));
    tokio::spawn(async move {
        Shop::answer(request.body(component)).await;
    })
}

#[tokio::test]
async fn a_component_that_the_compiler_cannot_bear_is_refused_and_the_host_goes_on() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let swelling = swelling();
    assert!(swelling.len() < 4_000, "{} bytes", swelling.len());
    for bomb in [&greedy(), &swelling] {
        let refused = shop.put_bytes("/pay/callback/bomb", bomb).await;
        assert_eq!(refused.refusal(), (422, "e.pay.callback.refused".into()));
        let msg = refused.json()["msg"].as_str().unwrap().to_owned();
        assert!(
            msg.contains("MiB of memory") || msg.contains("its code has more than"),
            "{msg}"
        );
    }
    assert_eq!(shop.get("/pay/callback").await.data(), json!([]));
    shop.put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
        .await;
    assert!(compilers(&host).is_empty());
}

#[tokio::test]
async fn the_compiler_is_bounded_by_the_system() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let upload = tokio::spawn({
        let shop = shop.clone();
        async move { shop.put_bytes("/pay/callback/tedious", &tedious()).await }
    });
    until("the compiler runs", || compilers(&host).len() == 1).await;
    let compiler = compilers(&host).remove(0);
    let limits = || fs::read_to_string(compiler.join("limits")).unwrap_or_default();
    // Soft and hard.
    let bound = |name: &str, soft: &str, hard: &str| {
        let limits = limits();
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        let mut values = line.unwrap_or_default().split_whitespace();
        (values.next(), values.next()) == (Some(soft), Some(hard))
    };
    until("its time is bounded", || bound("Max cpu time", "60", "61")).await;
    let bytes = (512_u64 << 20).to_string();
    until("its memory is", || {
        bound("Max address space", &bytes, &bytes)
    })
    .await;
    until("it writes no core", || {
        bound("Max core file size", "0", "0")
    })
    .await;
    let stands_back =
        || nice(&compiler) == Some((nice(Path::new("/proc/self")).unwrap() + 10).min(19));
    until("it stands back", stands_back).await;

    // A minute is long for a test: it has used up what it has after a second.
    let pid: i32 = compiler
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let second = Rlimit {
        current: Some(1),
        maximum: Some(61),
    };
    prlimit(Pid::from_raw(pid), Resource::Cpu, second).unwrap();
    let refused = upload.await.unwrap();
    assert_eq!(refused.refusal(), (422, "e.pay.callback.refused".into()));
    let msg = refused.json()["msg"].as_str().unwrap().to_owned();
    assert!(msg.contains("takes more than 60 s"), "{msg}");
}

#[tokio::test]
async fn whoever_hangs_up_takes_the_compiler_along_and_gives_the_turn_back() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let upload = put(&shop, "tedious", tedious());
    until("the compiler runs", || compilers(&host).len() == 1).await;
    upload.abort();
    until("the compiler ends", || compilers(&host).is_empty()).await;
    shop.put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
        .await;
}

#[tokio::test]
async fn the_compiler_ends_with_a_host_that_is_killed() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let _upload = put(&shop, "tedious", tedious());
    until("the compiler runs", || compilers(&host).len() == 1).await;
    let compiler = compilers(&host).remove(0);
    let _killed = host.kill().await;
    until("the compiler ends", || !compiler.exists()).await;
}
