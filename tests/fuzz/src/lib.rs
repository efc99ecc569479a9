//! Everything that reads bytes from outside, tried with bytes that nobody meant: one function for each corpus in
//! `tests/corpus`. Each reads its input or refuses it, and panics where something holds that must not, or the other
//! way round.
//!
//! The same functions are tried with changes that are made blindly, in `cargo test` (`mutated`), and with changes
//! that libFuzzer makes by what they reach in walnut's code (`fuzz_targets`, by `tests/fuzz/run` or `cargo fuzz`).
//!
//! | file | tries |
//! |---|---|
//! | [`platforms`] | what platforms send: as it is, and signed anew by a platform's keys |
//! | [`texts`] | forms, XML, JSON, questions, `create`, manifests, settings |
//! | [`uploads`] | components, scripts, bills |
//! | [`callers`] | what says who asks and for what |
//! | [`keys`] | keys and certificates, made anew in each run |
//!
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is a test"
)]

mod callers;
mod keys;
#[cfg(test)]
mod mutated;
mod platforms;
mod texts;
mod uploads;

pub use callers::caller;
pub use platforms::{certificate, paypal, wx, zfb};
pub use texts::{create, form, json, manifest, question, relaxed, settings, xml};
pub use uploads::{bill, component, script};

/// When it is, for all of them: noon in China on the 25th of December 2026.
pub(crate) const NOW_MS: u64 = 1_798_171_200_000;

/// The trade that everything has to be about.
pub(crate) const TRADE: &str = "0190a1b2c3d47e5f8091a2b3c4d5e6f7";
