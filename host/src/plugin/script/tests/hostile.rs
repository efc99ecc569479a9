//! Scripts that try to hold the host up, or to take more than their share.

use serde_json::json;

use super::{Kind, Refusal, answer, error, refusal, try_run};

#[tokio::test]
async fn no_script_takes_more_than_a_call_may_have() {
    let table = [
        ("for (;;) {}", Kind::Timeout),
        (
            "for (;;) { try { for (;;) {} } catch {} finally { continue } }",
            Kind::Timeout,
        ),
        ("/(a+)+$/.test('a'.repeat(40) + '!')", Kind::Timeout),
        ("let s = 'x'; for (;;) s += s;", Kind::Memory),
        ("const all = []; for (;;) all.push({});", Kind::Memory),
        ("return 'x'.repeat(2 ** 25).length", Kind::Memory),
        ("for (;;) log.info('flood')", Kind::Denied),
        ("for (;;) Date.now()", Kind::Denied),
        ("return 'x'.repeat(300000)", Kind::Guest),
    ];
    for (source, kind) in table {
        let error = try_run(source).await.unwrap_err();
        assert_eq!(error.kind, kind, "{source}: {}", error.full());
    }
    // And the next one runs as if nothing had been.
    assert_eq!(answer("return 1").await, 1);
}

#[tokio::test]
async fn depth_ends_in_an_error() {
    let told = error("function f() { return f() + 1 }\nreturn f()").await;
    assert!(told.contains("recursive calls"), "{told}");
    for source in [
        "const f = () => [1].map(f); f()",
        "const o = { get x() { return o.x } }; o.x",
        "const f = () => `${{ toString: f }}`; f()",
        "let a = []; for (let i = 0; i < 100000; i++) a = [a]; return a",
        "let a = {}; for (let i = 0; i < 100000; i++) a = { a }; kv.set('a', a)",
        "return JSON.parse('['.repeat(1000000))",
        "return JSON.parse('{\"a\":'.repeat(100000))",
        "return JSON.parse('['.repeat(100) + ']'.repeat(100))",
    ] {
        match try_run(source).await {
            Ok(run) => assert!(run.answer.is_err(), "{source}: {run:?}"),
            // What is read well, and is too deep to be given back.
            Err(stopped) if stopped.kind == Kind::Guest => {
                assert!(stopped.what.contains("levels deep"), "{stopped}");
            }
            Err(stopped) => {
                assert_eq!(stopped.kind, Kind::Trap, "{source}: {}", stopped.full());
                assert!(stopped.what.contains("nested too deeply"), "{stopped}");
            }
        }
    }
}

#[tokio::test]
async fn a_text_that_is_hard_to_read_is_refused() {
    for (opening, closing) in [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("f(", ")"),
        ("- ", "1"),
        ("a?b:", "c"),
        ("`${", "}`"),
        ("()=>", "1"),
    ] {
        for depth in [2_000, 40_000] {
            let source = opening.repeat(depth) + &closing.repeat(depth);
            let refusal = refusal(&source).await;
            let refused = matches!(refusal, Refusal::Unreadable(_) | Refusal::Syntax { .. });
            assert!(refused, "{opening}: {refusal}");
        }
    }
    let long = refusal(&"x=1;".repeat(70_000)).await;
    assert!(matches!(long, Refusal::ScriptTooLarge { .. }), "{long}");
}

#[tokio::test]
async fn nothing_that_a_script_changes_outlives_it() {
    let spoil = "Array.prototype.map = Object.prototype.toString = JSON.stringify = () => 'spoilt';
        globalThis.kv = null; globalThis.left = 1; return [1].map(n => n)";
    let _ = try_run(spoil).await;
    let look = "return [typeof left, typeof kv.get, [1].map(n => n + 1)[0]]";
    assert_eq!(answer(look).await, json!(["undefined", "function", 2]));
}

#[tokio::test]
async fn ordinary_depth_is_fine() {
    let nested = "[".repeat(30) + &"]".repeat(30);
    assert!(answer(&format!("return {nested}")).await.is_array());
    let conditions = "if (payment.fee > 0) {".repeat(15) + "return 1" + &"}".repeat(15);
    assert_eq!(answer(&conditions).await, 1);
    let recursion = "const sum = n => n === 0 ? 0 : n + sum(n - 1);\nreturn sum(300)";
    assert_eq!(answer(recursion).await, 45_150);
}
