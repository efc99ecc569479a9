//! Why the platform cannot do what was asked of it here.

use super::certificate::CertificateError;

/// Why the platform cannot do what was asked of it here.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The port cannot be used.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// As in the options.
        port: u16,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The client that sends notifications cannot be made.
    #[error("cannot make the client that sends notifications")]
    Client(#[source] reqwest::Error),
    /// The machine has no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// A certificate cannot be made.
    #[error("cannot make the certificates that sign notifications")]
    Certificate(#[from] CertificateError),
    /// No order is called so.
    #[error("no order is called {0}")]
    NoOrder(String),
    /// The merchant has no webhook, and the notice names no other address.
    #[error("the order {0} has no address to notify")]
    NoAddress(String),
    /// The state does not allow it.
    #[error("the state of {0} does not allow this")]
    State(String),
}
