use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::util::MapRequestLayer;

use super::super::bodies::{Reads, whole_within};
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
    let serving = tokio::spawn(serve(
        listener,
        Serving {
            router,
            incoming,
            tls: None,
            proxies: Proxies::default(),
            door: Door::default(),
        },
        stop.clone(),
    ));
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
        .layer(MapRequestLayer::new(whole_within(Reads::Json, 1024, SOON)));
    let (address, _stop, _serving) = start(router, preset()).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n";
    let mut line = say(address, &format!("{head}12345")).await;
    let answer = heard(&mut line).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("\"errCode\":\"e.http.tooSlow\""),
        "{answer}"
    );
    let whole = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345";
    let answer = heard(&mut say(address, whole).await).await;
    assert!(answer.ends_with("5 bytes"), "{answer}");
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_not_waited_for() {
    let router = Router::new()
        .route("/", post(takes))
        .layer(MapRequestLayer::new(whole_within(Reads::Bytes, 4, LONG)));
    let (address, _stop, _serving) = start(router, preset()).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    let mut line = say(address, head).await;
    let answer = heard(&mut line).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("\"errCode\":\"e.http.tooLarge\""),
        "{answer}"
    );
}

#[tokio::test]
async fn who_is_refused_while_they_send_hears_of_it() {
    const BODY: usize = 16 * 1024 * 1024;
    let router = Router::new().route("/", post(async || StatusCode::FORBIDDEN));
    let large = format!("X-Large: {}\r\n", "x".repeat(9 * 1024));
    // By what answers requests, by what reads heads, and for want of a place.
    for (connections, more, said) in [(2, "", 403), (2, large.as_str(), 431), (1, "", 503)] {
        let incoming = Incoming {
            head_bytes: 8 * 1024,
            connections,
            ..preset()
        };
        let (address, _stop, _serving) = start(router.clone(), incoming).await;
        let _before = say(address, "").await;
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\n{more}\r\n");
        let mut line = say(address, &head).await;
        // All of it can be sent, and then there is the answer, and the end.
        line.write_all(&vec![0; BODY]).await.unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.unwrap();
        let status = format!("HTTP/1.1 {said} ");
        assert!(answer.starts_with(&status), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_short_body_that_nobody_wants_costs_no_connection() {
    let router = Router::new().route("/", post(async || StatusCode::FORBIDDEN));
    let (address, _stop, _serving) = start(router, preset()).await;
    let mut line = say(address, "").await;
    for last in [false, true] {
        let end = if last { "Connection: close\r\n" } else { "" };
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n{end}\r\n");
        for part in [&head, "123", "45"] {
            line.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(SOON).await;
        }
    }
    let answers = heard(&mut line).await;
    assert_eq!(answers.matches("HTTP/1.1 403 ").count(), 2, "{answers}");
    // Nobody is asked to send what nobody wants.
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let answer = heard(&mut say(address, head).await).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
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
