//! Keys of a merchant and of a platform, and how a platform signs: written anew, not by the code that is tried.

use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256};
use time::{Duration, OffsetDateTime};

use crate::NOW_MS;

/// An RSA key pair.
pub(crate) struct Keys {
    pair: RsaKeyPair,
    private: Vec<u8>,
}

/// The merchant's.
pub(crate) fn merchant() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

/// The platform's.
pub(crate) fn platform() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

impl Keys {
    fn generate() -> Keys {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let private = private.as_ref().to_vec();
        Keys { pair, private }
    }

    /// PKCS #8, base64.
    pub(crate) fn private(&self) -> String {
        STANDARD.encode(&self.private)
    }

    /// SPKI, base64.
    pub(crate) fn public(&self) -> String {
        let public: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        STANDARD.encode(public.as_ref())
    }

    /// RSA with SHA-256, base64.
    pub(crate) fn sign(&self, text: &[u8]) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text,
                &mut signature,
            )
            .unwrap();
        STANDARD.encode(signature)
    }

    /// A certificate of the public key, valid now, PEM.
    pub(crate) fn certificate(&self) -> String {
        let der = self.private.clone().try_into().unwrap();
        let pair = KeyPair::from_der_and_sign_algo(&der, &PKCS_RSA_SHA256).unwrap();
        let mut authority = named("An authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = Issuer::from_params(&authority, &pair);
        let certificate = named("A platform").signed_by(&pair, &issuer);
        certificate.unwrap().pem()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::from_unix_timestamp((NOW_MS / 1000).cast_signed()).unwrap();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(100);
    params
}

/// AES-256-GCM as WeChat Pay does it, base64.
pub(crate) fn sealed(key: &str, nonce: &str, aad: &str, plain: &[u8]) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap();
    let mut bytes = plain.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(aad.as_bytes()), &mut bytes)
        .unwrap();
    STANDARD.encode(bytes)
}
