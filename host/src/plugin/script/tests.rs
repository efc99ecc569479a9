//! Scripts as their owners write them, run by the component that comes with the host: what they may use, what they
//! are told when something is wrong, and what happens to those that mean harm.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::payment::model::{CallbackKind, Digest};
use crate::plugin::{
    CallbackCall, DeliveryView, EmptyDomain, Kind, PluginError, PluginOptions, Plugins, Refusal,
    Run,
};

mod hostile;
mod using;

/// One sandbox for all tests, since the component takes seconds to compile; for the same reason its code is kept
/// beside the test program.
fn sandbox() -> &'static Plugins {
    static SANDBOX: OnceLock<Plugins> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        Plugins::start(PluginOptions {
            instances: 64,
            cache_dir: program.with_file_name("walnut-scripts"),
            cache_key: [7; 32],
            allow_local_gateways: false,
            compiler: None,
        })
        .unwrap()
    })
}

const NOW_MS: u64 = 1_790_000_000_000;

fn payment() -> Value {
    json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "brief": "两杯茶", "fee": 2300, "cur": "RMB", "st": "OK",
        "pay_tp": "zfb.qrcode", "buyer_nm": "小明", "close_at": NOW_MS, "table": 7, "nested": {"b": [1, 2.5, null], "a": true},
    })
}

async fn try_run(source: &str) -> Result<Run, PluginError> {
    let callback = sandbox()
        .try_callback(source.as_bytes().to_vec().into())
        .await
        .unwrap_or_else(|refusal| panic!("{source}: {refusal}"));
    let call = CallbackCall {
        domain: "shop".into(),
        view: std::sync::Arc::new(EmptyDomain),
        now_ms: NOW_MS,
    };
    let delivery = DeliveryView {
        key: "0123456789abcdef0123456789abcdef".into(),
        try_no: 3,
        callback: "sale".into(),
        late: true,
    };
    callback.run(call, &payment(), delivery).await
}

async fn run(source: &str) -> Run {
    try_run(source)
        .await
        .unwrap_or_else(|error| panic!("{source}: {}", error.full()))
}

/// What a script returns.
async fn answer(source: &str) -> Value {
    let run = run(source).await;
    let answer = run
        .answer
        .unwrap_or_else(|error| panic!("{source}: {error}"));
    serde_json::from_str(&answer).unwrap()
}

/// The words of what a script throws.
async fn error(source: &str) -> String {
    match run(source).await.answer {
        Ok(answer) => panic!("{source}: {answer}"),
        Err(error) => error,
    }
}

async fn refusal(source: &str) -> Refusal {
    sandbox()
        .admit_callback(source.as_bytes().to_vec().into())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_mistake_is_told_with_its_line_and_column() {
    let table = [
        ("return {", 1, 9, "too early"),
        ("let a = 1;\nlet b = ;\n", 2, 9, "`;`"),
        ("// 支付\nconst 茶 = \"a", 2, 13, "string"),
        ("if (true) {\n  return 1;\n", 3, 1, "too early"),
        ("return 1;\n}\nreturn 2;", 2, 1, "closes nothing"),
        ("m}", 1, 2, "closes nothing"),
        ("}); (function () {", 1, 1, "closes nothing"),
        ("let payment = 1;", 1, 1, "payment"),
        ("x = 08;", 1, 5, ""),
        ("with (payment) {}", 1, 1, "with"),
        ("await web.fetch({});", 1, 7, "`web`"),
        ("import fs from 'fs';", 1, 8, "`fs`"),
        ("#!/bin/sh\necho", 1, 1, ""),
        ("<html><body>404</body></html>", 1, 1, "`<`"),
        (r#"{"name": "sale"}"#, 1, 8, "`:`"),
        ("def sale(payment):\n    return 1", 1, 5, "`sale`"),
    ];
    for (source, line, column, words) in table {
        match refusal(source).await {
            Refusal::Syntax {
                line: at,
                column: in_line,
                message,
            } => {
                assert_eq!((at, in_line), (line, column), "{source:?}: {message}");
                assert!(message.contains(words), "{source:?}: {message}");
                assert!(!message.contains('\n'), "{message}");
            }
            other => panic!("{source:?}: {other}"),
        }
    }
    let told = refusal("let a = 1;\nlet b = ;\n").await.to_string();
    assert!(
        told.starts_with("the script has an error in line 2, column 9: "),
        "{told}"
    );
}

#[tokio::test]
async fn errors_name_the_owners_lines() {
    let table = [
        (
            "throw new Error('no stock');",
            "Error: no stock",
            "sale:1:7",
        ),
        ("\n\nnull.x;", "TypeError: ", "sale:3:"),
        (
            "function f() {\n  throw new RangeError('far');\n}\nf();",
            "RangeError: far",
            "at f (sale:2:",
        ),
        (
            "[1].map(() => {\n  payment.nobody();\n});",
            "TypeError: ",
            "sale:2:",
        ),
        ("missing + 1", "ReferenceError: missing", "sale:1:"),
        ("typo = 1;", "ReferenceError: ", ""),
        ("throw 'words';", "words", ""),
        ("throw { code: 7 };", "7", ""),
        (
            "class Own extends Error {}\nthrow new Own('mine');",
            "mine",
            "sale:2:",
        ),
    ];
    for (source, words, place) in table {
        let told = error(source).await;
        assert!(
            told.contains(words) && told.contains(place),
            "{source:?}: {told}"
        );
    }
}

#[tokio::test]
async fn what_came_to_no_end_names_the_text_and_who_ran_it() {
    let source = "log.info('begins');\nfor (;;) {}";
    let error = try_run(source).await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout, "{error}");
    let digest = Digest::of(source.as_bytes());
    assert_eq!(
        (error.digest, error.runner.clone()),
        (digest, Some(Box::new(super::shipped_digest())))
    );
    let full = error.full();
    let who = format!(
        "script sha256 {digest}, run by the component sha256 {}",
        super::shipped_digest()
    );
    assert!(
        full.contains(&who) && full.contains("info: begins"),
        "{full}"
    );
    assert!(
        !full.contains("backtrace"),
        "the engine's functions are not the owner's: {full}"
    );
}

#[tokio::test]
async fn a_script_is_found_again_by_its_digest() {
    let source = b"return payment.fee;";
    let digest = sandbox()
        .admit_callback(source.to_vec().into())
        .await
        .unwrap();
    assert_eq!(digest, Digest::of(source));
    let kind = CallbackKind::of(source);
    assert_eq!(kind, CallbackKind::JavaScript);
    let load = async || Ok(Some(std::sync::Arc::new(source.to_vec())));
    let callback = sandbox().callback(kind, digest, load).await.unwrap();
    assert_eq!(callback.digest(), digest);
    // The text is kept: nothing is read again.
    sandbox()
        .callback(kind, digest, async || Ok(None))
        .await
        .unwrap();
    // Of one that is gone, and of other bytes, there is an error.
    let other = Digest::of(b"return 1;");
    for load in [None, Some(b"return 2;".to_vec()), Some(vec![0xff])] {
        let load = async || Ok(load.map(std::sync::Arc::new));
        let error = sandbox()
            .callback(kind, other, load)
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable, "{error}");
    }
}
