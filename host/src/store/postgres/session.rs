//! One connection to the server, with its prepared statements, driven by the thread that owns it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, GenericClient, IsolationLevel, Statement, Transaction};

use super::address::Address;
use super::connecting::{Connected, Heard, connect};
use super::error;
use super::numbering::numbered;
use super::value::{Bound, Kind, check};
use crate::store::link::{Dialect, EachRow, Link, Value};
use crate::store::{FindError, StoreError};

/// The schema's statements, with the shapes of `find`.
const CACHED_STATEMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// Rows of one page of a long answer: what is not wanted any more is not sent.
const PAGE: i32 = 256;

/// Several statements of one read see the same moment.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What a connection is set to is answered at once, or the server hangs.
const SET_UP_WITHIN: Duration = Duration::from_secs(10);

/// What has come already is looked at in this time.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The longest that the end of a connection waits until the server was told.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection. What is sent while nobody waits for it goes with the next statement.
pub(super) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    line: Line,
    statements: RefCell<LruCache<String, Vec<Prepared>>>,
    /// What goes ahead of the next statement.
    ahead: Cell<Option<&'static str>>,
    /// A statement of this transaction failed: the server undoes all of it.
    failed: Cell<bool>,
}

/// Waits for the server's answers.
struct Line {
    runtime: Runtime,
    heard: Arc<Heard>,
    /// The longest that the server may be silent while an answer is waited for; for ever where there is none.
    silence: Cell<Option<Duration>>,
    /// It was silent for too long. What it may still answer would be taken for the answer to something else, so nothing
    /// is asked any more.
    lost: Cell<bool>,
}

impl Line {
    /// Waits for an answer for as long as the server goes on with it: a long one may take its time on a slow way, a server
    /// that hangs says nothing.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        if self.lost.get() {
            return Err(StoreError::Unavailable(
                "the connection was given up".to_owned(),
            ));
        }
        let done = match self.silence.get() {
            None => Some(self.runtime.block_on(work)),
            Some(silence) => self.runtime.block_on(self.unless_silent(silence, work)),
        };
        match done {
            Some(done) => done.map_err(|error| error::of(&error)),
            None => {
                self.lost.set(true);
                let seconds = self.silence.get().unwrap_or_default().as_secs();
                let why = format!("it has been silent for {seconds} s");
                Err(StoreError::Unavailable(why))
            }
        }
    }

    async fn unless_silent<T>(
        &self,
        silence: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        let mut until = Instant::now() + silence;
        loop {
            if let Ok(done) = timeout_at(until.into(), work.as_mut()).await {
                return Some(done);
            }
            let later = self.heard.last() + silence;
            if later <= until {
                // Where this machine itself stood still, the answer lies there and was not looked at.
                return timeout(LAST_LOOK, work).await.ok();
            }
            until = later;
        }
    }
}

/// A statement for values of these kinds.
struct Prepared {
    kinds: Vec<Kind>,
    statement: Statement,
}

/// How a transaction ended.
pub(super) enum Ended {
    /// It is durable.
    Committed,
    /// Nothing of it was written.
    Undone(StoreError),
    /// The connection was lost, or given up, while it was committed.
    Uncertain(StoreError),
}

