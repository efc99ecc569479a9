//! What the host vouches for: messages that it received, and statements that it verified.

use std::fmt;

use crate::host;

/// Bytes that the host received: a notification, or the answer to a request that it sent.
/// `status()` is the HTTP status of an answer and 0 for a notification; `header(name)` is a header
/// by its name in any case; `body()` is the bytes as received.
#[cfg(target_arch = "wasm32")]
pub use crate::bindings::provider::walnut::pay::trust::Message;
#[cfg(not(target_arch = "wasm32"))]
pub use crate::native::Message;

/// Bytes that a platform signed, or encrypted for this target, or answered to a request that the
/// host authenticated. `text()` is what it stated. Only the host makes statements.
#[cfg(target_arch = "wasm32")]
pub use crate::bindings::provider::walnut::pay::trust::Statement;
#[cfg(not(target_arch = "wasm32"))]
pub use crate::native::Statement;

/// Why there is no statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The manifest has no scheme of this name, or the scheme is not for this use.
    UnknownScheme(String),
    /// The message names a key (by its serial number) that the target does not have.
    UnknownKey(String),
    /// Older or newer than the scheme's window allows.
    Stale,
    /// The signature does not hold.
    BadSignature,
    /// The message does not have the form that the scheme describes.
    Malformed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::UnknownScheme(what) => write!(f, "unknown scheme: {what}"),
            Failure::UnknownKey(what) => write!(f, "signed with an unknown key: {what}"),
            Failure::Stale => f.write_str("outside the time window"),
            Failure::BadSignature => f.write_str("the signature does not hold"),
            Failure::Malformed(what) => write!(f, "malformed: {what}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Checks a message by a scheme of the manifest.
pub fn verify(message: &Message, scheme: &str) -> Result<Statement, Failure> {
    host::verify(message, scheme)
}

/// Decrypts a part of a statement by a scheme of the manifest; the plain text is a statement too.
pub fn open(statement: &Statement, scheme: &str) -> Result<Statement, Failure> {
    host::open(statement, scheme)
}

/// Takes the platform's new certificates out of an answer; their serial numbers come back.
pub fn renew(message: &Message, scheme: &str) -> Result<Vec<String>, Failure> {
    host::renew(message, scheme)
}

/// Signs a template of the manifest for the buyer's client, with values named as in the template.
pub fn sign(template: &str, values: Vec<(String, String)>) -> Result<String, Failure> {
    host::sign(template, values)
}
