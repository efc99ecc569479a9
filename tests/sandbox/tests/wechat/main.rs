//! The simulated WeChat Pay over real HTTP and TLS: a merchant's requests, buyers, and what the
//! merchant is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bills;
mod control;
mod faults;
mod keys;
mod merchant;
mod notifications;
mod orders;
mod refunds;
mod requests;
mod till;
mod v2;
mod vectors;
