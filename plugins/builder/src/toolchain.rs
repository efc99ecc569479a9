//! Finds a Rust that compiles for `wasm32-unknown-unknown`: the one that builds the host, if need
//! be with the target added by rustup, or else Debian's.
//!
//! Debian's packages `rustc-web cargo-web rust-web-src lld-22` have no standard library for the
//! target, but its sources: it is built with the guests. That takes an unstable option of cargo,
//! which `RUSTC_BOOTSTRAP` opens.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::environment::clean;

/// What guests are compiled for: it has no system interface at all.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The environment variable that picks the toolchain: `rustup` for the one that builds the host,
/// `debian`, or `auto` (the default) for whichever is there, in this order.
pub const CHOICE: &str = "WALNUT_GUEST_TOOLCHAIN";

/// A toolchain that can compile guests.
pub enum Toolchain {
    /// The one that builds the host, with the target installed.
    Outer {
        /// Its cargo.
        cargo: PathBuf,
        /// Its compiler.
        rustc: PathBuf,
    },
    /// Debian's, which builds the standard library too.
    Debian {
        /// LLVM's linker.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds one, asking rustup for the target where it is missing.
    ///
    /// # Errors
    /// The text says what to install.
    pub fn find(workspace: &Path) -> Result<Toolchain> {
        let choice = env::var(CHOICE).unwrap_or_default();
        let (outer, debian) = match choice.as_str() {
            "" | "auto" => (true, true),
            "rustup" => (true, false),
            "debian" => (false, true),
            other => bail!("{CHOICE} is {other:?}: give auto, rustup or debian"),
        };
        let mut tried = Vec::new();
        if outer {
            match find_outer(workspace) {
                Ok(found) => return Ok(found),
                Err(why) => tried.push(why),
            }
        }
        if debian {
            match find_debian() {
                Ok(found) => return Ok(found),
                Err(why) => tried.push(why),
            }
        }
        bail!(
            "walnut's providers are WebAssembly components, and no Rust here compiles for {TARGET}.\n\
             Install the target in one of these ways, then build again:\n\
             \x20   rustup target add {TARGET}\n\
             \x20   apt-get install rustc-web cargo-web rust-web-src lld-22    (Debian, as root)\n\
             Tried:\n    {}",
            tried.join("\n    ")
        )
    }

    /// A directory's name for what it makes.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Toolchain::Outer { .. } => "rustup",
            Toolchain::Debian { .. } => "debian",
        }
    }

    /// Its cargo, in an environment without the outer build's flags.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Toolchain::Outer { cargo, rustc } => {
                let mut command = clean(cargo);
                command.env("RUSTC", rustc);
                command
            }
            Toolchain::Debian { linker } => {
                let mut command = clean(DEBIAN_CARGO);
                command
                    .env_remove("CARGO")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .arg("-Zbuild-std=std,panic_abort");
                command
            }
        }
    }
}

fn find_outer(workspace: &Path) -> Result<Toolchain, String> {
    let or = |name: &str, default: &str| PathBuf::from(env::var_os(name).unwrap_or(default.into()));
    let (cargo, rustc) = (or("CARGO", "cargo"), or("RUSTC", "rustc"));
    if has_target(&rustc, workspace) {
        return Ok(Toolchain::Outer { cargo, rustc });
    }
    let added = clean("rustup")
        .args(["target", "add", TARGET])
        .current_dir(workspace)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output();
    match added {
        Err(error) => Err(format!(
            "{} lacks the target; rustup: {error}",
            rustc.display()
        )),
        Ok(_) if has_target(&rustc, workspace) => Ok(Toolchain::Outer { cargo, rustc }),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said
                .lines()
                .rfind(|line| !line.trim().is_empty())
                .unwrap_or_default();
            Err(format!(
                "{} lacks the target; rustup target add: {said}",
                rustc.display()
            ))
        }
    }
}

/// Whether the compiler has a standard library for the target.
fn has_target(rustc: &Path, workspace: &Path) -> bool {
    let Some(libraries) = ask(clean(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(workspace))
    else {
        return false;
    };
    let Ok(mut files) = fs::read_dir(libraries) else {
        return false;
    };
    files.any(|file| {
        file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_BIN: &str = "/usr/bin";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";

fn find_debian() -> Result<Toolchain, String> {
    // rustup's stand-ins may have these names too; their libraries are elsewhere.
    let sysroot = ask(clean(DEBIAN_RUSTC)
        .env_remove("RUSTUP_TOOLCHAIN")
        .args(["--print", "sysroot"]));
    let missing = if sysroot.as_deref() != Some("/usr") {
        "rustc-web"
    } else if !Path::new(DEBIAN_CARGO).exists() {
        "cargo-web"
    } else if !Path::new(DEBIAN_LIBRARY).exists() {
        "rust-web-src"
    } else {
        match wasm_linker() {
            Some(linker) => return Ok(Toolchain::Debian { linker }),
            None => "lld-22",
        }
    };
    Err(format!(
        "Debian's toolchain: the package {missing} is not installed"
    ))
}

/// LLVM's linker for WebAssembly: the newest, since it must not be older than the compiler.
fn wasm_linker() -> Option<PathBuf> {
    let files = fs::read_dir(DEBIAN_BIN).ok()?;
    let versions = files.filter_map(|file| {
        let name = file.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("wasm-ld-")?.parse::<u32>().ok()
    });
    versions
        .max()
        .map(|version| Path::new(DEBIAN_BIN).join(format!("wasm-ld-{version}")))
}

fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
