//! The one thread that writes, and group commit.
//!
//! A commit costs one synchronisation of the disk, however much it carries. So the writer takes whatever
//! waits, up to a bounded batch, and commits it together, and answers after the commit, so that an answer means
//! durable. A job that fails undoes itself alone: most that fail have written nothing yet; for one that has, the batch
//! is undone and run again with a savepoint for each job, which costs as much as a third of the writing and so is not
//! done at first.
//!
//! A disk that is full or cannot be written fails the commits that it fails, and the next one may succeed. A disk that
//! fails while it is *synchronised* is another matter: the system may take what it could not write for written, so that
//! the next synchronisation succeeds without it. Then nothing is written any more, nor carried into the file, until
//! another process opens the store; what was answered before is on the disk.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::connection::{CHECKPOINT_PAGES, Checkpoint, checkpoint};
use super::link::SqliteLink;
use super::lock::DirectoryLock;
use crate::store::StoreError;
use crate::store::link::Link;
use crate::store::meter::Meter;
use crate::store::threads::{Alive, Threads};

/// Jobs of one commit: bounds the time that the first of them waits for the last.
const BATCH: usize = 256;

/// Jobs that may wait; whoever comes after them waits outside, in order.
const QUEUE: usize = 4096;

/// The longest time that a batch waits for callers that took part in the one before: they were answered a
/// moment ago, and those that come back in time share one synchronisation. It is also never longer than the
/// last commit took, so that waiting cannot cost more than it saves. A single caller never waits.
const GATHER: Duration = Duration::from_millis(1);

/// After carrying the log into the file failed: the log grows meanwhile.
const CARRY_AGAIN: Duration = Duration::from_secs(1);

/// The writer's handle.
pub(super) struct Writer {
    queue: Sender<Message>,
    room: Arc<Semaphore>,
    commits: watch::Receiver<u64>,
    unsynced: watch::Receiver<bool>,
    threads: Threads,
}

enum Message {
    Job(Box<dyn Job>),
    Close,
}

/// A unit of work whose answer waits for the commit.
trait Job: Send {
    /// Does the work, and gives the reason when what it wrote may not stay.
    fn run(&mut self, link: &dyn Link) -> Option<StoreError>;
    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Answer<T, F>>,
    _room: OwnedSemaphorePermit,
}

/// With the work comes what it holds: to free that is left to whoever asked, and not to the one thread that writes.
type Answer<T, F> = (Result<T, StoreError>, F);

impl<T, F> Job for Pending<T, F>
where
    F: Fn(&dyn Link) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, link: &dyn Link) -> Option<StoreError> {
        // A rule that panics must not take the writer, and all later payments, with it.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(link)))
            .unwrap_or_else(|_| Err(StoreError::Invariant("the rule panicked".to_owned())));
        let failed = result.as_ref().err().cloned();
        self.result = Some(result);
        failed
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let result = match (commit, self.result) {
            (Ok(()), Some(result)) => result,
            // A job that had failed by itself keeps its own reason.
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // Whoever asked may be gone; what was done stays done.
        drop(self.reply.send((result, self.work)));
    }
}

/// How a batch ended.
enum Batch {
    Committed,
    /// A job failed after it had written.
    MustBeUndone,
}

