//! JSON as people write it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walnut_fuzz::relaxed(bytes));
