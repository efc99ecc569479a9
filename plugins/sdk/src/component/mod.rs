//! The host, seen from a component: the contract's words become the SDK's.

#[cfg(feature = "callback")]
mod callback;
#[cfg(feature = "provider")]
mod provider;

#[cfg(feature = "callback")]
pub(crate) use callback::*;
#[cfg(feature = "provider")]
pub(crate) use provider::*;

// Both worlds have these; one of them is enough.
#[cfg(not(feature = "provider"))]
use crate::bindings::callback::walnut::pay as contract;
#[cfg(feature = "provider")]
use crate::bindings::provider::walnut::pay as contract;
use crate::log;

pub(crate) fn now_ms() -> u64 {
    // The contract gives whole milliseconds below 2^53, since JavaScript tools trip over 64-bit
    // integers.
    contract::clock::now_ms() as u64
}

pub(crate) fn random(count: u32) -> Vec<u8> {
    contract::random::bytes(count)
}

pub(crate) fn log(level: log::Level, line: &str) {
    use contract::log::Level as Theirs;
    let level = match level {
        log::Level::Debug => Theirs::Debug,
        log::Level::Info => Theirs::Info,
        log::Level::Warn => Theirs::Warn,
        log::Level::Error => Theirs::Error,
    };
    contract::log::write(level, line);
}