impl Session {
    /// Connects, and sets up the connection by `settings`. Blocks; not for a thread of a runtime. While an answer is waited
    /// for the server may be silent for `silence`, or for ever.
    pub(super) fn open(
        address: &Address,
        settings: &str,
        silence: Option<Duration>,
    ) -> Result<Session, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::io("cannot prepare a connection", error))?;
        let connected = runtime.block_on(connect(address, None));
        let Connected {
            client,
            driver,
            heard,
        } = match connected {
            Ok(connected) => connected,
            Err(error) => {
                // Somebody may still be looking up the server's name.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let session = Session {
            client,
            driver,
            line: Line {
                runtime,
                heard,
                silence: Cell::new(Some(SET_UP_WITHIN)),
                lost: Cell::new(false),
            },
            statements: RefCell::new(LruCache::new(CACHED_STATEMENTS)),
            ahead: Cell::new(None),
            failed: Cell::new(false),
        };
        session.batch(settings)?;
        session.may_be_silent(silence);
        Ok(session)
    }

    /// For how long the server may be silent from now on.
    pub(super) fn may_be_silent(&self, silence: Option<Duration>) {
        self.line.silence.set(silence);
    }

    /// Whether the connection is gone, or was given up.
    pub(super) fn is_closed(&self) -> bool {
        self.is_lost() || self.client.is_closed() || self.driver.is_finished()
    }

    /// Whether it was given up since the server was silent.
    pub(super) fn is_lost(&self) -> bool {
        self.line.lost.get()
    }

    /// Says goodbye to the server.
    pub(super) fn close(self) {
        let Session {
            client,
            driver,
            line,
            ..
        } = self;
        drop(client);
        // To a server that is silent nothing is said. An error is that the connection ended before.
        if !line.lost.get() {
            let goodbye = async { timeout(GOODBYE, driver).await };
            drop(line.runtime.block_on(goodbye));
        }
    }

    /// Begins a transaction that writes, together with its first statement.
    pub(super) fn begin(&self) {
        self.failed.set(false);
        self.ahead.set(Some("BEGIN"));
    }

    /// The link of a transaction that writes.
    pub(super) fn writing(&self) -> Plain<'_> {
        Plain {
            session: self,
            writes: true,
        }
    }

    /// Makes what was written durable.
    pub(super) fn commit(&self) -> Ended {
        if self.failed.get() {
            self.undo();
            let why = "a statement of the transaction failed".to_owned();
            return Ended::Undone(StoreError::Postgres(why));
        }
        if self.ahead.take().is_some() {
            // Nothing was asked: there is nothing to commit, and whether the server lives is not known.
            return match self.batch("SELECT 1") {
                Ok(()) => Ended::Committed,
                Err(error) => Ended::Undone(error),
            };
        }
        match self.batch("COMMIT") {
            Ok(()) => Ended::Committed,
            Err(error @ StoreError::Unavailable(_)) => Ended::Uncertain(error),
            Err(error) => {
                self.undo();
                Ended::Undone(error)
            }
        }
    }

    /// Forgets what was written.
    pub(super) fn undo(&self) {
        if self.ahead.take().is_none() {
            // On a connection that is gone the server has done so by itself.
            drop(self.batch("ROLLBACK"));
        }
        self.failed.set(false);
    }

    /// Looks at one moment of the store.
    pub(super) fn look<T>(
        &self,
        work: impl FnOnce(&dyn Link) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.failed.set(false);
        self.ahead.set(Some(BEGIN_READING));
        let link = Plain {
            session: self,
            writes: false,
        };
        let result = work(&link);
        let ended = match self.ahead.take() {
            // Nothing was asked.
            Some(_) => Ok(()),
            None => self.batch("COMMIT"),
        };
        // An error of its own says more than that of the end.
        let result = result?;
        ended?;
        Ok(result)
    }

    /// The same for an answer that may be long, page by page, and not for longer than until `until`.
    pub(super) fn find<T>(
        &mut self,
        until: Instant,
        work: impl FnOnce(&dyn Link) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begin = self
            .client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start();
        let transaction = self.line.wait(begin)?;
        let link = Paged {
            transaction: &transaction,
            line: &self.line,
            statements: &self.statements,
            until,
        };
        let result = work(&link);
        let ended = self.line.wait(transaction.rollback());
        // An error of its own says more than that of the end.
        let result = result?;
        ended?;
        Ok(result)
    }

    /// Runs statements without values.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.line.wait(self.client.batch_execute(sql))
    }

    /// Does `work` behind what goes ahead of it, without waiting in between.
    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        let ahead = self.ahead.take();
        let done = self.line.wait(async {
            let Some(sql) = ahead else {
                return work.await;
            };
            let mut begun = pin!(self.client.batch_execute(sql));
            // The first look at it sends it.
            let early = poll_fn(|context| Poll::Ready(begun.as_mut().poll(context))).await;
            let done = work.await;
            match early {
                Poll::Ready(begun) => begun?,
                Poll::Pending => begun.await?,
            }
            done
        });
        if done.is_err() {
            self.failed.set(true);
        }
        done
    }

    fn statement(&self, sql: &str, values: &[Value<'_>]) -> Result<Statement, StoreError> {
        if let Some(known) = known(&self.statements, sql, values) {
            return Ok(known);
        }
        let (text, types) = wanted(sql, values);
        let statement = self.run(self.client.prepare_typed(&text, &types))?;
        keep(&self.statements, sql, values, &statement);
        Ok(statement)
    }
}

