//! The keys that the platform signs with for a merchant: certificates that rotate, and a public
//! key that does not; and the merchants that they are made for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::issuer::{Certificate, Issuer};
use super::merchant::{Merchant, Shop};
use super::signing::{KeyError, SigningKey};
use super::{SandboxError, WeChat};

/// A key that the platform signs with for one merchant, and the name that messages call it by.
pub(super) struct Identity {
    /// The certificate's serial number, or `PUB_KEY_ID_…`.
    pub(super) id: String,
    pub(super) key: SigningKey,
    /// None for a public key.
    pub(super) certificate: Option<Certificate>,
}

impl Identity {
    /// A new key with a new certificate. Takes some tenths of a second: not for an async thread.
    pub(super) fn certified(issuer: &Issuer) -> Result<Identity, KeyError> {
        let key = SigningKey::generate()?;
        let certificate = issuer.platform(&key)?;
        Ok(Identity {
            id: certificate.serial_no.clone(),
            key,
            certificate: Some(certificate),
        })
    }
}

struct Kept {
    known: Vec<Arc<Identity>>,
    signing: Arc<Identity>,
}

/// The identities of one merchant's platform, and which of them signs unasked.
pub(super) struct Identities(Mutex<Kept>);

impl Identities {
    pub(super) fn new(known: Vec<Arc<Identity>>, signing: Arc<Identity>) -> Identities {
        Identities(Mutex::new(Kept { known, signing }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which identity signs for a request that asks for this one by `Wechatpay-Serial`; unasked,
    /// and for a name that is none of this merchant's, the usual one.
    pub(super) fn signing(&self, asked: Option<&str>) -> Arc<Identity> {
        let identities = self.kept();
        let known = identities
            .known
            .iter()
            .find(|identity| Some(identity.id.as_str()) == asked);
        Arc::clone(known.unwrap_or(&identities.signing))
    }

    /// The identities with certificates, oldest first.
    pub(super) fn certified(&self) -> Vec<Arc<Identity>> {
        let identities = self.kept();
        let certified = identities.known.iter();
        certified
            .filter(|identity| identity.certificate.is_some())
            .cloned()
            .collect()
    }

    /// Adds a certificate after those that are there; it does not sign yet.
    pub(super) fn add(&self, identity: Identity) {
        self.kept().known.push(Arc::new(identity));
    }

    /// From now on this identity signs; false when there is none of this name.
    pub(super) fn sign_with(&self, id: &str) -> bool {
        let mut identities = self.kept();
        let found = identities
            .known
            .iter()
            .find(|known| known.id == id)
            .cloned();
        match found {
            Some(found) => {
                identities.signing = found;
                true
            }
            None => false,
        }
    }

    /// Forgets a certificate; false when there is none of this name or it is the one that signs.
    pub(super) fn drop_certificate(&self, serial_no: &str) -> bool {
        let mut identities = self.kept();
        if identities.signing.id == serial_no {
            return false;
        }
        let before = identities.known.len();
        identities
            .known
            .retain(|known| known.id != serial_no || known.certificate.is_none());
        identities.known.len() < before
    }
}

impl WeChat {
    /// Opens a merchant with new keys, a platform certificate and a public key of the platform;
    /// the certificate signs. Takes some tenths of a second.
    ///
    /// # Errors
    /// [`SandboxError::Keys`].
    pub async fn open_merchant(&self) -> Result<Merchant, SandboxError> {
        self.open(true).await
    }

    /// The same for a merchant that has the public key only, as all new ones have.
    ///
    /// # Errors
    /// [`SandboxError::Keys`].
    pub async fn open_public_key_merchant(&self) -> Result<Merchant, SandboxError> {
        self.open(false).await
    }

    async fn open(&self, certified: bool) -> Result<Merchant, SandboxError> {
        let platform = Arc::clone(&self.platform);
        let open = move || {
            let (tenpay, ca) = (&platform.tenpay, &platform.tls_ca_pem);
            Shop::open(&platform.numbers, tenpay, ca, certified)
        };
        let made = tokio::task::spawn_blocking(open).await;
        let (shop, merchant) = made.unwrap_or(Err(KeyError::Generate))?;
        let mut book = self.platform.book();
        book.shops.insert(shop.mchid.clone(), Arc::new(shop));
        Ok(merchant)
    }

    /// Adds a platform certificate to a merchant's list, as the platform does weeks before it
    /// uses one; the old one signs on. Gives its serial number.
    ///
    /// # Errors
    /// [`SandboxError::NoMerchant`], [`SandboxError::Keys`].
    pub async fn add_certificate(&self, mchid: &str) -> Result<String, SandboxError> {
        let shop = self.shop(mchid)?;
        let tenpay = Arc::clone(&self.platform.tenpay);
        let made = tokio::task::spawn_blocking(move || Identity::certified(&tenpay)).await;
        let identity = made.unwrap_or(Err(KeyError::Generate))?;
        let serial_no = identity.id.clone();
        shop.identities.add(identity);
        Ok(serial_no)
    }

    /// From now on answers and notifications of a merchant are signed by this: the serial number
    /// of one of its platform certificates, or its public-key id.
    ///
    /// An answer to a request that names one of them in `Wechatpay-Serial` is signed by that one,
    /// whatever is set here.
    ///
    /// # Errors
    /// [`SandboxError::NoMerchant`], [`SandboxError::NoIdentity`].
    pub fn sign_with(&self, mchid: &str, id: &str) -> Result<(), SandboxError> {
        let found = self.shop(mchid)?.identities.sign_with(id);
        found
            .then_some(())
            .ok_or_else(|| SandboxError::NoIdentity(id.to_owned()))
    }

    /// Takes a certificate that does not sign any more from a merchant's list.
    ///
    /// # Errors
    /// [`SandboxError::NoMerchant`], [`SandboxError::NoIdentity`].
    pub fn drop_certificate(&self, mchid: &str, serial_no: &str) -> Result<(), SandboxError> {
        let found = self.shop(mchid)?.identities.drop_certificate(serial_no);
        found
            .then_some(())
            .ok_or_else(|| SandboxError::NoIdentity(serial_no.to_owned()))
    }

    fn shop(&self, mchid: &str) -> Result<Arc<Shop>, SandboxError> {
        let shop = self.platform.book().shops.get(mchid).cloned();
        shop.ok_or_else(|| SandboxError::NoMerchant(mchid.to_owned()))
    }
}
