//! The simulated PayPal over real HTTP: a merchant's requests, a buyer, and what the merchant is
//! told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod api;
mod faults;
mod lifecycle;
mod merchant;
mod refunds;
mod reports;
mod request_ids;
mod webhooks;
