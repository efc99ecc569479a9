//! Runs what a guest does first once, while it is built, and keeps what it made of its memory: every instance starts
//! where that ended.
//!
//! The guest exports [`EXPORT`], which asks nothing of the host: there is none yet. An interpreter is enough for a single
//! run, and gives the same bytes on every machine.

use anyhow::{Context, Result, bail, ensure};
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, ExportKind, ExportSection, MemorySection, MemoryType,
    RawSection,
};
use wasmi::{CompilationMode, Config, Engine, Error, Extern, Func, Instance, Module, Store};
use wasmparser::{DataKind, ExternalKind, Parser, Payload};

/// The module's own function that prepares it; the component does not have it any more.
pub const EXPORT: &str = "prepare";

/// How compilers export the memory.
const MEMORY: &str = "memory";

const PAGE_BYTES: usize = 64 * 1024;

/// What is not all zero is kept in blocks of this size: a segment of its own for each run of them costs ten bytes.
const BLOCK_BYTES: usize = 64;

/// The module as it is after it prepared itself.
///
/// # Errors
/// When it has no such function, or one that traps or calls the host; and when there is more to it than a memory.
pub fn prepare(module: &[u8]) -> Result<Vec<u8>> {
    let memory = run(module)?;
    let prepared = with_memory(module, &memory)?;
    wasmparser::validate(&prepared).context("the prepared module is not valid")?;
    Ok(prepared)
}

/// Runs the preparation, and gives the memory.
fn run(module: &[u8]) -> Result<Vec<u8>> {
    let mut config = Config::default();
    // Most of a guest is never run here.
    config.compilation_mode(CompilationMode::Lazy);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, module)?;
    let mut store = Store::new(&engine, ());
    let mut imports = Vec::new();
    for import in module.imports() {
        let name = format!("{}.{}", import.module(), import.name());
        let ty = import.ty().func();
        let ty = ty.with_context(|| format!("{name} is imported and no function"))?;
        imports.push(Extern::Func(Func::new(
            &mut store,
            ty.clone(),
            move |_, _, _| {
                Err(Error::new(format!(
                    "{name} was called, and there is no host"
                )))
            },
        )));
    }
    let instance = Instance::new(&mut store, &module, &imports)?;
    instance
        .get_typed_func::<(), ()>(&store, EXPORT)
        .with_context(|| format!("it exports no function {EXPORT}"))?
        .call(&mut store, ())
        .with_context(|| format!("{EXPORT} did not come to its end"))?;
    let memory = instance.get_memory(&store, MEMORY);
    let memory = memory.context("it exports no memory")?;
    Ok(memory.data(&store).to_vec())
}

/// The module with this memory in the place of the one that it started with. Everything else stays: what a compiler makes
/// of Rust has one global that changes, the pointer to its stack, which is back where it was.
fn with_memory(module: &[u8], memory: &[u8]) -> Result<Vec<u8>> {
    let segments = segments(memory);
    let mut made = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match &payload {
            Payload::MemorySection(memories) => {
                let mut section = MemorySection::new();
                for found in memories.clone() {
                    let found = found?;
                    section.memory(MemoryType {
                        minimum: (memory.len() / PAGE_BYTES) as u64,
                        maximum: found.maximum,
                        memory64: found.memory64,
                        shared: found.shared,
                        page_size_log2: found.page_size_log2,
                    });
                }
                ensure!(section.len() == 1, "it has several memories");
                made.section(&section);
            }
            Payload::ExportSection(exports) => {
                let mut section = ExportSection::new();
                for export in exports.clone() {
                    let export = export?;
                    if export.name != EXPORT {
                        section.export(export.name, kind(export.kind)?, export.index);
                    }
                }
                made.section(&section);
            }
            Payload::DataCountSection { .. } => {
                let count = u32::try_from(segments.len())?;
                made.section(&DataCountSection { count });
            }
            Payload::DataSection(data) => {
                for found in data.clone() {
                    let is_active = matches!(found?.kind, DataKind::Active { .. });
                    ensure!(is_active, "it has data that it puts into its memory itself");
                }
                let mut section = DataSection::new();
                for (start, bytes) in &segments {
                    let offset = ConstExpr::i32_const(u32::try_from(*start)?.cast_signed());
                    section.active(0, &offset, bytes.iter().copied());
                }
                made.section(&section);
            }
            Payload::GlobalSection(globals) => {
                let mut changing = 0;
                for global in globals.clone() {
                    changing += u32::from(global?.ty.mutable);
                }
                ensure!(changing <= 1, "it has {changing} globals that change");
                raw(&mut made, &payload, module)?;
            }
            Payload::StartSection { .. } => bail!("it has a start function"),
            _ => raw(&mut made, &payload, module)?,
        }
    }
    Ok(made.finish())
}

