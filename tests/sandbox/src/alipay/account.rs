//! A merchant's account: its app, its seller and the two key pairs that Alipay exchanges.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Alipay's public key for this app (支付宝公钥): bare base64 of SubjectPublicKeyInfo.
    pub fn alipay_public_key(&self) -> &str {
        &self.alipay_public_key
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
    /// Alipay's own key for this app: signs answers and notifications.
    pub(super) alipay: SigningKey,
    answers: AtomicU64,
}

impl App {
    /// Opens an account with new keys. Takes a second: not for an async thread.
    pub(super) fn open(numbers: &Numbers) -> Result<(App, Account), KeyError> {
        let merchant = SigningKey::generate()?;
        let alipay = SigningKey::generate()?;
        let app_id = numbers.app_id();
        let seller_id = numbers.user_id();
        let seller_email = format!(
            "seller{}@sandbox.example",
            seller_id.get(10..).unwrap_or_default()
        );
        let account = Account {
            app_id: app_id.clone(),
            seller_id: seller_id.clone(),
            seller_email: seller_email.clone(),
            merchant_private_key: merchant.pkcs8_base64()?,
            alipay_public_key: alipay.public_base64()?,
        };
        let merchant = VerifyingKey::from_base64(&merchant.public_base64()?)?;
        let app = App {
            app_id,
            seller_id,
            seller_email,
            merchant,
            alipay,
            answers: AtomicU64::new(0),
        };
        Ok((app, account))
    }

    /// How many answers this app had before; the next call gives one more.
    pub(super) fn next_answer(&self) -> u64 {
        self.answers.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_alipays_forms_and_never_prints_its_key() {
        let (app, account) = App::open(&Numbers::new().unwrap()).unwrap();
        assert_eq!(account.app_id().len(), 16);
        assert!(account.seller_id().starts_with("2088") && account.seller_id().len() == 16);
        assert!(!format!("{account:?}").contains(account.merchant_private_key()));
        let merchant = SigningKey::from_pkcs8_base64(account.merchant_private_key()).unwrap();
        assert!(app.merchant.verify(b"text", &merchant.sign(b"text")));
    }
}
