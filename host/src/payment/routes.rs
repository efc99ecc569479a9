//! Whose a notification is where its address names no trade: accounts by the token of their own address, and by what
//! messages call the keys that verify for them. Read from the homes when the host starts, and kept in step by whatever
//! changes a target, so that no notification makes anybody look through the homes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::model::{Ams, Digest};
use crate::store::Account;

/// Accounts that a key may lead to, at most.
pub(super) const ACCOUNTS_OF_A_KEY: usize = 4;

/// Names of keys that are kept of an account, those of its newest versions; each version has a few.
const KEYS_OF_AN_ACCOUNT: usize = 128;

/// An account that a key led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Holder {
    /// Whose it is.
    pub(super) account: Arc<Account>,
    /// Its newest version with the key.
    pub(super) version: u32,
}

/// Which accounts there are. A retired one keeps its keys, since what is under way still settles, and loses its
/// address.
pub(super) struct Routes {
    tokens: hmac::Key,
    inner: Mutex<Inner>,
    changing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    /// By the digest of the token: how long a look-up takes tells nothing of a token.
    by_token: HashMap<Digest, Arc<Account>>,
    /// By platform and the key's name, the one that is preferred last.
    by_key: HashMap<(String, String), BTreeMap<Rank, Arc<Account>>>,
    known: HashMap<Arc<Account>, Known>,
    /// The last number that was given.
    last: u64,
}

/// An account's place among those with the same key. Who proved a payment with it comes before who only says that it is
/// theirs: the names of keys are no secret, and anybody may put them into settings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Rank {
    proved: Ams,
    changed: Ams,
    /// Makes it the only one.
    number: u64,
}

struct Known {
    rank: Rank,
    /// The newest version.
    version: u32,
    /// The newest version with each key.
    keys: HashMap<String, u32>,
}

impl Routes {
    /// With a key of 32 bytes that never leaves the host.
    pub(super) fn new(key: &[u8; 32]) -> Routes {
        Routes {
            tokens: hmac::Key::new(hmac::HMAC_SHA256, key),
            inner: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// The right to change a target together with what is known of it here.
    pub(super) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// The token of an account's own address: the same for all its versions, and nothing that can be guessed.
    pub(super) fn token(&self, account: &Account) -> String {
        let Account {
            domain,
            platform,
            target,
        } = account;
        // No name has a `/`.
        let place = format!("{domain}/{platform}/{target}");
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.tokens, place.as_bytes()))
    }

    /// The account in use with this token, and its newest version.
    pub(super) fn of_token(&self, token: &str) -> Option<Holder> {
        let inner = self.inner();
        let account = inner.by_token.get(&Digest::of(token.as_bytes()))?.clone();
        let version = inner.known.get(&account)?.version;
        Some(Holder { account, version })
    }

    /// The accounts of a platform that have the key which messages call so, the preferred ones first, and how many
    /// there are in all.
    pub(super) fn of_key(&self, platform: &str, key: &str) -> (Vec<Holder>, usize) {
        let inner = self.inner();
        let name = (platform.to_owned(), key.to_owned());
        let Some(holders) = inner.by_key.get(&name) else {
            return (Vec::new(), 0);
        };
        let preferred = holders.values().rev().take(ACCOUNTS_OF_A_KEY);
        let found = preferred.filter_map(|account| {
            let version = *inner.known.get(account)?.keys.get(key)?;
            let account = account.clone();
            Some(Holder { account, version })
        });
        (found.collect(), holders.len())
    }

    /// The newest version of an account that has this key.
    pub(super) fn version_with(&self, account: &Account, key: &str) -> Option<u32> {
        self.inner().known.get(account)?.keys.get(key).copied()
    }

    /// An account has a version with these keys, since this time.
    pub(super) fn learn(&self, account: &Account, version: u32, keys: Vec<String>, changed: Ams) {
        self.inner().learn(account, version, keys, changed);
    }

    /// The account's own address is good from now on.
    pub(super) fn open(&self, account: &Account) {
        let token = Digest::of(self.token(account).as_bytes());
        let mut inner = self.inner();
        let account = inner.shared(account);
        inner.by_token.insert(token, account);
    }

    /// The account's own address is no longer good.
    pub(super) fn close(&self, account: &Account) {
        let token = Digest::of(self.token(account).as_bytes());
        self.inner().by_token.remove(&token);
    }

