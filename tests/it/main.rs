//! End to end: the real binary over HTTP, real components, the simulated platform.
//!
//! Each file is a story or a table of them; `world` starts what they need on ports that the kernel
//! picks, in directories of their own, so that they run in any order and side by side.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod world;

mod accounts;
mod addresses;
mod api;
mod callbacks;
mod callers;
mod care;
mod codes;
mod crash;
mod declines;
mod demo;
mod doctor;
mod domain_following;
mod edge;
mod following;
mod free;
mod guarding;
mod lies;
mod life;
mod line;
mod metrics;
mod notifications;
mod openapi;
mod options;
mod original_defects;
mod pages;
mod paypal;
mod postgres;
mod reconcile;
mod sandbox;
mod scripts;
mod secrets;
mod sharing;
mod spans;
mod supply;
mod tenants;
mod terminal;
mod vault;
mod watching;
mod wechat;
mod workbench;
mod zfb;
