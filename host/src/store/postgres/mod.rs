//! PostgreSQL: several hosts share one database, each with some connections that write, some that read, and one by which
//! the hosts know of each other.
//!
//! Nobody outside `store` enters. `address`, `tls`, `connecting` and `door` lead to the server; `session`, `numbering`,
//! `value` and `error` are how the tables see it; `queue`, `writers` and `readers` are the threads; `herald` and `hosts` say
//! who lives and what was committed.
//!
//! Each thread drives its own connection, so that an answer of the server wakes the one thread that waits for it.

mod address;
mod connecting;
mod door;
mod error;
mod herald;
mod hosts;
mod numbering;
mod queue;
mod readers;
mod schema;
mod session;
mod tls;
mod value;
mod writers;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};

use super::link::{Link, Value, one_row};
use super::meter::Meter;
use super::threads::Threads;
use super::{Checked, News, StoreError, table};
use crate::payment::model::PaymentId;
pub use address::Address;
use door::Door;
use herald::Calls;
use queue::Manner;
use readers::{Kind, Readers};
use session::{Ended, Session};
use writers::Writers;

/// The longest that a change waits for a row or name that another holds, before it lets go of what it holds itself. It is
/// tried again: see [`writers`].
const LOCK_MS: u32 = 250;

/// A server that says nothing for so long while somebody waits for what it has read hangs: the connection is given up.
const READ_SILENCE: Duration = door::PATIENCE;

/// The same where something is written. A disk that stutters makes a commit late, and one that is given up leaves behind
/// whoever wanted it not knowing what became of it.
const WRITE_SILENCE: Duration = Duration::from_secs(10);

/// The same where an owner asks: the server itself gives up before.
const FIND_SILENCE: Duration = FIND_WITHIN.saturating_add(Duration::from_secs(1));

/// The longest that one question of an owner may take.
const FIND_WITHIN: Duration = Duration::from_secs(5);

/// The longest that a look through everything may take.
const CHECK_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Threads for questions of owners: two, so that one long question does not hold up the others.
const FINDERS: usize = 2;

/// The open database with its threads.
pub(super) struct Database {
    writers: Writers,
    readers: Readers,
    finders: Readers,
    calls: Arc<Calls>,
    threads: Threads,
    /// The number of this host.
    host: i64,
}

impl Database {
    pub(super) fn open(address: &Address, meter: Arc<Meter>) -> Result<Database, StoreError> {
        let host = blocking(|| enter(address))?;
        let calls = Calls::new();
        let (threads, alive) = Threads::none();
        let settings = settings(host);
        let door = |more: &str, silence| {
            Door::new(address.clone(), format!("{settings}; {more}"), silence)
        };
        let writing = door(&format!("SET lock_timeout = {LOCK_MS}"), WRITE_SILENCE);
        let writers = Writers::start(writing, address.writers, &calls, meter, &threads, &alive)?;
        let looking = Kind {
            name: "reader",
            count: address.readers,
            within: None,
        };
        let readers = Readers::start(
            door("SET jit = off", READ_SILENCE),
            looking,
            &threads,
            &alive,
        )?;
        let finding = Kind {
            name: "finder",
            count: FINDERS,
            within: Some(FIND_WITHIN),
        };
        let limit = format!("SET statement_timeout = {}", FIND_WITHIN.as_millis());
        let finders = Readers::start(door(&limit, FIND_SILENCE), finding, &threads, &alive)?;
        herald::start(
            address.clone(),
            settings,
            host,
            Arc::clone(&calls),
            &threads,
            alive,
        )?;
        Ok(Database {
            writers,
            readers,
            finders,
            calls,
            threads,
            host,
        })
    }

    /// Runs `work` in a transaction of its own and answers when it is durable. It may be run more than once: what the
    /// runs before wrote is undone. An error of `work` undoes what it wrote, and nothing else.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.writers.write(Manner::default(), work).await
    }

    /// The same, of which other hosts are told that it changes this payment. `shares` says that it changes the payment
    /// alone: others may be committed together with it.
    pub(super) async fn write_payment<T, F>(
        &self,
        id: PaymentId,
        shares: bool,
        work: F,
    ) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let manner = Manner {
            shares,
            about: Some(id),
            ..Manner::default()
        };
        self.writers.write(manner, work).await
    }

    /// The same for work whose statements may take the server any time.
    pub(super) async fn write_long<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let manner = Manner {
            long: true,
            ..Manner::default()
        };
        self.writers.write(manner, work).await
    }

    /// Runs `work` on a reading thread. It sees everything that was answered before.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
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
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.finders.read(work).await
    }

    /// Whether something can be written durably now: a sign of life of this host's.
    pub(super) async fn write_again(&self) -> Result<(), StoreError> {
        let host = self.host;
        self.write(move |link| {
            let sql = "UPDATE host SET beaten_at = clock_timestamp() WHERE id = ?1";
            link.execute(sql, &[Value::Integer(host)]).map(drop)
        })
        .await
    }

    pub(super) async fn close(&self) {
        self.end();
        self.threads.ended().await;
    }

    fn end(&self) {
        self.readers.close();
        self.finders.close();
        self.writers.close();
        self.calls.end();
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.calls.commits.subscribe()
    }

    pub(super) fn news(&self) -> broadcast::Receiver<News> {
        self.calls.news.subscribe()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.end();
        self.threads.join();
    }
}

/// Looks through a whole store, whoever has it open.
pub(super) fn check(address: &Address) -> Result<Checked, StoreError> {
    blocking(|| {
        let mut session = Session::open(address, "SET jit = off", None)?;
        let checked = session.find(Instant::now() + CHECK_WITHIN, |link| {
            schema::expect_current(link, address)?;
            table::care::check(link)
        })?;
        session.close();
        Ok(checked)
    })
}

/// How many versions its schema had until now.
pub(super) fn versions() -> usize {
    schema::current()
}

/// What every connection is set to. A server whose commits are not durable by default makes those of walnut durable.
fn settings(host: i64) -> String {
    format!(
        "SET walnut.host = '{host}'; SET default_transaction_isolation = 'read committed'; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') = 'off'"
    )
}

/// Brings the schema up to date, and enters this host among those that live; its number.
fn enter(address: &Address) -> Result<i64, StoreError> {
    // Another host may bring the schema up to date meanwhile, which takes its time.
    let session = Session::open(address, "SET lock_timeout = 0", None)?;
    schema::prepare(&session, address)?;
    session.begin();
    let entered = register(&session.writing());
    let host = match entered {
        Ok(host) => host,
        Err(error) => {
            session.undo();
            return Err(error);
        }
    };
    match session.commit() {
        Ended::Committed => {}
        Ended::Undone(error) | Ended::Uncertain(error) => return Err(error),
    }
    session.close();
    Ok(host)
}

fn register(link: &dyn Link) -> Result<i64, StoreError> {
    let host = one_row(link, hosts::REGISTER, &[], |columns| columns.next())?;
    link.execute(hosts::BURY, &[])?;
    for sql in hosts::FREE {
        link.execute(sql, &[])?;
    }
    host.ok_or_else(|| StoreError::Corrupt("no number for this host".to_owned()))
}

/// On a thread of its own: a runtime's thread must not drive another runtime.
fn blocking<T: Send>(work: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
    thread::scope(|scope| {
        let gone = || StoreError::Postgres("the thread that opens the store panicked".to_owned());
        scope.spawn(work).join().map_err(|_| gone())?
    })
}
