//! Words that say who asks and for what.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walnut_fuzz::caller(bytes));
