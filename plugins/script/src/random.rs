//! `getrandom` on a target that has no system: the host's numbers. Boa seeds `Math.random` with them.

// The symbol is what `getrandom` looks for.
#![allow(unsafe_code)]

use core::slice;

use getrandom::Error;
use walnut_sdk::random;

/// The host gives at most so many bytes a call.
const MOST: usize = 4_096;

/// Fills `len` bytes at `dest`.
///
/// # Safety
/// As `getrandom` promises: `dest` is valid for writes of `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise; zeroed first, since the bytes may not have been written yet.
    let room = unsafe {
        dest.write_bytes(0, len);
        slice::from_raw_parts_mut(dest, len)
    };
    for part in room.chunks_mut(MOST) {
        let count = u32::try_from(part.len()).map_err(|_| Error::UNEXPECTED)?;
        let bytes = random::bytes(count);
        if bytes.len() != part.len() {
            return Err(Error::UNEXPECTED);
        }
        part.copy_from_slice(&bytes);
    }
    Ok(())
}
