//! The binary: everything is in the library's [`walnut::cli`].

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    walnut::cli::run(std::env::args_os()).await
}
