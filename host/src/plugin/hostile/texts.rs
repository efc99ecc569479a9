//! Guests that take and give texts which are too long, too deep, or not where they say.

use super::*;

/// The callback of this text with so many pages of memory.
fn roomy(text: &str, pages: u32) -> String {
    let memory = "(memory (export \"memory\") ";
    text.replace(&format!("{memory}1)"), &format!("{memory}{pages})"))
}

/// A payment of so many bytes as JSON.
fn payment(bytes: usize) -> Value {
    let payment = json!({ "brief": "" });
    let filled = "x".repeat(bytes - payment.to_string().len());
    json!({ "brief": filled })
}

#[tokio::test]
async fn a_payment_crosses_up_to_its_limit() {
    let text = roomy(&callback_text("", FINE), 16);
    let most = payment(limits::JSON_BYTES);
    assert_eq!(most.to_string().len(), limits::JSON_BYTES);
    let run = run_text(&text, &most).await.unwrap();
    assert_eq!(run.answer.as_deref(), Ok(r#"{"sold":true}"#));
    let error = run_text(&text, &payment(limits::JSON_BYTES + 1)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable, "{error}");
    assert!(error.what.contains("too many for a callback"), "{error}");
}

#[tokio::test]
async fn nothing_is_written_beyond_the_room_that_a_guest_gives() {
    // One page has no room for it, and an allocator may say anything.
    let small = callback_text("", FINE);
    let next = "(global.get $next)\n";
    assert!(small.contains(next));
    for (text, bytes) in [
        (small.clone(), 100_000),
        (small.replace(next, "(i32.const -8)\n"), 100),
        (small.replace(next, "(i32.const 65530)\n"), 100),
    ] {
        let error = run_text(&text, &payment(bytes)).await.unwrap_err();
        assert_eq!(error.kind, Kind::Trap, "{error}");
    }
}

#[tokio::test]
async fn lengths_that_lie_are_found_out() {
    let table = [
        // A text that ends where the addresses end, and beyond.
        "(call $log (i32.const 1) (i32.const 0) (i32.const -1))",
        "(call $log (i32.const 1) (i32.const -1) (i32.const 1))",
        "(call $log (i32.const 1) (i32.const 65535) (i32.const 2))",
        // A level that there is not.
        "(call $log (i32.const 4) (i32.const 0) (i32.const 0))",
        // A text that is none.
        "(i32.store8 (i32.const 0) (i32.const 0xff)) (call $log (i32.const 1) (i32.const 0) (i32.const 1))",
        // A list of bytes.
        "(call $set (i32.const 1100) (i32.const 4) (i32.const 0) (i32.const -1) (i32.const 64))",
        "(call $emit (i32.const 1100) (i32.const 4) (i32.const 65535) (i32.const 0x7fffffff) (i32.const 64))",
        // Headers whose bytes, reckoned in 32 bits, would be none.
        "(call $fetch (i32.const 1300) (i32.const 4) (i32.const 1310) (i32.const 4) (i32.const 1200) (i32.const 25)
           (i32.const 0) (i32.const 0x10000000) (i32.const 0) (i32.const 0) (i32.const 64))",
        "(call $fetch (i32.const 1300) (i32.const 4) (i32.const 1310) (i32.const 4) (i32.const 1200) (i32.const 25)
           (i32.const 0) (i32.const 5000) (i32.const 0) (i32.const 0) (i32.const 64))",
        // Where the answer of the host is to be put.
        "(call $get (i32.const 1100) (i32.const 4) (i32.const -4))",
        "(call $get (i32.const 1100) (i32.const 4) (i32.const 65))",
        // The answer itself.
        "(return (call $answer (i32.const 0) (i32.const 0) (i32.const -1)))",
        "(return (call $answer (i32.const 2) (i32.const 0) (i32.const 0)))",
        "(return (i32.const -4))",
        "(return (i32.const 17))",
    ];
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    for body in table {
        let error = run(&plugins, "", &format!("{body} {FINE}")).await;
        let error = error.map(|run| panic!("{body}: {run:?}")).unwrap_err();
        assert_eq!(error.kind, Kind::Trap, "{body}: {error}");
    }
}

#[tokio::test]
async fn giant_texts_are_not_copied() {
    let body = "(drop (memory.grow (i32.const 64)))
        (call $log (i32.const 0) (i32.const 0) (i32.const 4194304)) (unreachable)";
    let error = attack("", body).await;
    assert_eq!(error.kind, Kind::Trap, "{error}");
    assert!(error.what.contains("fuel"), "{error}");
    let answer = |tag: u32, bytes: usize| {
        format!(
            "(drop (memory.grow (i32.const 64)))
            (memory.fill (i32.const 65536) (i32.const 120) (i32.const 4194304))
            (call $answer (i32.const {tag}) (i32.const 65536) (i32.const {bytes}))"
        )
    };
    let error = attack("", &answer(1, 4 << 20)).await;
    assert_eq!(error.kind, Kind::Trap, "{error}");
    let error = attack("", &answer(0, limits::JSON_BYTES + 1)).await;
    assert_eq!(error.kind, Kind::Guest, "{error}");
    assert!(
        error.what.contains("an answer has at most 262144"),
        "{error}"
    );
    let answer = "(call $answer (i32.const 0) (i32.const 1300) (i32.const 4))";
    let error = attack("", answer).await;
    assert_eq!(error.kind, Kind::Guest, "{error}");
    assert!(error.what.contains("not JSON"), "{error}");
}

