//! Connections that a handler can cut without a byte of answer, as a crashed server does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections can be cut, one of them or all.
pub(super) struct Lines {
    pub(super) listener: TcpListener,
    /// While it is set every connection ends at once, new and old ones.
    pub(super) down: Arc<AtomicBool>,
}

/// A handler's hold on the connection that its request came by.
#[derive(Clone, Debug)]
pub(super) struct Line {
    peer: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Line {
    fn new(peer: SocketAddr) -> Line {
        Line {
            peer,
            cut: Arc::default(),
        }
    }

    /// Nothing more is written; the first try to write closes the connection.
    pub(super) fn cut(&self) {
        tracing::debug!(peer = %self.peer, "hangs up");
        self.cut.store(true, Ordering::Release);
    }
}

impl Listener for Lines {
    type Io = CuttableStream;
    type Addr = Line;

    async fn accept(&mut self) -> (CuttableStream, Line) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            if self.down.load(Ordering::Acquire) {
                continue;
            }
            let line = Line::new(peer);
            let stream = CuttableStream {
                stream,
                cut: Arc::clone(&line.cut),
                down: Arc::clone(&self.down),
            };
            return (stream, line);
        }
    }

    fn local_addr(&self) -> io::Result<Line> {
        self.listener.local_addr().map(Line::new)
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Line {
        stream.remote_addr().clone()
    }
}

/// A TCP stream that fails on writing once it is cut.
pub(super) struct CuttableStream {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
}

impl CuttableStream {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire) || self.down.load(Ordering::Acquire)
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        // What a caller says to a server that is down is not heard.
        if self.down.load(Ordering::Acquire) && read.is_ready() {
            buf.set_filled(before);
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        read
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
