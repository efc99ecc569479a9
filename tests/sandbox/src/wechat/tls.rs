//! The listener with TLS. Whoever connects may present a certificate of Tenpay's authority, as
//! v2's `/secapi` demands of its merchants; one of another authority ends the handshake.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::issuer::Issuer;
use super::line::{CuttableStream, Line, Lines};
use super::signing::KeyError;

/// How long a client may take for its part of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections after their handshake.
type Shaken = (TlsStream<CuttableStream>, Line);

/// A listener with TLS whose connections can be cut.
pub(super) struct TlsLines {
    lines: Lines,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<Shaken>>,
}

impl TlsLines {
    pub(super) fn new(
        lines: Lines,
        servers: &Issuer,
        clients: &Issuer,
    ) -> Result<TlsLines, KeyError> {
        let config = config(servers, clients)?;
        Ok(TlsLines {
            lines,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: JoinSet::new(),
        })
    }
}

fn config(servers: &Issuer, clients: &Issuer) -> Result<ServerConfig, KeyError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(clients.der()).map_err(|_| KeyError::Generate)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|_| KeyError::Generate)?;
    let (certificate, key) = servers.server()?;
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| KeyError::Generate)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate, servers.der()], key)
        .map_err(|_| KeyError::Generate)
}

async fn shake(acceptor: TlsAcceptor, stream: CuttableStream, mut line: Line) -> Option<Shaken> {
    let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "no handshake");
            return None;
        }
        Err(_) => return None,
    };
    line.secure = true;
    let presented = stream.get_ref().1.peer_certificates();
    line.client = presented
        .and_then(|chain| chain.first())
        .map(|certificate| Arc::from(certificate.as_ref()));
    Some((stream, line))
}

impl Listener for TlsLines {
    type Io = TlsStream<CuttableStream>;
    type Addr = Line;

    async fn accept(&mut self) -> Shaken {
        loop {
            tokio::select! {
                (stream, line) = self.lines.accept() => {
                    let acceptor = self.acceptor.clone();
                    self.handshakes.spawn(shake(acceptor, stream, line));
                }
                Some(done) = self.handshakes.join_next(), if !self.handshakes.is_empty() => {
                    if let Ok(Some(shaken)) = done {
                        return shaken;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Line> {
        self.lines.local_addr()
    }
}

impl Connected<IncomingStream<'_, TlsLines>> for Line {
    fn connect_info(stream: IncomingStream<'_, TlsLines>) -> Line {
        stream.remote_addr().clone()
    }
}
