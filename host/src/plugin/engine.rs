//! The engine that all plugins run in: made once, with a pool of instances that is tried before it is relied on.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
};

use super::error::with_causes;
use super::limits;

/// Why plugins cannot run on this machine with these settings.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The number of instances makes no sense.
    #[error("plugin instances: {asked} is not between 1 and {max}", max = limits::INSTANCES_MAX)]
    Instances {
        /// What was asked for.
        asked: u32,
    },
    /// The pool cannot be reserved.
    #[error(
        "cannot reserve a pool of {instances} plugin instances ({gib} GiB of addresses): {why}; \
         lower the number of instances, or lift the limit on virtual memory (`ulimit -v unlimited`, \
         a container's or unit's address-space limit, vm.overcommit_memory other than 2)",
        gib = u64::from(*.instances) * address_gib()
    )]
    Reserve {
        /// What was asked for.
        instances: u32,
        /// What the system said.
        why: String,
    },
    /// The pool was reserved, but that many instances cannot be in use at once.
    #[error(
        "the pool of {instances} plugin instances ends after {held}: {why}; lower the number of \
         instances, or raise vm.max_map_count (`sysctl vm.max_map_count=262144`)"
    )]
    Probe {
        /// What was asked for.
        instances: u32,
        /// How many could be held at once.
        held: u32,
        /// What the system said.
        why: String,
    },
    /// The directory of compiled code, a thread, or a client cannot be made.
    #[error("{what}: {why}")]
    Start {
        /// What was to be made.
        what: &'static str,
        /// What the system said.
        why: String,
    },
}

/// Addresses that one instance reserves: 4 GiB for each of its memories, so that compiled code needs no
/// bounds checks.
fn address_gib() -> u64 {
    4 * u64::from(limits::MEMORIES)
}

/// Makes the engine, tries whether `instances` of the largest component fit it at once, and starts its ticker.
pub(super) fn start(instances: u32) -> Result<Engine, EngineError> {
    if !(1..=limits::INSTANCES_MAX).contains(&instances) {
        return Err(EngineError::Instances { asked: instances });
    }
    let engine = Engine::new(&config(instances)).map_err(|error| EngineError::Reserve {
        instances,
        why: with_causes(&error),
    })?;
    probe(&engine, instances)?;
    tick(&engine)?;
    Ok(engine)
}

/// An engine that only compiles, without a pool: its code loads in the one of the host.
pub(super) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(&compiling())
}

fn config(instances: u32) -> Config {
    let mut config = compiling();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    config
}

