//! `walnut callback test FILE`: what it shows, what it is given, and how it ends.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use walnut_test_guests::SCRIPTED;

use super::{tried, walnut};

/// A folder with the callback that follows its payment's script.
fn folder() -> TempDir {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("scripted.wasm"), SCRIPTED).unwrap();
    temp
}

fn script(dir: &TempDir, script: Value) {
    let payment = json!({ "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "st": "OK", "script": script });
    write(dir, "payment.json", &payment);
}

fn write(dir: &TempDir, name: &str, json: &Value) {
    std::fs::write(dir.path().join(name), json.to_string()).unwrap();
}

const PAYMENT: [&str; 2] = ["--payment", "payment.json"];

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_shown_whole_without_a_host() {
    let dir = folder();
    write(&dir, "kv.json", &json!({ "sold": 41, "old": "x" }));
    script(
        &dir,
        json!({
            "log": ["counts"],
            "kv": [
                { "op": "increment", "key": "sold" },
                { "op": "set", "key": "sale", "value": { "cups": 2 } },
                { "op": "delete", "key": "old" },
            ],
            "emit": [{ "name": "sale", "data": [1] }],
            "get": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
            "query": { "matching": { "st": "OK" }, "limit": 10 },
        }),
    );
    let more = [&PAYMENT[..], &["--kv", "kv.json", "--try", "3"]].concat();
    let report = tried(dir.path(), "./scripted.wasm", &more).await;
    let answer = &report["answer"];
    assert_eq!(answer["try"], 3);
    assert_eq!(answer["kv"], json!([42, null, null]));
    assert_eq!(answer["query"][0], answer["get"]);
    let writes = json!([
        { "key": "old", "value": null },
        { "key": "sale", "value": { "cups": 2 } },
        { "key": "sold", "value": 42 },
    ]);
    assert_eq!(report["kv"], writes);
    assert_eq!(report["events"], json!([{ "name": "sale", "data": [1] }]));
    assert_eq!(report["log"], json!(["info: counts"]));
    let used = &report["used"];
    assert_eq!(used["host_calls"], json!({ "used": 7, "limit": 10_000 }));
    assert_eq!(used["kv_writes"], json!({ "used": 3, "limit": 256 }));
    assert_eq!(used["events"], json!({ "used": 1, "limit": 32 }));
    for counted in ["micros", "cpu_micros", "memory_bytes", "answer_bytes"] {
        assert!(used[counted]["used"].as_u64() > Some(0), "{used}");
    }

    // The same for people, and kept only where that is wanted.
    let file = dir.path().join("kv.json");
    let read = || serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(read()["sold"], 41);
    let more = [&["callback", "test", "scripted.wasm", "--save"], &more[..]].concat();
    let ran = walnut(dir.path(), &more).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "answer:",
        "  sold = 42",
        "  old deleted",
        "  sale [1]",
        "  info: counts",
    ] {
        assert!(
            ran.out.lines().any(|shown| shown == line),
            "{line}: {}",
            ran.out
        );
    }
    assert!(ran.out.contains("memory"), "{}", ran.out);
    assert_eq!(read(), json!({ "sale": { "cups": 2 }, "sold": 42 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_and_ends_with_code_1() {
    let dir = folder();
    let broken = async |steps: Value| {
        script(&dir, steps);
        tried(dir.path(), "scripted.wasm", &PAYMENT).await
    };
    let write = json!([{ "op": "set", "key": "a", "value": 1 }]);
    let own = broken(json!({ "kv": write, "fail": "no such table" })).await;
    assert_eq!(
        (&own["answer"], &own["error"]),
        (&Value::Null, &json!("no such table"))
    );
    assert_eq!(own["kv"][0]["key"], "a", "what it did until then");
    let trap = broken(json!({ "log": ["before"], "panic": true })).await;
    let error = trap["error"].as_str().unwrap();
    assert!(
        error.contains(": trap: ") && error.contains("backtrace:"),
        "{error}"
    );
    assert!(
        trap["log"][1]
            .as_str()
            .unwrap()
            .contains("the script panics")
    );
    // Of the time of a CPU or, where the machine is busy with others, of the clock on the wall.
    let spun = broken(json!({ "loop": true })).await;
    assert!(spun["error"].as_str().unwrap().contains(": timeout: "));
    let cpu = &spun["used"]["cpu_micros"];
    assert!(cpu["used"].as_u64() > Some(1_000_000), "{cpu}");

    for (name, content, words) in [
        (
            "module.wasm",
            &b"\0asm\x01\0\0\0"[..],
            "the module is no callback",
        ),
        (
            "damaged.wasm",
            &SCRIPTED[..SCRIPTED.len() / 2],
            "a host refuses this callback",
        ),
    ] {
        std::fs::write(dir.path().join(name), content).unwrap();
        let ran = walnut(dir.path(), &["callback", "test", name]).await;
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!((ran.out + &ran.err).contains(words), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_compared_with_what_is_expected() {
    let dir = folder();
    script(&dir, json!({}));
    write(&dir, "right.json", &json!({ "late": false, "try": 1 }));
    write(&dir, "wrong.json", &json!({ "try": 2 }));
    for (file, code) in [("right.json", 0), ("wrong.json", 1)] {
        let line = ["callback", "test", "scripted.wasm", "--expect", file];
        let ran = walnut(dir.path(), &[&line, &PAYMENT[..]].concat()).await;
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.out.contains("expected:"), code == 1, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_from_a_file_or_denied() {
    let dir = folder();
    let fetch = |step: &str| json!({ "step": step, "method": "POST", "url": "https://api.example.com/ship", "body": "{}" });
    script(
        &dir,
        json!({ "web": [fetch("ship"), fetch("lost"), fetch("other")] }),
    );
    let answers = json!([
        { "step": "ship", "status": 201, "body": { "parcel": 17 } },
        { "step": "lost", "failure": "maybe-sent" },
    ]);
    write(&dir, "answers.json", &answers);
    let more = [&PAYMENT[..], &["--web", "answers.json"]].concat();
    let report = tried(dir.path(), "scripted.wasm", &more).await;
    let got = &report["answer"]["web"];
    assert_eq!(got[0], json!({ "status": 201, "body": "{\"parcel\":17}" }));
    assert!(
        got[1]["failure"]
            .as_str()
            .unwrap()
            .starts_with("sent, without an answer")
    );
    assert!(got[2]["failure"].as_str().unwrap().contains("--web FILE"));
    assert_eq!(report["requests"][0]["url"], "https://api.example.com/ship");
    assert_eq!(
        report["requests"][1]["answer"],
        "maybe-sent: as the file of --web says"
    );
    assert_eq!(
        report["used"]["requests"],
        json!({ "used": 3, "limit": 32 })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_file_runs_again() {
    let dir = folder();
    script(&dir, json!({ "log": ["first"] }));
    let mut child = Command::new(env!("CARGO_BIN_EXE_walnut"))
        .args(["callback", "test", "scripted.wasm", "--json", "--watch"])
        .args(PAYMENT)
        .current_dir(dir.path())
        .env(
            "XDG_CACHE_HOME",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(report(&mut lines).await["log"], json!(["info: first"]));
    // While it is being written it may be seen half; the whole one is seen in the end.
    script(&dir, json!({ "log": ["second"] }));
    while report(&mut lines).await["log"] != json!(["info: second"]) {}
    child.kill().await.unwrap();
}

/// The next report; what is no report is passed over.
async fn report(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let mut text = String::new();
    let reading = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it goes on");
            if line == "{" {
                text.clear();
            }
            text.push_str(&line);
            if line == "}" {
                return serde_json::from_str(&text).unwrap();
            }
        }
    };
    let patience = Duration::from_secs(120);
    tokio::time::timeout(patience, reading)
        .await
        .expect("a report")
}
