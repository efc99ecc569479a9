//! Builds the callback for Extism into `OUT_DIR`, by the toolchain and with the options of walnut's components.

use std::process::ExitCode;

use walnut_plugin_builder::{Guest, build};

fn main() -> ExitCode {
    build(&[
        Guest::new("extism", "walnut-compare-guest", "tests/compare/guest")
            .as_workspace()
            .as_module(),
    ])
}
