//! What makes a target's connections its own.

use std::fmt;
use std::sync::Arc;

/// A target's own side of TLS. A connection that was made with it is used for nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// Domain, platform, target, version and identity: who may use such a connection.
    pub owner: String,
    /// The client certificate and its key, PEM. A secret.
    pub identity_pem: Option<Arc<str>>,
    /// The authority that certifies a test target's own address, PEM.
    pub authority_pem: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
