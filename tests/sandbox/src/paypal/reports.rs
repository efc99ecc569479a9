//! How far the transaction search has come and whom it answers, as somebody at the platform says so.

use std::collections::HashSet;

use time::Duration;

use super::PayPal;
use super::account::Account;
use super::error::SandboxError;

/// How many transactions one search may find.
const MOST: usize = 10_000;

/// How the reports stand.
pub(super) struct Reports {
    /// How much later than it happened something is told.
    pub(super) lag: Duration,
    /// How many transactions one search may find.
    pub(super) most: usize,
    /// Clients whose app has "Transaction Search" switched off.
    off: HashSet<String>,
}

impl Default for Reports {
    fn default() -> Reports {
        Reports {
            lag: Duration::ZERO,
            most: MOST,
            off: HashSet::new(),
        }
    }
}

impl Reports {
    /// Whether a client's app has them switched off.
    pub(super) fn is_off(&self, client_id: &str) -> bool {
        self.off.contains(client_id)
    }

    /// Switches them on or off.
    pub(super) fn give(&mut self, client_id: &str, given: bool) {
        if given {
            self.off.remove(client_id);
        } else {
            self.off.insert(client_id.to_owned());
        }
    }
}

impl PayPal {
    /// Everything about an order happened so much earlier.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn backdate(&self, name: &str, ago: std::time::Duration) -> Result<(), SandboxError> {
        let ago = kept(ago);
        self.change(name, |order| order.backdate(ago))
    }

    /// Whether the account's app has "Transaction Search" switched on, as it has in the beginning. Tokens that
    /// were given out stay good for what they were.
    pub fn give_reports(&self, account: &Account, given: bool) {
        let mut book = self.platform.book();
        book.reports.give(account.client_id(), given);
    }

    /// By how much the transaction search is behind, really up to three hours; in the beginning it is not.
    pub fn delay_reports(&self, lag: std::time::Duration) {
        let lag = kept(lag);
        self.platform.book().reports.lag = lag;
    }

    /// How many transactions one search may find, really 10,000.
    pub fn limit_reports(&self, most: usize) {
        self.platform.book().reports.most = most;
    }
}

fn kept(length: std::time::Duration) -> Duration {
    Duration::try_from(length).unwrap_or(Duration::MAX)
}
