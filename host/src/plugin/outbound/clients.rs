//! The clients: each domain has its own for platforms and for callbacks, and each target with a certificate of its own one
//! besides. Connections, sessions of TLS and whatever else a client keeps are used by nobody else.
//!
//! What was used longest ago is forgotten, and made again when it is wanted: that costs some microseconds, since the
//! authorities of the machine are read once for all of them.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use super::reach::{Resolver, Side};
use super::{Unsent, causes};
use crate::plugin::limits;
use crate::trust::Tls;

/// What requests are for. None of one kind leaves over a connection of the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose {
    /// A provider's, to its platform.
    Platform,
    /// A callback's, to whom the operator granted the domain.
    Callback,
}

/// Whose client it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Whose {
    domain: String,
    purpose: Purpose,
    side: Side,
    /// The target, where it is the target's own.
    target: Option<String>,
}

/// All clients of the host.
pub(super) struct Clients {
    provider: Arc<CryptoProvider>,
    /// None where the machine has no certificates to trust; then it is told to whoever sends.
    public: Result<Arc<dyn ServerCertVerifier>, String>,
    /// Those of domains, and those of targets: each with what makes it the target's own.
    kept: Mutex<LruCache<Whose, (Option<Tls>, Client)>>,
}

impl Clients {
    pub(super) fn new() -> Clients {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let public = rustls_platform_verifier::Verifier::new(Arc::clone(&provider))
            .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
            .map_err(|error| format!("{error}: are ca-certificates installed?"));
        Clients {
            provider,
            public,
            kept: Mutex::new(LruCache::new(limits::CLIENTS)),
        }
    }

    /// The client of a domain, or of one of its targets.
    pub(super) fn of(
        &self,
        domain: &str,
        purpose: Purpose,
        side: Side,
        tls: Option<&Tls>,
    ) -> Result<Client, Unsent> {
        let whose = Whose {
            domain: domain.to_owned(),
            purpose,
            side,
            target: tls.map(|tls| tls.owner.clone()),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = kept.get(&whose).filter(|(known, _)| known.as_ref() == tls) {
            return Ok(client.clone());
        }
        let made = match tls {
            Some(tls) => own(tls, side).map_err(Unsent::Denied)?,
            None => {
                let config = self.config(side).map_err(Unsent::NotSent)?;
                let builder = builder(side).tls_backend_preconfigured(config);
                builder
                    .build()
                    .map_err(|error| Unsent::NotSent(causes(&error)))?
            }
        };
        kept.put(whose, (tls.cloned(), made.clone()));
        Ok(made)
    }

    /// One side of TLS: it checks as all others do, and resumes its own sessions alone.
    fn config(&self, side: Side) -> Result<ClientConfig, String> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let mut config = match side {
            Side::Public => builder
                .dangerous()
                .with_custom_certificate_verifier(self.public.clone()?)
                .with_no_client_auth(),
            // It trusts nobody: a platform here that has TLS is certified by its target's own authority.
            Side::Local => builder
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(limits::SESSIONS);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The client of one target's own. Whoever else has the same address uses other connections.
fn own(tls: &Tls, side: Side) -> Result<Client, String> {
    let mut builder = builder(side);
    if let Some(pem) = &tls.identity_pem {
        let identity = Identity::from_pem(pem.as_bytes())
            .map_err(|_| "the client certificate or its key cannot be used in TLS")?;
        builder = builder.identity(identity);
    }
    if let Some(pem) = &tls.authority_pem {
        let trusted = Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|_| "the target's authority cannot be used in TLS")?;
        builder = builder.tls_certs_only(trusted);
    } else if side == Side::Local {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| causes(&error))
}

pub(super) fn builder(side: Side) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("walnut/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // Whether a request may be repeated is decided by the payment's rules.
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(side == Side::Public)
        .http1_only()
        .http1_max_headers(limits::ANSWER_HEADERS)
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .pool_idle_timeout(limits::CONNECTION_IDLE)
        .pool_max_idle_per_host(limits::CONNECTIONS_IDLE)
        .dns_resolver(Resolver::new(side))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use rustls::client::WebPkiServerVerifier;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};

    use super::*;

    /// A server that gives sessions to be resumed, and greets.
    fn server() -> (std::net::SocketAddr, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(32);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                let _ = stream.write_all(b"x");
                let _ = stream.read(&mut [0]);
            }
        });
        (address, certificate)
    }

    #[test]
    fn a_client_resumes_its_own_sessions_alone() {
        let (address, certificate) = server();
        let mut clients = Clients::new();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&clients.provider),
        );
        clients.public = Ok(verifier.build().unwrap());
        let [shop, rival] = [(); 2].map(|()| Arc::new(clients.config(Side::Public).unwrap()));
        let connect = |config: &Arc<ClientConfig>| {
            let name = ServerName::try_from("localhost").unwrap();
            let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
            let stream = TcpStream::connect(address).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            stream.read_exact(&mut [0]).unwrap();
            stream.conn.handshake_kind().unwrap()
        };
        assert_eq!(connect(&shop), HandshakeKind::Full);
        assert_eq!(connect(&shop), HandshakeKind::Resumed);
        assert_eq!(connect(&rival), HandshakeKind::Full);
        assert_eq!(connect(&rival), HandshakeKind::Resumed);
        assert_eq!(connect(&shop), HandshakeKind::Resumed);
        // Who trusts nobody trusts nobody.
        let nobody = Arc::new(clients.config(Side::Local).unwrap());
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(nobody, name).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        assert!(stream.read_exact(&mut [0]).is_err());
    }
}
