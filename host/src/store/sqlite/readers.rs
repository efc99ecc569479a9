//! The threads that read, each with a connection of its own. They never wait for the writer, nor it for them.
//!
//! There are two sets of them. What is looked up by a key is quick, and notifications wait for it. What owners ask for may
//! read everything that there is: it has threads of its own, and a time after which it is given up.
//!
//! They are apart from tokio's blocking threads, so that a burst of other blocking work (compiling a
//! component) does not hold up a look at a payment.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::connection;
use super::link::SqliteLink;
use super::lock::DirectoryLock;
use crate::store::StoreError;
use crate::store::link::Link;
use crate::store::threads::Threads;

/// Reads that may wait; whoever comes after them waits outside, in order.
const QUEUE: usize = 4096;

/// How often a question that is bounded in time looks at the clock: some 10,000 steps of SQLite's machine are a
/// millisecond's work.
const STEPS: i32 = 10_000;

/// What a set of readers is for.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// Of the threads.
    pub(super) name: &'static str,
    /// How many threads there are.
    pub(super) count: usize,
    /// The longest that one read may take.
    pub(super) within: Option<Duration>,
}

impl Kind {
    /// As many threads as there are processors, 2 to 8: a read that finds its pages in memory needs a
    /// processor, and the second is there when one waits for the disk.
    pub(super) fn looking() -> Kind {
        Kind {
            name: "reader",
            count: available_parallelism().map_or(2, |count| count.get().clamp(2, 8)),
            within: None,
        }
    }

    /// Two threads, so that one long question does not hold up the others; who asks one that reads a million payments
    /// has its answer in two seconds.
    pub(super) fn finding() -> Kind {
        Kind {
            name: "finder",
            count: 2,
            within: Some(Duration::from_secs(5)),
        }
    }
}

enum Message {
    Read(Box<dyn FnOnce(&Connection) + Send>),
    Close,
}

/// The readers' handle.
pub(super) struct Readers {
    queue: Sender<Message>,
    room: Arc<Semaphore>,
    count: usize,
    threads: Threads,
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(
        path: &Path,
        lock: &Arc<DirectoryLock>,
        kind: Kind,
    ) -> Result<Readers, StoreError> {
        let (queue, reads) = channel();
        let reads = Arc::new(Mutex::new(reads));
        let (threads, alive) = Threads::none();
        for number in 0..kind.count {
            let mut connection = connection::for_reading(path)?;
            let clock = kind
                .within
                .map(|within| Clock::of(&mut connection, within))
                .transpose()?;
            let (reads, lock, alive) = (Arc::clone(&reads), Arc::clone(lock), alive.clone());
            threads.start(&format!("store-{}-{number}", kind.name), move || {
                serve(&reads, &connection, clock.as_ref());
                drop(connection);
                drop(lock);
                drop(alive);
            })?;
        }
        Ok(Readers {
            queue,
            room: Arc::new(Semaphore::new(QUEUE)),
            count: kind.count,
            threads,
        })
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let _room = self.room.acquire().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |connection: &Connection| {
            // Nobody waits for the answer of a read that was given up in the queue.
            if !reply.is_closed() {
                drop(reply.send(snapshot(connection, work)));
            }
        });
        self.queue
            .send(Message::Read(read))
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn close(&self) {
        self.room.close();
        for _ in 0..self.count {
            // The threads may have ended before.
            drop(self.queue.send(Message::Close));
        }
    }

    pub(super) async fn ended(&self) {
        self.threads.ended().await;
    }

    pub(super) fn join(&self) {
        self.threads.join();
    }
}

/// Ends what a connection does when its time is up.
struct Clock {
    within: Duration,
    until: Arc<Mutex<Instant>>,
}

impl Clock {
    fn of(connection: &mut Connection, within: Duration) -> Result<Clock, StoreError> {
        let until = Arc::new(Mutex::new(Instant::now()));
        let read = Arc::clone(&until);
        let is_late =
            move || Instant::now() >= *read.lock().unwrap_or_else(PoisonError::into_inner);
        connection.progress_handler(STEPS, Some(is_late))?;
        Ok(Clock { within, until })
    }

    fn start(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + self.within;
    }
}

fn serve(reads: &Mutex<Receiver<Message>>, connection: &Connection, clock: Option<&Clock>) {
    loop {
        let message = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match message {
            Ok(Message::Read(read)) => {
                if let Some(clock) = clock {
                    clock.start();
                }
                read(connection);
            }
            Ok(Message::Close) | Err(_) => return,
        }
    }
}

/// Several statements of one read see the same moment.
fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&dyn Link) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = work(&SqliteLink::reading(connection));
    // A failed read may have ended the transaction already.
    if !connection.is_autocommit() {
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FindError;
    use crate::store::link::one_row;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_the_next_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Arc::new(DirectoryLock::take(dir.path()).unwrap());
        let kind = Kind {
            name: "test",
            count: 1,
            within: Some(Duration::from_millis(20)),
        };
        let readers = Readers::start(&dir.path().join("test.db"), &lock, kind).unwrap();
        let ask = async |sql: &'static str| {
            readers
                .read(move |link| one_row(link, sql, &[], |row| row.unsigned()))
                .await
        };
        let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
        for _ in 0..2 {
            let given_up = ask(endless).await;
            assert!(
                matches!(given_up, Err(StoreError::Find(FindError::TooSlow))),
                "{given_up:?}"
            );
            assert_eq!(ask("SELECT 7").await.unwrap(), Some(7));
        }
        readers.close();
        readers.join();
    }
}
