//! Where a request comes from.

use std::net::IpAddr;

/// Beside each request that came by TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByTls;

/// The address at the other end of the connection; the server puts it beside each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(pub(super) IpAddr);
