//! The sandbox: one engine in which providers and callbacks run as components, each call in a fresh instance.
//!
//! | file                      | is                                                                           |
//! | ------------------------- | ---------------------------------------------------------------------------- |
//! | `engine`                  | the engine, its pool and the thread that counts time                         |
//! | `limits`                  | every limit and timeout, with its reason                                     |
//! | `admission`, `world`      | what a component has to be before anything of it runs                        |
//! | `compiler`                | the compiler, in a process of its own                                        |
//! | `component`               | from a module to a component, for whoever builds a callback                  |
//! | `compiled`, `registry`    | the code on disk and in memory                                               |
//! | `pool`, `call`            | a place, and one call with its time, memory and log                          |
//! | `provider`, `callback`    | the two worlds, as the payment's rules call them                             |
//! | `script`                  | the component that runs callbacks written as JavaScript text                 |
//! | `signature`               | who made a component                                                         |
//! | `json`                    | what plugins give back as JSON                                               |
//! | `stubs`                   | words for guests that stop themselves                                        |
//! | `meter`                   | what calls take and how they end, counted                                    |
//! | `spent`                   | what a run of a callback cost, beside what it may cost                       |
//! | `bill`                    | the platform's bill of a day: fetched, unpacked, read                        |
//! | `capability/`             | what guests may ask of the host: one file per interface of `wit/`            |
//! | `web`                     | the requests of callbacks, and where they go                                 |
//! | `outbound`, `address`     | the requests that the host sends for plugins, and what it may connect to     |
//! | `clocks`                  | what platforms' clocks say beside this machine's                             |
//! | `token`                   | tokens for those of providers that need one                                  |
//! | `outside`                 | what the tests of everything that reads from outside are let in to           |
//!
//! The payment's rules and the background work enter by [`Plugins`], [`Provider`] and [`Callback`]. Nobody else
//! knows wasmtime.

mod address;
mod admission;
mod bill;
mod bindings;
mod call;
mod callback;
mod capability;
mod clocks;
mod compiled;
mod compiler;
mod component;
mod engine;
mod error;
mod json;
mod limits;
mod meter;
mod outbound;
pub(crate) mod outside;
mod plugins;
mod pool;
mod provider;
mod registry;
mod script;
mod signature;
mod spent;
mod stubs;
mod token;
mod web;
mod world;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod refused;

pub use admission::{MANIFEST_SECTION, Refusal, WorldMismatch};
pub use bill::BillError;
pub use callback::{
    Callback, CallbackCall, DeliveryView, DomainView, Effects, EmptyDomain, Observed, Run,
    ViewError, Viewed,
};
pub use compiler::{COMPILE_COMMAND, compile_for_parent};
pub use component::{Unfit, callback_component};
pub use engine::EngineError;
pub use error::{Kind, PluginError};
pub use plugins::{Admitted, Loaded, NotLoaded, PluginOptions, Plugins};
pub use provider::{
    AttemptView, Bill, BillRow, Completed, Fault, Hint, Named, Outcome, Provider, ProviderCall,
    RefundView, Reversal, Said, Sent,
};
pub use signature::{Author, AuthorKey, Unsigned, author, check as check_author};
pub use spent::Spent;
pub use web::{Web, WebAnswer, WebAnswers, WebFailure, WebHost, WebRequest};
