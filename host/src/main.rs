//! The binary: everything is in the library's [`walnut::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    walnut::cli::main(std::env::args_os())
}
