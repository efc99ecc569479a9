//! What waits for a thread of the store, and the threads that take it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::payment::model::PaymentId;
use crate::store::StoreError;

/// What may wait; whoever comes after it waits outside, in order.
const ROOM: usize = 4096;

/// How something is done.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    /// It may share a transaction with others.
    pub(super) shares: bool,
    /// The payment that it changes.
    pub(super) about: Option<PaymentId>,
    /// A statement of it may take the server any time.
    pub(super) long: bool,
}

/// Something to do, with its place in the queue.
pub(super) struct Waiting<J> {
    pub(super) job: J,
    pub(super) manner: Manner,
    _room: OwnedSemaphorePermit,
}

/// First in, first out, for several threads.
pub(super) struct Queue<J> {
    inner: Mutex<Inner<J>>,
    wake: Condvar,
    room: Arc<Semaphore>,
}

struct Inner<J> {
    waiting: VecDeque<Waiting<J>>,
    open: bool,
}

impl<J> Queue<J> {
    pub(super) fn new() -> Arc<Queue<J>> {
        Arc::new(Queue {
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                open: true,
            }),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(ROOM)),
        })
    }

    /// Waits for room, and lets a thread do it.
    pub(super) async fn put(&self, manner: Manner, job: J) -> Result<(), StoreError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| StoreError::Closed)?;
        let mut inner = self.inner();
        if !inner.open {
            return Err(StoreError::Closed);
        }
        inner.waiting.push_back(Waiting {
            job,
            manner,
            _room: room,
        });
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for work. What may share a transaction is taken together, at most `most`, and no more than leaves as much to
    /// each of `threads`. `None` when the queue is closed and empty.
    pub(super) fn take(&self, threads: usize, most: usize) -> Option<Vec<Waiting<J>>> {
        let mut inner = self.inner();
        loop {
            if let Some(first) = inner.waiting.pop_front() {
                let share = inner.waiting.len().div_ceil(threads.max(1)).min(most);
                let mut taken = vec![first];
                while taken.len() < share
                    && taken.iter().all(|taken| taken.manner.shares)
                    && inner.waiting.front().is_some_and(|next| next.manner.shares)
                {
                    taken.extend(inner.waiting.pop_front());
                }
                return Some(taken);
            }
            if !inner.open {
                return None;
            }
            inner = self
                .wake
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes nothing more; what waits is still done.
    pub(super) fn close(&self) {
        self.room.close();
        self.inner().open = false;
        self.wake.notify_all();
    }

    fn inner(&self) -> MutexGuard<'_, Inner<J>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_may_share_is_taken_together_and_divided_among_the_threads() {
        let queue = Queue::new();
        for number in 0..9 {
            let manner = Manner {
                shares: number != 4,
                ..Manner::default()
            };
            queue.put(manner, number).await.unwrap();
        }
        let take = |threads, most| {
            let taken = queue.take(threads, most).unwrap().into_iter();
            taken.map(|waiting| waiting.job).collect::<Vec<_>>()
        };
        assert_eq!(take(4, 9), [0, 1]);
        assert_eq!(take(1, 9), [2, 3], "the next one is for itself");
        assert_eq!(take(1, 9), [4]);
        assert_eq!(take(1, 2), [5, 6]);
        queue.close();
        let refused = queue.put(Manner::default(), 9).await;
        assert!(matches!(refused, Err(StoreError::Closed)));
        assert_eq!(take(2, 9), [7]);
        assert_eq!(take(2, 9), [8]);
        assert!(queue.take(2, 9).is_none());
    }
}
