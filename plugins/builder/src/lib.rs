//! Turns guest crates of this workspace into components, from the build script of the crate that
//! embeds them.
//!
//! | file | does |
//! |---|---|
//! | [`toolchain`] | finds a Rust that compiles for `wasm32-unknown-unknown` |
//! | [`environment`] | keeps the outer build's flags away from the guests |
//! | [`prepare`] | runs what a guest does first, and keeps what came of it |
//! | [`component`] | wraps the compiled module, with the provider's manifest |
//!
//! The guests have a target directory of their own, `guests` in that of the outer build, which all
//! profiles share: a component is the same in a debug host, in a release host and in a test. Within
//! it each toolchain has its own, since cargo would take the module of one for that of the other.
//!
//! ```no_run
//! use walnut_plugin_builder::{Guest, build};
//!
//! // In build.rs. Afterwards: include_bytes!(concat!(env!("OUT_DIR"), "/zfb.wasm"))
//! fn main() -> std::process::ExitCode {
//!     build(&[Guest::new("zfb", "walnut-provider-zfb", "plugins/providers/zfb")])
//! }
//! ```

pub mod component;
pub mod environment;
pub mod prepare;
pub mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use crate::toolchain::{TARGET, Toolchain};

/// The profile of a workspace's `Cargo.toml` that guests are compiled with.
const PROFILE: &str = "guest";

/// What every guest is made of, besides its own directory: a change there makes all of them anew.
/// The builder itself is missing here since cargo runs a build script again when it was rebuilt.
const SHARED_SOURCES: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "wit",
    "plugins/sdk/Cargo.toml",
    "plugins/sdk/src",
];

/// A guest's stack: enough for JSON of the depth that serde_json takes, and small, so that stack and
/// data are within the first megabyte, which the host keeps resident between calls.
const STACK_BYTES: u32 = 256 * 1024;

/// A guest crate of this workspace.
pub struct Guest<'a> {
    name: &'a str,
    package: &'a str,
    dir: &'a str,
    sources: &'a [&'a str],
    flags: &'a [&'a str],
    is_workspace: bool,
    is_prepared: bool,
    is_module: bool,
}

impl<'a> Guest<'a> {
    /// `name` is that of the component's file, `package` cargo's name of the crate and `dir` its
    /// directory below the workspace. Where that directory has a `manifest.json`, it is embedded.
    pub fn new(name: &'a str, package: &'a str, dir: &'a str) -> Guest<'a> {
        Guest {
            name,
            package,
            dir,
            sources: &[],
            flags: &[],
            is_workspace: false,
            is_prepared: false,
            is_module: false,
        }
    }

    /// Other directories of the workspace whose code is part of the guest.
    pub fn with_sources(mut self, dirs: &'a [&'a str]) -> Guest<'a> {
        self.sources = dirs;
        self
    }

    /// Its directory is in a workspace of its own, with a lock file and the profile of guests.
    pub fn as_workspace(mut self) -> Guest<'a> {
        self.is_workspace = true;
        self
    }

    /// It exports [`prepare::EXPORT`], which is run while it is built: its instances start where that ended.
    pub fn prepared(mut self) -> Guest<'a> {
        self.is_prepared = true;
        self
    }

    /// It stays the module that was compiled: a plug-in of something else.
    pub fn as_module(mut self) -> Guest<'a> {
        self.is_module = true;
        self
    }

    /// Flags for rustc, of this guest and everything that it is made of.
    pub fn with_flags(mut self, flags: &'a [&'a str]) -> Guest<'a> {
        self.flags = flags;
        self
    }
}

