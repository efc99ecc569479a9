//! walnut: one payment service for many domains. The host owns the payments and the HTTP
//! endpoints; every platform's flow and every domain's callback is a sandboxed component.
//!
//! Dependencies point one way: [`http`], [`cli`] and [`work`] use [`payment`], which uses [`trust`],
//! [`store`], [`plugin`] and [`home`].

mod asker;
pub mod cli;
pub mod config;
pub mod home;
pub mod http;
mod logging;
mod measured;
#[doc(hidden)]
pub mod outside;
mod party;
pub mod payment;
pub mod plugin;
mod relaxed;
pub mod running;
pub mod store;
pub mod trust;
mod undumped;
pub mod work;
