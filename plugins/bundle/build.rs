//! Builds the shipped components into `OUT_DIR`.

use std::process::ExitCode;

use walnut_plugin_builder::{Guest, build};

fn main() -> ExitCode {
    build(&[
        Guest::new("free", "walnut-provider-free", "plugins/providers/free"),
        Guest::new(
            "paypal",
            "walnut-provider-paypal",
            "plugins/providers/paypal",
        ),
        Guest::new("wx", "walnut-provider-wx", "plugins/providers/wx"),
        Guest::new("zfb", "walnut-provider-zfb", "plugins/providers/zfb"),
        // Random numbers are the host's; and a parser that calls itself for every level wants a deep stack.
        Guest::new("script", "walnut-script", "plugins/script")
            .as_workspace()
            // The realm takes longer to set up than ten lines to run.
            .prepared()
            .with_flags(&[
                "--cfg=getrandom_backend=\"custom\"",
                "-Clink-arg=-zstack-size=1048576",
            ]),
        Guest::new(
            "record-sale",
            "walnut-example-record-sale",
            "plugins/examples/record-sale",
        ),
    ])
}
