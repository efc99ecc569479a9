//! HTTP/2, for whom TLS has agreed on it: requests of one connection beside each other, each held to what a connection of
//! HTTP/1.1 is held to.
//!
//! | who | is bounded by |
//! |---|---|
//! | requests of a connection at once | [`config::Incoming::streams`]; what comes beyond is refused by the protocol, and asked again by its client |
//! | the second request under way, and each more | a place of its own, as if it came on a connection of its own |
//! | heads | [`config::Incoming::head_bytes`] and [`config::Incoming::headers`]; continuations and broken frames as the library bounds them |
//! | requests that are taken back | [`RESETS`] that nobody has looked at; then the connection is closed |
//! | a connection that asks nothing, whatever else it sends | [`config::Incoming::idle`]; then it is closed |
//! | an answer of which nobody wants more | [`config::Incoming::answer`]; then the connection is closed |
//! | the body of a request that is answered already | [`ENDING`]; until then it is read and forgotten |
//! | whoever is gone without a word | [`PING_EVERY`] and [`PING_WITHIN`] |
//!
//! What is said is what HTTP/1.1 says: the rooms behind see no difference. There are no WebSockets here; whoever wants one
//! opens a connection of HTTP/1.1 for it.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::linger::{self, Asked, ENDING};
use super::places::Place;
use crate::config;

/// How it is called in a TLS handshake.
pub(super) const NAME: &[u8] = b"h2";

/// Requests that were taken back before anybody has looked at them, and streams that the host has reset itself, which
/// are remembered of a connection. Whoever goes beyond has no other aim.
const RESETS: usize = 20;
/// How often whoever is at the other end is asked whether they are there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How soon they have to say so.
const PING_WITHIN: Duration = Duration::from_secs(20);
/// What a request's body may send before it is read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// What all of a connection's may.
const CONNECTION_WINDOW: u32 = 128 * 1024;
/// The most of an answer that waits in the protocol's own buffers. The rest waits where its time is looked at.
const PIECE_BYTES: usize = 16 * 1024;

/// How a connection is spoken.
pub(super) fn builder(incoming: &config::Incoming, tasks: Tasks) -> http2::Builder<Tasks> {
    let mut http2 = http2::Builder::new(tasks);
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(u32::try_from(incoming.streams).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .max_header_list_size(u32::try_from(incoming.head_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(PIECE_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN);
    http2
}

/// Runs what a connection's requests need, until the connection has ended.
#[derive(Clone)]
pub(super) struct Tasks(pub(super) CancellationToken);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let ended = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                () = ended.cancelled() => {}
            }
        });
    }
}

/// The requests of one connection that are not answered yet.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: Mutex<Open>,
    changed: Notify,
}

#[derive(Default)]
struct Open {
    begun: u64,
    /// By their number: since when nobody has wanted more of the answer.
    unwanted: HashMap<u64, Option<Instant>>,
}

/// One of them, until this is dropped.
pub(super) struct Stream {
    of: Streams,
    number: u64,
    /// Beside its connection's.
    _place: Option<Place>,
}

impl Streams {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another request, which takes a place where the connection's own is in use.
    pub(super) fn begin(&self, place: impl FnOnce() -> Option<Place>) -> Option<Stream> {
        let mut open = self.open();
        let place = match open.unwanted.is_empty() {
            true => None,
            false => Some(place()?),
        };
        open.begun += 1;
        let number = open.begun;
        open.unwanted.insert(number, None);
        drop(open);
        self.0.changed.notify_waiters();
        Some(Stream {
            of: self.clone(),
            number,
            _place: place,
        })
    }

    /// Waits until a request has come.
    pub(super) async fn asked(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.open().begun > 0 {
                return;
            }
            changed.await;
        }
    }

    /// Waits until there has been no request for so long.
    pub(super) async fn quiet(&self, time: Duration) {
        loop {
            let changed = self.0.changed.notified();
            if !self.open().unwanted.is_empty() {
                changed.await;
            } else if timeout(time, changed).await.is_err() {
                return;
            }
        }
    }

    /// Waits until there is an answer of which nobody has wanted more for so long, or for a quarter more than that.
    pub(super) async fn unread(&self, time: Duration) {
        loop {
            let changed = self.0.changed.notified();
            let (is_quiet, oldest) = {
                let open = self.open();
                let oldest = open.unwanted.values().flatten().min().copied();
                (open.unwanted.is_empty(), oldest)
            };
            if is_quiet {
                changed.await;
                continue;
            }
            if oldest.is_some_and(|since| since.elapsed() >= time) {
                return;
            }
            sleep(time / 4).await;
        }
    }
}

impl Stream {
    fn wanted(&self, since: Option<Instant>) {
        if let Some(unwanted) = self.of.open().unwanted.get_mut(&self.number) {
            *unwanted = since;
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.of.open().unwanted.remove(&self.number);
        self.of.0.changed.notify_waiters();
    }
}

/// A request's body. What nobody wants of it is read beside the answer.
pub(super) fn asked(body: Incoming) -> Asked<impl FnOnce(Incoming)> {
    Asked::new(body, |rest| {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(linger::read_off(rest, ENDING));
        }
    })
}

/// An answer's body in pieces, each of which is given when there is room for it at the other end.
pub(super) struct Pieces {
    body: Body,
    /// What is left of what the body gave.
    rest: Bytes,
    stream: Option<Stream>,
}

impl Pieces {
    pub(super) fn new(body: Body, stream: Option<Stream>) -> Pieces {
        // Nobody may want even the first of it.
        if let Some(stream) = &stream {
            stream.wanted(Some(Instant::now()));
        }
        Pieces {
            body,
            rest: Bytes::new(),
            stream,
        }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let mut next = None;
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => next = Some(Ok(other)),
                },
                other => {
                    if let Some(stream) = &this.stream {
                        stream.wanted(None);
                    }
                    return other;
                }
            }
        }
        if let Some(stream) = &this.stream {
            stream.wanted(Some(Instant::now()));
        }
        let piece = || {
            let length = this.rest.len().min(PIECE_BYTES);
            Ok(Frame::data(this.rest.split_to(length)))
        };
        Poll::Ready(Some(next.unwrap_or_else(piece)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
