//! Components that only tests use.

/// A provider that lies in the way that the attempt's meta asks for: `tests/guests/liar`.
pub const LIAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/liar.wasm"));

/// A callback that does what the payment's `script` says: `tests/guests/scripted`.
pub const SCRIPTED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scripted.wasm"));
