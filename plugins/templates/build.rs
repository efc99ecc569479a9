//! Embeds the projects: their own files, and what they share with the rest of the repository.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What comes from elsewhere in the repository: from, to.
type Shared = &'static [(&'static str, &'static str)];

/// A project's constant, its folder here, and what it shares.
const PROJECTS: [(&str, &str, Shared); 5] = [
    (
        "RUST",
        "rust",
        &[
            ("plugins/examples/record-sale/src/lib.rs", "src/lib.rs"),
            ("plugins/sdk/src", "vendor/walnut-sdk/src"),
            ("wit/types.wit", "wit/types.wit"),
            ("wit/trust.wit", "wit/trust.wit"),
            ("wit/callback.wit", "wit/callback.wit"),
        ],
    ),
    (
        "JS",
        "js",
        &[("plugins/examples/record-sale.js", "callback.js")],
    ),
    ("JS_COMPONENT", "js-component", WIT),
    ("PYTHON", "python", WIT),
    ("C", "c", WIT),
];

/// The files of the contract that the callback world needs.
const WIT: Shared = &[
    ("wit/types.wit", "wit/types.wit"),
    ("wit/trust.wit", "wit/trust.wit"),
    ("wit/callback.wit", "wit/callback.wit"),
];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let repository = here.join("../..").canonicalize()?;
    let mut code = String::new();
    for (constant, folder, shared) in PROJECTS {
        let mut files = Vec::new();
        collect(&here.join(folder), "", &mut files)?;
        collect(&here.join("payment.json"), "payment.json", &mut files)?;
        for (from, to) in shared {
            collect(&repository.join(from), to, &mut files)?;
        }
        files.sort();
        let _ = writeln!(code, "pub(crate) const {constant}: &[File] = &[");
        for (to, from) in files {
            let from = from.display().to_string();
            let _ = writeln!(
                code,
                "    File {{ path: {to:?}, text: include_str!({from:?}) }},"
            );
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("projects.rs"), code)
}

/// The files at or under `from`, with the paths that they get in a project.
fn collect(from: &Path, to: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", from.display());
    if from.is_file() {
        files.push((to.to_owned(), from.to_owned()));
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if to.is_empty() {
            name
        } else {
            format!("{to}/{name}")
        };
        collect(&entry.path(), &path, files)?;
    }
    Ok(())
}
