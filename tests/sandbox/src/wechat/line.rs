//! Connections that a handler can cut without a byte of answer, as a crashed server does, and a
//! door that can be shut, so that nobody is there at all.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long to wait before a port is tried again that something else holds.
const BIND_AGAIN: Duration = Duration::from_millis(20);

/// Whether anybody can connect, and all the connections that there are.
pub(super) struct Door {
    open: watch::Sender<bool>,
    /// How many listeners are bound.
    bound: watch::Sender<usize>,
    lines: Mutex<CancellationToken>,
}

impl Door {
    pub(super) fn new() -> Door {
        Door {
            open: watch::Sender::new(true),
            bound: watch::Sender::new(0),
            lines: Mutex::default(),
        }
    }

    fn lines(&self) -> MutexGuard<'_, CancellationToken> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts every connection.
    pub(super) fn cut_all(&self) {
        let cut = std::mem::take(&mut *self.lines());
        cut.cancel();
    }

    /// Lets nobody in and cuts every connection; returns when connecting is refused.
    pub(super) async fn shut(&self) {
        self.open.send_replace(false);
        self.cut_all();
        // The sender lives in self, so the only end of this wait is the condition.
        let _ = self.bound.subscribe().wait_for(|bound| *bound == 0).await;
        self.cut_all();
    }

    /// Lets everybody in again; returns when so many listeners are bound.
    pub(super) async fn reopen(&self, listeners: usize) {
        self.open.send_replace(true);
        let _ = self
            .bound
            .subscribe()
            .wait_for(|bound| *bound >= listeners)
            .await;
    }

    async fn is_open(&self, wanted: bool) {
        let _ = self.open.subscribe().wait_for(|open| *open == wanted).await;
    }
}

/// A listener whose connections can be cut.
pub(super) struct Lines {
    address: SocketAddr,
    /// None while the door is shut.
    listener: Option<TcpListener>,
    door: Arc<Door>,
}

impl Lines {
    pub(super) fn new(listener: TcpListener, door: Arc<Door>) -> io::Result<Lines> {
        let address = listener.local_addr()?;
        door.bound.send_modify(|bound| *bound += 1);
        Ok(Lines {
            address,
            listener: Some(listener),
            door,
        })
    }

    async fn bind_again(&mut self) {
        loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => {
                    self.listener = Some(listener);
                    self.door.bound.send_modify(|bound| *bound += 1);
                    return;
                }
                Err(error) => tracing::warn!(%error, address = %self.address, "cannot bind again"),
            }
            tokio::time::sleep(BIND_AGAIN).await;
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if self.listener.is_some() {
            self.door.bound.send_modify(|bound| *bound -= 1);
        }
    }
}

/// A handler's hold on the connection that its request came by.
#[derive(Clone, Debug)]
pub(super) struct Line {
    peer: SocketAddr,
    cut: CancellationToken,
    reset: Arc<AtomicBool>,
    /// Whether it came by TLS.
    pub(super) secure: bool,
    /// The certificate that the client presented, DER; none without mutual TLS.
    pub(super) client: Option<Arc<[u8]>>,
}

impl Line {
    fn new(peer: SocketAddr, cut: CancellationToken) -> Line {
        Line {
            peer,
            cut,
            reset: Arc::default(),
            secure: false,
            client: None,
        }
    }

    /// Nothing more is read or written: the connection closes.
    pub(super) fn cut(&self) {
        tracing::debug!(peer = %self.peer, "hangs up");
        self.cut.cancel();
    }

    /// The connection breaks off with a reset.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.cut();
    }
}

impl Listener for Lines {
    type Io = CuttableStream;
    type Addr = Line;

    async fn accept(&mut self) -> (CuttableStream, Line) {
        let door = Arc::clone(&self.door);
        loop {
            let Some(listener) = self.listener.as_mut() else {
                door.is_open(true).await;
                self.bind_again().await;
                continue;
            };
            tokio::select! {
                (stream, peer) = Listener::accept(listener) => {
                    let line = Line::new(peer, door.lines().child_token());
                    return (CuttableStream::new(stream, &line), line);
                }
                () = door.is_open(false) => {
                    self.listener = None;
                    door.bound.send_modify(|bound| *bound -= 1);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::new(self.address, CancellationToken::new()))
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Line {
        stream.remote_addr().clone()
    }
}

/// A TCP stream that fails once it is cut.
pub(super) struct CuttableStream {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    reset: Arc<AtomicBool>,
}

impl CuttableStream {
    fn new(stream: TcpStream, line: &Line) -> CuttableStream {
        CuttableStream {
            stream,
            cut: Box::pin(line.cut.clone().cancelled_owned()),
            reset: Arc::clone(&line.reset),
        }
    }

    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let cut = self.cut.as_mut().poll(cx).is_ready();
        if cut && self.reset.load(Ordering::Acquire) {
            // Without it the close that follows is an orderly one.
            let _ = self.stream.set_zero_linger();
        }
        cut
    }
}

fn aborted<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return aborted();
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(cx) {
            return aborted();
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return aborted();
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
