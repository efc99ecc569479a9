//! What a guest gets that means no harm, and what its owner is told when it fails.

use super::*;

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
