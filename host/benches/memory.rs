//! Resident memory of the idle host: the real binary a few seconds after its start, once on a new data root, where
//! it compiles the providers that come with it, and once more on the same. The goal is under 64 MB.
//!
//! `cargo bench -p walnut --bench memory`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

mod stage {
    pub(crate) mod process;
}

use std::fs;
use std::thread;
use std::time::Duration;

use stage::process::{Server, cpu};

/// Until whatever the start left to do is done.
const SETTLED: Duration = Duration::from_secs(4);

fn main() {
    // `cargo test` runs benchmarks to see that they work, and waits for nothing.
    let wait = if std::env::args().any(|argument| argument == "--bench") {
        SETTLED
    } else {
        Duration::ZERO
    };
    let dir = tempfile::tempdir().expect("a directory");
    for start in ["the first start", "a later start"] {
        let (host, _) = Server::host(&dir.path().join("root"), &dir.path().join("log"))
            .expect("a host that starts");
        thread::sleep(wait);
        let status = fs::read_to_string(format!("/proc/{}/status", host.id()))
            .expect("what Linux knows of the process");
        println!(
            "{start}: {} resident, of which {} are its own and {} are pages of files; {:?} of processor time",
            kilobytes(&status, "VmRSS"),
            kilobytes(&status, "RssAnon"),
            kilobytes(&status, "RssFile"),
            cpu(host.id()).expect("its time"),
        );
    }
}

/// A line of `/proc/<pid>/status`, with its unit.
fn kilobytes<'a>(status: &'a str, name: &str) -> &'a str {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map_or("?", str::trim)
}
