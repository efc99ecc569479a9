//! The body of `create`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walnut_fuzz::create(bytes));
