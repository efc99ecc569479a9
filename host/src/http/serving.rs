//! The server: takes connections, as many as it holds, and bounds how long anybody may keep it waiting.
//!
//! | waits for | as long as |
//! |---|---|
//! | the next request of a connection | [`Incoming::idle`]; then it is closed |
//! | the head of a request that has begun | [`Incoming::head`]; then the connection is closed |
//! | the whole of a body | [`Incoming::body`] and its like; then the request is refused with 408 |
//! | whoever asked to read on | [`Incoming::answer`]; then the connection is closed |
//! | a TLS handshake | [`Incoming::handshake`]; then the connection is closed |
//! | the next of an answer's pieces over HTTP/2, where one connection has many ([`http2`]) | [`Incoming::answer`] as well |
//! | who sends on when everything is said ([`linger`](super::linger)) | two seconds of silence, thirty in all |
//! | what runs when it is to stop | [`Incoming::end`]; then it is given up |

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{BoxError, Router};
use hyper::body::Incoming as Arriving;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::door::{Door, Why};
use super::health;
use super::http2::{self, Pieces, Stream, Streams, Tasks};
use super::linger;
use super::load::{self, Shed};
use super::pace::{Answer, Pace, Paced};
use super::places::{Full, Place, Places};
use super::request_id::{self, RequestId};
use super::source::{ByTls, Proxies, Source};
use super::tls::Tls;
use super::trace_parent::Parent;
use crate::config::Incoming;

/// After a connection could not be taken, as when all descriptors are in use.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Connections at once beyond those that are held, which are told to come again. Those beyond these are dropped.
const TOLD_AT_ONCE: usize = 256;

/// When the host is to stop: how long a connection that nobody uses is kept, so that a request which is on its way is still
/// answered. Whoever is answered then is told to use another connection.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// How long the rest of a short body that nobody wants is waited for, so that its connection can go on.
const UNWANTED: Duration = Duration::from_secs(1);

/// Headers that are read where nothing else is said; another number costs an allocation for each request.
const USUAL_HEADERS: usize = 100;

/// The least that a connection reads at once.
const LEAST_BUFFER: usize = 64 * 1024;

/// What a server is made of.
pub(crate) struct Serving {
    pub(crate) router: Router,
    pub(crate) incoming: Incoming,
    /// Where it speaks TLS itself.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) proxies: Proxies,
    pub(crate) door: Door,
}

struct Server {
    router: Router,
    /// For connections beyond those that are held.
    busy: Router,
    incoming: Incoming,
    tls: Option<Arc<Tls>>,
    proxies: Proxies,
    http1: http1::Builder,
    held: Arc<Places>,
    told: Arc<Places>,
    door: Door,
    shed: Shed,
    stop: CancellationToken,
}

