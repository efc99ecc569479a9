//! Builds the components that only tests use into `OUT_DIR`.

use std::process::ExitCode;

use walnut_plugin_builder::{Guest, build};

fn main() -> ExitCode {
    build(&[
        Guest::new("liar", "walnut-test-liar", "tests/guests/liar")
            .with_sources(&["plugins/providers/zfb"]),
        Guest::new("scripted", "walnut-test-scripted", "tests/guests/scripted"),
    ])
}
