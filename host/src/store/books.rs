//! What a platform's bill is compared with: the payments and refunds of one account.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::payment::model::{Ams, Attempt, Case, Refund, TradeNo};

use super::table::{attempt, case, refund};
use super::{Store, StoreError};

/// An account of a domain at a platform, in all its versions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Account {
    /// The domain.
    pub domain: String,
    /// Such as `wx`.
    pub platform: String,
    /// The target's name.
    pub target: String,
}

impl Store {
    /// At most `limit` attempts of an account that were made within this time and whose money came, and whose payment
    /// was changed at `changed_since` or later; the earliest first. `after` is the last one of the page before.
    pub async fn paid_attempts(
        &self,
        account: &Account,
        made: Range<Ams>,
        changed_since: Ams,
        after: Option<&Attempt>,
        limit: u32,
    ) -> Result<Vec<Attempt>, StoreError> {
        let account = account.clone();
        let after = after.map(|last| (last.created_ms, last.trade_no.clone()));
        self.database
            .find(move |link| {
                attempt::paid_of(link, &account, &made, changed_since, after.clone(), limit)
            })
            .await
    }

    /// When the newest attempt of each of these accounts was made whose money came, in their order; 0 where there is
    /// none.
    pub async fn last_paid(&self, accounts: Vec<Account>) -> Result<Vec<Ams>, StoreError> {
        self.database
            .read(move |link| {
                let last = |account| attempt::last_paid_of(link, account);
                accounts.iter().map(last).collect()
            })
            .await
    }

    /// Refunds of an account that were ordered within this time and given back, the earliest first, page by page as
    /// [`Store::paid_attempts`].
    pub async fn refunds_given(
        &self,
        account: &Account,
        ordered: Range<Ams>,
        after: Option<&Refund>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        let account = account.clone();
        let after = after.map(|last| (last.created_ms, last.refund_no.clone()));
        self.database
            .find(move |link| refund::given_of(link, &account, &ordered, after.clone(), limit))
            .await
    }

    /// The trades of an account that were paid by these transactions, by the platform's own numbers of them; one that
    /// the account does not have is left out. It looks at all that the account was ever paid: it is for the few rows of a
    /// bill that say no trade.
    pub async fn trades_of_transactions(
        &self,
        account: &Account,
        transactions: BTreeSet<String>,
    ) -> Result<Vec<(String, TradeNo)>, StoreError> {
        let account = account.clone();
        self.database
            .find(move |link| attempt::trades_of_transactions(link, &account, &transactions))
            .await
    }

    /// The payment of each of these trades, in their order; none where there is no such trade.
    pub async fn cases_of_trades(
        &self,
        trades: Vec<TradeNo>,
    ) -> Result<Vec<Option<Case>>, StoreError> {
        self.database
            .read(move |link| {
                let load = |trade| case::load_by_trade(link, trade);
                trades.iter().map(load).collect()
            })
            .await
    }
}
