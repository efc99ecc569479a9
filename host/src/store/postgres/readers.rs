//! The threads that read, each with a connection of its own. They never wait for those that write.
//!
//! There are two sets of them, for the reasons that the embedded engine has: what is looked up by a key is quick, and what
//! owners ask for has a time after which it is given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::door::Door;
use super::queue::{Manner, Queue};
use super::session::Session;
use crate::store::StoreError;
use crate::store::link::Link;
use crate::store::threads::{Alive, Threads};

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

/// Done with the thread's connection; afterwards its answer is told.
type Read = Box<dyn FnOnce(&Door, &mut Option<Session>, Option<Duration>) + Send>;

/// The readers' handle.
pub(super) struct Readers {
    queue: Arc<Queue<Read>>,
}

impl Readers {
    /// Starts the threads. Each connects with its first read.
    pub(super) fn start(
        door: Door,
        kind: Kind,
        threads: &Threads,
        alive: &Alive,
    ) -> Result<Readers, StoreError> {
        let queue = Queue::<Read>::new();
        let door = Arc::new(door);
        for number in 0..kind.count {
            let (queue, door, alive) = (Arc::clone(&queue), Arc::clone(&door), alive.clone());
            threads.start(&format!("store-{}-{number}", kind.name), move || {
                let mut kept = None;
                while let Some(taken) = queue.take(kind.count, 1) {
                    for waiting in taken {
                        (waiting.job)(&door, &mut kept, kind.within);
                    }
                }
                if let Some(session) = kept {
                    session.close();
                }
                drop(alive);
            })?;
        }
        Ok(Readers { queue })
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |door, kept, within| {
            // Nobody waits for the answer of a read that was given up in the queue.
            if !reply.is_closed() {
                drop(reply.send(answered(door, kept, within, &work)));
            }
        });
        self.queue.put(Manner::default(), read).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }
}

/// A read changes nothing: it is done again on another connection when one is lost.
fn answered<T>(
    door: &Door,
    kept: &mut Option<Session>,
    within: Option<Duration>,
    work: &impl Fn(&dyn Link) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    loop {
        let done = door.session(kept).and_then(|session| match within {
            Some(within) => session.find(Instant::now() + within, work),
            None => session.look(work),
        });
        match done {
            Err(StoreError::Unavailable(_)) if door.waits(begun) => {}
            done => return done,
        }
    }
}
