//! The store: payments, attempts, their history and evidence, the outbox of callback deliveries, the
//! schedule for asking, domains' small data, domains, API keys and approved providers.
//!
//! The interface speaks of payments, not of tables: each verb is one transaction, and what it answers is
//! durable when it answers. `payment`, `work`, `http` and `cli` may enter; SQL stays in [`table`], written
//! once against a [`link`] to the engine, which is [`sqlite`] or [`postgres`].
//!
//! | file | verbs |
//! |---|---|
//! | `payments` | create, look at a case, change it by a rule |
//! | `find` | payments by their own columns |
//! | `summary`, `standing` | payments of a span of time, in sums; what waits now |
//! | `schedule` | what is to be asked of a platform, what has run out of time |
//! | `outbox` | callback deliveries: lease, finish, fail, replay |
//! | `books` | what a platform's bill is compared with |
//! | `retention` | what leaves the store for ever |
//! | `care` | the whole looked through and copied, without a host |
//! | `audit` | what was refused, and what was changed beside payments |
//! | `kv` | what callbacks keep for their domain |
//! | `homes` | what domains keep where several hosts share a store |
//! | `domains`, `keys`, `providers` | who may call, and which components may speak to platforms |
//!
//! A future that is dropped before it answers leaves open whether the change happened; so does a failed
//! commit when the disk failed beneath it, and then nothing more is written ([`Store::unsynced`]). Callers repeat by idempotency key, or look at the case.

mod audit;
mod books;
mod care;
mod domains;
mod engine;
mod error;
mod find;
mod homes;
mod invariants;
mod keys;
mod kv;
mod link;
mod meter;
mod migrate;
mod outbox;
mod payments;
mod postgres;
mod providers;
mod retention;
mod schedule;
mod sqlite;
mod standing;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod threads;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::payment::model::PaymentId;

pub use audit::{AuditLine, AuditOf};
pub use books::Account;
pub use care::Checked;
pub use domains::Domain;
pub use error::StoreError;
pub(crate) use find::Shown;
pub use find::{
    Clock, Column, Condition, Cursor, Find, FindError, Interval, Operand, Order, Pattern, Subject,
    Test,
};
pub(crate) use homes::HomeFiles;
pub use keys::{MOST_KEYS, StoredKey};
pub use kv::{Event, Space};
pub use migrate::Migrated;
pub(crate) use migrate::PutFile;
pub use outbox::{DeliveriesOf, Delivery, DeliveryRoom, DeliveryState, Effects, Finished};
pub use payments::{Created, IdempotencyKey, NewPayment, Once};
pub use postgres::Address;
pub use providers::{ApprovedProvider, ProviderRecord};
pub(crate) use retention::Ended;
pub use schedule::{CallRoom, DueAsk, DueRefund};
pub use standing::{Schema, Standing};
pub use summary::{Span, Sum};

use engine::Database;

/// The store of one data root, or that several hosts share. Clones share it too.
///
/// The last clone that is dropped waits until everything that was accepted is committed; [`Store::close`]
/// does so without blocking the caller's thread.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
}

/// How the writer has worked since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Durable transactions.
    pub commits: u64,
    /// Verbs that these transactions carried: `jobs / commits` is the mean batch.
    pub jobs: u64,
}

/// What another host did to the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// It changed this payment.
    Changed(PaymentId),
    /// It changed something else.
    Committed,
    /// It was silent for too long, and what it had begun is free: there may be interrupted deliveries.
    Dead,
    /// Nobody knows: nothing was heard for a while.
    Missed,
}

impl Store {
    /// Opens the store in `dir` (`<data>/var/payment`), which is made when missing, and brings its schema up
    /// to date. Blocks for the time that takes: call it before the runtime serves anybody.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process (or another `Store`) has it open, [`StoreError::Newer`]
    /// when a newer walnut wrote it, [`StoreError::Corrupt`] when the file is no store or damaged.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        Ok(Store {
            database: Arc::new(Database::in_directory(dir)?),
        })
    }

    /// Opens the store at a PostgreSQL address, and brings its schema up to date. Other hosts may have it open too. Blocks
    /// as [`Store::open`] does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server does not answer, [`StoreError::Address`] when it does not let this host
    /// in, or the server or the database is not fit; [`StoreError::Newer`] and [`StoreError::Corrupt`] as above.
    pub fn connect(address: &Address) -> Result<Store, StoreError> {
        Ok(Store {
            database: Arc::new(Database::at(address)?),
        })
    }

    /// Refuses new verbs, commits those that were accepted, and returns when the files are closed and
    /// another process may open them. All clones are closed with it.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Whether it can be read and written now: a look, and something that is written once more and durable when this
    /// answers.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.database
            .read(|link| link::one_row(link, "SELECT 1", &[], |_| Ok(())))
            .await?;
        self.database.write_again().await
    }

    /// Returns when the disk failed while it was synchronised: every verb that writes is refused from then on
    /// ([`StoreError::Unsynced`]), and the process has to end, so that the next one reads from the disk what it holds.
    /// Never returns otherwise.
    pub async fn unsynced(&self) {
        self.database.unsynced().await;
    }

    /// Counts since the store was opened.
    pub fn stats(&self) -> Stats {
        self.database.stats()
    }

    /// Has what is counted of it told.
    pub(crate) fn measure(&self, registry: &mut prometheus_client::registry::Registry) {
        self.database.meter().register(registry);
    }

    /// A number that grows with every commit: whoever looks for work waits for it to change.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.database.commits()
    }

    /// What other hosts do to the store from now on; `None` where no other host can have it open. Whoever falls behind, or
    /// hears that something was missed, looks at the store.
    pub(crate) fn news(&self) -> Option<broadcast::Receiver<News>> {
        self.database.news()
    }
}
