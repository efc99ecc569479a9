//! A merchant: what it is given, and what the platform keeps of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::identity::{Identities, Identity};
use super::issuer::Issuer;
use super::numbers::Numbers;
use super::signing::{KeyError, SigningKey, VerifyingKey};

/// What a merchant downloads from the merchant platform, in the forms that it comes in.
#[derive(Clone)]
pub struct Merchant {
    mchid: String,
    appid: String,
    api_v3_key: String,
    api_key: String,
    private_key_pem: String,
    certificate_pem: String,
    serial_no: String,
    public_key_id: String,
    public_key_pem: String,
    platform_certificate: Option<(String, String)>,
    tls_ca_pem: String,
    buyer_openid: String,
}

impl Merchant {
    /// The merchant's number (商户号), 10 digits.
    pub fn mchid(&self) -> &str {
        &self.mchid
    }

    /// The one appid that is bound to it, `wx` and 16 hex digits.
    pub fn appid(&self) -> &str {
        &self.appid
    }

    /// The APIv3 key, 32 characters: seals notifications and lists of certificates. A secret.
    pub fn api_v3_key(&self) -> &str {
        &self.api_v3_key
    }

    /// The API key of v2, 32 characters: signs everything there, in both directions. A secret.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// `apiclient_key.pem`: the private key, PKCS#8. A secret, though of play money.
    pub fn private_key_pem(&self) -> &str {
        &self.private_key_pem
    }

    /// `apiclient_cert.pem`: the merchant's certificate, which v3 names by its serial number and
    /// v2's mutual TLS presents.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate's serial number: 40 upper-case hex digits.
    pub fn serial_no(&self) -> &str {
        &self.serial_no
    }

    /// Certificate and private key in one text, as a client of mutual TLS reads them. A secret.
    pub fn identity_pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.private_key_pem)
    }

    /// `PUB_KEY_ID_…` (微信支付公钥ID) of [`public_key_pem`](Merchant::public_key_pem).
    pub fn public_key_id(&self) -> &str {
        &self.public_key_id
    }

    /// `pub_key.pem`: WeChat Pay's public key for this merchant.
    pub fn public_key_pem(&self) -> &str {
        &self.public_key_pem
    }

    /// The platform certificate that signed when the merchant was opened, PEM. None for a
    /// merchant that has the public key only.
    pub fn platform_certificate_pem(&self) -> Option<&str> {
        let certificate = self.platform_certificate.as_ref();
        certificate.map(|(_, pem)| pem.as_str())
    }

    /// Its serial number.
    pub fn platform_serial_no(&self) -> Option<&str> {
        let certificate = self.platform_certificate.as_ref();
        certificate.map(|(serial_no, _)| serial_no.as_str())
    }

    /// The authority behind the certificate of [`tls_url`](super::WeChat::tls_url), PEM: a client
    /// that is to reach it has to trust this.
    pub fn tls_ca_pem(&self) -> &str {
        &self.tls_ca_pem
    }

    /// The simulated buyer, as this appid knows them.
    pub fn buyer_openid(&self) -> &str {
        &self.buyer_openid
    }
}

impl fmt::Debug for Merchant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merchant")
            .field("mchid", &self.mchid)
            .field("appid", &self.appid)
            .field("serial_no", &self.serial_no)
            .finish_non_exhaustive()
    }
}

/// What the platform keeps of a merchant.
pub(super) struct Shop {
    pub(super) mchid: String,
    pub(super) appid: String,
    pub(super) api_v3_key: String,
    pub(super) api_key: String,
    pub(super) serial_no: String,
    /// The public half of the merchant's key: verifies requests.
    pub(super) merchant: VerifyingKey,
    /// The merchant's certificate: compared with what a client of mutual TLS presents.
    pub(super) certificate: Vec<u8>,
    pub(super) buyer_openid: String,
    pub(super) identities: Identities,
    answers: AtomicU64,
    waits: AtomicU64,
}

