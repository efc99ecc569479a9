//! The threads that blocking calls of an engine run on, and how one waits for their end.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

use crate::store::StoreError;

/// A thread keeps this until everything it owns is dropped.
pub(super) type Alive = watch::Sender<Option<Infallible>>;

/// Some threads that end together.
pub(super) struct Threads {
    handles: Mutex<Vec<JoinHandle<()>>>,
    ended: watch::Receiver<Option<Infallible>>,
}

impl Threads {
    /// Nothing runs yet. Every thread gets a clone of the sender.
    pub(super) fn none() -> (Threads, Alive) {
        let (alive, ended) = watch::channel(None);
        (
            Threads {
                handles: Mutex::default(),
                ended,
            },
            alive,
        )
    }

    /// Starts one more.
    pub(super) fn start<F>(&self, name: &str, body: F) -> Result<(), StoreError>
    where
        F: FnOnce() + Send + 'static,
    {
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|error| StoreError::io(format!("cannot start the thread {name}"), error))?;
        self.handles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
        Ok(())
    }

    /// Returns when all have ended.
    pub(super) async fn ended(&self) {
        // Nothing is ever sent: the only change is that the last sender is gone.
        while self.ended.clone().changed().await.is_ok() {}
    }

    /// The same, blocking. A thread does not wait for itself, should it drop the last handle of the store.
    pub(super) fn join(&self) {
        let handles =
            std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in handles {
            if handle.thread().id() != thread::current().id() && handle.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}
