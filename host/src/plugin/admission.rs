//! What a component has to be before anything of it runs. A refusal names everything that is wrong with the imports and
//! exports at once, so that its author need not try again for each.

use super::error::PluginError;
use super::limits;
use super::world::{World, custom_sections};
use crate::trust::{Manifest, ManifestError};

/// The custom section that holds a provider's manifest.
pub const MANIFEST_SECTION: &str = "walnut:manifest";

/// Why a component or a script is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is nothing.
    #[error("the content is empty: a callback is a WebAssembly component, or JavaScript text")]
    Empty,
    /// It is neither a component nor text.
    #[error(
        "this is neither a WebAssembly component nor text in UTF-8: save a script as UTF-8, and build anything else as \
         a component"
    )]
    NoCallback,
    /// A script that is larger than the host takes.
    #[error(
        "the script has {bytes} bytes; at most {limit} are taken: what is larger is built as a component"
    )]
    ScriptTooLarge {
        /// Of the upload.
        bytes: usize,
        /// What is taken.
        limit: usize,
    },
    /// A script that is not JavaScript.
    #[error("the script has an error in line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: u32,
        /// In characters, from 1.
        column: u32,
        /// What is wrong there.
        message: String,
    },
    /// A script that cannot be read within the limits of a call.
    #[error("the script cannot be read: {0}")]
    Unreadable(#[source] Box<PluginError>),
    /// It is larger than the host takes.
    #[error("the component has {bytes} bytes; at most {limit} are taken")]
    TooLarge {
        /// Of the upload.
        bytes: usize,
        /// What is taken.
        limit: usize,
    },
    /// It is text.
    #[error("this is text, not a WebAssembly component")]
    Text,
    /// It is neither text nor WebAssembly.
    #[error("this is not WebAssembly: it does not begin like a component")]
    NotWasm,
    /// It is a module without a component around it.
    #[error(
        "this is a core module, not a component: wrap it with `wasm-tools component new`, or build it \
         with your language's component tools"
    )]
    CoreModule,
    /// It is damaged, or uses what the engine does not have.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// It asks for what its world does not give, or lacks what its world wants.
    #[error("{}", .0)]
    World(WorldMismatch),
    /// A function that it imports or exports under the right name has the wrong type.
    #[error("the component was built against another contract: {0}")]
    Contract(String),
    /// A provider without a manifest.
    #[error(
        "the component has no custom section `{MANIFEST_SECTION}`: a provider carries its manifest there"
    )]
    NoManifest,
    /// A provider with more than one.
    #[error("the component has {0} custom sections `{MANIFEST_SECTION}`; one is wanted")]
    SeveralManifests(usize),
    /// Its manifest is wrong.
    #[error("the manifest is refused: {0}")]
    Manifest(#[source] ManifestError),
    /// The compiler does not take it.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// It wants more than a call may have.
    #[error("the component wants more than a call may have: {0}")]
    Demands(String),
    /// It cannot be instantiated.
    #[error("the component does not start: {0}")]
    Start(#[source] Box<PluginError>),
    /// Other components are being compiled.
    #[error("too many components are being admitted: try again in a minute")]
    Busy,
    /// The host cannot do its part.
    #[error("the host cannot admit components: {0}")]
    Host(String),
}

/// Names that a component imports without being given them, or does not export though it has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldMismatch {
    /// The world of `wit/`.
    pub world: &'static str,
    /// Interfaces, or functions as `interface#function`.
    pub imports: Vec<String>,
    /// Interfaces, or functions as `interface#function`.
    pub exports: Vec<String>,
}

impl std::fmt::Display for WorldMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &[String]| {
            let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            quoted.join(", ")
        };
        let world = self.world;
        if !self.imports.is_empty() {
            write!(f, "the world {world} does not give {}", list(&self.imports))?;
            if self.imports.iter().any(|name| name.starts_with("wasi:")) {
                f.write_str(
                    " (there is no WASI here: build without it, such as for wasm32-unknown-unknown or with --stub-wasi)",
                )?;
            }
        }
        if !self.exports.is_empty() {
            if !self.imports.is_empty() {
                f.write_str("; ")?;
            }
            write!(
                f,
                "the world {world} wants the export of {}",
                list(&self.exports)
            )?;
        }
        Ok(())
    }
}

/// Size, kind, validity, and the names of imports and exports.
pub(super) fn inspect(
    wasm: &[u8],
    features: wasmparser::WasmFeatures,
    name: &'static str,
    world: &World,
) -> Result<(), Refusal> {
    if wasm.len() > limits::COMPONENT_BYTES {
        return Err(Refusal::TooLarge {
            bytes: wasm.len(),
            limit: limits::COMPONENT_BYTES,
        });
    }
    if wasmparser::Parser::is_core_wasm(wasm) {
        return Err(Refusal::CoreModule);
    }
    if !wasmparser::Parser::is_component(wasm) {
        let text = str::from_utf8(wasm).is_ok_and(|text| !text.contains('\0'));
        return Err(if text {
            Refusal::Text
        } else {
            Refusal::NotWasm
        });
    }
    let component = World::of_component(wasm, features).map_err(Refusal::Invalid)?;
    let (imports, exports) = (world.not_given(&component), world.not_exported(&component));
    if imports.is_empty() && exports.is_empty() {
        return Ok(());
    }
    Err(Refusal::World(WorldMismatch {
        world: name,
        imports,
        exports,
    }))
}

/// The text of a script, where it may be one.
pub(super) fn script(content: &[u8]) -> Result<&str, Refusal> {
    if content.is_empty() {
        return Err(Refusal::Empty);
    }
    let text = str::from_utf8(content)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or(Refusal::NoCallback)?;
    if text.len() > limits::SCRIPT_BYTES {
        return Err(Refusal::ScriptTooLarge {
            bytes: text.len(),
            limit: limits::SCRIPT_BYTES,
        });
    }
    Ok(text)
}

/// The manifest of a provider.
pub(super) fn manifest(wasm: &[u8]) -> Result<Manifest, Refusal> {
    let sections = custom_sections(wasm, MANIFEST_SECTION).map_err(Refusal::Invalid)?;
    match sections.as_slice() {
        [] => Err(Refusal::NoManifest),
        [manifest] => Manifest::parse(manifest).map_err(Refusal::Manifest),
        several => Err(Refusal::SeveralManifests(several.len())),
    }
}