impl Writer {
    /// Starts the thread. It keeps the lock until its connection is closed.
    pub(super) fn start(
        connection: Connection,
        lock: Arc<DirectoryLock>,
        meter: Arc<Meter>,
    ) -> Result<Writer, StoreError> {
        let (queue, jobs) = channel();
        let (announce, commits) = watch::channel(0);
        let (give_up, unsynced) = watch::channel(false);
        let (threads, alive) = Threads::none();
        let main = Main {
            meter,
            announce,
            give_up,
            jobs,
            connection,
            lock,
            alive,
        };
        threads.start("store-writer", move || main.run())?;
        Ok(Writer {
            queue,
            room: Arc::new(Semaphore::new(QUEUE)),
            commits,
            unsynced,
            threads,
        })
    }

    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job = Pending {
            work,
            result: None,
            reply,
            _room: room,
        };
        self.queue
            .send(Message::Job(Box::new(job)))
            .map_err(|_| StoreError::Closed)?;
        let (result, _work) = answer.await.map_err(|_| StoreError::Closed)?;
        result
    }

    /// Takes no more jobs; those in the queue are still done.
    pub(super) fn close(&self) {
        self.room.close();
        // The thread may have ended before.
        drop(self.queue.send(Message::Close));
    }

    pub(super) async fn ended(&self) {
        self.threads.ended().await;
    }

    pub(super) fn join(&self) {
        self.threads.join();
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Returns when the disk failed while it was synchronised; never when it did not.
    pub(super) async fn unsynced(&self) {
        if self
            .unsynced
            .clone()
            .wait_for(|given_up| *given_up)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}

/// What the thread owns. It is dropped in this order: whoever waits for the end finds the files closed
/// and the lock free.
struct Main {
    meter: Arc<Meter>,
    announce: watch::Sender<u64>,
    /// Whether the disk failed while it was synchronised.
    give_up: watch::Sender<bool>,
    jobs: Receiver<Message>,
    connection: Connection,
    lock: Arc<DirectoryLock>,
    alive: Alive,
}

/// The batch before.
struct Last {
    jobs: usize,
    took: Duration,
}

impl Main {
    fn run(self) {
        let mut last = Last {
            jobs: 0,
            took: Duration::ZERO,
        };
        let mut open = true;
        let mut carry_from = Instant::now();
        while open {
            let batch = self.gather(&last, &mut open);
            if !batch.is_empty() {
                let jobs = batch.len();
                let begun = Instant::now();
                self.commit(batch);
                last = Last {
                    jobs,
                    took: begun.elapsed(),
                };
                self.carry_log(&mut carry_from);
            }
        }
        if self.has_given_up() {
            return self.leave_as_it_is();
        }
        // A clean end leaves one file. When it fails, the log is read at the next start.
        if let Err(error) = checkpoint(&self.connection, Checkpoint::Truncate) {
            tracing::warn!(%error, "the store's log stays for the next start");
            if matches!(self.judged(error), StoreError::Unsynced) {
                return self.leave_as_it_is();
            }
        }
        let Main {
            connection,
            lock,
            alive,
            ..
        } = self;
        drop(connection);
        drop(lock);
        drop(alive);
    }

    /// Ends without closing the files: SQLite would carry the log into the file and remove it, as if what it wrote before
    /// were there. They are closed with the process, and so is the lock freed.
    fn leave_as_it_is(self) {
        std::mem::forget((self.connection, self.lock));
    }

    fn has_given_up(&self) -> bool {
        *self.give_up.borrow()
    }

    /// Carries the log into the file when it has grown enough.
    fn carry_log(&self, from: &mut Instant) {
        if self.has_given_up() || Instant::now() < *from {
            return;
        }
        let look = |how| checkpoint(&self.connection, how);
        let carried = look(Checkpoint::Look).and_then(|log| {
            let due = log.pages >= CHECKPOINT_PAGES && log.carried < log.pages;
            if due {
                look(Checkpoint::Passive).map(drop)
            } else {
                Ok(())
            }
        });
        if let Err(error) = carried {
            let error = self.judged(error);
            tracing::error!(%error, "the store's log cannot be carried into its file; it grows");
            *from = Instant::now() + CARRY_AGAIN;
        }
    }

    /// Waits for a job and takes what else is there.
    fn gather(&self, last: &Last, open: &mut bool) -> Vec<Box<dyn Job>> {
        let mut batch = Vec::with_capacity(last.jobs.max(1));
        match self.jobs.recv() {
            Ok(Message::Job(job)) => batch.push(job),
            Ok(Message::Close) | Err(_) => *open = false,
        }
        let mut since = None;
        while *open && batch.len() < BATCH {
            match self.jobs.try_recv() {
                Ok(Message::Job(job)) => batch.push(job),
                Ok(Message::Close) | Err(TryRecvError::Disconnected) => *open = false,
                Err(TryRecvError::Empty) if batch.len() >= last.jobs => break,
                Err(TryRecvError::Empty) => {
                    if since.get_or_insert_with(Instant::now).elapsed() >= last.took.min(GATHER) {
                        break;
                    }
                    thread::yield_now();
                }
            }
        }
        batch
    }

    fn commit(&self, mut batch: Vec<Box<dyn Job>>) {
        let begun = Instant::now();
        let committed = match self.has_given_up() {
            true => Err(StoreError::Unsynced),
            false => self.transaction(&mut batch),
        };
        let committed = committed.map_err(|error| {
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a failed transaction cannot be rolled back");
            }
            self.judged(error)
        });
        if committed.is_err() {
            self.meter.failed();
        } else {
            self.meter.committed(batch.len(), begun.elapsed());
            self.announce.send_modify(|commits| *commits += 1);
        }
        for job in batch {
            job.answer(committed.clone());
        }
    }

    /// What a failure comes to: whether the store goes on, and what the system says of a disk that SQLite only calls
    /// failing.
    fn judged(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unsynced => {
                if !self.give_up.send_replace(true) {
                    self.lock.remember_failure();
                    tracing::error!(target: "audit", error = %StoreError::Unsynced, "ALERT: the disk fails");
                }
                StoreError::Unsynced
            }
            StoreError::Disk(error) => {
                let system = self.lock.try_writing().err();
                if let Some(says) = &system {
                    tracing::error!(%says, "the store's directory cannot be written");
                }
                match system.map(|says| says.kind()) {
                    Some(ErrorKind::ReadOnlyFilesystem) => StoreError::ReadOnly(error.to_string()),
                    Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                        StoreError::Full(error.to_string())
                    }
                    _ => StoreError::Disk(error),
                }
            }
            other => other,
        }
    }

    fn transaction(&self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        match self.all_at_once(batch)? {
            Batch::Committed => Ok(()),
            Batch::MustBeUndone => {
                self.execute("ROLLBACK")?;
                self.one_by_one(batch)
            }
        }
    }

    fn all_at_once(&self, batch: &mut [Box<dyn Job>]) -> Result<Batch, StoreError> {
        self.execute("BEGIN IMMEDIATE")?;
        let link = SqliteLink::writing(&self.connection);
        for job in batch {
            let before = self.connection.total_changes();
            if let Some(reason) = job.run(&link) {
                // After a full disk or an I/O error SQLite may have rolled back everything by itself; then all jobs fail
                // for that reason.
                if self.connection.is_autocommit() {
                    return Err(reason);
                }
                if self.connection.total_changes() != before {
                    return Ok(Batch::MustBeUndone);
                }
            }
        }
        self.execute("COMMIT")?;
        Ok(Batch::Committed)
    }

    fn one_by_one(&self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.execute("BEGIN IMMEDIATE")?;
        let link = SqliteLink::writing(&self.connection);
        for job in batch {
            self.execute("SAVEPOINT job")?;
            if let Some(reason) = job.run(&link) {
                // As above.
                self.execute("ROLLBACK TO job").map_err(|_| reason)?;
            }
            self.execute("RELEASE job")?;
        }
        Ok(self.execute("COMMIT")?)
    }

    fn execute(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}
