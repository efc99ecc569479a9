//! The environment of the inner cargo.
//!
//! A build script sees the outer build's flags, wrappers and profile in its environment. Handed on
//! they would break guests (coverage instrumentation needs a runtime that they have not) and
//! rebuild them whenever a flag changes.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

/// Variables that begin like this are the outer build's own affairs.
const FOREIGN_PREFIXES: [&str; 9] = [
    "CARGO", "__CARGO", "RUSTC", "RUSTDOC", "DEP_", "LLVM_", "CLIPPY_", "MIRI", "MAKE",
];

/// So are these.
const FOREIGN: [&str; 11] = [
    "RUSTFLAGS",
    "RUST_TARGET_PATH",
    "TARGET",
    "HOST",
    "OUT_DIR",
    "NUM_JOBS",
    "OPT_LEVEL",
    "PROFILE",
    "DEBUG",
    "MFLAGS",
    "RUSTUP_FORCE_ARG0",
];

/// What stays: where cargo lives, and how it gets at crates on this machine.
const KEPT: [&str; 2] = ["CARGO", "CARGO_HOME"];
const KEPT_PREFIXES: [&str; 5] = [
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
];

/// Whether the inner cargo must not see a variable of this name.
pub fn is_foreign(name: &str) -> bool {
    let kept = KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let foreign = FOREIGN.contains(&name)
        || FOREIGN_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    foreign && !kept
}

/// A command that sees the user's environment and nothing of the outer build.
pub fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_foreign) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::is_foreign;

    #[test]
    fn flags_of_the_outer_build_stay_outside() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_MAKEFLAGS",
            "CARGO_LLVM_COV",
            "CARGO_FEATURE_X",
            "CARGO_PROFILE_RELEASE_DEBUG",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "RUSTDOCFLAGS",
            "LLVM_PROFILE_FILE",
            "TARGET",
            "HOST",
            "OUT_DIR",
            "DEP_SQLITE3_INCLUDE",
            "MAKEFLAGS",
            "__CARGO_DEFAULT_LIB_METADATA",
            "CLIPPY_ARGS",
        ] {
            assert!(is_foreign(name), "{name}");
        }
    }

    #[test]
    fn what_belongs_to_the_machine_stays() {
        for name in [
            "PATH",
            "HOME",
            "CARGO",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "https_proxy",
        ] {
            assert!(!is_foreign(name), "{name}");
        }
    }
}
