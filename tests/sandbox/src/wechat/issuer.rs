//! Certificates, made at run time: the authority that WeChat Pay's merchants and the platform
//! itself are certified by, and the one behind the TLS of its servers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use super::signing::{KeyError, SigningKey, pem};

/// How long a certificate is good for.
const LIFE: Duration = Duration::days(5 * 365);

/// A certificate in the forms that are handed out and compared.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    /// Upper-case hex of all its bytes, 40 digits.
    pub(super) serial_no: String,
    pub(super) effective: OffsetDateTime,
    pub(super) expires: OffsetDateTime,
}

impl Certificate {
    /// The PEM form.
    pub(super) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
}

/// Somebody who signs certificates.
pub(super) struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    /// Tenpay's authority: one in a process, as its key takes a while to make and proves nothing
    /// about a single platform.
    pub(super) fn tenpay() -> Result<Arc<Issuer>, KeyError> {
        static TENPAY: OnceLock<Arc<Issuer>> = OnceLock::new();
        if let Some(made) = TENPAY.get() {
            return Ok(Arc::clone(made));
        }
        let name = tenpay("Tenpay.com Root CA");
        let key = rsa(&SigningKey::generate()?)?;
        let made = Arc::new(Issuer::new(name, key)?);
        Ok(Arc::clone(TENPAY.get_or_init(|| made)))
    }

    /// An authority for the server's own name, new for each platform.
    pub(super) fn of_servers() -> Result<Issuer, KeyError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "Simulated WeChat Pay Server CA");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| KeyError::Generate)?;
        Issuer::new(name, key)
    }

    fn new(name: DistinguishedName, key: KeyPair) -> Result<Issuer, KeyError> {
        let (mut params, _) = params(name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        CertifiedIssuer::self_signed(params, key)
            .map(Issuer)
            .map_err(|_| KeyError::Generate)
    }

    /// Its own certificate.
    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Its own certificate, PEM.
    pub(super) fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    /// Certifies a merchant: for signing requests, and as a client of TLS.
    pub(super) fn merchant(&self, mchid: &str, key: &SigningKey) -> Result<Certificate, KeyError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, mchid);
        name.push(DnType::OrganizationName, "微信商户系统");
        name.push(DnType::CountryName, "CN");
        name.push(DnType::LocalityName, "Shenzhen");
        let (mut params, serial_no) = params(name)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.certify(params, serial_no, key)
    }

    /// Certifies the key that the platform signs answers and notifications with.
    pub(super) fn platform(&self, key: &SigningKey) -> Result<Certificate, KeyError> {
        let (mut params, serial_no) = params(tenpay("Tenpay.com sign"))?;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
        ];
        self.certify(params, serial_no, key)
    }

    fn certify(
        &self,
        params: CertificateParams,
        serial_no: String,
        key: &SigningKey,
    ) -> Result<Certificate, KeyError> {
        let made = params
            .signed_by(&rsa(key)?, &self.0)
            .map_err(|_| KeyError::Generate)?;
        Ok(Certificate {
            der: made.der().to_vec(),
            serial_no,
            effective: params.not_before,
            expires: params.not_after,
        })
    }

    /// A certificate with its key for a server at 127.0.0.1 or `localhost`.
    pub(super) fn server(
        &self,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), KeyError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "api.mch.weixin.qq.com (simulated)");
        let (mut params, _) = params(name)?;
        let localhost = "localhost".try_into().map_err(|_| KeyError::Generate)?;
        params.subject_alt_names = vec![
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::DnsName(localhost),
        ];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| KeyError::Generate)?;
        let made = params
            .signed_by(&key, &self.0)
            .map_err(|_| KeyError::Generate)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((made.der().clone(), PrivateKeyDer::Pkcs8(key)))
    }
}

/// What all certificates share, and the serial number in upper-case hex. The first byte is
/// neither zero nor negative, so that the number keeps its 20 bytes in DER.
fn params(name: DistinguishedName) -> Result<(CertificateParams, String), KeyError> {
    let mut serial = [0; 20];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| KeyError::Generate)?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7F).max(1);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    // A day early, for a clock that is a little behind.
    params.not_before = whole_second(OffsetDateTime::now_utc() - Duration::DAY);
    params.not_after = params.not_before + LIFE;
    Ok((params, hex::encode_upper(serial)))
}

fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

fn tenpay(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name.push(DnType::OrganizationName, "Tenpay.com");
    name.push(DnType::OrganizationalUnitName, "Tenpay.com CA Center");
    name.push(DnType::CountryName, "CN");
    name.push(DnType::LocalityName, "ShenZhen");
    name
}

fn rsa(key: &SigningKey) -> Result<KeyPair, KeyError> {
    let der = PrivatePkcs8KeyDer::from(key.pkcs8()?);
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).map_err(|_| KeyError::Form)
}
