//! Read-only sight of the domain's own payments.

use serde_json::Value;

use crate::callback::Payment;
use crate::host;

/// A payment by its id; none when the domain has no such payment.
pub fn get(id: &str) -> Option<Payment> {
    Payment::from_json(&get_json(id)?).ok()
}

/// The same as the host's JSON text.
pub fn get_json(id: &str) -> Option<String> {
    host::payment(id)
}

/// At most `limit` (1 to 100) payments, the newest first. `matching` is a JSON object of columns
/// and the values they must equal.
///
/// # Errors
/// The host's words about what it does not take.
pub fn query(matching: &Value, limit: u32) -> Result<Vec<Payment>, String> {
    let found = query_json(&matching.to_string(), limit)?;
    found
        .iter()
        .map(|json| Payment::from_json(json).map_err(|error| error.to_string()))
        .collect()
}

/// The same as JSON texts, of the question as well.
///
/// # Errors
/// As [`query`].
pub fn query_json(matching: &str, limit: u32) -> Result<Vec<String>, String> {
    host::payments(matching, limit)
}
