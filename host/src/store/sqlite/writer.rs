//! The one thread that writes, and group commit.
//!
//! A commit costs one synchronisation of the disk, however much it carries. So the writer takes whatever
//! waits, up to a bounded batch, and commits it together: each job in a savepoint of its own, so that a job
//! that fails undoes itself alone, and every answer after the commit, so that an answer means durable.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::link::SqliteLink;
use super::lock::DirectoryLock;
use super::threads::{Alive, Threads};
use crate::store::link::Link;
use crate::store::{Stats, StoreError};

/// Jobs of one commit: bounds the time that the first of them waits for the last.
const BATCH: usize = 256;

/// Jobs that may wait; whoever comes after them waits outside, in order.
const QUEUE: usize = 4096;

/// The longest time that a batch waits for callers that took part in the one before: they were answered a
/// moment ago, and those that come back in time share one synchronisation. It is also never longer than the
/// last commit took, so that waiting cannot cost more than it saves. A single caller never waits.
const GATHER: Duration = Duration::from_millis(1);

type Work<T> = Box<dyn FnOnce(&dyn Link) -> Result<T, StoreError> + Send>;

/// The writer's handle.
pub(super) struct Writer {
    queue: Sender<Message>,
    room: Arc<Semaphore>,
    tally: Arc<Tally>,
    commits: watch::Receiver<u64>,
    threads: Threads,
}

#[derive(Default)]
struct Tally {
    commits: AtomicU64,
    jobs: AtomicU64,
}

enum Message {
    Job(Box<dyn Job>),
    Close,
}

/// A unit of work whose answer waits for the commit.
trait Job: Send {
    /// Does the work; whether what it wrote may stay.
    fn run(&mut self, link: &dyn Link) -> bool;
    /// Answers, after the commit or its failure.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Pending<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    _room: OwnedSemaphorePermit,
}

impl<T: Send> Job for Pending<T> {
    fn run(&mut self, link: &dyn Link) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        // A rule that panics must not take the writer, and all later payments, with it.
        let result = catch_unwind(AssertUnwindSafe(|| work(link)))
            .unwrap_or_else(|_| Err(StoreError::Invariant("the rule panicked".to_owned())));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
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
        drop(self.reply.send(result));
    }
}

impl Writer {
    /// Starts the thread. It keeps the lock until its connection is closed.
    pub(super) fn start(
        connection: Connection,
        lock: Arc<DirectoryLock>,
    ) -> Result<Writer, StoreError> {
        let (queue, jobs) = channel();
        let (announce, commits) = watch::channel(0);
        let tally = Arc::new(Tally::default());
        let (threads, alive) = Threads::none();
        let main = Main {
            tally: Arc::clone(&tally),
            announce,
            jobs,
            connection,
            lock,
            alive,
        };
        threads.start("store-writer", move || main.run())?;
        Ok(Writer {
            queue,
            room: Arc::new(Semaphore::new(QUEUE)),
            tally,
            commits,
            threads,
        })
    }

    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job = Pending {
            work: Some(Box::new(work)),
            result: None,
            reply,
            _room: room,
        };
        self.queue
            .send(Message::Job(Box::new(job)))
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
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

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commits: self.tally.commits.load(Ordering::Relaxed),
            jobs: self.tally.jobs.load(Ordering::Relaxed),
        }
    }

    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }
}

/// What the thread owns. It is dropped in this order: whoever waits for the end finds the files closed
/// and the lock free.
struct Main {
    tally: Arc<Tally>,
    announce: watch::Sender<u64>,
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
            }
        }
        // A clean end leaves one file. When it fails, the log is read at the next start.
        let folded = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = folded {
            tracing::warn!(%error, "the store's log stays for the next start");
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
        let jobs = batch.len();
        let committed = self.transaction(&mut batch).map_err(StoreError::from);
        if committed.is_ok() {
            self.tally.commits.fetch_add(1, Ordering::Relaxed);
            self.tally
                .jobs
                .fetch_add(u64::try_from(jobs).unwrap_or(0), Ordering::Relaxed);
            self.announce.send_modify(|commits| *commits += 1);
        } else if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction cannot be rolled back");
        }
        for job in batch {
            job.answer(committed.clone());
        }
    }

    fn transaction(&self, batch: &mut [Box<dyn Job>]) -> Result<(), rusqlite::Error> {
        self.execute("BEGIN IMMEDIATE")?;
        let link = SqliteLink::writing(&self.connection);
        for job in batch {
            self.execute("SAVEPOINT job")?;
            if !job.run(&link) {
                // After a full disk or an I/O error SQLite may have rolled back everything by itself; then
                // this fails, and all jobs with it.
                self.execute("ROLLBACK TO job")?;
            }
            self.execute("RELEASE job")?;
        }
        self.execute("COMMIT")
    }

    fn execute(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}
