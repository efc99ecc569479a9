//! The embedded engine: one SQLite file in WAL mode, one thread that writes, a few that read.
//!
//! Nobody outside `store` enters. `link` is how the tables see it; `care` is for a store that no host has to have open.

mod connection;
mod link;
mod lock;
mod readers;
mod schema;
mod source;
mod writer;

pub(super) mod care;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::watch;

use super::StoreError;
use super::link::Link;
use super::meter::Meter;
use connection::Checkpoint;
use lock::DirectoryLock;
use readers::{Kind, Readers};
pub(super) use source::Source;
use writer::Writer;

/// The database's name in its directory.
pub(super) const FILE: &str = "payments.db";

/// The open database with its threads.
pub(super) struct Database {
    writer: Writer,
    readers: Readers,
    finders: Readers,
}

impl Database {
    pub(super) fn open(dir: &Path, meter: Arc<Meter>) -> Result<Database, StoreError> {
        let lock = DirectoryLock::take(dir)?;
        let path = dir.join(FILE);
        let connection = carry_log(&path, &lock)
            .and_then(|()| open(&path))
            .map_err(|error| match error {
                StoreError::Corrupt(what) if !what.contains(FILE) => {
                    StoreError::Corrupt(format!("{}: {what}", path.display()))
                }
                other => other,
            })?;
        lock.sync()?;
        let lock = Arc::new(lock);
        let readers = Readers::start(&path, &lock, Kind::looking())?;
        let finders = Readers::start(&path, &lock, Kind::finding())?;
        let writer = Writer::start(connection, lock, meter)?;
        Ok(Database {
            writer,
            readers,
            finders,
        })
    }

    /// Runs `work` in a transaction on the writer's thread and answers when it is durable. An error of `work`
    /// undoes what it wrote, and nothing else. It may be run once more, as if it had not been run before.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.writer.write(work).await
    }

    /// Runs `work` on a reading thread. It sees everything that was answered before.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.readers.read(work).await
    }

    /// The same for questions that may read everything: on threads of their own, and not for ever.
    ///
    /// # Errors
    /// [`FindError::TooSlow`](super::FindError::TooSlow).
    pub(super) async fn find<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.finders.read(work).await
    }

    pub(super) async fn close(&self) {
        self.readers.close();
        self.finders.close();
        self.writer.close();
        self.readers.ended().await;
        self.finders.ended().await;
        self.writer.ended().await;
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.writer.commits()
    }

    /// Whether something can be written durably now.
    pub(super) async fn write_again(&self) -> Result<(), StoreError> {
        self.write(schema::write_again).await
    }

    /// Returns when the disk failed while it was synchronised.
    pub(super) async fn unsynced(&self) {
        self.writer.unsynced().await;
    }
}

/// How many versions its schema had until now.
pub(super) fn versions() -> usize {
    schema::current()
}

/// The writer's connection to a file that is walnut's and up to date.
fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connection::open(path)?;
    // Before anything is set: a file that is not ours stays as it is.
    let found = schema::version(&connection, path)?;
    connection::prepare_for_writing(&connection, path)?;
    schema::migrate(&mut connection, found)?;
    end_leases(&connection)?;
    Ok(connection)
}

/// What was begun under a lease is due at once: the directory is locked, so whoever held it is gone.
fn end_leases(connection: &Connection) -> Result<(), StoreError> {
    for table in ["attempt", "refund"] {
        let sql = format!(
            "UPDATE {table} SET leased_until_ms = 0, ask_at_ms = min(ask_at_ms, created_ms) \
            WHERE ask_at_ms > 0 AND leased_until_ms > 0"
        );
        connection.execute(&sql, [])?;
    }
    Ok(())
}

/// Carries what an earlier process left in the log into the file, all of it from the beginning, before anything is written
/// behind it. Where synchronising failed, what is read of the log may stand in the system's memory alone, and so may what
/// was carried before: written once more it is on the disk when this succeeds.
///
/// Nobody else may have the file open, since with them SQLite would go on where the earlier process was. Unless the disk
/// failed then, the log can wait for them.
fn carry_log(path: &Path, lock: &DirectoryLock) -> Result<(), StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).map_or(0, |log| log.len()) == 0 {
        lock.forget_failure();
        return Ok(());
    }
    let alone = connection::open_alone(path)?;
    let carried = schema::version(&alone, path)
        .and_then(|_| connection::checkpoint(&alone, Checkpoint::Truncate));
    match carried {
        Ok(_) => {
            lock.forget_failure();
            Ok(())
        }
        Err(error) if !error.is_busy() => Err(error),
        Err(_) if lock.has_failed() => Err(StoreError::NotAlone(path.to_owned())),
        Err(_) => {
            tracing::warn!(
                "another program reads the store: what an earlier host left in its log stays there for now"
            );
            Ok(())
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.readers.close();
        self.finders.close();
        self.writer.close();
        self.readers.join();
        self.finders.join();
        self.writer.join();
    }
}

/// How SQLite answers a question in a new store, in its own words.
#[cfg(test)]
pub(super) fn plan(sql: &str) -> String {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection, 0).unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement = connection.prepare(&sql).unwrap();
    let values = vec![rusqlite::types::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3));
    let plan: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    plan.join("; ")
}
