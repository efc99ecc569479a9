//! A merchant's account: its app, its seller and the keys that it and Alipay exchange, bare or in
//! certificates.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::authority::{Authority, Certified, Validity};
use super::encryption::ContentKey;
use super::fen::Fen;
use super::numbers::Numbers;
use super::signing::{KeyError, SigningKey, VerifyingKey};

/// What the merchant knows of its account, in the forms of Alipay's console and key tool.
#[derive(Clone)]
pub struct Account {
    app_id: String,
    seller_id: String,
    seller_email: String,
    merchant_private_key: String,
    alipay_public_key: String,
    content_key: String,
    certificates: Option<Certificates>,
}

/// The three files of certificate mode (公钥证书), in PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    app: String,
    alipay: String,
    root: String,
}

impl Account {
    /// The app's number, 16 digits.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The seller's number (PID), 16 digits from `2088`.
    pub fn seller_id(&self) -> &str {
        &self.seller_id
    }

    /// The seller's sign-in name.
    pub fn seller_email(&self) -> &str {
        &self.seller_email
    }

    /// The merchant's private key (应用私钥): bare base64 of PKCS#8. A secret, though of play money.
    pub fn merchant_private_key(&self) -> &str {
        &self.merchant_private_key
    }

    /// Alipay's public key for this app (支付宝公钥): bare base64 of SubjectPublicKeyInfo. In
    /// certificate mode the one of the certificate that the account began with.
    pub fn alipay_public_key(&self) -> &str {
        &self.alipay_public_key
    }

    /// The key of AES content encryption (接口内容加密密钥): base64 of 16 bytes. A secret.
    pub fn content_key(&self) -> &str {
        &self.content_key
    }

    /// The certificates, for an account in certificate mode.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }
}

impl Certificates {
    /// The app's certificate (应用公钥证书, `appCertPublicKey_<app>.crt`).
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Alipay's certificate (支付宝公钥证书, `alipayCertPublicKey_RSA2.crt`) and its intermediate.
    pub fn alipay(&self) -> &str {
        &self.alipay
    }

    /// The roots (支付宝根证书, `alipayRootCert.crt`); not all of them are signed with RSA.
    pub fn root(&self) -> &str {
        &self.root
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("app_id", &self.app_id)
            .field("seller_id", &self.seller_id)
            .finish_non_exhaustive()
    }
}

/// What Alipay keeps of the account.
pub(super) struct App {
    pub(super) app_id: String,
    pub(super) seller_id: String,
    pub(super) seller_email: String,
    /// The merchant's public key: verifies requests.
    pub(super) merchant: VerifyingKey,
    /// Encrypts content where a request asks for it.
    pub(super) content_key: ContentKey,
    /// The numbers that requests must name; none in key mode.
    pub(super) certified: Option<CertifiedApp>,
    signers: Mutex<Signers>,
    balance: Mutex<Option<Fen>>,
    answers: AtomicU64,
}

/// What certificate mode asks of a request.
pub(super) struct CertifiedApp {
    pub(super) app_cert_sn: String,
    pub(super) root_cert_sn: String,
}

/// A key of Alipay for one app: signs answers and notifications.
pub(super) struct Signer {
    pub(super) key: SigningKey,
    /// The certificate of it, in certificate mode.
    pub(super) certificate: Option<Certified>,
}

struct Signers {
    current: Arc<Signer>,
    former: Vec<Arc<Signer>>,
}

impl App {
    /// Opens an account with new keys, in certificate mode where an authority is given. Takes a
    /// second: not for an async thread.
    pub(super) fn open(
        numbers: &Numbers,
        authority: Option<&Authority>,
    ) -> Result<(App, Account), KeyError> {
        let (merchant, alipay) = (SigningKey::generate()?, SigningKey::generate()?);
        let content_key = ContentKey::generate()?;
        let (app_id, seller_id) = (numbers.app_id(), numbers.user_id());
        let seller_email = format!(
            "seller{}@sandbox.example",
            seller_id.get(10..).unwrap_or_default()
        );
        let (mut certified, mut certificates, mut certificate) = (None, None, None);
        if let Some(authority) = authority {
            let app = authority.certify_app(numbers, &merchant, &app_id, &seller_id)?;
            let own = authority.certify_alipay(numbers, &alipay, &seller_id, Validity::years(2))?;
            certified = Some(CertifiedApp {
                app_cert_sn: app.sn,
                root_cert_sn: authority.root_sn.clone(),
            });
            certificates = Some(Certificates {
                app: app.pem,
                alipay: own.pem.clone(),
                root: authority.roots.clone(),
            });
            certificate = Some(own);
        }
        let account = Account {
            app_id: app_id.clone(),
            seller_id: seller_id.clone(),
            seller_email: seller_email.clone(),
            merchant_private_key: merchant.pkcs8_base64()?,
            alipay_public_key: alipay.public_base64()?,
            content_key: content_key.base64(),
            certificates,
        };
        let app = App {
            app_id,
            seller_id,
            seller_email,
            merchant: VerifyingKey::from_base64(&merchant.public_base64()?)?,
            content_key,
            certified,
            signers: Mutex::new(Signers {
                current: Arc::new(Signer {
                    key: alipay,
                    certificate,
                }),
                former: Vec::new(),
            }),
            balance: Mutex::new(None),
            answers: AtomicU64::new(0),
        };
        Ok((app, account))
    }

