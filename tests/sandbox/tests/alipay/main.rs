//! The simulated Alipay over real HTTP: a merchant's requests, a buyer, and what the merchant is
//! told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bills;
mod certificates;
mod control;
mod faults;
mod gateway;
mod lifecycle;
mod merchant;
mod notifications;
mod pages;
mod refunds;
mod till;
mod transport;
