//! The server: takes connections, as many as it holds, and bounds how long anybody may keep it waiting.
//!
//! | waits for | as long as |
//! |---|---|
//! | the next request of a connection | [`Incoming::idle`]; then it is closed |
//! | the head of a request that has begun | [`Incoming::head`]; then the connection is closed |
//! | the whole of a body | [`Incoming::body`] and its like; then the request is refused with 408 |
//! | whoever asked to read on | [`Incoming::answer`]; then the connection is closed |
//! | what runs when it is to stop | [`Incoming::end`]; then it is given up |

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::routing::get;
use hyper::body::Incoming as Arriving;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::health;
use super::load::{self, Shed};
use super::pace::{Answer, Pace, Paced};
use super::places::{Place, Places};
use super::source::Source;
use crate::config::Incoming;

/// After a connection could not be taken, as when all descriptors are in use.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Connections at once beyond those that are held, which are told to come again. Those beyond these are dropped.
const TOLD_AT_ONCE: usize = 256;

/// When the host is to stop: how long a connection that nobody uses is kept, so that a request which is on its way is still
/// answered. Whoever is answered then is told to use another connection.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// Headers that are read where nothing else is said; another number costs an allocation for each request.
const USUAL_HEADERS: usize = 100;

/// The least that a connection reads at once.
const LEAST_BUFFER: usize = 64 * 1024;

/// What is asked of a server.
struct Server {
    router: Router,
    /// For connections beyond those that are held.
    busy: Router,
    incoming: Incoming,
    http1: http1::Builder,
    held: Arc<Places>,
    told: Arc<Places>,
    shed: Shed,
    stop: CancellationToken,
}

