//! What a component asks for and gives, by name, and what a world of `wit/` allows and wants.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentItem};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// Interfaces with their functions; a function of the world itself stands alone, with none.
pub(super) type Names = BTreeMap<String, BTreeSet<String>>;

/// The names of a world or of a component.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct World {
    pub(super) imports: Names,
    pub(super) exports: Names,
}

impl World {
    /// Reads a world as `wit-component` writes it down: a component that exports the world's type as a component
    /// type of its own.
    pub(super) fn described(bytes: &[u8]) -> Result<World, String> {
        let validated = validate(bytes, WasmFeatures::all())?;
        let types = validated.as_ref();
        let (_, exports) = own_names(bytes)?;
        for name in exports {
            let Some(item) = types.component_item_for_export(&name) else {
                continue;
            };
            let ComponentEntityType::Type {
                referenced: ComponentAnyTypeId::Component(outer),
                ..
            } = item.ty
            else {
                continue;
            };
            let inner = types
                .get(outer)
                .into_iter()
                .flat_map(|outer| outer.exports.values());
            for inner in inner {
                if let ComponentEntityType::Component(id) = inner.ty
                    && let Some(world) = types.get(id)
                {
                    let pairs = |(name, item): (&String, &ComponentItem)| {
                        (name.clone(), functions(types, item))
                    };
                    return Ok(World {
                        imports: world.imports.iter().map(pairs).collect(),
                        exports: world.exports.iter().map(pairs).collect(),
                    });
                }
            }
        }
        Err("the description of a world holds no world".to_owned())
    }

    /// Parses and validates a component in full, and reads its names.
    pub(super) fn of_component(bytes: &[u8], features: WasmFeatures) -> Result<World, String> {
        let validated = validate(bytes, features)?;
        let types = validated.as_ref();
        let (imports, exports) = own_names(bytes)?;
        let pair = |item: Option<&ComponentItem>, name: String| {
            (
                name,
                item.map(|item| functions(types, item)).unwrap_or_default(),
            )
        };
        Ok(World {
            imports: imports
                .into_iter()
                .map(|name| pair(types.component_item_for_import(&name), name))
                .collect(),
            exports: exports
                .into_iter()
                .map(|name| pair(types.component_item_for_export(&name), name))
                .collect(),
        })
    }

    /// What a component imports that this world does not give, each by its full name.
    pub(super) fn not_given(&self, component: &World) -> Vec<String> {
        missing(&component.imports, &self.imports)
    }

    /// What this world wants and a component does not export. What it exports besides is its own affair.
    pub(super) fn not_exported(&self, component: &World) -> Vec<String> {
        missing(&self.exports, &component.exports)
    }
}

/// What is wanted and not there: whole interfaces where they are missing, else their functions.
fn missing(wanted: &Names, there: &Names) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, functions) in wanted {
        match there.get(name) {
            None => missing.push(name.clone()),
            Some(have) => {
                missing.extend(
                    functions
                        .difference(have)
                        .map(|each| format!("{name}#{each}")),
                );
            }
        }
    }
    missing
}

fn validate(bytes: &[u8], features: WasmFeatures) -> Result<Types, String> {
    Validator::new_with_features(features)
        .validate_all(bytes)
        .map_err(|error| error.to_string())
}

fn functions(types: TypesRef<'_>, item: &ComponentItem) -> BTreeSet<String> {
    let ComponentEntityType::Instance(id) = item.ty else {
        return BTreeSet::new();
    };
    let is_function =
        |(_, item): &(&String, &ComponentItem)| matches!(item.ty, ComponentEntityType::Func(_));
    let exports = types
        .get(id)
        .into_iter()
        .flat_map(|instance| &instance.exports);
    exports
        .filter(is_function)
        .map(|(name, _)| name.clone())
        .collect()
}

/// Names of the imports and exports of the outermost component.
fn own_names(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), String> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for_each_own(bytes, |payload| {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((imports, exports))
}

/// The contents of the outermost component's custom sections of this name.
pub(super) fn custom_sections<'a>(bytes: &'a [u8], name: &str) -> Result<Vec<&'a [u8]>, String> {
    let mut sections = Vec::new();
    for_each_own(bytes, |payload| {
        if let Payload::CustomSection(section) = payload
            && section.name() == name
        {
            sections.push(section.data());
        }
        Ok(())
    })?;
    Ok(sections)
}

/// The names of a core module's custom sections.
pub(super) fn custom_sections_of_module(bytes: &[u8]) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CustomSection(section) = payload.map_err(|error| error.to_string())? {
            names.push(section.name());
        }
    }
    Ok(names)
}

/// Visits the outermost component's own sections, and those of no module or component inside it.
fn for_each_own<'a>(
    bytes: &'a [u8],
    mut visit: impl FnMut(Payload<'a>) -> wasmparser::Result<()>,
) -> Result<(), String> {
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| error.to_string())?;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            payload if depth == 0 => visit(payload).map_err(|error| error.to_string())?,
            _ => {}
        }
    }
    Ok(())
}
