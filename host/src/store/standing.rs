//! What waits in the store at this moment, for whoever watches over it. Each number is read from an index, so that asking
//! costs little however many payments there are.

use crate::payment::model::Ams;

use super::table::standing;
use super::{Store, StoreError};

/// What waits, live payments and those for tests together. Times are absolute; none where nothing of the kind is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Payments that are WAIT.
    pub waiting: u64,
    /// When the oldest of these was created.
    pub waiting_since: Option<Ams>,
    /// Payments that are held for a person.
    pub held: u64,
    /// When the one of these was changed that did not change for the longest time.
    pub held_since: Option<Ams>,
    /// Callback deliveries that are neither done nor given up.
    pub deliveries: u64,
    /// When the most overdue of these is, or was, to be taken.
    pub delivery_due: Option<Ams>,
    /// Deliveries that were given up.
    pub dead: u64,
    /// When the most overdue question about an attempt is, or was, to be asked.
    pub question_due: Option<Ams>,
    /// Refunds that have not come to their end.
    pub refunds: u64,
    /// Of these, those that a person has to finish at the platform.
    pub stuck: u64,
    /// When the most overdue of these is, or was, to be worked on.
    pub refund_due: Option<Ams>,
}

/// The version of the store's tables, and the one that this program works with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schema {
    /// Of the tables, now.
    pub found: u64,
    /// Of this program.
    pub known: u64,
}

impl Store {
    /// Of which version the tables are.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let (_, known) = self.database.schema();
        let found = self.database.read(standing::schema).await?;
        Ok(Schema { found, known })
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        self.database.schema().0
    }

    /// What waits now.
    ///
    /// # Errors
    /// [`StoreError::Find`] when it cannot be told in time, and whatever keeps the store from answering.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        self.database.find(standing::now).await
    }
}
