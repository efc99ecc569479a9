//! The host's cryptographic random numbers.

/// At most 4,096 bytes a call; more gives none.
pub fn bytes(count: u32) -> Vec<u8> {
    crate::host::random(count)
}
