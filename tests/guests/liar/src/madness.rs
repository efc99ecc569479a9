//! What a broken or hostile component does to its host.

use std::hint::black_box;

use walnut_sdk::{clock, log};

const GIANT_BYTES: usize = 8 * 1024 * 1024;

/// Goes mad, if that is the lie. Some of it never comes back.
#[expect(clippy::panic, reason = "the host has to show the words of a panic")]
pub(crate) fn go(lie: &str) {
    match lie {
        "trap" => std::process::abort(),
        "panic" => panic!("the liar panics"),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "recurse" => {
            black_box(recurse(1));
        }
        "memory" => {
            let mut all = Vec::new();
            loop {
                all.push(black_box(vec![1_u8; 1024 * 1024]));
            }
        }
        "flood-log" => {
            let line = "x".repeat(4096);
            for _ in 0..100_000 {
                log::write(log::Level::Info, &line);
            }
        }
        "flood-calls" => loop {
            black_box(clock::now_ms());
        },
        _ => {}
    }
}

/// More than any answer may have.
pub(crate) fn giant() -> String {
    "x".repeat(GIANT_BYTES)
}

#[expect(unconditional_recursion, reason = "it has to end in the host's limit")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    black_box(recurse(depth + 1)) + frame.iter().sum::<u64>()
}
