//! From a compiled module to a component.

use anyhow::{Context, Result};
use wasm_encoder::{ComponentSection, CustomSection, Encode};
use wasmparser::{Validator, WasmFeatures};
use wit_component::ComponentEncoder;

/// The component's custom section that holds a provider's manifest, readable without running it.
pub const MANIFEST_SECTION: &str = "walnut:manifest";

/// Wraps a core module as the component that its bindings describe, and appends the manifest.
///
/// # Errors
/// When the module does not have what its world exports, or the result is not a valid component.
pub fn wrap(module: &[u8], manifest: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut component = ComponentEncoder::default()
        .module(module)
        .context("the module has no description of its world")?
        .validate(true)
        .encode()
        .context("the module does not fit its world")?;
    if let Some(manifest) = manifest {
        let section = CustomSection {
            name: MANIFEST_SECTION.into(),
            data: manifest.into(),
        };
        component.push(section.id());
        section.encode(&mut component);
        Validator::new_with_features(WasmFeatures::default())
            .validate_all(&component)
            .context("the manifest does not fit in")?;
    }
    Ok(component)
}