impl Shop {
    /// Opens a merchant with new keys; with a platform certificate beside the public key, or
    /// without. Takes a second: not for an async thread.
    pub(super) fn open(
        numbers: &Numbers,
        issuer: &Issuer,
        tls_ca_pem: &str,
        certified: bool,
    ) -> Result<(Shop, Merchant), KeyError> {
        let (mchid, appid) = (numbers.mchid(), numbers.appid());
        let (api_v3_key, api_key) = (secret()?, secret()?);
        let merchant_key = SigningKey::generate()?;
        let certificate = issuer.merchant(&mchid, &merchant_key)?;
        let public = Identity {
            id: numbers.public_key_id(&mchid),
            key: SigningKey::generate()?,
            certificate: None,
        };
        let merchant = Merchant {
            mchid: mchid.clone(),
            appid: appid.clone(),
            api_v3_key: api_v3_key.clone(),
            api_key: api_key.clone(),
            private_key_pem: merchant_key.pem()?,
            certificate_pem: certificate.pem(),
            serial_no: certificate.serial_no.clone(),
            public_key_id: public.id.clone(),
            public_key_pem: public.key.public_pem()?,
            platform_certificate: None,
            tls_ca_pem: tls_ca_pem.to_owned(),
            buyer_openid: numbers.openid(),
        };
        let mut known = vec![Arc::new(public)];
        if certified {
            known.insert(0, Arc::new(Identity::certified(issuer)?));
        }
        let signing = known.first().cloned().ok_or(KeyError::Generate)?;
        let platform_certificate = signing
            .certificate
            .as_ref()
            .map(|certificate| (certificate.serial_no.clone(), certificate.pem()));
        let shop = Shop {
            mchid,
            appid,
            api_v3_key,
            api_key,
            serial_no: certificate.serial_no,
            merchant: merchant_key.verifying_key()?,
            certificate: certificate.der,
            buyer_openid: merchant.buyer_openid.clone(),
            identities: Identities::new(known, signing),
            answers: AtomicU64::new(0),
            waits: AtomicU64::new(0),
        };
        let merchant = Merchant {
            platform_certificate,
            ..merchant
        };
        Ok((shop, merchant))
    }

    /// How many answers this merchant had before; the next call gives one more.
    pub(super) fn next_answer(&self) -> u64 {
        self.answers.fetch_add(1, Ordering::Relaxed)
    }

    /// How many times this merchant was told to wait for a buyer before; the next call gives one
    /// more.
    pub(super) fn next_wait(&self) -> u64 {
        self.waits.fetch_add(1, Ordering::Relaxed)
    }
}

/// A shared key: 32 letters and digits that nobody can guess.
fn secret() -> Result<String, KeyError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyError::Generate)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merchant_has_wechat_pays_forms_and_never_prints_its_secrets() {
        let (numbers, issuer) = (Numbers::new().unwrap(), Issuer::tenpay().unwrap());
        let (shop, merchant) = Shop::open(&numbers, &issuer, "CA", true).unwrap();
        assert_eq!((merchant.mchid().len(), merchant.appid().len()), (10, 18));
        assert_eq!(
            (merchant.api_v3_key().len(), merchant.api_key().len()),
            (32, 32)
        );
        assert_eq!(merchant.serial_no().len(), 40);
        assert!(merchant.public_key_id().starts_with("PUB_KEY_ID_01"));
        let printed = format!("{merchant:?}");
        for secret in [
            merchant.api_v3_key(),
            merchant.api_key(),
            merchant.private_key_pem(),
        ] {
            assert!(!printed.contains(secret));
        }
        let key = SigningKey::from_pem(merchant.private_key_pem()).unwrap();
        assert!(shop.merchant.verify(b"text", &key.sign(b"text")));

        let serial = merchant.platform_serial_no().unwrap();
        assert_eq!(shop.identities.signing(None).id, serial);
        assert_eq!(shop.identities.signing(Some("unknown")).id, serial);
        assert!(!shop.identities.drop_certificate(serial));
        assert!(
            shop.identities.sign_with(merchant.public_key_id())
                && shop.identities.drop_certificate(serial)
        );
        assert!(shop.identities.certified().is_empty() && !shop.identities.sign_with(serial));

        let (shop, merchant) = Shop::open(&numbers, &issuer, "CA", false).unwrap();
        assert_eq!(merchant.platform_certificate_pem(), None);
        assert_eq!(shop.identities.signing(None).id, merchant.public_key_id());
    }
}