#[tokio::test]
async fn of_a_giant_error_and_of_a_giant_log_a_part_is_kept() {
    let dir = TempDir::new().unwrap();
    let body = format!(
        "(local $i i32)
        (memory.fill (i32.const 2048) (i32.const 120) (i32.const 60000))
        (loop $l
          (call $log (i32.const 3) (i32.const 2048) (i32.const 60000))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $i) (i32.const {}))))
        (call $answer (i32.const 1) (i32.const 2048) (i32.const 60000))",
        limits::HOST_CALLS
    );
    // The allocator's memory is written over, and not used again.
    let run = run(&sandbox(&dir, 2), "", &body).await.unwrap();
    assert_eq!(
        run.answer.unwrap_err(),
        "x".repeat(limits::LOG_LINE_BYTES),
        "the error"
    );
    assert!(run.log.len() <= limits::LOG_BYTES, "{}", run.log.len());
    assert!(run.log.len() > limits::LOG_BYTES / 2, "{}", run.log.len());
    let line = format!("error: {}", "x".repeat(limits::LOG_LINE_BYTES));
    assert!(run.log.lines().all(|kept| kept == line));
}

#[tokio::test]
async fn deep_json_is_refused() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let nested = |levels: usize| {
        let text = "[".repeat(levels) + &"]".repeat(levels);
        (format!("(data (i32.const 2048) \"{text}\")"), 2 * levels)
    };
    for levels in [limits::JSON_LEVELS + 1, 127, 7_000] {
        let (items, bytes) = nested(levels);
        let answer = format!("(call $answer (i32.const 0) (i32.const 2048) (i32.const {bytes}))");
        let error = run(&plugins, &items, &answer).await.unwrap_err();
        assert_eq!(error.kind, Kind::Guest, "{error}");
        assert!(error.what.contains("levels deep"), "{error}");
        // Its own mistake, which the callback may go on from.
        let emit = format!(
            "(call $emit (i32.const 1100) (i32.const 4) (i32.const 2048) (i32.const {bytes}) (i32.const 64))
            (call $answer (i32.load8_u (i32.const 64)) (i32.load (i32.const 68)) (i32.load (i32.const 72)))"
        );
        let run = run(&plugins, &items, &emit).await.unwrap();
        let told = run.answer.unwrap_err();
        assert!(told.contains("levels deep"), "{told}");
        assert!(run.effects.events.is_empty());
    }
    let (items, bytes) = nested(limits::JSON_LEVELS);
    let body = format!(
        "(call $emit (i32.const 1100) (i32.const 4) (i32.const 2048) (i32.const {bytes}) (i32.const 64))
        (call $answer (i32.load8_u (i32.const 64)) (i32.const 2048) (i32.const {bytes}))"
    );
    let run = run(&plugins, &items, &body).await.unwrap();
    assert!(run.answer.is_ok() && run.effects.events.len() == 1);
}

#[tokio::test]
async fn what_a_callback_writes_is_bounded() {
    // As many keys as there are, each with a letter of its own, and as many events.
    let many = |call: &str, times: u32| {
        format!(
            "(local $i i32)
            (loop $l
              (i32.store (i32.const 2048) (i32.or (i32.const 0x20202020) (local.get $i)))
              {call}
              (if (i32.load8_u (i32.const 64)) (then (return (call $answer (i32.const 1) (i32.const 1300) (i32.const 4)))))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const {times}))))
            {FINE}"
        )
    };
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let set = "(i32.store8 (i32.const 2049) (i32.add (i32.const 64) (i32.shr_u (local.get $i) (i32.const 5))))
        (i32.store8 (i32.const 2048) (i32.add (i32.const 64) (i32.and (local.get $i) (i32.const 31))))
        (call $set (i32.const 2048) (i32.const 4) (i32.const 1110) (i32.const 1) (i32.const 64))";
    let emit =
        "(call $emit (i32.const 1100) (i32.const 4) (i32.const 1110) (i32.const 1) (i32.const 64))";
    for (call, most) in [
        (set, limits::KV_WRITES as u32),
        (emit, limits::EVENTS as u32),
    ] {
        let run_as_many = run(&plugins, "", &many(call, most)).await.unwrap();
        assert!(run_as_many.answer.is_ok(), "{call}");
        let one_more = run(&plugins, "", &many(call, most + 1)).await.unwrap();
        assert!(one_more.answer.is_err(), "{call}");
        let effects = one_more.effects;
        assert_eq!(effects.writes.len() + effects.events.len(), most as usize);
    }
}