type Statements = RefCell<LruCache<String, Vec<Prepared>>>;

fn known(statements: &Statements, sql: &str, values: &[Value<'_>]) -> Option<Statement> {
    let mut statements = statements.borrow_mut();
    let fits = |prepared: &&Prepared| {
        let kinds = prepared.kinds.iter().zip(values);
        let fit = |(kind, value): (&Kind, &Value<'_>)| kind.takes(Kind::of(value));
        prepared.kinds.len() == values.len() && kinds.into_iter().all(fit)
    };
    let prepared = statements.get(sql)?.iter().find(fits)?;
    Some(prepared.statement.clone())
}

fn wanted(sql: &str, values: &[Value<'_>]) -> (String, Vec<Type>) {
    let types = values.iter().map(|value| Kind::of(value).sql_type());
    (numbered(sql), types.collect())
}

fn keep(statements: &Statements, sql: &str, values: &[Value<'_>], statement: &Statement) {
    let prepared = Prepared {
        kinds: values.iter().map(Kind::of).collect(),
        statement: statement.clone(),
    };
    let mut statements = statements.borrow_mut();
    match statements.get_mut(sql) {
        Some(several) => several.push(prepared),
        None => {
            statements.put(sql.to_owned(), vec![prepared]);
        }
    }
}

fn bound<'a>(values: &'a [Value<'a>]) -> Vec<Bound<'a>> {
    values.iter().map(|value| Bound(*value)).collect()
}

fn references<'a>(bound: &'a [Bound<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    bound
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

/// Inside a transaction whose answers are short.
pub(super) struct Plain<'s> {
    session: &'s Session,
    writes: bool,
}

impl Link for Plain<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn writes(&self) -> bool {
        self.writes
    }

    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        check(values)?;
        let session = self.session;
        let statement = session.statement(sql, values)?;
        let bound = bound(values);
        let changed = session.run(session.client.execute(&statement, &references(&bound)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn each_row(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        check(values)?;
        let session = self.session;
        let statement = session.statement(sql, values)?;
        let bound = bound(values);
        for row in session.run(session.client.query(&statement, &references(&bound)))? {
            if each(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn lock_name(&self, name: &str) -> Result<(), StoreError> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended(?1, 0)) IS NULL";
        self.each_row(sql, &[Value::Text(name)], &mut |_| {
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// Inside a transaction that reads what may be long.
struct Paged<'s> {
    transaction: &'s Transaction<'s>,
    line: &'s Line,
    statements: &'s Statements,
    until: Instant,
}

impl Paged<'_> {
    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        if Instant::now() >= self.until {
            return Err(FindError::TooSlow.into());
        }
        self.line.wait(work)
    }
}

impl Link for Paged<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn writes(&self) -> bool {
        false
    }

    fn execute(&self, _: &str, _: &[Value<'_>]) -> Result<usize, StoreError> {
        Err(StoreError::Invariant("a look that writes".to_owned()))
    }

    fn each_row(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        check(values)?;
        let statement = match known(self.statements, sql, values) {
            Some(known) => known,
            None => {
                let (text, types) = wanted(sql, values);
                let made = self.run(GenericClient::prepare_typed(
                    self.transaction,
                    &text,
                    &types,
                ))?;
                keep(self.statements, sql, values, &made);
                made
            }
        };
        let bound = bound(values);
        let portal = self.run(self.transaction.bind(&statement, &references(&bound)))?;
        loop {
            let rows = self.run(self.transaction.query_portal(&portal, PAGE))?;
            let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for row in rows {
                if each(&row)?.is_break() {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn lock_name(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}
