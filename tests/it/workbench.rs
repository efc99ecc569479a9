//! The owner's workbench: callbacks are tried without a host, and projects of every language are made by the binary, built by
//! their language's usual tools, and take part in a payment.

mod guide;
mod languages;
mod trying;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{Ran, run_walnut};

/// What `tests/install` installed, and what is built with it, below the target directory.
fn tools() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("tools")
}

/// Runs the binary in a folder. No host is needed: nobody listens where it would look for one.
async fn walnut(dir: &Path, args: &[&str]) -> Ran {
    run_walnut("http://127.0.0.1:9", "", "", args, dir).await
}

/// Tries a callback, and reads what it did.
async fn tried(dir: &Path, file: &str, more: &[&str]) -> Value {
    let ran = walnut(dir, &[&["callback", "test", file, "--json"], more].concat()).await;
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let failed = !report["error"].is_null();
    assert_eq!(ran.code, i32::from(failed), "{ran:?}");
    report
}