/// Builds the guests and writes each as `<name>.wasm` into the build script's `OUT_DIR`, and for people into
/// `guests` of the target directory. Tells
/// cargo to run the build script again when something changed that they are made of. The build
/// script ends with the answer; when it is a failure, cargo shows what was said: without a toolchain
/// for guests what to install, otherwise what is wrong with a guest, in cargo's own words.
pub fn build(guests: &[Guest<'_>]) -> ExitCode {
    match build_all(guests) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not by `Debug`, which adds a backtrace where the environment asks for one.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build_all(guests: &[Guest<'_>]) -> Result<()> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("not called by a build script")?);
    let workspace = workspace()?;
    watch(&workspace, guests);

    let toolchain = Toolchain::find(&workspace)?;
    let shown_dir = target_dir(&out_dir, &workspace);
    let target_dir = shown_dir.join(toolchain.name());
    for guest in guests {
        compile(&toolchain, &workspace, &target_dir, guest)?;
        let file = format!("{}.wasm", guest.package.replace('-', "_"));
        let compiled = target_dir.join(TARGET).join(PROFILE).join(file);
        let mut module =
            fs::read(&compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
        if guest.is_prepared {
            module = prepare::prepare(&module)
                .with_context(|| format!("{} cannot be prepared", guest.package))?;
        }
        let component = if guest.is_module {
            module
        } else {
            let manifest = manifest(&workspace.join(guest.dir))?;
            component::wrap(&module, manifest.as_deref())
                .with_context(|| format!("{} does not make a component", guest.package))?
        };
        let made = out_dir.join(format!("{}.wasm", guest.name));
        fs::write(&made, &component).with_context(|| format!("cannot write {}", made.display()))?;
        show(&shown_dir, guest.name, &component)?;
    }
    Ok(())
}

/// Leaves a component where people find it. Builds of several profiles may do so at once.
fn show(dir: &Path, name: &str, component: &[u8]) -> Result<()> {
    let shown = dir.join(format!("{name}.wasm"));
    let part = dir.join(format!(".{name}.{}", std::process::id()));
    fs::write(&part, component)
        .and_then(|()| fs::rename(&part, &shown))
        .with_context(|| format!("cannot write {}", shown.display()))
}

/// Compiles one guest. One by one, since features of one must not become features of another; and
/// as a module only here, so that a guest which another guest uses as a library is not written over
/// by what the other made of it.
fn compile(
    toolchain: &Toolchain,
    workspace: &Path,
    target_dir: &Path,
    guest: &Guest<'_>,
) -> Result<()> {
    let mut cargo = toolchain.cargo();
    let own = workspace.join(guest.dir);
    cargo.current_dir(if guest.is_workspace { &own } else { workspace });
    cargo.args([
        "rustc",
        "-p",
        guest.package,
        "--lib",
        "--crate-type",
        "cdylib",
    ]);
    cargo.args(["--locked", "--target", TARGET, "--profile", PROFILE]);
    cargo.arg("--target-dir").arg(target_dir);
    // Set even when empty: what a user's cargo configuration says about flags is meant for
    // programs of this machine.
    let mut flags = flags(workspace);
    flags.extend(guest.flags.iter().map(|flag| (*flag).to_owned()));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let status = cargo
        .status()
        .context("cannot start cargo for the guests")?;
    ensure!(
        status.success(),
        "{} does not compile for {TARGET} (see above)",
        guest.package
    );
    Ok(())
}

/// Paths are cut from the messages of panics, so that the same sources have the same digest on every
/// machine.
fn flags(workspace: &Path) -> Vec<String> {
    let mut flags = vec![
        format!("-Clink-arg=-zstack-size={STACK_BYTES}"),
        format!("--remap-path-prefix={}=walnut", workspace.display()),
    ];
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    if let Some(home) = cargo_home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    flags
}

fn watch(workspace: &Path, guests: &[Guest<'_>]) {
    let own = guests.iter().flat_map(|guest| {
        let dirs = std::iter::once(guest.dir).chain(guest.sources.iter().copied());
        dirs.flat_map(|dir| {
            ["Cargo.toml", "Cargo.lock", "src", "manifest.json"]
                .map(|part| Path::new(dir).join(part))
        })
    });
    let shared = SHARED_SOURCES.iter().map(PathBuf::from);
    for path in shared.chain(own).map(|path| workspace.join(path)) {
        // cargo runs a build script every time when a file that it watches is missing.
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    println!("cargo:rerun-if-env-changed={}", toolchain::CHOICE);
}

fn manifest(guest_dir: &Path) -> Result<Option<Vec<u8>>> {
    let path = guest_dir.join("manifest.json");
    if !path.exists() {
        return Ok(None);
    }
    fs::read(&path)
        .map(Some)
        .with_context(|| format!("cannot read {}", path.display()))
}

/// The workspace around the crate whose build script runs.
fn workspace() -> Result<PathBuf> {
    let start = env::var_os("CARGO_MANIFEST_DIR").context("not called by a build script")?;
    let found = Path::new(&start)
        .ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file() && dir.join("wit").is_dir());
    let dir = found.context(
        "no Cargo.lock beside a wit/ above the crate: guests are built in walnut's workspace",
    )?;
    Ok(dir.to_owned())
}

/// The guests' target directory: `guests` in the target directory of the outer build, which cargo
/// marks with a `CACHEDIR.TAG`, wherever its configuration or environment put it.
fn target_dir(out_dir: &Path, workspace: &Path) -> PathBuf {
    let outer = out_dir
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file());
    outer
        .map_or_else(|| workspace.join("target"), Path::to_owned)
        .join("guests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_profiles_share_the_guests() {
        let dir = env::temp_dir().join(format!("walnut-builder-{}", std::process::id()));
        let out = dir.join("release/build/walnut-bundle-0123/out");
        fs::create_dir_all(&out).unwrap();
        fs::write(dir.join("CACHEDIR.TAG"), "").unwrap();
        assert_eq!(
            target_dir(&out, Path::new("/elsewhere")),
            dir.join("guests")
        );
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(
            target_dir(Path::new("/nowhere/out"), Path::new("/elsewhere")),
            Path::new("/elsewhere/target/guests")
        );
    }
}
