//! Scripts.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // Starting the sandbox takes longer than an input may.
    init: walnut_fuzz::script(b"1"),
    |bytes: &[u8]| walnut_fuzz::script(bytes)
);
