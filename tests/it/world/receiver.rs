//! A shop's own server, to which callbacks send requests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Method and path.
    pub(crate) head: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A receiver on this machine: `/moved?to=` leads elsewhere, `/silent` never answers, everything else is taken.
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
