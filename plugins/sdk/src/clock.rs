//! The host's clock.

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    crate::host::now_ms()
}
