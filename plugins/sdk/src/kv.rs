//! The domain's small data. Reads see the delivery's own writes; all of it commits together with
//! the payment's `apply_at`, or none of it.
//!
//! A key has 1 to 256 bytes, a value at most 64 KiB; a domain has at most 16 MiB of both.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host;

/// Why nothing was read or written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The domain's room, or what one delivery may write, is used up.
    Quota,
    /// The key or value is not allowed.
    Denied(String),
    /// The value is not the JSON that was asked for.
    NotJson(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Quota => f.write_str("the domain's room for data is used up"),
            Failure::Denied(why) => write!(f, "not allowed: {why}"),
            Failure::NotJson(why) => write!(f, "not the expected JSON: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// The bytes under a key; none when there are none.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Failure> {
    host::kv_get(key)
}

/// Writes bytes under a key.
pub fn set(key: &str, value: Vec<u8>) -> Result<(), Failure> {
    host::kv_set(key, value)
}

/// The JSON under a key, read as `T`; none when there is none.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Failure> {
    let Some(bytes) = get(key)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Failure::NotJson(format!("{key}: {error}")))
}

/// Writes JSON under a key.
pub fn set_json<T: Serialize>(key: &str, value: &T) -> Result<(), Failure> {
    let json = serde_json::to_vec(value);
    set(
        key,
        json.map_err(|error| Failure::NotJson(format!("{key}: {error}")))?,
    )
}

/// Removes a key; it is fine when there is none.
pub fn delete(key: &str) -> Result<(), Failure> {
    host::kv_delete(key)
}

/// Adds to an integer (a missing one is 0) and gives the sum.
pub fn increment(key: &str, by: i64) -> Result<i64, Failure> {
    host::kv_increment(key, by)
}