    /// A statement was verified with the account's keys, about a payment that was made at this time.
    pub(super) fn proved(&self, account: &Account, at: Ams) {
        let mut inner = self.inner();
        let Some(rank) = inner.known.get(account).map(|known| known.rank) else {
            return;
        };
        if at > rank.proved {
            inner.rank(account, Rank { proved: at, ..rank });
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The account as the maps share it.
    fn shared(&self, account: &Account) -> Arc<Account> {
        match self.known.get_key_value(account) {
            Some((known, _)) => known.clone(),
            None => Arc::new(account.clone()),
        }
    }

    fn learn(&mut self, account: &Account, version: u32, keys: Vec<String>, changed: Ams) {
        let account = self.shared(account);
        if !self.known.contains_key(&account) {
            self.last += 1;
            let rank = Rank {
                number: self.last,
                ..Rank::default()
            };
            let known = Known {
                rank,
                version,
                keys: HashMap::new(),
            };
            self.known.insert(account.clone(), known);
        }
        let Some(known) = self.known.get_mut(&account) else {
            return;
        };
        let rank = known.rank;
        known.version = known.version.max(version);
        let mut new = Vec::new();
        for key in keys {
            let with = known.keys.entry(key.clone()).or_insert_with(|| {
                new.push(key);
                version
            });
            *with = (*with).max(version);
        }
        let mut old = Vec::new();
        while known.keys.len() > KEYS_OF_AN_ACCOUNT {
            let oldest = known.keys.iter().min_by_key(|(_, version)| **version);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            known.keys.remove(&key);
            old.push(key);
        }
        for key in new {
            let name = (account.platform.clone(), key);
            let holders = self.by_key.entry(name).or_default();
            holders.insert(rank, account.clone());
        }
        for key in old {
            self.forget(&account, rank, key);
        }
        if changed > rank.changed {
            self.rank(&account, Rank { changed, ..rank });
        }
    }

    fn forget(&mut self, account: &Account, rank: Rank, key: String) {
        let name = (account.platform.clone(), key);
        if let Some(holders) = self.by_key.get_mut(&name) {
            holders.remove(&rank);
            if holders.is_empty() {
                self.by_key.remove(&name);
            }
        }
    }

    /// Gives an account another place among those with its keys.
    fn rank(&mut self, account: &Account, rank: Rank) {
        let Some(known) = self.known.get_mut(account) else {
            return;
        };
        let before = std::mem::replace(&mut known.rank, rank);
        for key in known.keys.keys() {
            let name = (account.platform.clone(), key.clone());
            if let Some(holders) = self.by_key.get_mut(&name)
                && let Some(account) = holders.remove(&before)
            {
                holders.insert(rank, account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(domain: &str) -> Account {
        Account {
            domain: domain.to_owned(),
            platform: "wx".to_owned(),
            target: "main".to_owned(),
        }
    }

    fn routes() -> Routes {
        Routes::new(&[7; 32])
    }

    fn domains(routes: &Routes, key: &str) -> Vec<String> {
        let (holders, _) = routes.of_key("wx", key);
        let domain = |holder: Holder| holder.account.domain.clone();
        holders.into_iter().map(domain).collect()
    }

    #[test]
    fn an_address_is_good_while_its_account_is_in_use() {
        let routes = routes();
        let (shop, rival) = (account("shop"), account("rival"));
        let token = routes.token(&shop);
        assert_eq!(token.len(), 43, "32 bytes");
        assert_ne!(token, routes.token(&rival));
        assert_ne!(token, Routes::new(&[8; 32]).token(&shop), "another host's");
        assert_eq!(routes.of_token(&token), None);
        for version in [1, 2] {
            routes.learn(&shop, version, Vec::new(), 0);
            routes.open(&shop);
            let found = routes.of_token(&token).unwrap();
            assert_eq!((&*found.account, found.version), (&shop, version));
        }
        for bad in [
            "",
            "x",
            &token[..42],
            &format!("{token}A"),
            &token.to_lowercase(),
        ] {
            assert_eq!(routes.of_token(bad), None, "{bad}");
        }
        routes.close(&shop);
        assert_eq!(routes.of_token(&token), None);
        assert_eq!(routes.token(&shop), token);
    }

    #[test]
    fn a_key_leads_to_the_newest_version_that_has_it() {
        let routes = routes();
        let shop = account("shop");
        let keys = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        routes.learn(&shop, 2, keys(&["B"]), 0);
        routes.learn(&shop, 1, keys(&["A", "B"]), 0);
        for (key, version) in [("A", 1), ("B", 2)] {
            let account = Arc::new(shop.clone());
            let holders = vec![Holder { account, version }];
            assert_eq!(routes.of_key("wx", key), (holders, 1));
            assert_eq!(routes.version_with(&shop, key), Some(version));
        }
        assert_eq!(routes.of_key("zfb", "A"), (Vec::new(), 0));
        assert_eq!(routes.of_key("wx", "C"), (Vec::new(), 0));
        // A renewed certificate of a version that is not the newest.
        routes.learn(&shop, 1, keys(&["C"]), 0);
        assert_eq!(routes.version_with(&shop, "C"), Some(1));
    }

    #[test]
    fn of_many_with_the_same_key_those_come_first_that_proved_a_payment_then_those_that_changed() {
        let routes = routes();
        for at in 1..=9 {
            routes.learn(&account(&format!("d{at}")), 1, vec!["K".into()], at);
        }
        assert_eq!(domains(&routes, "K"), ["d9", "d8", "d7", "d6"]);
        assert_eq!(routes.of_key("wx", "K").1, 9);
        routes.proved(&account("d2"), 100);
        routes.proved(&account("d1"), 50);
        routes.proved(&account("d1"), 40);
        routes.learn(&account("d3"), 2, vec!["K".into()], 10);
        assert_eq!(domains(&routes, "K"), ["d2", "d1", "d3", "d9"]);
        routes.proved(&account("nobody"), 100);
        assert_eq!(routes.of_key("wx", "K").1, 9);
    }

    #[test]
    fn only_the_newest_keys_of_an_account_are_kept() {
        let routes = routes();
        let shop = account("shop");
        for version in 1..=500 {
            routes.learn(&shop, version, vec![format!("K{version}")], 0);
        }
        assert_eq!(routes.of_key("wx", "K1"), (Vec::new(), 0));
        assert_eq!(routes.of_key("wx", "K500").1, 1);
        assert_eq!(routes.inner().by_key.len(), KEYS_OF_AN_ACCOUNT);
    }
}
