//! A merchant's account: its REST app, its merchant number and its webhook.

use std::fmt;

use super::numbers::Numbers;

/// What the merchant knows of its account, as PayPal's dashboard shows it.
#[derive(Clone)]
pub struct Account {
    client_id: String,
    secret: String,
    merchant_id: String,
    email: String,
    webhook_id: String,
    authority: String,
}

impl Account {
    /// The app's client, 80 characters.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The app's secret, 80 characters. A secret, though of play money.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The merchant, 13 characters.
    pub fn merchant_id(&self) -> &str {
        &self.merchant_id
    }

    /// The merchant's sign-in name.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// The webhook, 17 characters: part of what each notification's signature covers, and told
    /// to nobody but the merchant.
    pub fn webhook_id(&self) -> &str {
        &self.webhook_id
    }

    /// The root of the certificates that sign webhooks, as PEM. It is every account's.
    pub fn certificate_authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("client_id", &self.client_id)
            .field("merchant_id", &self.merchant_id)
            .finish_non_exhaustive()
    }
}

/// What PayPal keeps of the account.
pub(super) struct App {
    pub(super) client_id: String,
    pub(super) secret: String,
    pub(super) merchant_id: String,
    pub(super) email: String,
    pub(super) webhook_id: String,
    /// Where the merchant lives, two letters: some currencies stay at home.
    pub(super) country: String,
}

impl App {
    /// Opens an account.
    pub(super) fn open(numbers: &Numbers, country: &str, authority: &str) -> (App, Account) {
        let merchant_id = numbers.account_id();
        let name = merchant_id.to_ascii_lowercase();
        let app = App {
            client_id: numbers.client_id(),
            secret: numbers.secret(),
            email: format!("sb-{name}@business.example.com"),
            merchant_id,
            webhook_id: numbers.resource_id(),
            country: country.to_owned(),
        };
        let account = Account {
            client_id: app.client_id.clone(),
            secret: app.secret.clone(),
            merchant_id: app.merchant_id.clone(),
            email: app.email.clone(),
            webhook_id: app.webhook_id.clone(),
            authority: authority.to_owned(),
        };
        (app, account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_paypals_forms_and_never_prints_its_secret() {
        let (app, account) = App::open(&Numbers::new().unwrap(), "US", "root");
        assert_eq!(
            (account.client_id().len(), account.secret().len()),
            (80, 80)
        );
        assert_eq!(account.merchant_id().len(), 13);
        assert_eq!((app.country.as_str(), app.webhook_id.len()), ("US", 17));
        let printed = format!("{account:?}");
        assert!(printed.contains(account.client_id()) && !printed.contains(account.secret()));
        assert!(!printed.contains(account.webhook_id()));
    }
}
