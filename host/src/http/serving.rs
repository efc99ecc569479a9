//! The server: takes connections, and bounds how long anybody may keep it waiting.
//!
//! | waits for                       | as long as                                                      |
//! | ------------------------------- | --------------------------------------------------------------- |
//! | the next request's headers      | [`Patience::headers`]; then the connection is closed            |
//! | the whole of a body             | [`whole_within`]; then the request is refused with 408          |
//! | what runs when it is to stop    | [`Patience::end`]; then it is given up                          |

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http_body::Frame;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::MapRequest;

use super::source::Source;

/// How long the server waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a connection's next request: longer than proxies keep an unused connection (a minute), so that it is they who
    /// close it.
    pub(crate) headers: Duration,
    /// For requests that run when it is to stop: longer than a provider's call, whose end is worth knowing.
    pub(crate) end: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            headers: Duration::from_secs(75),
            end: Duration::from_secs(45),
        }
    }
}

/// After a connection could not be taken, as when all descriptors are in use.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then takes nothing new and finishes what runs.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let give_up = CancellationToken::new();
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = stop.cancelled() => break,
        };
        match taken {
            Ok((stream, from)) => {
                let source = Source(from.ip());
                let router = router.clone();
                let connection = connection(stream, source, router, patience, stop.clone());
                let give_up = give_up.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        () = give_up.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(patience.end, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            requests = connections.len(),
            "unfinished requests are given up"
        );
        give_up.cancel();
        connections.wait().await;
    }
}

async fn connection(
    stream: TcpStream,
    source: Source,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) {
    // Answers are small and written whole.
    let _ = stream.set_nodelay(true);
    let service = MapRequest::new(router, move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(source);
        request
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // Whoever it was has hung up, or is no HTTP client.
        tracing::debug!(%error, "connection");
    }
}

/// Bounds the time until the whole body of a request is there.
pub(super) fn whole_within(time: Duration) -> impl Fn(Request) -> Request + Clone {
    move |request| {
        request.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            Body::new(Timed {
                body,
                until: Box::pin(tokio::time::sleep(time)),
            })
        })
    }
}

/// A body that has to end in time.
struct Timed {
    body: Body,
    until: Pin<Box<Sleep>>,
}

/// The body did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
pub(super) struct TooSlow;

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
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

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::rejection::BytesRejection;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;
    use tower::util::MapRequestLayer;

    use super::super::envelope::Failure;
    use super::*;

    /// For what has to happen soon; nothing depends on it but the test's own time.
    const SOON: Duration = Duration::from_millis(20);
    /// For what must not happen.
    const LONG: Duration = Duration::from_secs(600);

    async fn start(
        router: Router,
        patience: Patience,
    ) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, patience, stop.clone()));
        (address, stop, serving)
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut line = TcpStream::connect(address).await.unwrap();
        line.write_all(text.as_bytes()).await.unwrap();
        line
    }

    async fn heard(line: &mut TcpStream) -> String {
        let mut answer = String::new();
        // A line that is cut says nothing more.
        let _ = line.read_to_string(&mut answer).await;
        answer
    }

    async fn takes(body: Result<Bytes, BytesRejection>) -> Result<String, Failure> {
        Ok(format!("{} bytes", body?.len()))
    }

    #[tokio::test]
    async fn headers_that_never_end_cost_a_connection() {
        let patience = Patience {
            headers: SOON,
            end: LONG,
        };
        let router = Router::new().route("/", get(async || "ok"));
        let (address, _stop, _serving) = start(router, patience).await;
        let mut line = say(address, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
        let answer = heard(&mut line).await;
        assert!(!answer.contains("200"), "{answer}");
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_refused() {
        let router = Router::new()
            .route("/", post(takes))
            .layer(MapRequestLayer::new(whole_within(SOON)));
        let (address, _stop, _serving) = start(router, Patience::default()).await;
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n";
        let mut line = say(address, &format!("{head}12345")).await;
        let answer = heard(&mut line).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(
            answer.contains("\"errCode\":\"e.http.tooSlow\""),
            "{answer}"
        );
        let whole =
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345";
        let answer = heard(&mut say(address, whole).await).await;
        assert!(answer.ends_with("5 bytes"), "{answer}");
    }

    #[tokio::test]
    async fn the_end_waits_for_what_runs_and_not_for_ever() {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let finish = CancellationToken::new();
        let (first, second) = (finish.clone(), begun.clone());
        let router = Router::new()
            .route(
                "/short",
                get(async move || {
                    begun.send(()).unwrap();
                    first.cancelled().await;
                    "finished"
                }),
            )
            .route(
                "/endless",
                get(async move || {
                    second.send(()).unwrap();
                    std::future::pending::<()>().await;
                }),
            );
        for (path, end) in [("short", LONG), ("endless", SOON)] {
            let patience = Patience { headers: LONG, end };
            let (address, stop, serving) = start(router.clone(), patience).await;
            let mut line = say(address, &format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            begins.recv().await.unwrap();
            stop.cancel();
            if path == "short" {
                finish.cancel();
                assert!(heard(&mut line).await.ends_with("finished"));
            } else {
                assert_eq!(heard(&mut line).await, "");
            }
            serving.await.unwrap();
            assert!(TcpStream::connect(address).await.is_err());
        }
    }
}
