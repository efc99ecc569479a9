//! Bodies of requests, as they come: each has its time, and all of them together have their memory.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Memory is shared out in pieces of so many bytes.
const PIECE: usize = 1024;

/// The memory that bodies have together.
#[derive(Clone)]
pub(super) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(super) fn new(bytes: usize) -> Memory {
        Memory(Arc::new(Semaphore::new(bytes / PIECE)))
    }

    /// Room for one request's body, as much as will come. It is given back when nobody has the room any more.
    pub(super) fn room(&self) -> Room {
        Room(Arc::new(Taken {
            of: self.clone(),
            taken: Mutex::new((0, None)),
        }))
    }
}

/// What one request's body takes of the memory.
#[derive(Clone)]
pub(super) struct Room(Arc<Taken>);

struct Taken {
    of: Memory,
    /// Bytes that came, and what is taken for them.
    taken: Mutex<(usize, Option<OwnedSemaphorePermit>)>,
}

impl Room {
    /// Makes room for so many bytes more, where there is any.
    fn grow(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (came, permit) = &mut *taken;
        *came = came.saturating_add(bytes);
        let has = permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = came.div_ceil(PIECE).saturating_sub(has);
        if wanted == 0 {
            return Ok(());
        }
        let wanted = u32::try_from(wanted).map_err(|_| NoRoom)?;
        let free = Arc::clone(&self.0.of.0);
        let more = free.try_acquire_many_owned(wanted).map_err(|_| NoRoom)?;
        match permit {
            Some(permit) => permit.merge(more),
            None => *permit = Some(more),
        }
        Ok(())
    }
}

/// Bounds the time until the whole body of a request is there, and what it takes of the memory that it was given.
pub(super) fn whole_within(time: Duration) -> impl Fn(Request) -> Request + Clone {
    move |request| {
        let room = request.extensions().get::<Room>().cloned();
        request.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            Body::new(Coming {
                body,
                room,
                until: Box::pin(tokio::time::sleep(time)),
            })
        })
    }
}

/// A body that has to end in time, and in its room.
struct Coming {
    body: Body,
    room: Option<Room>,
    until: Pin<Box<Sleep>>,
}

/// The body did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
pub(super) struct TooSlow;

/// There is no memory left for the body.
#[derive(Debug, thiserror::Error)]
#[error("there is no room for the body now")]
pub(super) struct NoRoom;

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let grown = self.room.as_ref().map_or(Ok(()), |room| room.grow(bytes));
                Poll::Ready(Some(grown.map(|()| frame).map_err(Into::into)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => self
                .until
                .as_mut()
                .poll(context)
                .map(|()| Some(Err(TooSlow.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_memory_together_and_give_it_back() {
        let memory = Memory::new(4 * PIECE);
        let (one, other) = (memory.room(), memory.room());
        // Many small pieces take no more than they are together.
        for _ in 0..PIECE {
            one.grow(2).unwrap();
        }
        assert_eq!(memory.0.available_permits(), 2);
        other.grow(PIECE + 1).unwrap();
        assert!(one.grow(1).is_err());
        assert!(memory.room().grow(1).is_err());
        let held = other.clone();
        drop(other);
        assert!(memory.room().grow(1).is_err(), "somebody has it still");
        drop(held);
        memory.room().grow(1).unwrap();
        drop(one);
        assert_eq!(memory.0.available_permits(), 4);
    }
}
