//! The threads that write, each with a connection of its own, and what they commit together.
//!
//! A commit costs a journey and a synchronisation of the server's disk, however much it carries. So what waits is divided
//! among the threads, and what a thread takes is committed together. When anything goes wrong before the commit, all of it
//! is undone and each job is done again by itself: jobs can be run again, and none of them needs a savepoint.
//!
//! Only jobs that change one payment share a transaction. Whoever waits in line for a name (a domain's data, a key) or takes
//! from a queue would keep what it holds for the others' time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::door::Door;
use super::herald::Calls;
use super::queue::{Manner, Queue, Waiting};
use super::session::{Ended, Session};
use crate::store::StoreError;
use crate::store::link::Link;
use crate::store::meter::Meter;
use crate::store::threads::{Alive, Threads};

/// Jobs of one commit: bounds the time that the first of them waits for the last, and keeps its rows from others.
const BATCH: usize = 16;

/// How long a job is done again while others hold what it needs. They hold it for milliseconds.
const CONTENDED_FOR: Duration = Duration::from_secs(10);

type Work<T> = Box<dyn Fn(&dyn Link) -> Result<T, StoreError> + Send>;

/// A unit of work whose answer waits for the commit.
pub(super) trait Job: Send {
    /// Does the work, or does it again from the beginning. Whether what it wrote may stay.
    fn run(&mut self, link: &dyn Link) -> Result<(), StoreError>;
    /// Answers, after the commit or in place of it.
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

struct Pending<T> {
    work: Work<T>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send> Job for Pending<T> {
    fn run(&mut self, link: &dyn Link) -> Result<(), StoreError> {
        // A rule that panics must not take the thread with it.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(link)))
            .unwrap_or_else(|_| Err(StoreError::Invariant("the rule panicked".to_owned())));
        self.result = Some(result?);
        Ok(())
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let Pending { result, reply, .. } = *self;
        // Whoever asked may be gone; what was done stays done.
        drop(reply.send(commit.and_then(|()| result.ok_or(StoreError::Closed))));
    }
}

/// The writers' handle.
pub(super) struct Writers {
    queue: Arc<Queue<Box<dyn Job>>>,
}

impl Writers {
    /// Starts the threads. Each connects with its first job.
    pub(super) fn start(
        door: Door,
        count: usize,
        calls: &Arc<Calls>,
        meter: Arc<Meter>,
        threads: &Threads,
        alive: &Alive,
    ) -> Result<Writers, StoreError> {
        let queue = Queue::new();
        let door = Arc::new(door);
        for number in 0..count {
            let writer = Writer {
                queue: Arc::clone(&queue),
                door: Arc::clone(&door),
                calls: Arc::clone(calls),
                meter: Arc::clone(&meter),
                count,
            };
            let alive = alive.clone();
            threads.start(&format!("store-writer-{number}"), move || {
                writer.run();
                drop(alive);
            })?;
        }
        Ok(Writers { queue })
    }

    /// Does the work in a transaction and answers when it is durable.
    pub(super) async fn write<T, F>(&self, manner: Manner, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Pending {
            work: Box::new(work),
            result: None,
            reply,
        };
        self.queue.put(manner, Box::new(job)).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }
}

/// One thread.
struct Writer {
    queue: Arc<Queue<Box<dyn Job>>>,
    door: Arc<Door>,
    calls: Arc<Calls>,
    meter: Arc<Meter>,
    count: usize,
}

type Jobs = Vec<Waiting<Box<dyn Job>>>;

impl Writer {
    fn run(&self) {
        let mut kept = None;
        while let Some(mut jobs) = self.queue.take(self.count, BATCH) {
            let begun = Instant::now();
            match self.together(&mut kept, &mut jobs) {
                Ended::Committed => answer(jobs, &Ok(())),
                Ended::Uncertain(error) => {
                    self.meter.failed();
                    answer(jobs, &Err(uncertain(error)));
                }
                // No job is at fault where there is no server: they are waited with together.
                Ended::Undone(error @ StoreError::Unavailable(_)) => {
                    if self.door.waits(begun) {
                        for waiting in jobs {
                            self.alone(&mut kept, waiting, begun, None);
                        }
                    } else {
                        self.meter.failed();
                        answer(jobs, &Err(error));
                    }
                }
                Ended::Undone(first) => {
                    let alone = jobs.len() == 1;
                    for waiting in jobs {
                        let first = alone.then(|| first.clone());
                        self.alone(&mut kept, waiting, Instant::now(), first);
                    }
                }
            }
        }
        if let Some(session) = kept {
            session.close();
        }
    }

    /// One transaction.
    fn together(&self, kept: &mut Option<Session>, jobs: &mut Jobs) -> Ended {
        let session = match self.door.session(kept) {
            Ok(session) => session,
            Err(error) => return Ended::Undone(error),
        };
        let begun = Instant::now();
        let long = jobs.iter().any(|waiting| waiting.manner.long);
        session.may_be_silent((!long).then(|| self.door.silence()));
        session.begin();
        for waiting in &mut *jobs {
            if let Err(error) = waiting.job.run(&session.writing()) {
                session.undo();
                return Ended::Undone(error);
            }
        }
        let ended = session.commit();
        if let Ended::Committed = ended {
            self.meter.committed(jobs.len(), begun.elapsed());
            let changed = jobs.iter().filter_map(|waiting| waiting.manner.about);
            self.calls.committed(changed);
        }
        ended
    }

    /// Does one job again until it is committed or fails by its own fault. `failed` is how it failed before, and `begun`
    /// from when on it waits.
    fn alone(
        &self,
        kept: &mut Option<Session>,
        waiting: Waiting<Box<dyn Job>>,
        begun: Instant,
        mut failed: Option<StoreError>,
    ) {
        let mut jobs = vec![waiting];
        let done = loop {
            if let Some(error) = failed {
                let again = match &error {
                    StoreError::Contended(_) if begun.elapsed() < CONTENDED_FOR => {
                        thread::sleep(Duration::from_millis(2));
                        true
                    }
                    StoreError::Unavailable(_) => self.door.waits(begun),
                    _ => false,
                };
                if !again {
                    if let StoreError::Unavailable(_) | StoreError::Contended(_) = error {
                        self.meter.failed();
                    }
                    break Err(error);
                }
            }
            match self.together(kept, &mut jobs) {
                Ended::Committed => break Ok(()),
                Ended::Uncertain(error) => {
                    self.meter.failed();
                    break Err(uncertain(error));
                }
                Ended::Undone(error) => failed = Some(error),
            }
        };
        answer(jobs, &done);
    }
}

fn uncertain(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Uncertain(why),
        other => other,
    }
}

fn answer(jobs: Jobs, commit: &Result<(), StoreError>) {
    for waiting in jobs {
        waiting.job.answer(commit.clone());
    }
}