/// Serves until `stop`, then takes nothing new and finishes what runs.
pub(crate) async fn serve(listener: TcpListener, serving: Serving, stop: CancellationToken) {
    let Serving {
        router,
        incoming,
        tls,
        proxies,
        door,
    } = serving;
    let server = Arc::new(Server {
        router,
        busy: Router::new()
            // Who ends a busy host makes the others busier.
            .route("/healthz", get(health::healthz))
            .fallback(async || load::busy()),
        tls,
        proxies,
        http1: http1(&incoming),
        held: Places::new(incoming.connections, incoming.of_one_source),
        told: Places::new(TOLD_AT_ONCE, (TOLD_AT_ONCE / 4).max(1)),
        shed: Shed::default(),
        door,
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
                server.door.turn_away(Why::System);
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

fn http1(incoming: &Incoming) -> http1::Builder {
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
    /// Whose places are taken: a proxy is nobody's source.
    fn counted(&self, source: IpAddr) -> Option<IpAddr> {
        Some(source).filter(|source| !self.proxies.has(*source))
    }

    /// A seat for another connection; none where there are so many that nothing is even told.
    fn seat(&self, source: IpAddr) -> Option<Seat> {
        let source = self.counted(source);
        match self.held.ask(source) {
            Ok(place) => {
                return Some(Seat {
                    place,
                    is_held: true,
                });
            }
            Err(Full::All) => self.door.turn_away(Why::Connections),
            Err(Full::OfParty) => self.door.turn_away(Why::Source),
        }
        self.shed.tell("connections");
        let place = self.told.take(source)?;
        Some(Seat {
            place,
            is_held: false,
        })
    }

    async fn connection(self: Arc<Server>, stream: TcpStream, from: IpAddr, seat: Seat) {
        let _inside = self.door.enter();
        // Answers are small and written whole.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.speak(stream, from, seat).await;
        };
        let shaken = tls.acceptor().accept(stream);
        match tokio::time::timeout(self.incoming.handshake, shaken).await {
            Ok(Ok(stream)) => match stream.get_ref().1.alpn_protocol() {
                Some(http2::NAME) => self.speak_http2(stream, from, seat).await,
                _ => self.speak(stream, from, seat).await,
            },
            Ok(Err(error)) => {
                self.door.turn_away(Why::Handshake);
                tracing::debug!(%error, "handshake");
            }
            Err(_) => {
                self.door.turn_away(Why::SlowHandshake);
                tracing::debug!("a handshake did not come to its end in time");
            }
        }
    }

    async fn speak<S>(&self, stream: S, from: IpAddr, seat: Seat)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pace = Pace::default();
        let (head, answer) = (self.incoming.head, self.incoming.answer);
        let stream = Paced::new(stream, seat.place, pace.clone(), head, answer);
        let service = service_fn(|request| self.answer(request, from, &pace, seat.is_held));
        let serving = self
            .http1
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut serving = pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = self.last() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        self.tell(ended);
    }

    /// The same for a connection of HTTP/2, whose requests are beside each other: their times are theirs, and not the
    /// connection's.
    async fn speak_http2<S>(self: &Arc<Server>, stream: S, from: IpAddr, seat: Seat)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pace = Pace::default();
        pace.begin().for_good();
        let Incoming {
            head, idle, answer, ..
        } = self.incoming;
        let stream = Paced::new(stream, seat.place, pace, head, answer);
        let (streams, ended) = (Streams::default(), CancellationToken::new());
        let _end = ended.clone().drop_guard();
        let places = if seat.is_held { &self.held } else { &self.told };
        let service = service_fn(|request| {
            // Here they are in their order; what follows runs beside each other.
            let open = streams.begin(|| places.take(self.counted(from)));
            let server = Arc::clone(self);
            async move {
                server
                    .answer_beside(request, from, open, seat.is_held)
                    .await
            }
        });
        let serving = http2::builder(&self.incoming, Tasks(ended))
            .serve_connection(TokioIo::new(stream), service);
        let mut serving = pin!(serving);
        let told = async {
            streams.asked().await;
            if seat.is_held {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            done = serving.as_mut() => return self.tell(done),
            () = streams.unread(answer) => return self.door.turn_away(Why::SlowReader),
            () = streams.quiet(idle) => {}
            () = told => {}
            // The protocol itself lets a request through that is on its way.
            () = self.stop.cancelled() => {}
        }
        serving.as_mut().graceful_shutdown();
        tokio::select! {
            done = serving => self.tell(done),
            () = streams.unread(answer) => self.door.turn_away(Why::SlowReader),
            () = streams.quiet(answer) => tracing::debug!("nobody hears of the end"),
        }
    }

    /// Waits until no connection waits for another request.
    async fn last(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(LAST_REQUEST).await;
    }

    async fn answer(
        &self,
        request: hyper::Request<Arriving>,
        from: IpAddr,
        pace: &Pace,
        is_held: bool,
    ) -> Result<hyper::Response<Answer>, Infallible> {
        let open = pace.begin();
        // Who waits to be asked for the body is not asked for what nobody wants.
        let waits = request.headers().contains_key(header::EXPECT);
        let request = request.map(|body| pace.body(body));
        let mut response = self.ask(request, from, is_held).await?;
        let mut is_last = !is_held || self.stop.is_cancelled();
        if let Some(body) = pace.unwanted() {
            if !is_last && !waits && linger::is_short(body, UNWANTED).await {
                pace.is_read();
            } else {
                is_last = true;
            }
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            open.for_good();
            return Ok(response.map(|body| Answer::new(body, None)));
        }
        if is_last {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(response.map(|body| Answer::new(body, Some(open))))
    }

    /// The same for a request that has others beside it.
    async fn answer_beside(
        &self,
        mut request: hyper::Request<Arriving>,
        from: IpAddr,
        open: Option<Stream>,
        is_held: bool,
    ) -> Result<hyper::Response<Pieces>, Infallible> {
        let Some(stream) = open else {
            self.shed.tell("requests of a connection");
            return Ok(load::busy()
                .into_response()
                .map(|body| Pieces::new(body, None)));
        };
        if request.headers().len() > self.incoming.headers {
            self.door.turn_away(Why::LargeHead);
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let refused = status.into_response();
            return Ok(refused.map(|body| Pieces::new(body, Some(stream))));
        }
        // An address is what it is over HTTP/1.1: without the host's name.
        if let Some(address) = request.uri().path_and_query() {
            *request.uri_mut() = Uri::from(address.clone());
        }
        let request = request.map(http2::asked);
        let response = self.ask(request, from, is_held).await?;
        Ok(response.map(|body| Pieces::new(body, Some(stream))))
    }

    async fn ask<B>(
        &self,
        mut request: hyper::Request<B>,
        from: IpAddr,
        is_held: bool,
    ) -> Result<hyper::Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let by_proxy = self.proxies.has(from);
        let id = RequestId::of(request.headers(), by_proxy);
        let known = self.proxies.ask(from, request.headers());
        request.extensions_mut().insert(Source(known.source));
        if self.tls.is_some() || known.by_tls {
            request.extensions_mut().insert(ByTls);
        }
        if by_proxy && let Some(parent) = Parent::of(request.headers()) {
            request.extensions_mut().insert(parent);
        }
        let router = if is_held { &self.router } else { &self.busy };
        let span = tracing::info_span!("request", %id);
        let mut response = router.clone().oneshot(request).instrument(span).await?;
        let headers = response.headers_mut();
        headers.insert(request_id::HEADER, id.into_value());
        Ok(response)
    }

    fn tell(&self, ended: hyper::Result<()>) {
        if let Err(error) = ended {
            // Whoever it was has hung up, was too slow, or is no HTTP client.
            tracing::debug!(%error, "connection");
            self.door.ended(&error);
        }
    }
}

#[cfg(test)]
mod tests;