/// Everything that compiled code depends on.
fn compiling() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // No world of wit/ has futures or streams, and their bookkeeping slows every call.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(limits::STACK_BYTES)
        .async_stack_size(limits::ASYNC_STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(limits::BACKTRACE_FRAMES))
        // A backtrace has the names of functions. Where in them, and what debuggers of the host would read, is more than
        // the code itself, and all of it is read from the disk whenever a component is loaded.
        .generate_address_map(false)
        .native_unwind_info(false)
        // An upload that compiles on all cores would make payments wait.
        .parallel_compilation(false);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let scan = PoolingAllocationConfig::is_pagemap_scan_available();
    let memory_resident = if scan {
        limits::MEMORY_RESIDENT
    } else {
        limits::MEMORY_RESIDENT_WITHOUT_SCAN
    };
    let mut pool = PoolingAllocationConfig::new();
    pool
        // Every instance may be of the largest component: whoever has a permit finds all that it needs.
        .total_component_instances(instances)
        .total_stacks(instances)
        .total_core_instances(instances.saturating_mul(limits::CORE_INSTANCES))
        .total_memories(instances.saturating_mul(limits::MEMORIES))
        .total_tables(instances.saturating_mul(limits::TABLES))
        .max_core_instances_per_component(limits::CORE_INSTANCES)
        .max_memories_per_component(limits::MEMORIES)
        .max_tables_per_component(limits::TABLES)
        // A module of one component may have all of its memories or tables.
        .max_memories_per_module(limits::MEMORIES)
        .max_tables_per_module(limits::TABLES)
        .max_memory_size(limits::MEMORY_BYTES)
        .table_elements(limits::TABLE_ELEMENTS)
        .max_unused_warm_slots(limits::WARM_SLOTS.min(instances))
        .linear_memory_keep_resident(memory_resident)
        .table_keep_resident(limits::TABLE_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A component with three core instances of one module, which has one memory and one table:
///
/// ```wat
/// (component
///   (core module $m (table 1 funcref) (memory 1))
///   (core instance (instantiate $m))
///   (core instance (instantiate $m))
///   (core instance (instantiate $m)))
/// ```
const PROBE: &[u8] = b"\0asm\x0d\0\x01\0\
    \x01\x13\0asm\x01\0\0\0\x04\x04\x01\x70\0\x01\x05\x03\x01\0\x01\
    \x02\x04\x01\0\0\0\x02\x04\x01\0\0\0\x02\x04\x01\0\0\0";

/// Holds as many real instances as the pool promises, all at once, and gives them back.
fn probe(engine: &Engine, instances: u32) -> Result<(), EngineError> {
    let failed = |held: u32, why: String| EngineError::Probe {
        instances,
        held,
        why,
    };
    let early = |error: wasmtime::Error| failed(0, with_causes(&error));
    let component = Component::from_binary(engine, PROBE).map_err(early)?;
    let ready = Linker::<()>::new(engine)
        .instantiate_pre(&component)
        .map_err(early)?;
    let mut held = Vec::new();
    for count in 0..instances {
        let mut store = Store::new(engine, ());
        // Nothing of it waits for anything: the first poll is the last.
        let made = match pin!(ready.instantiate_async(&mut store))
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(made) => made.map(drop).map_err(|error| with_causes(&error)),
            Poll::Pending => Err("an instance without imports waited for something".to_owned()),
        };
        made.map_err(|why| failed(count, why))?;
        held.push(store);
    }
    Ok(())
}

/// Advances the epoch from a thread of the system, since a guest in a loop may keep all of tokio's busy. It ends
/// with the engine.
fn tick(engine: &Engine) -> Result<(), EngineError> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("walnut-epoch".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(limits::EPOCH_TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        })
        .map(drop)
        .map_err(|error| EngineError::Start {
            what: "the thread that counts the plugins' time",
            why: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_what_its_comment_says() {
        let text = "(component
            (core module $m (table 1 funcref) (memory 1))
            (core instance (instantiate $m))
            (core instance (instantiate $m))
            (core instance (instantiate $m)))";
        let binary = wat::parse_str(text).unwrap();
        let mut compact = Vec::new();
        // The name section is the only difference, and one section may hold several instances.
        for payload in wasmparser::Parser::new(0).parse_all(&binary) {
            if let wasmparser::Payload::ModuleSection {
                unchecked_range, ..
            } = payload.unwrap()
            {
                compact.push(binary[unchecked_range].to_vec());
            }
        }
        assert_eq!(compact.len(), 1);
        let engine = start(2).unwrap();
        let probe = Component::from_binary(&engine, PROBE)
            .unwrap()
            .resources_required()
            .unwrap();
        let same = Component::from_binary(&engine, &binary)
            .unwrap()
            .resources_required()
            .unwrap();
        assert_eq!(
            (probe.num_memories, probe.num_tables),
            (same.num_memories, same.num_tables)
        );
        assert_eq!((probe.num_memories, probe.num_tables), (3, 3));
    }

    #[test]
    fn what_is_compiled_without_the_pool_loads_in_it() {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let described = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let compiling = for_compiling().unwrap();
        assert_eq!(described(&compiling), described(&start(2).unwrap()));
    }

    #[test]
    fn a_pool_that_no_machine_holds_is_refused_with_advice() {
        assert!(matches!(start(0), Err(EngineError::Instances { asked: 0 })));
        assert!(matches!(start(100_000), Err(EngineError::Instances { .. })));
        let error = EngineError::Reserve {
            instances: 64,
            why: "Cannot allocate memory".into(),
        };
        let text = error.to_string();
        assert!(
            text.contains("768 GiB") && text.contains("ulimit -v"),
            "{text}"
        );
    }
}
