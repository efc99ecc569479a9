//! Messages to whoever watches the payment; sent when the delivery has committed.

use serde::Serialize;

/// Sends `data` under a name of 1 to 64 letters, digits, dots, dashes and underscores; at most 32
/// events a delivery, 16 KiB each.
///
/// # Errors
/// The host's words about what it does not take.
pub fn emit<T: Serialize>(name: &str, data: &T) -> Result<(), String> {
    let json = serde_json::to_string(data).map_err(|error| error.to_string())?;
    emit_json(name, &json)
}

/// Sends a JSON text as it is.
///
/// # Errors
/// As [`emit`].
pub fn emit_json(name: &str, json: &str) -> Result<(), String> {
    crate::host::emit(name, json)
}
