//! Guests that want more memory, stack, tables, data or handles than a call has.

use super::*;

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
async fn handles_are_bounded() {
    let hoard = |count: usize| {
        format!(
            "(local $i i32)
            (loop $l
              (drop (call $handle (i32.const 1)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const {count}))))
            {FINE}"
        )
    };
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    run(&plugins, "", &hoard(limits::HANDLES)).await.unwrap();
    let error = run(&plugins, "", &hoard(limits::HANDLES + 1)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, Kind::Trap, "{error}");
}

#[tokio::test]
async fn static_data_is_bounded_by_the_memory_and_by_the_upload() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let data = |bytes: usize, at: usize| {
        let text = "x".repeat(bytes);
        format!("(memory $own 320) (data (memory $own) (i32.const {at}) \"{text}\")")
    };
    // 20 MiB of it fill the memory of as many, and the callback runs.
    run(&plugins, &data(20 << 20, 0), FINE).await.unwrap();
    for (bytes, at) in [(20 << 20, 1), (1, 20 << 20), (1, 0xffff_ffff)] {
        let refusal = plugins
            .admit_callback(callback(&data(bytes, at), FINE))
            .await
            .unwrap_err();
        assert!(matches!(refusal, Refusal::Start(_)), "{at}: {refusal}");
    }
    let refusal = plugins
        .admit_callback(callback(&data(limits::COMPONENT_BYTES, 0), FINE))
        .await
        .unwrap_err();
    assert!(matches!(refusal, Refusal::TooLarge { .. }), "{refusal}");
}

#[tokio::test]
async fn a_component_has_so_many_instances_and_no_more() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    // The frame has two of its own.
    let with = |more: u32| {
        let instances = "(core instance (instantiate $empty))".repeat(more as usize);
        let text = callback_text("", FINE);
        let (start, _) = text.rsplit_once(')').unwrap();
        Arc::new(wat::parse_str(format!("{start} (core module $empty) {instances})")).unwrap())
    };
    let most = limits::CORE_INSTANCES - 2;
    plugins.admit_callback(with(most)).await.unwrap();
    let refusal = plugins.admit_callback(with(most + 1)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Demands(_)), "{refusal}");
    let refusal = plugins.admit_callback(with(100_000)).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::Demands(_) | Refusal::Invalid(_)),
        "{refusal}"
    );
}