    /// Alipay's present key for this app.
    pub(super) fn signer(&self) -> Arc<Signer> {
        Arc::clone(&locked(&self.signers).current)
    }

    /// Takes another key from now on. The certificates of former ones can still be had.
    pub(super) fn renew(&self, signer: Signer) {
        let mut signers = locked(&self.signers);
        let former = std::mem::replace(&mut signers.current, Arc::new(signer));
        signers.former.push(former);
    }

    /// The certificate of this number, in PEM with its intermediate.
    pub(super) fn certificate(&self, sn: &str) -> Option<String> {
        let signers = locked(&self.signers);
        let mut known = std::iter::once(&signers.current).chain(&signers.former);
        known.find_map(|signer| {
            let certificate = signer.certificate.as_ref()?;
            (certificate.sn == sn).then(|| certificate.pem.clone())
        })
    }

    /// What the seller has for refunds; none means plenty.
    pub(super) fn set_balance(&self, balance: Option<Fen>) {
        *locked(&self.balance) = balance;
    }

    /// Takes money for a refund; false when there is not enough.
    pub(super) fn spend(&self, amount: Fen) -> bool {
        let mut balance = locked(&self.balance);
        let Some(has) = *balance else { return true };
        let Some(left) = has.minus(amount) else {
            return false;
        };
        *balance = Some(left);
        true
    }

    /// Gets money back that a refund did not use after all.
    pub(super) fn earn(&self, amount: Fen) {
        let mut balance = locked(&self.balance);
        *balance = balance.and_then(|has| has.plus(amount));
    }

    /// How many answers this app had before; the next call gives one more.
    pub(super) fn next_answer(&self) -> u64 {
        self.answers.fetch_add(1, Ordering::Relaxed)
    }
}

/// A panic elsewhere leaves these readable: each change to them is one statement.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::certificate;
    use super::*;

    #[test]
    fn an_account_has_alipays_forms_and_never_prints_its_key() {
        let (app, account) = App::open(&Numbers::new().unwrap(), None).unwrap();
        assert_eq!(account.app_id().len(), 16);
        assert!(account.seller_id().starts_with("2088") && account.seller_id().len() == 16);
        let printed = format!("{account:?}");
        assert!(!printed.contains(account.merchant_private_key()));
        assert!(!printed.contains(account.content_key()));
        let merchant = SigningKey::from_pkcs8_base64(account.merchant_private_key()).unwrap();
        assert!(app.merchant.verify(b"text", &merchant.sign(b"text")));
        assert!(account.certificates().is_none() && app.signer().certificate.is_none());
    }

    #[test]
    fn a_certified_account_names_its_keys_by_certificates_and_keeps_former_ones() {
        let numbers = Numbers::new().unwrap();
        let authority = Authority::new(&numbers).unwrap();
        let (app, account) = App::open(&numbers, Some(&authority)).unwrap();
        let files = account.certificates().unwrap();
        let certified = app.certified.as_ref().unwrap();
        assert_eq!(
            certificate::cert_sn(files.app()).as_deref(),
            Ok(certified.app_cert_sn.as_str())
        );
        assert_eq!(
            certificate::root_cert_sn(files.root()).as_deref(),
            Ok(certified.root_cert_sn.as_str())
        );
        let first = certificate::cert_sn(files.alipay()).unwrap();
        let key = SigningKey::generate().unwrap();
        let seller = account.seller_id();
        let next = authority
            .certify_alipay(&numbers, &key, seller, Validity::years(2))
            .unwrap();
        let second = next.sn.clone();
        app.renew(Signer {
            key,
            certificate: Some(next),
        });
        assert_eq!(app.signer().certificate.as_ref().unwrap().sn, second);
        assert_eq!(app.certificate(&first).as_deref(), Some(files.alipay()));
        assert!(app.certificate(&second).is_some() && app.certificate("0").is_none());
    }
}
