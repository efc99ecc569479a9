//! Certificates made at run time, for the tests of this room.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::wechat::tenpay;
use super::*;
use crate::trust::certificate::Certificate;
use crate::trust::key::pem_blocks;

/// Somebody who certifies keys.
pub(in crate::trust) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(in crate::trust) pem: String,
}

fn pair(keys: &Keys) -> KeyPair {
    let der = pem_blocks(&keys.pkcs8_pem).unwrap().remove(0).1;
    let der = der.to_vec().try_into().unwrap();
    KeyPair::from_der_and_sign_algo(&der, &PKCS_RSA_SHA256).unwrap()
}

fn params(name: &str, valid: (i64, i64)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(NOW_MS) * 1_000_000).unwrap();
    params.not_before = now + Duration::days(valid.0);
    params.not_after = now + Duration::days(valid.1);
    params
}

impl Authority {
    pub(in crate::trust) fn new(name: &str, keys: &Keys) -> Authority {
        let mut params = params(name, (-10, 100));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = pair(keys);
        let pem = params.self_signed(&pair).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, pair),
            pem,
        }
    }

    /// A certificate of these keys, valid in these days from now.
    pub(in crate::trust) fn certify(&self, keys: &Keys, serial: &str, valid: (i64, i64)) -> String {
        let mut params = params("Tenpay.com sign", valid);
        params.serial_number = Some(SerialNumber::from_slice(&hex::decode(serial).unwrap()));
        params.signed_by(&pair(keys), &self.issuer).unwrap().pem()
    }
}

/// AES-256-GCM as WeChat Pay does it; base64.
pub(in crate::trust) fn sealed(key: &str, nonce: &str, aad: &str, plain: &str) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).unwrap());
    let nonce = Nonce::assume_unique_for_key(nonce.as_bytes().try_into().unwrap());
    let mut bytes = plain.as_bytes().to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(aad.as_bytes()), &mut bytes)
        .unwrap();
    STANDARD.encode(bytes)
}

#[test]
fn lines_about_a_certificate_are_passed_over() {
    let pem = tenpay().pem.replace('\n', "\r\n");
    let about = "subject=/CN=Tenpay.com Root CA\r\nissuer=/CN=A\r\n";
    let noted = format!("{about}{pem}\r\n{about}{pem}\r\n");
    assert_eq!(Certificate::parse_all(&noted).unwrap().len(), 2);
    for bad in [
        noted.replace("-----END", "END"),
        about.to_owned(),
        format!("{noted}x"),
    ] {
        assert!(Certificate::parse_all(&bad).is_err());
    }
}
