//! Guests that never end, wherever they get to run, and those that ask without end.

use super::*;

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
async fn a_flood_of_host_calls_ends() {
    let error = attack("", "(loop $l (drop (call $now)) (br $l)) (unreachable)").await;
    assert_eq!(error.kind, Kind::Denied, "{error}");
}

#[tokio::test]
async fn a_loop_ends_wherever_the_host_enters_the_guest() {
    let spin = "(loop $l (br $l))";
    let room = "(func (export \"realloc\") (param i32 i32 i32 i32) (result i32)";
    let lift = "(canon lift (core func $guest \"run\")";
    let in_the_allocator = callback_text("", FINE).replace(room, &format!("{room} {spin}"));
    let after_the_answer = callback_text(
        &format!("(func (export \"after\") (param i32) {spin})"),
        FINE,
    )
    .replace(
        lift,
        &format!("{lift} (post-return (func $guest \"after\"))"),
    );
    for text in [in_the_allocator, after_the_answer] {
        let error = run_text(&text, &json!({"id": "0190"})).await.unwrap_err();
        assert_eq!(error.kind, Kind::Timeout, "{error}");
    }
}
