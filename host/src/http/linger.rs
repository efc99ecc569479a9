//! Bodies that nobody wants, as those of requests that are refused by their heads.
//!
//! A short one is read with the answer, and the connection goes on ([`is_short`]). With a longer one the answer says that the
//! connection ends. Whoever closes a connection that has bytes which nobody read has the system reset it, and the answer is
//! lost to an end that is still sending; so the host closes its own side, and reads on, keeping nothing, until the other end
//! closes as well or has had its time ([`Linger`]).
//!
//! Over HTTP/2 the host may end such a request with its answer. There are clients that lose the answer by that, and so it
//! reads on here too ([`read_off`]).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, timeout};

/// Read at once, and forgotten.
const PIECE: usize = 8 * 1024;

/// What is read for the sake of a connection; a longer body costs more than another connection.
const SHORT: u64 = 256 * 1024;

/// A request's body. What was not read of it goes somewhere when nobody wants it any more.
pub(super) struct Asked<F: FnOnce(Incoming)> {
    /// What there is until this is dropped, and where it goes if that is before its end.
    left: Option<(Incoming, F)>,
}

impl<F: FnOnce(Incoming)> Asked<F> {
    pub(super) fn new(body: Incoming, leave: F) -> Asked<F> {
        let left = (!body.is_end_stream()).then_some((body, leave));
        Asked { left }
    }
}

impl<F: FnOnce(Incoming)> Drop for Asked<F> {
    fn drop(&mut self) {
        if let Some((body, leave)) = self.left.take() {
            leave(body);
        }
    }
}

impl<F: FnOnce(Incoming) + Unpin> HttpBody for Asked<F> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some((body, _)) = &mut self.left else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(context));
        if frame.is_none() || body.is_end_stream() {
            self.left = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ended = SizeHint::with_exact(0);
        let left = self.left.as_ref();
        left.map_or(ended, |(body, _)| body.size_hint())
    }
}

/// The length of a body's next piece.
async fn piece<B: HttpBody<Data = Bytes>>(mut body: Pin<&mut B>) -> Option<Result<u64, B::Error>> {
    let frame = poll_fn(|context| body.as_mut().poll_frame(context)).await?;
    Some(frame.map(|frame| frame.data_ref().map_or(0, |data| data.len() as u64)))
}

/// Reads a body to its end, if it is short and comes in time.
pub(super) async fn is_short<B: HttpBody<Data = Bytes>>(body: B, time: Duration) -> bool {
    if body.size_hint().lower() > SHORT {
        return false;
    }
    let mut body = pin!(body);
    let read = async {
        let mut bytes = 0;
        while let Some(more) = piece(body.as_mut()).await {
            let Ok(more) = more else { return false };
            bytes += more;
            if bytes > SHORT {
                return false;
            }
        }
        true
    };
    timeout(time, read).await.unwrap_or(false)
}

/// How long it is waited for an end that is still sending.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Without another byte.
    pub(super) quiet: Duration,
    /// In all.
    pub(super) whole: Duration,
}

/// After two seconds without another byte nothing is on its way any more; and who sends for half a minute does not listen.
pub(super) const ENDING: Patience = Patience {
    quiet: Duration::from_secs(2),
    whole: Duration::from_secs(30),
};

/// Reads a body that nobody wants, where its connection goes on in any case.
pub(super) async fn read_off<B: HttpBody<Data = Bytes>>(body: B, patience: Patience) {
    let mut body = pin!(body);
    let read = async {
        let mut next = async || timeout(patience.quiet, piece(body.as_mut())).await;
        while let Ok(Some(Ok(_))) = next().await {}
    };
    let _ = timeout(patience.whole, read).await;
}

/// Reads what nobody wants.
pub(super) struct Linger {
    patience: Patience,
    until: Instant,
    quiet: Pin<Box<Sleep>>,
}

impl Linger {
    pub(super) fn begin(patience: Patience) -> Linger {
        let now = Instant::now();
        Linger {
            patience,
            until: now + patience.whole,
            quiet: Box::pin(tokio::time::sleep_until(now + patience.quiet)),
        }
    }

    /// Whether nothing has to be waited for any more.
    pub(super) fn poll(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut piece = [0; PIECE];
        loop {
            let now = Instant::now();
            if now >= self.until {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut piece);
            match Pin::new(&mut *io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let quiet = self.until.min(now + self.patience.quiet);
                    self.quiet.as_mut().reset(quiet);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.quiet.as_mut().poll(context),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::*;

    /// For what has to happen soon; nothing depends on it but the test's own time.
    const SOON: Duration = Duration::from_millis(20);
    /// For what must not happen.
    const LONG: Duration = Duration::from_secs(600);

    async fn linger(mut io: DuplexStream, quiet: Duration, whole: Duration) {
        let mut linger = Linger::begin(Patience { quiet, whole });
        poll_fn(|context| linger.poll(&mut io, context)).await;
    }

    /// A body of so many pieces, and then one that never comes.
    fn pieces(count: usize, last: bool) -> Body {
        let pieces = futures_util::stream::unfold(0, move |sent| async move {
            if sent == count && last {
                std::future::pending::<()>().await;
            }
            (sent < count).then(|| (Ok::<_, Infallible>(vec![0; PIECE]), sent + 1))
        });
        Body::from_stream(pieces)
    }

    #[tokio::test]
    async fn what_is_short_and_comes_in_time_is_read() {
        const FITS: usize = SHORT as usize;
        assert!(is_short(Body::empty(), LONG).await);
        assert!(is_short(Body::from(vec![0; FITS]), LONG).await);
        assert!(!is_short(Body::from(vec![0; FITS + 1]), LONG).await);
        assert!(is_short(pieces(FITS / PIECE, false), LONG).await);
        assert!(!is_short(pieces(FITS / PIECE + 1, true), LONG).await);
        assert!(!is_short(pieces(1, true), SOON).await);
        let broken = futures_util::stream::iter([Err::<Bytes, _>("gone")]);
        assert!(!is_short(Body::from_stream(broken), LONG).await);
    }

    #[tokio::test]
    async fn what_is_read_off_is_read_to_its_end_or_for_a_while() {
        let patience = |quiet, whole| Patience { quiet, whole };
        read_off(pieces(100, false), patience(LONG, LONG)).await;
        read_off(pieces(1, true), patience(SOON, LONG)).await;
        read_off(pieces(1, true), patience(LONG, SOON)).await;
    }

    #[tokio::test]
    async fn who_hangs_up_is_not_waited_for() {
        let (mut sender, io) = tokio::io::duplex(1024);
        sender.write_all(&[0; 1024]).await.unwrap();
        drop(sender);
        linger(io, LONG, LONG).await;
    }

    #[tokio::test]
    async fn who_is_quiet_is_not_waited_for() {
        let (mut sender, io) = tokio::io::duplex(1024);
        sender.write_all(&[0; 1024]).await.unwrap();
        linger(io, SOON, LONG).await;
    }

    #[tokio::test]
    async fn who_never_stops_is_not_listened_to_for_ever() {
        let (mut sender, io) = tokio::io::duplex(1024);
        let sending = async {
            // Until nobody is there to listen.
            while sender.write_all(b"and on and on").await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(linger(io, LONG, SOON), sending);
    }
}
