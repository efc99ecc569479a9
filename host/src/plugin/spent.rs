//! What a run of a callback cost, beside what it may cost.

use std::time::Duration;

use super::call::Call;
use super::callback::ForCallback;
use super::error::PluginError;
use super::limits;

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// From the instance's start to the answer, waiting included.
    pub micros: u64,
    /// The time in which it ran, without that in which it waited.
    pub cpu_micros: u64,
    /// The most that all memories and tables had together.
    pub memory_bytes: u64,
    /// Calls to the host.
    pub host_calls: u64,
    /// Keys of `kv` that it looked at.
    pub kv_reads: u64,
    /// Bytes of those keys' values.
    pub kv_read_bytes: u64,
    /// Keys that it wrote or deleted.
    pub kv_writes: u64,
    /// Bytes of those keys and values.
    pub kv_write_bytes: u64,
    /// Events.
    pub events: u64,
    /// Requests to the web.
    pub requests: u64,
    /// Bytes of the answer; of an error its text.
    pub answer_bytes: u64,
}

impl Spent {
    /// The most that one run may cost: what passes it ends the run, or is refused with a typed error.
    pub const LIMITS: Spent = Spent {
        micros: micros(limits::CALLBACK_CALL.wall),
        cpu_micros: micros(limits::EPOCH_TICK) * limits::CALLBACK_CALL.cpu_ticks as u64,
        memory_bytes: limits::CALL_BYTES as u64,
        host_calls: limits::HOST_CALLS as u64,
        kv_reads: limits::KV_READS as u64,
        kv_read_bytes: limits::KV_READ_BYTES as u64,
        kv_writes: limits::KV_WRITES as u64,
        kv_write_bytes: limits::KV_WRITE_BYTES as u64,
        events: limits::EVENTS as u64,
        requests: limits::WEB_REQUESTS as u64,
        answer_bytes: limits::JSON_BYTES as u64,
    };

    /// Of a call that has ended.
    pub(super) fn of(
        call: &Call<ForCallback>,
        ran: Duration,
        end: &Result<Result<String, String>, PluginError>,
    ) -> Spent {
        let answer = match end {
            Ok(Ok(text) | Err(text)) => text.len(),
            Err(_) => 0,
        };
        let kv = call.world.kv.used();
        Spent {
            micros: micros(call.elapsed()),
            cpu_micros: micros(ran),
            memory_bytes: call.memory_bytes(),
            host_calls: u64::from(call.host_calls()),
            kv_reads: kv.reads as u64,
            kv_read_bytes: kv.read_bytes as u64,
            kv_writes: kv.writes as u64,
            kv_write_bytes: kv.write_bytes as u64,
            events: call.world.events.len() as u64,
            requests: u64::from(call.world.requests.made()),
            answer_bytes: answer as u64,
        }
    }
}

/// Whole microseconds; a run has fewer than 2^64.
const fn micros(time: Duration) -> u64 {
    time.as_secs() * 1_000_000 + time.subsec_micros() as u64
}
