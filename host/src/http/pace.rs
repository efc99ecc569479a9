//! A connection that is held to its time: a head that has begun has to come to its end, and an answer has to be read.
//!
//! How long a connection may be quiet between requests is another number; the protocol's own timer has it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::door::Why;
use super::linger::{Asked, ENDING, Linger};
use super::places::Place;

/// What a connection is at, between its two ends: those who read bytes and those who answer requests.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<At>);

#[derive(Default)]
struct At {
    /// Requests that have begun.
    begun: AtomicU64,
    /// Those of them that are not answered yet.
    open: AtomicUsize,
    /// Whether the body of the last one was left before its end.
    unread: AtomicBool,
    /// What is left of it.
    rest: Mutex<Option<Incoming>>,
}

/// A request that is not answered yet, until this is dropped.
pub(super) struct Open(Pace);

impl Pace {
    /// A request's head is there.
    pub(super) fn begin(&self) -> Open {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// Requests that have begun so far.
    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// The body of the request that began last.
    pub(super) fn body(&self, body: Incoming) -> Asked<impl FnOnce(Incoming) + use<>> {
        self.0.unread.store(false, Ordering::Relaxed);
        let pace = self.clone();
        Asked::new(body, move |rest| {
            pace.0.unread.store(true, Ordering::Relaxed);
            *pace.rest() = Some(rest);
        })
    }

    /// What nobody wanted of it.
    pub(super) fn unwanted(&self) -> Option<Incoming> {
        self.rest().take()
    }

    /// That has come to its end.
    pub(super) fn is_read(&self) {
        self.0.unread.store(false, Ordering::Relaxed);
    }

    fn rest(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.0.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_answering(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > 0
    }
}

impl Open {
    /// The connection is no HTTP any more: it is answering for good.
    pub(super) fn for_good(self) {
        self.0.0.open.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body, which is being answered as long as it is there.
pub(super) struct Answer {
    body: Body,
    _open: Option<Open>,
}

impl Answer {
    pub(super) fn new(body: Body, open: Option<Open>) -> Answer {
        Answer { body, _open: open }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A head that has begun.
struct Head {
    /// So many requests were before it.
    after: u64,
    since: Instant,
    /// Nobody is woken for one that comes at once.
    until: Option<Pin<Box<Sleep>>>,
}

/// A connection with its times.
pub(super) struct Paced<S> {
    io: S,
    /// As long as there is the connection, whatever it speaks.
    _place: Place,
    pace: Pace,
    head: Duration,
    answer: Duration,
    reading: Option<Head>,
    /// Until when whoever asked has to read on.
    writing: Option<Pin<Box<Sleep>>>,
    /// Everything is said, and whoever asked may be sending still.
    ending: Option<Linger>,
}

impl<S> Paced<S> {
    pub(super) fn new(
        io: S,
        place: Place,
        pace: Pace,
        head: Duration,
        answer: Duration,
    ) -> Paced<S> {
        Paced {
            io,
            _place: place,
            pace,
            head,
            answer,
            reading: None,
            writing: None,
            ending: None,
        }
    }

    /// Bytes came; they begin a head, where none has begun.
    fn came(&mut self) {
        let after = self.pace.begun();
        if self.reading.as_ref().is_none_or(|head| head.after != after) {
            self.reading = Some(Head {
                after,
                since: Instant::now(),
                until: None,
            });
        }
    }

    /// Nothing came; whether a head is late by that.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let begun = self.pace.begun();
        let time = self.head;
        match &mut self.reading {
            Some(head) if head.after == begun && !self.pace.is_answering() => {
                let since = head.since;
                let until = head
                    .until
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + time)));
                until.as_mut().poll(context).is_ready()
            }
            _ => false,
        }
    }

    /// Whether there may be bytes of a request that nobody will read: of its body, or of a head that was refused.
    fn is_unread(&self) -> bool {
        let begun = self.pace.begun();
        let head = self.reading.as_ref();
        self.pace.0.unread.load(Ordering::Relaxed) || head.is_some_and(|head| head.after == begun)
    }

    fn written<T>(
        &mut self,
        wrote: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.writing = None;
            return wrote;
        }
        let time = self.answer;
        let until = self
            .writing
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        until
            .as_mut()
            .poll(context)
            .map(|()| Err(late(Late::Reader)))
    }
}

/// Whoever was too slow.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Late {
    #[error("the head of a request did not come in time")]
    Head,
    #[error("nobody reads the answer")]
    Reader,
}

impl Late {
    pub(super) fn why(self) -> Why {
        match self {
            Late::Head => Why::SlowHead,
            Late::Reader => Why::SlowReader,
        }
    }
}

fn late(what: Late) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        match &read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                // What comes while there is an answer to give is a body, or waits for its turn.
                if !this.pace.is_answering() {
                    this.came();
                }
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                if this.is_late(context) {
                    return Poll::Ready(Err(late(Late::Head)));
                }
            }
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(context, bytes);
        self.written(wrote, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.written(wrote, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.written(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(ending) = &mut this.ending {
            return ending.poll(&mut this.io, context).map(Ok);
        }
        let shut = Pin::new(&mut this.io).poll_shutdown(context);
        ready!(this.written(shut, context))?;
        if !this.is_unread() {
            return Poll::Ready(Ok(()));
        }
        let ending = this.ending.insert(Linger::begin(ENDING));
        ending.poll(&mut this.io, context).map(Ok)
    }
}
