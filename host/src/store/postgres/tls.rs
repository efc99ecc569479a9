//! Encrypted connections to the server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Proof;
use crate::store::StoreError;

/// What makes encrypted connections; `None` where they are plain.
pub(super) fn connector(proof: &Proof) -> Result<Option<MakeRustlsConnect>, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match proof {
        Proof::Plain => return Ok(None),
        Proof::Anybody => Arc::new(Anybody(Arc::clone(&provider))),
        Proof::Certificate { roots: Some(file) } => {
            let roots = Arc::new(roots(file)?);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| bad(file, &error.to_string()))?
        }
        Proof::Certificate { roots: None } => Arc::new(
            rustls_platform_verifier::Verifier::new(Arc::clone(&provider))
                .map_err(|error| failed(&error))?,
        ),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        // A verifier of our own, since two of the three are no plain list of roots.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn failed(error: &rustls::Error) -> StoreError {
    StoreError::Address(format!("TLS cannot be set up: {error}"))
}

fn bad(file: &Path, why: &str) -> StoreError {
    StoreError::Address(format!("sslrootcert {}: {why}", file.display()))
}

fn roots(file: &Path) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| bad(file, &error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| bad(file, &error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| bad(file, &error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad(file, "there is no certificate in it"));
    }
    Ok(roots)
}

/// Takes every certificate, as `sslmode=require` says; whoever holds its key is still the one that is spoken with.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
