//! Alipay's certification authority of one run: roots, intermediates, and the certificates of
//! apps and of Alipay's own keys.
//!
//! As the real one, the file of roots holds several: two signed with RSA, which make up
//! `alipay_root_cert_sn`, and one of an elliptic curve, which is left out of it. Apps and Alipay
//! are certified by an intermediate each, named as in Alipay's own sandbox, and Alipay's file carries its intermediate
//! along.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PKCS_RSA_SHA512, SerialNumber,
    SignatureAlgorithm,
};
use time::{Duration, OffsetDateTime};

use super::certificate;
use super::clock;
use super::numbers::Numbers;
use super::signing::{KeyError, SigningKey};

const ORGANIZATION: &str = "Simulated Financial";
const UNIT: &str = "Certification Authority";

/// The authority with its keys.
pub(super) struct Authority {
    /// The file of roots that merchants get, in PEM.
    pub(super) roots: String,
    /// `alipay_root_cert_sn` of it.
    pub(super) root_sn: String,
    apps: Intermediate,
    alipay: Intermediate,
}

struct Intermediate {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate, and those that lead to the root.
pub(super) struct Certified {
    /// The certificate, then its intermediate where Alipay hands that out too; PEM.
    pub(super) pem: String,
    /// Its number, such as `app_cert_sn`.
    pub(super) sn: String,
}

impl Authority {
    /// Makes the authority. Takes a second: not for an async thread.
    pub(super) fn new(numbers: &Numbers) -> Result<Authority, KeyError> {
        let root = authority_params(numbers, "Simulated Certification Authority R1", None);
        let root_key = rsa_key(&PKCS_RSA_SHA256)?;
        let root_pem = root.self_signed(&root_key).map_err(made)?.pem();
        let root = Issuer::new(root, root_key);
        let second = authority_params(numbers, "Simulated Class 2 Root - G3", None);
        let second = second
            .self_signed(&rsa_key(&PKCS_RSA_SHA512)?)
            .map_err(made)?;
        let curve = authority_params(numbers, "Simulated Certification Authority E1", None);
        let curve_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(made)?;
        let curve = curve.self_signed(&curve_key).map_err(made)?;
        let roots = format!("{root_pem}\n{}\n{}", curve.pem(), second.pem());
        Ok(Authority {
            root_sn: certificate::root_cert_sn(&roots).map_err(|_| KeyError::Form)?,
            roots,
            apps: Intermediate::new(
                numbers,
                "Ant Financial Certification Authority Class 1 R1 test",
                &root,
            )?,
            alipay: Intermediate::new(
                numbers,
                "Ant Financial Certification Authority Class 2 R1 test",
                &root,
            )?,
        })
    }

    /// Certifies an app's key (应用公钥证书).
    pub(super) fn certify_app(
        &self,
        numbers: &Numbers,
        key: &SigningKey,
        app_id: &str,
        seller_id: &str,
    ) -> Result<Certified, KeyError> {
        let name = format!("{seller_id}-{app_id}");
        let pem = self.apps.certify(numbers, key, &name, Validity::years(2))?;
        Certified::new(pem, "")
    }

