//! What [`crate::outside`] opens of this room.

use std::fs::File;
use std::sync::LazyLock;

use wasmparser::WasmFeatures;

use super::admission::{self, Refusal};
use super::bill::{self, BillError};
use super::bindings::{callback, provider};
use super::world::World;

type Described = LazyLock<Result<World, String>>;

static PROVIDERS: Described = LazyLock::new(|| World::described(provider::COMPONENT_TYPE));
static CALLBACKS: Described = LazyLock::new(|| World::described(callback::COMPONENT_TYPE));

/// What a component imports that may be a provider or a callback.
pub(crate) fn component(wasm: &[u8]) -> Result<Vec<String>, Refusal> {
    let features = WasmFeatures::default();
    let inspect = |name, world: &Described| {
        let world = world.as_ref().map_err(|why| Refusal::Host(why.clone()))?;
        admission::inspect(wasm, features, name, world)
    };
    let manifest = admission::manifest(wasm).map(drop);
    let is_provider = manifest.and_then(|()| inspect("provider", &PROVIDERS));
    is_provider.or_else(|_| inspect("callback", &CALLBACKS))?;
    let own = World::of_component(wasm, features).map_err(Refusal::Invalid)?;
    Ok(own.imports.into_keys().collect())
}

/// The text of a script.
pub(crate) fn script(content: &[u8]) -> Result<&str, Refusal> {
    admission::script(content)
}

/// The files of a bill, each in chunks of whole lines or at once.
pub(crate) fn bill(packed: File, most: u64, at_once: bool) -> Result<Vec<Vec<String>>, BillError> {
    bill::unpacked_lines(packed, most, at_once)
}
