//! Runs callbacks that their owners wrote as JavaScript text: the component of the world `script-plugin`.
//!
//! A text is the body of a function of `payment` and `delivery`, in strict mode; what it returns is the payment's
//! `apply_re`. Besides the language it has `kv`, `web`, `payments`, `events`, `log` and `console`, and nothing else: no
//! files, no modules, no timers. It runs to its end at once, so that promises have no meaning here.
//!
//! | file | is |
//! |---|---|
//! | `syntax` | whether a text is a script, and where it is not |
//! | `engine` | the engine with the host's clock, and one run in it |
//! | `capability/` | what a script may ask of the host, one file per interface of `wit/` |
//! | `json` | JSON texts and JavaScript values |
//! | `thrown` | errors: those that capabilities throw, and the words of those that nobody caught |
//! | `component`, `random` | the exports, and random numbers, on WebAssembly |

mod capability;
mod engine;
mod json;
mod syntax;
mod thrown;

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
mod random;

pub use engine::run;
pub use syntax::{SyntaxError, check};
