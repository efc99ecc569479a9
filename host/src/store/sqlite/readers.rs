//! The threads that read, each with a connection of its own. They never wait for the writer, nor it for them.
//!
//! They are apart from tokio's blocking threads, so that a burst of other blocking work (compiling a
//! component) does not hold up a look at a payment.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::connection;
use super::lock::DirectoryLock;
use super::threads::Threads;
use crate::store::StoreError;

/// Reads that may wait; whoever comes after them waits outside, in order.
const QUEUE: usize = 4096;

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
    /// Starts as many threads as there are processors, 2 to 8: a read that finds its pages in memory needs a
    /// processor, and the second is there when one waits for the disk.
    pub(super) fn start(path: &Path, lock: &Arc<DirectoryLock>) -> Result<Readers, StoreError> {
        let count = available_parallelism().map_or(2, |count| count.get().clamp(2, 8));
        let (queue, reads) = channel();
        let reads = Arc::new(Mutex::new(reads));
        let (threads, alive) = Threads::none();
        for number in 0..count {
            let connection = connection::for_reading(path)?;
            let (reads, lock, alive) = (Arc::clone(&reads), Arc::clone(lock), alive.clone());
            threads.start(&format!("store-reader-{number}"), move || {
                serve(&reads, &connection);
                drop(connection);
                drop(lock);
                drop(alive);
            })?;
        }
        Ok(Readers {
            queue,
            room: Arc::new(Semaphore::new(QUEUE)),
            count,
            threads,
        })
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
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

fn serve(reads: &Mutex<Receiver<Message>>, connection: &Connection) {
    loop {
        let message = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match message {
            Ok(Message::Read(read)) => read(connection),
            Ok(Message::Close) | Err(_) => return,
        }
    }
}

/// Several statements of one read see the same moment.
fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = work(connection);
    // A failed read may have ended the transaction already.
    if !connection.is_autocommit() {
        connection.prepare_cached("COMMIT")?.execute([])?;
    }
    result
}
