//! The engine that a store runs on: the embedded one, or PostgreSQL.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{broadcast, watch};
use tracing::Instrument as _;

use super::audit::Tidied;
use super::keys::KnownKeys;
use super::link::Link;
use super::meter::Meter;
use super::table::Lane;
use super::{News, Stats, StoreError, postgres, sqlite};
use crate::logging::SPANS;
use crate::payment::model::PaymentId;

/// The open database.
pub(super) struct Database {
    engine: Engine,
    /// The domain that had the last turn in the outbox; see [`delivery::lease`](super::table::delivery::lease).
    turn: Arc<Mutex<String>>,
    /// The domain and platform that were asked about last; see [`attempt::claim_asks`](super::table::attempt::claim_asks).
    asking_turn: Arc<Mutex<Lane>>,
    /// Those whose refund was worked on last; see [`refund::claim`](super::table::refund::claim).
    refund_turn: Arc<Mutex<Lane>>,
    keys: KnownKeys,
    tidied: Tidied,
    meter: Arc<Meter>,
}

enum Engine {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Database {
    /// The embedded engine's, in this directory.
    pub(super) fn in_directory(dir: &Path) -> Result<Database, StoreError> {
        let meter = Arc::new(Meter::default());
        let database = sqlite::Database::open(dir, Arc::clone(&meter))?;
        Ok(Database::of(Engine::Sqlite(database), meter))
    }

    /// PostgreSQL's, at this address.
    pub(super) fn at(address: &postgres::Address) -> Result<Database, StoreError> {
        let meter = Arc::new(Meter::default());
        let database = postgres::Database::open(address, Arc::clone(&meter))?;
        Ok(Database::of(Engine::Postgres(database), meter))
    }

    fn of(engine: Engine, meter: Arc<Meter>) -> Database {
        Database {
            engine,
            turn: Arc::default(),
            asking_turn: Arc::default(),
            refund_turn: Arc::default(),
            keys: KnownKeys::default(),
            tidied: Tidied::default(),
            meter,
        }
    }

    /// Runs `work` in a transaction and answers when it is durable. An error of `work` undoes what it wrote, and nothing
    /// else. It may be run more than once, as if it had not been run before: where several write at the same time, one
    /// may have to give way.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.counted(async {
            match &self.engine {
                Engine::Sqlite(database) => database.write(work).await,
                Engine::Postgres(database) => database.write(work).await,
            }
        })
        .await
    }

    /// The same for what changes this payment, and holds nothing that others wait for in line: it may be committed together
    /// with others of the kind. Other hosts are told.
    pub(super) async fn write_payment<T, F>(&self, id: PaymentId, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.counted(async {
            match &self.engine {
                Engine::Sqlite(database) => database.write(work).await,
                Engine::Postgres(database) => database.write_payment(id, true, work).await,
            }
        })
        .await
    }

    /// The same for what changes this payment, and more.
    pub(super) async fn write_payment_and_more<T, F>(
        &self,
        id: PaymentId,
        work: F,
    ) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.counted(async {
            match &self.engine {
                Engine::Sqlite(database) => database.write(work).await,
                Engine::Postgres(database) => database.write_payment(id, false, work).await,
            }
        })
        .await
    }

    /// The same for work that may take any time, as that of a whole store.
    pub(super) async fn write_long<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.counted(async {
            match &self.engine {
                Engine::Sqlite(database) => database.write(work).await,
                Engine::Postgres(database) => database.write_long(work).await,
            }
        })
        .await
    }

    /// Counts how long whoever writes waits, and has it seen in what is written for.
    async fn counted<T>(&self, writing: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let span = tracing::info_span!(target: SPANS, "commit");
        let done = writing.instrument(span).await;
        self.meter.answered(begun.elapsed());
        done
    }

    /// Runs `work` on a thread that reads, perhaps more than once. It sees everything that was answered before, as of one
    /// moment.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(database) => database.read(work).await,
            Engine::Postgres(database) => database.read(work).await,
        }
    }

    /// The same for questions that may read everything: on threads of their own, and not for ever.
    ///
    /// # Errors
    /// [`FindError::TooSlow`](super::FindError::TooSlow).
    pub(super) async fn find<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(database) => database.find(work).await,
            Engine::Postgres(database) => database.find(work).await,
        }
    }

    /// Whether something can be written durably now.
    pub(super) async fn write_again(&self) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(database) => database.write_again().await,
            Engine::Postgres(database) => database.write_again().await,
        }
    }

    /// Returns when the disk failed while it was synchronised. What a server's disk does is the server's affair.
    pub(super) async fn unsynced(&self) {
        match &self.engine {
            Engine::Sqlite(database) => database.unsynced().await,
            Engine::Postgres(_) => std::future::pending().await,
        }
    }

    pub(super) async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(database) => database.close().await,
            Engine::Postgres(database) => database.close().await,
        }
    }

    /// The engine's name, and the version of the schema that this program works with.
    pub(super) fn schema(&self) -> (&'static str, u64) {
        let (name, versions) = match &self.engine {
            Engine::Sqlite(_) => ("SQLite", sqlite::versions()),
            Engine::Postgres(_) => ("PostgreSQL", postgres::versions()),
        };
        (name, u64::try_from(versions).unwrap_or(u64::MAX))
    }

    /// What is counted of it.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn stats(&self) -> Stats {
        self.meter.stats()
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        match &self.engine {
            Engine::Sqlite(database) => database.commits(),
            Engine::Postgres(database) => database.commits(),
        }
    }

    pub(super) fn news(&self) -> Option<broadcast::Receiver<News>> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(database) => Some(database.news()),
        }
    }

    /// Keys that may be kept in memory; none where another host may change them.
    pub(super) fn known_keys(&self) -> Option<&KnownKeys> {
        match &self.engine {
            Engine::Sqlite(_) => Some(&self.keys),
            Engine::Postgres(_) => None,
        }
    }

    /// When old lines of the audit log were let go.
    pub(super) fn tidied(&self) -> &Tidied {
        &self.tidied
    }

    pub(super) fn turn(&self) -> Arc<Mutex<String>> {
        Arc::clone(&self.turn)
    }

    pub(super) fn asking_turn(&self) -> Arc<Mutex<Lane>> {
        Arc::clone(&self.asking_turn)
    }

    pub(super) fn refund_turn(&self) -> Arc<Mutex<Lane>> {
        Arc::clone(&self.refund_turn)
    }
}