/// A section as it is; parts of sections are none.
fn raw(to: &mut wasm_encoder::Module, payload: &Payload<'_>, module: &[u8]) -> Result<()> {
    if let Some((id, range)) = payload.as_section() {
        let data = module.get(range).context("a section outside the module")?;
        to.section(&RawSection { id, data });
    }
    Ok(())
}

/// Where the memory is not zero, and what is there.
fn segments(memory: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut segments: Vec<(usize, Vec<u8>)> = Vec::new();
    for (number, block) in memory.chunks(BLOCK_BYTES).enumerate() {
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = number * BLOCK_BYTES;
        match segments.last_mut() {
            Some((before, bytes)) if *before + bytes.len() == start => {
                bytes.extend_from_slice(block);
            }
            _ => segments.push((start, block.to_vec())),
        }
    }
    segments
}

fn kind(kind: ExternalKind) -> Result<ExportKind> {
    Ok(match kind {
        ExternalKind::Func => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        other => bail!("it exports something of the kind {other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        CodeSection, EntityType, Function, FunctionSection, ImportSection, MemArg, TypeSection,
        ValType,
    };

    /// Beyond what the memory has at first.
    const FAR: i32 = 70_000;

    const BYTE: MemArg = MemArg {
        offset: 0,
        align: 0,
        memory_index: 0,
    };

    /// A module with 7 at address 8, whose preparation puts 40 behind it and 2 far away, where `asks` after it asked the
    /// host; `sum` adds the three up.
    fn module(asks: bool) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import("host", "ask", EntityType::Function(0));
        let mut functions = FunctionSection::new();
        functions.function(0).function(1);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        exports
            .export(MEMORY, ExportKind::Memory, 0)
            .export(EXPORT, ExportKind::Func, 1)
            .export("sum", ExportKind::Func, 2);
        let mut prepare = Function::new([]);
        let mut code = prepare.instructions();
        if asks {
            code.call(0);
        }
        code.i32_const(1).memory_grow(0).drop();
        code.i32_const(9).i32_const(40).i32_store8(BYTE);
        code.i32_const(FAR).i32_const(2).i32_store8(BYTE).end();
        let mut sum = Function::new([]);
        let mut code = sum.instructions();
        code.i32_const(8).i32_load8_u(BYTE);
        code.i32_const(9).i32_load8_u(BYTE).i32_add();
        code.i32_const(FAR).i32_load8_u(BYTE).i32_add().end();
        let mut codes = CodeSection::new();
        codes.function(&prepare).function(&sum);
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(8), [7]);
        let mut module = wasm_encoder::Module::new();
        module.section(&types).section(&imports).section(&functions);
        module.section(&memories).section(&exports);
        module.section(&codes).section(&data);
        module.finish()
    }

    #[test]
    fn an_instance_starts_where_the_preparation_ended() {
        let prepared = prepare(&module(false)).unwrap();
        // The same on every machine.
        assert_eq!(prepare(&module(false)).unwrap(), prepared);
        let engine = Engine::default();
        let module = Module::new(&engine, &prepared).unwrap();
        let mut store = Store::new(&engine, ());
        let ask = Func::wrap(&mut store, || ());
        let instance = Instance::new(&mut store, &module, &[ask.into()]).unwrap();
        assert!(instance.get_func(&store, EXPORT).is_none());
        let sum = instance.get_typed_func::<(), i32>(&store, "sum").unwrap();
        assert_eq!(sum.call(&mut store, ()).unwrap(), 49);
    }

    #[test]
    fn there_is_no_host_yet_to_be_asked() {
        let error = format!("{:#}", prepare(&module(true)).unwrap_err());
        assert!(error.contains("host.ask was called"), "{error}");
        let nothing = wasm_encoder::Module::new().finish();
        let error = format!("{:#}", prepare(&nothing).unwrap_err());
        assert!(error.contains(EXPORT), "{error}");
    }
}
