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

/// A listener whose connections can be cut.
pub(super) struct Lines(pub(super) TcpListener);

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
        let (stream, peer) = Listener::accept(&mut self.0).await;
        let line = Line::new(peer);
        (
            CuttableStream {
                stream,
                cut: Arc::clone(&line.cut),
            },
            line,
        )
    }

    fn local_addr(&self) -> io::Result<Line> {
        self.0.local_addr().map(Line::new)
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
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.load(Ordering::Acquire) {
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