/// Serves until `stop`, then takes nothing new and finishes what runs.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    incoming: Incoming,
    stop: CancellationToken,
) {
    let server = Arc::new(Server {
        router,
        busy: Router::new()
            // Who ends a busy host makes the others busier.
            .route("/healthz", get(health::healthz))
            .fallback(async || load::busy()),
        http1: protocol(&incoming),
        held: Places::new(incoming.connections, incoming.of_one_source),
        told: Places::new(TOLD_AT_ONCE, (TOLD_AT_ONCE / 4).max(1)),
        shed: Shed::default(),
        stop,
        incoming,
    });
    let connections = TaskTracker::new();
    let give_up = CancellationToken::new();
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = server.stop.cancelled() => break,
        };
        match taken {
            Ok((stream, from)) => {
                let Some(seat) = server.seat(from.ip()) else {
                    continue;
                };
                let connection = Arc::clone(&server).connection(stream, from.ip(), seat);
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
    let end = server.incoming.end;
    if tokio::time::timeout(end, connections.wait()).await.is_err() {
        tracing::warn!(
            requests = connections.len(),
            "unfinished requests are given up"
        );
        give_up.cancel();
        connections.wait().await;
    }
}

fn protocol(incoming: &Incoming) -> http1::Builder {
    let mut http1 = http1::Builder::new();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(incoming.idle)
        .max_header_size(incoming.head_bytes)
        .max_buf_size(LEAST_BUFFER.max(2 * incoming.head_bytes));
    if incoming.headers != USUAL_HEADERS {
        http1.max_headers(incoming.headers);
    }
    http1
}

/// What a connection is held by.
struct Seat {
    place: Place,
    /// Whether it is one of those that are held, and not merely told to come again.
    is_held: bool,
}

impl Server {
    /// A seat for another connection; none where there are so many that nothing is even told.
    fn seat(&self, source: IpAddr) -> Option<Seat> {
        if let Some(place) = self.held.take(Some(source)) {
            return Some(Seat {
                place,
                is_held: true,
            });
        }
        self.shed.tell("connections");
        let place = self.told.take(Some(source))?;
        Some(Seat {
            place,
            is_held: false,
        })
    }

    async fn connection(self: Arc<Server>, stream: TcpStream, from: IpAddr, seat: Seat) {
        // Answers are small and written whole.
        let _ = stream.set_nodelay(true);
        let pace = Pace::default();
        let (head, answer) = (self.incoming.head, self.incoming.answer);
        let stream = Paced::new(stream, seat.place, pace.clone(), head, answer);
        let service = service_fn(|request| self.answer(request, Source(from), &pace, seat.is_held));
        let serving = self
            .http1
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut serving = pin!(serving);
        let last = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_REQUEST).await;
        };
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = last => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            // Whoever it was has hung up, was too slow, or is no HTTP client.
            tracing::debug!(%error, "connection");
        }
    }

    async fn answer(
        &self,
        mut request: hyper::Request<Arriving>,
        source: Source,
        pace: &Pace,
        is_held: bool,
    ) -> Result<hyper::Response<Answer>, Infallible> {
        let open = pace.begin();
        request.extensions_mut().insert(source);
        let router = if is_held { &self.router } else { &self.busy };
        let mut response = router.clone().oneshot(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            open.for_good();
            return Ok(response.map(|body| Answer::new(body, None)));
        }
        if !is_held || self.stop.is_cancelled() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(response.map(|body| Answer::new(body, Some(open))))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Bytes;
    use axum::extract::rejection::BytesRejection;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;
    use tower::util::MapRequestLayer;

    use super::super::bodies::whole_within;
    use super::super::envelope::Failure;
    use super::*;

    /// For what has to happen soon; nothing depends on it but the test's own time.
    const SOON: Duration = Duration::from_millis(20);
    /// For what must not happen.
    const LONG: Duration = Duration::from_secs(600);

    fn preset() -> Incoming {
        crate::config::Config::preset().unwrap().incoming()
    }

    async fn start(
        router: Router,
        incoming: Incoming,
    ) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, incoming, stop.clone()));
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

    /// Tells that it is dropped.
    struct Told(mpsc::UnboundedSender<()>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    async fn takes(body: Result<Bytes, BytesRejection>) -> Result<String, Failure> {
        Ok(format!("{} bytes", body?.len()))
    }

    #[tokio::test]
    async fn headers_that_never_end_cost_a_connection() {
        let router = Router::new().route("/", get(async || "ok"));
        // One that has begun has its own time, and one that has not begun another.
        for (head, idle, said) in [
            (SOON, LONG, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "),
            (LONG, SOON, ""),
        ] {
            let incoming = Incoming {
                head,
                idle,
                ..preset()
            };
            let (address, _stop, _serving) = start(router.clone(), incoming).await;
            let mut line = say(address, said).await;
            let answer = heard(&mut line).await;
            assert!(!answer.contains("200"), "{answer}");
            // Also after a request that was answered.
            let whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
            let mut line = say(address, whole).await;
            let mut begun = [0; 15];
            line.read_exact(&mut begun).await.unwrap();
            line.write_all(said.as_bytes()).await.unwrap();
            let answer = heard(&mut line).await;
            assert!(answer.ends_with("ok"), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_costs_a_connection() {
        let (dropped, mut is_dropped) = mpsc::unbounded_channel();
        let router = Router::new().route(
            "/",
            get(async move || {
                let told = Told(dropped.clone());
                let endless = futures_util::stream::unfold(told, async |told| {
                    let piece = Ok::<_, Infallible>(Bytes::from_static(&[0; 65_536]));
                    Some((piece, told))
                });
                axum::body::Body::from_stream(endless)
            }),
        );
        let incoming = Incoming {
            answer: SOON,
            ..preset()
        };
        let (address, _stop, _serving) = start(router, incoming).await;
        let _line = say(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        is_dropped.recv().await.unwrap();
    }

    #[tokio::test]
    async fn who_comes_beyond_what_is_held_is_told_to_come_again() {
        let incoming = Incoming {
            connections: 2,
            of_one_source: 1,
            ..preset()
        };
        let router = Router::new().route("/", get(async || "ok"));
        let (address, _stop, _serving) = start(router, incoming).await;
        let ask = async |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            say(address, &request).await
        };
        let mut first = ask("/").await;
        let mut begun = [0; 15];
        first.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK");
        let answer = heard(&mut ask("/").await).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
        assert!(answer.contains("\"errCode\":\"e.http.busy\""), "{answer}");
        let answer = heard(&mut ask("/healthz").await).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        // Another source has its own.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = socket.connect(address).await.unwrap();
        let last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        other.write_all(last).await.unwrap();
        assert!(heard(&mut other).await.ends_with("ok"));
    }

    #[tokio::test]
    async fn a_head_has_its_size() {
        let incoming = Incoming {
            head_bytes: 8 * 1024,
            headers: 16,
            ..preset()
        };
        let router = Router::new().route("/", get(async || "ok"));
        let (address, _stop, _serving) = start(router, incoming).await;
        let large = format!("X-Large: {}\r\n", "x".repeat(9 * 1024));
        for more in [large, "X-Many: x\r\n".repeat(17)] {
            let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{more}\r\n");
            let answer = heard(&mut say(address, &request).await).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_request_that_is_on_its_way_at_the_end_is_answered() {
        let router = Router::new().route("/", get(async || "ok"));
        let (address, stop, serving) = start(router, preset()).await;
        let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        // One connection that was used, and one that was not; they are taken in their order.
        let fresh = say(address, "").await;
        let mut used = say(address, request).await;
        let mut begun = [0; 15];
        used.read_exact(&mut begun).await.unwrap();
        stop.cancel();
        for mut line in [used, fresh] {
            line.write_all(request.as_bytes()).await.unwrap();
            let answer = heard(&mut line).await;
            assert!(answer.contains("connection: close"), "{answer}");
            assert!(answer.ends_with("ok"), "{answer}");
        }
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_refused() {
        let router = Router::new()
            .route("/", post(takes))
            .layer(MapRequestLayer::new(whole_within(SOON)));
        let (address, _stop, _serving) = start(router, preset()).await;
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
            let incoming = Incoming { end, ..preset() };
            let (address, stop, serving) = start(router.clone(), incoming).await;
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
