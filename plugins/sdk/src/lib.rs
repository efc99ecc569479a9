//! What components in Rust are written with.
//!
//! A **provider** speaks one platform's protocol: implement [`Provider`] and name it in
//! [`export_provider!`]. A **callback** runs after a payment became OK: name a function in
//! [`callback!`]. Either needs the feature of its name (`provider`, `callback`), since a component
//! has the imports of its own world only.
//!
//! | module | is |
//! |---|---|
//! | [`provider`], [`callback`] | the two kinds of component |
//! | [`trust`], [`http`], [`settings`] | what providers may use |
//! | [`payments`], [`kv`], [`web`], [`events`] | what callbacks may use |
//! | [`clock`], [`random`], [`log`] | what both may use |
//! | [`money`], [`time`], [`form`], [`xml`], [`text`] | exact money, platforms' ways to write times, forms and XML |
//!
//! Compiled for WebAssembly every capability is the host's. Compiled natively it is a
//! [`native::Host`] of the current thread: a double in unit tests, or real parts in a benchmark.

pub mod clock;
pub mod form;
pub mod log;
pub mod money;
pub mod random;
pub mod text;
pub mod time;
pub mod xml;

/// Items of one world. A component links the imports of its own world only, natively all are there.
macro_rules! world {
    ($feature:literal $($item:item)+) => {
        $(#[cfg(any(not(target_arch = "wasm32"), feature = $feature))] $item)+
    };
}

world! { "provider"
    pub mod http;
    pub mod provider;
    pub mod settings;
    pub mod trust;
    pub use provider::{
        Attempt, Bill, BillRow, Evidence, Fault, Hint, Outcome, Presentation, Provider, RefundOrder,
        Reversal, Sent,
    };
    pub use trust::{Message, Statement};
}

world! { "callback"
    pub mod callback;
    pub mod events;
    pub mod kv;
    pub mod payments;
    pub mod web;
    pub use callback::{Delivery, Payment};
}

// A script may run for seconds and throw away more than it may hold at once.
#[cfg(all(target_arch = "wasm32", not(feature = "script")))]
mod arena;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod export;
#[cfg(target_arch = "wasm32")]
use component as host;

#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(not(target_arch = "wasm32"))]
use native::installed as host;

#[cfg(all(
    target_arch = "wasm32",
    not(any(feature = "provider", feature = "callback"))
))]
compile_error!("a component needs walnut-sdk with the feature \"provider\" or \"callback\"");

pub use money::{Currency, Money};

/// The JSON that guests and host exchange.
pub use serde_json;
