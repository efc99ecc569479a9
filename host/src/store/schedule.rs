//! What is due: attempts that a platform is to be asked about, and payments that nobody sent in time.

use crate::payment::model::{Ams, Attempt, PaymentId};

use super::sqlite::attempt;
use super::sqlite::payment;
use super::{Store, StoreError};

impl Store {
    /// Takes at most `limit` attempts whose `ask_at_ms` has come and that nobody is working on, the most
    /// overdue first, and leases them until `until`, each with a fence one higher.
    ///
    /// A lease that runs out makes the attempt due again. The rule that records the answer compares the
    /// fence, sets the next `ask_at_ms` and ends the lease.
    pub async fn claim_asks(
        &self,
        now: Ams,
        until: Ams,
        limit: u32,
    ) -> Result<Vec<Attempt>, StoreError> {
        self.database
            .write(move |connection| attempt::claim_asks(connection, now, until, limit))
            .await
    }

    /// When the next attempt is due or its lease runs out; `None` when nothing is to be asked.
    pub async fn next_ask(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(attempt::next_ask).await
    }

    /// At most `limit` payments that are still NEW although their deadline has come, the most overdue first.
    pub async fn expired_new(&self, now: Ams, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        self.database
            .read(move |connection| payment::expired_new(connection, now, limit))
            .await
    }

    /// The earliest deadline of a payment that is still NEW.
    pub async fn next_expiry(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(payment::next_expiry).await
    }
}