    /// Certifies a key of Alipay for one seller (支付宝公钥证书).
    pub(super) fn certify_alipay(
        &self,
        numbers: &Numbers,
        key: &SigningKey,
        seller_id: &str,
        validity: Validity,
    ) -> Result<Certified, KeyError> {
        let name = format!("支付宝(模拟)网络技术有限公司-{seller_id}");
        let pem = self.alipay.certify(numbers, key, &name, validity)?;
        Certified::new(pem, &self.alipay.pem)
    }
}

impl Certified {
    fn new(pem: String, intermediate: &str) -> Result<Certified, KeyError> {
        Ok(Certified {
            sn: certificate::cert_sn(&pem).map_err(|_| KeyError::Form)?,
            pem: format!("{pem}{intermediate}"),
        })
    }
}

impl Intermediate {
    fn new(
        numbers: &Numbers,
        name: &str,
        root: &Issuer<'static, KeyPair>,
    ) -> Result<Intermediate, KeyError> {
        let params = authority_params(numbers, name, Some(0));
        let key = rsa_key(&PKCS_RSA_SHA256)?;
        let certificate = params.signed_by(&key, root).map_err(made)?;
        Ok(Intermediate {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    fn certify(
        &self,
        numbers: &Numbers,
        key: &SigningKey,
        name: &str,
        validity: Validity,
    ) -> Result<String, KeyError> {
        let mut params = params(numbers, "Simulated Merchant", "Alipay", name);
        params.not_before = validity.from;
        params.not_after = validity.until;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
        ];
        let key = rsa_pair(key, &PKCS_RSA_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(made)?;
        Ok(certificate.pem())
    }
}

/// When a certificate holds.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl Validity {
    /// From yesterday, for so many years of 365 days.
    pub(super) fn years(years: i64) -> Validity {
        let from = clock::now() - Duration::DAY;
        Validity {
            from,
            until: from + Duration::days(365 * years),
        }
    }

    /// Over since yesterday.
    pub(super) fn expired() -> Validity {
        let until = clock::now() - Duration::DAY;
        Validity {
            from: until - Duration::days(365),
            until,
        }
    }
}

fn params(numbers: &Numbers, organization: &str, unit: &str, name: &str) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "CN");
    subject.push(DnType::OrganizationName, organization);
    subject.push(DnType::OrganizationalUnitName, unit);
    subject.push(DnType::CommonName, name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from_slice(&numbers.certificate_serial()));
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority_params(numbers: &Numbers, name: &str, below: Option<u8>) -> CertificateParams {
    let mut params = params(numbers, ORGANIZATION, UNIT, name);
    let validity = Validity::years(20);
    params.not_before = validity.from;
    params.not_after = validity.until;
    params.is_ca = IsCa::Ca(match below {
        Some(depth) => BasicConstraints::Constrained(depth),
        None => BasicConstraints::Unconstrained,
    });
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn rsa_key(algorithm: &'static SignatureAlgorithm) -> Result<KeyPair, KeyError> {
    rsa_pair(&SigningKey::generate()?, algorithm)
}

fn rsa_pair(key: &SigningKey, algorithm: &'static SignatureAlgorithm) -> Result<KeyPair, KeyError> {
    let der = key.pkcs8()?;
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), algorithm).map_err(made)
}

fn made(_: rcgen::Error) -> KeyError {
    KeyError::Form
}

#[cfg(test)]
mod tests {
    use x509_parser::pem::Pem;

    use super::*;

    #[test]
    fn certificates_lead_to_the_root_and_carry_the_key() {
        let numbers = Numbers::new().unwrap();
        let authority = Authority::new(&numbers).unwrap();
        let key = SigningKey::generate().unwrap();
        let made = authority
            .certify_alipay(&numbers, &key, "2088000000000001", Validity::years(2))
            .unwrap();
        let blocks = |pem: &str| -> Vec<Pem> {
            Pem::iter_from_buffer(pem.as_bytes())
                .map(Result::unwrap)
                .collect()
        };
        let (chain, roots) = (blocks(&made.pem), blocks(&authority.roots));
        assert_eq!((chain.len(), roots.len()), (2, 3));
        let certificates: Vec<_> = [&chain[0], &chain[1], &roots[0]]
            .map(|block| block.parse_x509().unwrap())
            .into();
        for pair in certificates.windows(2) {
            assert_eq!(pair[0].issuer(), pair[1].subject());
        }
        let signature = key.sign(b"text");
        let read = certificate::public_key(&made.pem).unwrap();
        assert!(read.verify(b"text", &signature));
        assert_eq!(authority.root_sn.len(), 65);
        assert_eq!(made.sn.len(), 32);
    }
}
