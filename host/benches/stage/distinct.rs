//! Callbacks that are all different: the same work, each with a digest of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// How a callback is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JavaScript text.
    Text,
    /// A component in Rust.
    Rust,
    /// A component in JavaScript, made by componentize-qjs.
    Qjs,
}

/// What callbacks of each kind are made from.
pub(crate) struct Originals {
    text: &'static str,
    rust: &'static [u8],
    qjs: Option<Vec<u8>>,
}

impl Originals {
    /// The examples that come with walnut, and the project in componentized JavaScript, built in this folder. Without its
    /// tools a walk does without it.
    ///
    /// # Errors
    /// When the tools are not installed, or do not build it.
    pub(crate) fn make(dir: &Path, walking: bool) -> anyhow::Result<Originals> {
        let qjs = match tools() {
            None if walking => None,
            None => anyhow::bail!("there is no componentize-qjs: run tests/install first"),
            Some(tools) => Some(built(dir, &tools)?),
        };
        Ok(Originals {
            text: include_str!("../../../plugins/examples/record-sale.js"),
            rust: walnut_bundle::RECORD_SALE,
            qjs,
        })
    }

    /// Whether callbacks of this kind can be made.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        kind != Kind::Qjs || self.qjs.is_some()
    }

    /// A callback that differs from all with another number. Those of a kind have the same size.
    pub(crate) fn callback(&self, kind: Kind, number: u32) -> Vec<u8> {
        match kind {
            Kind::Text => format!("// {number:08}\n{}", self.text).into_bytes(),
            Kind::Rust => marked(self.rust, number),
            Kind::Qjs => marked(self.qjs.as_deref().unwrap_or_default(), number),
        }
    }
}

/// The component with another custom section, whose content counts for its digest and for nothing else.
fn marked(component: &[u8], number: u32) -> Vec<u8> {
    let mut marked = component.to_vec();
    // A custom section (0) of 11 bytes, its name of 6 and the number.
    marked.extend([0, 11, 6]);
    marked.extend(b"number");
    marked.extend(number.to_le_bytes());
    marked
}

/// What tests/install brought.
fn tools() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()?
        .join("tools/npm");
    tools.join("installed").exists().then_some(tools)
}

fn built(dir: &Path, tools: &Path) -> anyhow::Result<Vec<u8>> {
    let project = dir.join("qjs");
    run(Command::new(env!("CARGO_BIN_EXE_walnut"))
        .args(["callback", "new", "--lang", "js-component"])
        .arg(&project))?;
    std::os::unix::fs::symlink(tools.join("node_modules"), project.join("node_modules"))?;
    run(Command::new("npm")
        .args(["run", "build"])
        .current_dir(&project))?;
    Ok(std::fs::read(project.join("callback.wasm"))?)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?}: {said}");
    Ok(())
}
