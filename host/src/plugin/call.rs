//! One call of a plugin: an instance and a store of its own, and everything that bounds it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Span;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use super::capability::log::Log;
use super::error::{PluginError, Stop, Who};
use super::limits::{self, CallLimits};
use super::meter::{Counted, Meter as Counts, Plugin};
use super::pool::{Permits, Pool};

/// What the host keeps for a call while it runs. `R` is what the call's world adds.
pub(super) struct Call<R> {
    /// What the provider world or the callback world adds.
    pub(super) world: R,
    /// Messages and statements.
    pub(super) table: ResourceTable,
    /// What the guest wrote.
    pub(super) log: Log,
    /// What is counted of all calls.
    pub(super) counts: Arc<Counts>,
    meter: Meter,
    host_calls: u32,
    started: Instant,
    started_ms: u64,
}

impl<R> Call<R> {
    /// Counts a call to the host; every capability starts with it.
    pub(super) fn count(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > limits::HOST_CALLS {
            return Err(Stop::HostCalls.into());
        }
        Ok(())
    }

    /// The host's time: what the caller said at the start, and what has passed since.
    pub(super) fn time_ms(&self) -> u64 {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.saturating_add(passed)
    }

    /// The most memory that the call had.
    pub(super) fn memory_bytes(&self) -> u64 {
        u64::try_from(self.meter.peak).unwrap_or(u64::MAX)
    }

    /// How often the call asked the host for something.
    pub(super) fn host_calls(&self) -> u32 {
        self.host_calls
    }

    /// How long the call has been running.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A call that has its place in the pool.
pub(super) struct Running<R: 'static> {
    pub(super) store: Store<Call<R>>,
    limits: CallLimits,
    who: Who,
    plugin: Plugin,
    span: Span,
    // Behind the store: the place is free when the instance is gone.
    _permits: Permits,
}

impl<R: Counted + Send + 'static> Running<R> {
    pub(super) fn start(
        pool: &Pool,
        permits: Permits,
        limits: CallLimits,
        who: Who,
        world: R,
        now_ms: u64,
    ) -> Running<R> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::RESOURCES);
        let call = Call {
            world,
            table,
            log: Log::default(),
            counts: pool.counts.clone(),
            meter: Meter::default(),
            host_calls: 0,
            started: Instant::now(),
            started_ms: now_ms,
        };
        let mut store = Store::new(&pool.engine, call);
        store.limiter(|call| &mut call.meter);
        store.set_hostcall_fuel(limits::HOST_CALL_BYTES);
        store.set_max_component_handles(limits::HANDLES);
        let mut ticks_left = limits.cpu_ticks;
        let cpu = limits.cpu();
        store.set_epoch_deadline(1);
        // A tick that passes while the guest waits for the host is found when it runs again, and counts once: what
        // is bounded is the time that it runs.
        store.epoch_deadline_callback(move |_| match ticks_left.checked_sub(1) {
            Some(left) => {
                ticks_left = left;
                Ok(UpdateDeadline::YieldCustom(
                    1,
                    Box::pin(tokio::task::yield_now()),
                ))
            }
            None => Err(Stop::Cpu(cpu).into()),
        });
        let plugin = R::plugin(&who);
        Running {
            store,
            limits,
            span: plugin.span(),
            plugin,
            who,
            _permits: permits,
        }
    }

    /// The same, of what nobody has approved or uploaded yet.
    pub(super) fn in_admission(self) -> Running<R> {
        Running {
            plugin: Plugin::in_admission(),
            ..self
        }
    }

    /// The time on the wall that the call may take.
    pub(super) fn wall(&self) -> Duration {
        self.limits.wall
    }

    /// What the call is in what it was made for.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Ends the call: gives what the guest answered and what the host kept, or tells what went wrong.
    pub(super) fn end<T>(self, answer: wasmtime::Result<T>) -> Result<(T, Call<R>), PluginError> {
        let (answer, call) = self.close(answer);
        answer.map(|answer| (answer, call))
    }

    /// The same, and what the host kept is there whatever went wrong.
    pub(super) fn close<T>(self, answer: wasmtime::Result<T>) -> (Result<T, PluginError>, Call<R>) {
        let answer = answer.map_err(|error| self.who.failed(&error, self.store.data().log.tail()));
        let call = self.store.into_data();
        let end = match &answer {
            Ok(_) => "ok",
            Err(error) => error.kind.as_str(),
        };
        self.span.record("walnut.end", end);
        let (took, memory) = (call.elapsed(), call.memory_bytes());
        call.counts.ended(self.plugin, end, took, memory);
        (answer, call)
    }
}

/// Adds the time in which a call ran, without that in which it waited.
pub(super) async fn measured<T>(ran: &mut Duration, call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    poll_fn(|context| {
        let started = Instant::now();
        let polled = call.as_mut().poll(context);
        *ran += started.elapsed();
        polled
    })
    .await
}

/// Bounds a call on the wall.
pub(super) async fn within<T>(
    wall: Duration,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    match tokio::time::timeout(wall, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Stop::Wall(wall).into()),
    }
}

/// Adds up all memories and tables of a call. Growth that is refused ends the call, so that its owner reads
/// `memory` and a backtrace instead of whatever a guest does when an allocation fails.
#[derive(Default)]
struct Meter {
    used: usize,
    peak: usize,
}

impl Meter {
    fn grow(&mut self, current: usize, desired: usize, most: usize) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add(desired.saturating_sub(current));
        if wanted > limits::CALL_BYTES {
            return Err(Stop::Memory { wanted }.into());
        }
        if desired > most {
            return Err(Stop::Growth.into());
        }
        self.used = wanted;
        self.peak = self.peak.max(wanted);
        Ok(true)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired, maximum.unwrap_or(limits::MEMORY_BYTES))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Stop::Growth.into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = |elements: usize| elements.saturating_mul(limits::TABLE_ELEMENT_BYTES);
        let most = maximum
            .unwrap_or(limits::TABLE_ELEMENTS)
            .min(limits::TABLE_ELEMENTS);
        self.grow(bytes(current), bytes(desired), bytes(most))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Stop::Growth.into())
    }

    fn instances(&self) -> usize {
        limits::CORE_INSTANCES as usize
    }

    fn memories(&self) -> usize {
        limits::MEMORIES as usize
    }

    fn tables(&self) -> usize {
        limits::TABLES as usize
    }
}
