//! What the macros put between the contract's exports and a guest's own code.

#[cfg(feature = "callback")]
mod callback;
#[cfg(feature = "provider")]
mod provider;

#[cfg(feature = "callback")]
pub use callback::run_callback;
#[cfg(feature = "provider")]
pub use provider::ProviderComponent;

use crate::log;

/// A panic ends as a bare `unreachable`; its words go to the log first.
fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        log::write(log::Level::Error, &panic.to_string())
    }));
}
