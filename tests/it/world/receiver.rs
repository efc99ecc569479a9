//! A shop's own server, to which callbacks send requests.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use http_body::Frame;
use tokio::net::TcpListener;
use tokio::time::{Interval, interval};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Method and path.
    pub(crate) head: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A receiver on this machine:
///
/// | path         | answers                                                          |
/// | ------------ | ---------------------------------------------------------------- |
/// | `/order`     | 201 with JSON, and the header `x-part` twice                     |
/// | `/missing`   | 404                                                              |
/// | `/moved?to=` | a redirect                                                       |
/// | `/silent`    | never                                                            |
/// | `/drip`      | a body without end, a byte now and then                          |
/// | `/endless`   | a body without end                                               |
/// | `/headers`   | two hundred headers                                              |
/// | others       | `taken`                                                          |
pub(crate) struct Receiver {
    url: String,
    seen: Seen,
}

type Seen = Arc<Mutex<Vec<Received>>>;

impl Receiver {
    pub(crate) async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Seen::default();
        let router = Router::new().fallback(answer).with_state(seen.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        Receiver { url, seen }
    }

    /// As the operator grants it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn until_asked(&self, times: usize) {
        let look = async {
            while self.requests().len() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(120), look).await;
        assert!(came.is_ok(), "{} requests came", self.requests().len());
    }
}

async fn answer(
    State(seen): State<Seen>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.lock().unwrap().push(Received {
        head: format!("{method} {}", uri.path()),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    match uri.path() {
        "/silent" => std::future::pending().await,
        "/order" => Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .header("x-part", "1")
            .header("X-Part", "2")
            .body(Body::from(r#"{"parcel":"元 7"}"#))
            .unwrap(),
        "/missing" => Response::builder()
            .status(404)
            .body(Body::from("no such order"))
            .unwrap(),
        "/drip" => Response::new(Body::new(Endless {
            part: b"x",
            every: interval(Duration::from_millis(200)),
        })),
        "/endless" => Response::new(Body::new(Endless {
            part: &[b'x'; 64 << 10],
            every: interval(Duration::from_millis(1)),
        })),
        "/headers" => {
            let many = |response: axum::http::response::Builder, number| {
                response.header(format!("x-{number}"), "x")
            };
            let response = (0..200).fold(Response::builder(), many);
            response.body(Body::empty()).unwrap()
        }
        "/moved" => {
            let to = uri.query().and_then(|query| query.strip_prefix("to="));
            Response::builder()
                .status(302)
                .header("location", to.unwrap())
                .body(Body::empty())
                .unwrap()
        }
        _ => Response::new(Body::from("taken")),
    }
}

/// A body without end.
struct Endless {
    part: &'static [u8],
    every: Interval,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.every.poll_tick(context));
        let part = Bytes::from_static(self.part);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}
