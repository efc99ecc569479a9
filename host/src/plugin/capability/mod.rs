//! What plugins may ask of the host: one file per interface of `wit/`, and nothing is linked that is not
//! here. Each function counts itself, checks the guest's limits, and answers with the interface's own typed
//! errors; it ends the call only where the guest broke a limit or the host cannot do its part.

mod clock;
mod events;
mod http;
pub(super) mod kv;
pub(super) mod log;
mod payments;
mod random;
mod settings;
mod trust;
pub(super) mod web;

use crate::plugin::bindings::provider::walnut::pay::types;
use crate::plugin::call::Call;

// An interface of types alone.
impl<R> types::Host for Call<R> {}

impl crate::plugin::bindings::callback::walnut::pay::delivery_types::Host
    for Call<crate::plugin::callback::ForCallback>
{
}

/// Whether a text can name an event or a step: letters, digits, dots, dashes and underscores.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=crate::plugin::limits::NAME_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}
