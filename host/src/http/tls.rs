//! TLS by the host itself: a certificate and its key, from files that are read anew when the operator says so.

mod looked_over;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

/// The protocols that are offered, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [super::http2::NAME, b"http/1.1"];

/// Where certificate and key are: PEM, the host's own certificate first and then those that lead to an authority.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The chain of certificates.
    pub certificate: PathBuf,
    /// The private key of the first of them.
    pub key: PathBuf,
}

/// A pair that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", .file.display())]
    Unread {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file has none of what it should have.
    #[error("{} has no {what} in PEM", .file.display())]
    Empty {
        /// Which.
        file: PathBuf,
        /// What it should have.
        what: &'static str,
    },
    /// The two do not belong together, or one is of no use.
    #[error("{} with {}: {why}", .files.certificate.display(), .files.key.display())]
    Unfit {
        /// Both.
        files: TlsFiles,
        /// Why.
        why: String,
    },
}

/// What connections are encrypted with: the newest pair that could be used.
pub(crate) struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<Current>>,
}

/// Where the host speaks TLS itself, for those who tell of it.
#[derive(Clone)]
pub(super) struct OwnTls(pub(super) Option<Arc<Tls>>);

struct Current {
    config: Arc<ServerConfig>,
    own: Own,
}

/// The host's own certificate, of those that lead to an authority.
struct Own {
    certificate: CertificateDer<'static>,
    from: ASN1Time,
    until: Until,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: TlsFiles) -> Result<Tls, TlsError> {
        let read = read(&files)?;
        let until = &read.own.until;
        if until.is_past() {
            tracing::warn!(%until, "ALERT: the certificate has ended: nobody will believe this host");
        }
        Ok(Tls {
            current: RwLock::new(Arc::new(read)),
            files,
        })
    }

    /// Reads the files again. New connections have what they have now; a pair that cannot be used changes nothing.
    pub(crate) fn read_anew(&self) {
        let read = read(&self.files).and_then(|read| match read.own.until.is_past() {
            true => Err(unfit(
                &self.files,
                format!("the certificate ended on {}", read.own.until),
            )),
            false => Ok(Arc::new(read)),
        });
        match read {
            Ok(read) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&read);
                tracing::info!(until = %read.own.until, "the certificate was read anew");
            }
            Err(error) => tracing::error!("ALERT: the certificate stays as it was: {error}"),
        }
    }

    /// For one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current().config))
    }

    /// When the certificate of new connections ends, in seconds since 1970.
    pub(super) fn until(&self) -> u64 {
        let until = self.current().own.until.0.timestamp();
        u64::try_from(until).unwrap_or_default()
    }

    fn current(&self) -> Arc<Current> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

/// Until when a certificate is good.
struct Until(ASN1Time);

impl Until {
    fn is_past(&self) -> bool {
        self.0 < ASN1Time::now()
    }
}

impl std::fmt::Display for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn read(files: &TlsFiles) -> Result<Current, TlsError> {
    let text = contents(&files.certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| empty(&files.certificate, "certificate"))?;
    // Wiped when it is dropped.
    let text = zeroize::Zeroizing::new(contents(&files.key)?);
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| empty(&files.key, "private key"))?;
    let own = chain.first().and_then(|certificate| {
        let (_, own) = X509Certificate::from_der(certificate).ok()?;
        Some(Own {
            certificate: certificate.clone().into_owned(),
            from: own.validity().not_before,
            until: Until(own.validity().not_after),
        })
    });
    let own = own.ok_or_else(|| empty(&files.certificate, "certificate"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| unfit(files, error.to_string()))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Current {
        config: Arc::new(config),
        own,
    })
}

fn contents(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::Unread {
        file: file.to_owned(),
        error,
    })
}

fn empty(file: &Path, what: &'static str) -> TlsError {
    TlsError::Empty {
        file: file.to_owned(),
        what,
    }
}

fn unfit(files: &TlsFiles, why: String) -> TlsError {
    TlsError::Unfit {
        files: files.clone(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["pay.example.com".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn a_pair_that_cannot_be_used_is_told_and_the_one_before_stays() {
        let dir = TempDir::new().unwrap();
        let files = TlsFiles {
            certificate: dir.path().join("host.pem"),
            key: dir.path().join("host.key"),
        };
        let put = |certificate: &str, key: &str| {
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
        };
        let told = || Tls::open(files.clone()).err().unwrap().to_string();
        assert!(told().contains("host.pem: "), "{}", told());
        let ((certificate, key), (other, other_key)) = (pair(), pair());
        put("nothing", &key);
        assert!(told().ends_with("host.pem has no certificate in PEM"));
        put(&certificate, &certificate);
        assert!(told().ends_with("host.key has no private key in PEM"));
        put(&certificate, &other_key);
        assert!(told().contains("host.key: "), "{}", told());

        put(&certificate, &key);
        let tls = Tls::open(files.clone()).unwrap();
        let current = || Arc::clone(&tls.current.read().unwrap());
        let first = current();
        for (certificate, key) in [("", ""), (other.as_str(), key.as_str())] {
            put(certificate, key);
            tls.read_anew();
            assert!(Arc::ptr_eq(&first, &current()));
        }
        put(&other, &other_key);
        tls.read_anew();
        assert!(!Arc::ptr_eq(&first, &current()));
    }
}
