//! Bodies of WeChat Pay.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| walnut_fuzz::wx(bytes));
