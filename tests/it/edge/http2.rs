//! HTTP/2, where TLS agrees on it: the same answers, and the same bounds.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode, Version};
use futures_util::stream;
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{Files, Pair};
use crate::world::Host;

type Encrypted = TlsStream<TcpStream>;

/// A connection from this address of the machine's loopback, on which these protocols are offered.
async fn open(host: &Host, pair: &Pair, from: &str, offered: &[&str]) -> Encrypted {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().into()).collect();
    let address = host.url().split_once("://").unwrap().1.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// Somebody who speaks HTTP/2 over one connection.
#[derive(Clone)]
struct Asker(SendRequest<Body>);

impl Asker {
    async fn of(host: &Host, pair: &Pair, from: &str) -> Asker {
        let stream = open(host, pair, from, &["h2"]).await;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        // Where the host ends it, that is seen by whoever asks.
        tokio::spawn(async move { drop(connection.await) });
        Asker(sender)
    }

    async fn ask(&self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        let mut sender = self.0.clone();
        sender.ready().await?;
        sender.send_request(request).await
    }

    async fn get(&self, path: &str) -> Response<Incoming> {
        let request = Request::get(address(path)).body(Body::empty()).unwrap();
        self.ask(request).await.unwrap()
    }
}

fn address(path: &str) -> String {
    format!("https://127.0.0.1{path}")
}

async fn text(answer: Response<Incoming>) -> String {
    let body = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX);
    String::from_utf8(body.await.unwrap().into()).unwrap()
}

/// A payment that is to be created, and the rest of its body, which is sent when it is given.
fn create(key: &str) -> (Request<Body>, mpsc::UnboundedSender<Bytes>) {
    let (rest, given) = mpsc::unbounded_channel();
    let body = stream::unfold(given, async |mut given: mpsc::UnboundedReceiver<Bytes>| {
        let piece = given.recv().await?;
        Some((Ok::<_, Infallible>(piece), given))
    });
    let request = Request::post(address("/pay/ajax/create"))
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Body::from_stream(body))
        .unwrap();
    (request, rest)
}

/// The key of a new domain.
async fn domain(host: &Host, pair: &Pair) -> String {
    let mut said = serde_json::Value::Null;
    for (path, body) in [
        ("/pay/domain", json!({ "name": "shop" })),
        ("/pay/domain/shop/key", json!({ "test": true })),
    ] {
        let request = pair.client().post(format!("{}{path}", host.url()));
        let request = request.bearer_auth(host.root_key()).json(&body);
        said = request.send().await.unwrap().json().await.unwrap();
    }
    said["data"]["key"].as_str().unwrap().to_owned()
}

fn payment() -> Bytes {
    json!({ "brief": "茶", "fee": 1 }).to_string().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_where_tls_agrees_on_it_and_says_the_same() {
    let pair = Pair::make();
    let host = Files::of(&pair).host(&[]).await;
    for (offered, agreed) in [
        (&["http/1.1", "h2"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = open(&host, &pair, "127.0.0.1", offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
    }
    // Whoever does not know of it goes on as before.
    let url = |path: &str| format!("{}{path}", host.url());
    let old = pair.client().get(url("/healthz")).send().await.unwrap();
    assert_eq!(
        (old.status(), old.version()),
        (StatusCode::OK, Version::HTTP_11)
    );

    let asker = Asker::of(&host, &pair, "127.0.0.1").await;
    let (alive, nothing) = tokio::join!(asker.get("/healthz"), asker.get("/nothing"));
    assert_eq!(alive.version(), Version::HTTP_2);
    assert_eq!(
        (alive.status(), nothing.status()),
        (StatusCode::OK, StatusCode::NOT_FOUND)
    );
    assert_ne!(
        alive.headers()["x-request-id"],
        nothing.headers()["x-request-id"]
    );
    assert!(text(alive).await.contains("alive"));

    let key = domain(&host, &pair).await;
    let (request, rest) = create(&key);
    rest.send(payment()).unwrap();
    drop(rest);
    let made = asker.ask(request).await.unwrap();
    assert_eq!(made.status(), StatusCode::OK);
    assert!(text(made).await.contains(r#""id":"#));

    // A page of more than a window, in its pieces.
    let page = asker.get("/pay/console").await;
    assert_eq!(page.status(), StatusCode::OK);
    let length: usize = page.headers()["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(text(page).await.len(), length);

    // A browser sends its cookies one by one.
    let sign_in = pair
        .client()
        .post(url("/pay/session"))
        .header("x-walnut-page", "1");
    let signed_in = sign_in.json(&json!({ "key": &key })).send().await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap();
    let request = Request::get(address("/pay/session"))
        .header("cookie", "other=1")
        .header("cookie", cookie.split(';').next().unwrap())
        .header("x-walnut-page", "1");
    let answer = asker
        .ask(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    // Whoever wants a WebSocket opens a connection of HTTP/1.1 for it.
    assert_eq!(
        asker.get("/websocket").await.status(),
        StatusCode::UPGRADE_REQUIRED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_beside_another_takes_a_place_as_a_connection_does() {
    let pair = Pair::make();
    let host = Files::of(&pair)
        .host(&["--set", "incoming.of_one_source=4"])
        .await;
    let key = domain(&host, &pair).await;
    let from = "127.0.0.2";
    let asker = Asker::of(&host, &pair, from).await;
    let mut under_way = Vec::new();
    for _ in 0..4 {
        let (request, rest) = create(&key);
        let mut sender = asker.0.clone();
        sender.ready().await.unwrap();
        // It is sent whether or not anybody waits for its answer.
        under_way.push((sender.send_request(request), rest));
    }
    // They come in their order: a connection, and three beside the first of its requests.
    let shed = asker.get("/readyz").await;
    assert_eq!(shed.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(shed.headers()["retry-after"], "1");
    assert!(text(shed).await.contains(r#""errCode":"e.http.busy""#));
    // Another connection of this source is told to come again, and is closed.
    let beyond = Asker::of(&host, &pair, from).await;
    assert_eq!(
        beyond.get("/readyz").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    while !beyond.0.is_closed() {
        tokio::task::yield_now().await;
    }
    let other = Asker::of(&host, &pair, "127.0.0.3").await;
    assert_eq!(other.get("/readyz").await.status(), StatusCode::OK);
    // What was under way comes to its end, and makes room.
    for (asked, rest) in under_way {
        rest.send(payment()).unwrap();
        drop(rest);
        assert_eq!(asked.await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(asker.get("/readyz").await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_http2_has_its_size() {
    let pair = Pair::make();
    let small = [
        "--set",
        "incoming.head_kib=8",
        "--set",
        "incoming.headers=16",
    ];
    let host = Files::of(&pair).host(&small).await;
    let asker = Asker::of(&host, &pair, "127.0.0.1").await;
    let (large, many) = ("x".repeat(9 * 1024), ["x"; 17]);
    for values in [&[large.as_str()][..], &many] {
        let mut request = Request::get(address("/healthz"));
        for value in values {
            request = request.header("x-more", *value);
        }
        let answer = asker
            .ask(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    assert_eq!(asker.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_http2_that_runs_when_the_host_ends_is_answered() {
    let pair = Pair::make();
    let host = Files::of(&pair).host(&[]).await;
    let key = domain(&host, &pair).await;
    let asker = Asker::of(&host, &pair, "127.0.0.1").await;
    let (request, rest) = create(&key);
    let asked = {
        let asker = asker.clone();
        tokio::spawn(async move { asker.ask(request).await.unwrap() })
    };
    // What came after it was answered: it is being read.
    assert_eq!(asker.get("/healthz").await.status(), StatusCode::OK);
    let address = host.url().split_once("://").unwrap().1.to_owned();
    let ended = tokio::spawn(host.terminate());
    // It ends: nobody else is taken in.
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    rest.send(payment()).unwrap();
    drop(rest);
    let made = asked.await.unwrap();
    assert_eq!(made.status(), StatusCode::OK);
    assert!(text(made).await.contains(r#""id":"#));
    assert!(ended.await.unwrap().0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_over_http2_while_they_send_comes_to_an_end() {
    const PIECE: usize = 16 * 1024;
    let pair = Pair::make();
    let host = Files::of(&pair).host(&[]).await;
    let asker = Asker::of(&host, &pair, "127.0.0.1").await;
    // More than there is room for before it is read, told when all of it was taken.
    let (told, taken) = oneshot::channel();
    let body = stream::unfold((64, told), async |(left, told)| {
        if left == 0 {
            told.send(()).unwrap();
            return None;
        }
        let piece = Ok::<_, Infallible>(Bytes::from_static(&[0; PIECE]));
        Some((piece, (left - 1, told)))
    });
    let request = Request::put(address("/pay/provider?digest=0"))
        .body(Body::from_stream(body))
        .unwrap();
    let answer = asker.ask(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(text(answer).await.contains("e.auth.required"));
    taken.await.unwrap();
    assert_eq!(asker.get("/healthz").await.status(), StatusCode::OK);
}

/// Frames of HTTP/2, one by one: RFC 9113, section 4.1.
struct Frames(Encrypted);

/// Their kinds.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// Nothing more comes on this stream, and its headers are whole.
const WHOLE: u8 = 0x5;
/// Its headers are whole.
const OPEN: u8 = 0x4;

const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

/// `GET https:/healthz`, by the tables of RFC 7541.
const GET_HEALTHZ: &[u8] = b"\x82\x87\x04\x08/healthz";
/// The same with POST, to an address that reads what comes.
const POST_RE: &[u8] = b"\x83\x87\x04\x07/pay/re";

impl Frames {
    async fn open(host: &Host, pair: &Pair, settings: &[u8]) -> Frames {
        let stream = open(host, pair, "127.0.0.1", &["h2"]).await;
        let mut frames = Frames(stream);
        frames
            .0
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        frames.say(SETTINGS, 0, 0, settings).await;
        frames
    }

    /// Whether it could be sent at all: the host may have closed meanwhile.
    async fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.is_ok()
    }

    /// The next frame: its kind, its stream and what is in it. None when the connection is closed.
    async fn hear(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], stream, payload))
    }

    /// Reads on until there is one of this kind.
    async fn hears(&mut self, kind: u8) -> (u32, Vec<u8>) {
        loop {
            let (of, stream, payload) = self.hear().await.unwrap();
            if of == kind {
                return (stream, payload);
            }
        }
    }

    /// The last of what is said, until the connection is closed.
    async fn end(mut self) -> Vec<(u8, u32, Vec<u8>)> {
        let mut heard = Vec::new();
        while let Some(frame) = self.hear().await {
            heard.push(frame);
        }
        heard
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_http2_has_so_many_requests_and_who_takes_them_back_is_cut_off() {
    let pair = Pair::make();
    let host = Files::of(&pair)
        .host(&["--set", "incoming.streams=2"])
        .await;
    let mut frames = Frames::open(&host, &pair, &[]).await;
    let (_, said) = frames.hears(SETTINGS).await;
    // SETTINGS_MAX_CONCURRENT_STREAMS, and SETTINGS_MAX_HEADER_LIST_SIZE as HTTP/1.1 has it.
    let said: Vec<&[u8]> = said.chunks(6).collect();
    assert!(said.contains(&&[0, 3, 0, 0, 0, 2][..]), "{said:?}");
    assert!(said.contains(&&[0, 6, 0, 0, 0x80, 0][..]), "{said:?}");
    // Two whose bodies are awaited, and one too many for somebody who has heard how many there may be.
    frames.say(SETTINGS, 1, 0, &[]).await;
    for stream in [1, 3, 5] {
        frames.say(HEADERS, OPEN, stream, POST_RE).await;
    }
    assert_eq!(frames.hears(RST_STREAM).await, (5, REFUSED_STREAM.into()));
    frames.say(DATA, 1, 1, b"a=b").await;
    while frames.hears(DATA).await.0 != 1 {}
    frames.say(HEADERS, WHOLE, 7, GET_HEALTHZ).await;
    while frames.hears(DATA).await.0 != 7 {}

    // A flood of requests that are taken back at once.
    let mut stream = 9;
    let mut flood = Vec::new();
    for _ in 0..2_000 {
        for (kind, flags, payload) in [
            (HEADERS, WHOLE, GET_HEALTHZ),
            (RST_STREAM, 0, &[0, 0, 0, 8]),
        ] {
            let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
            flood.extend(&length[1..]);
            flood.extend([kind, flags]);
            flood.extend(u32::to_be_bytes(stream));
            flood.extend(payload);
        }
        stream += 2;
    }
    // It is cut before its end.
    let _ = frames.0.write_all(&flood).await;
    let heard = frames.end().await;
    let (_, _, why) = heard.iter().find(|frame| frame.0 == GOAWAY).unwrap();
    assert_eq!(why[4..8], ENHANCE_YOUR_CALM);
    // The host goes on.
    let asker = Asker::of(&host, &pair, "127.0.0.1").await;
    assert_eq!(asker.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_a_connection_of_http2_waiting_is_cut_off() {
    let pair = Pair::make();
    let slow = ["idle", "answer", "notification"].map(|name| format!("incoming.{name}_seconds=1"));
    let options: Vec<&str> = slow.iter().flat_map(|option| ["--set", option]).collect();
    let host = Files::of(&pair).host(&options).await;
    // One that says nothing, one that asks nothing, and one whose head never comes to its end.
    let silent = Frames(open(&host, &pair, "127.0.0.1", &["h2"]).await);
    silent.end().await;
    let idle = Frames::open(&host, &pair, &[]).await;
    assert!(idle.end().await.iter().any(|frame| frame.0 == GOAWAY));
    let mut dripping = Frames::open(&host, &pair, &[]).await;
    dripping.say(HEADERS, 0, 1, GET_HEALTHZ).await;
    dripping.end().await;
    // One that only says that it is there.
    let mut there = Frames::open(&host, &pair, &[]).await;
    while there.say(PING, 0, 0, b"12345678").await && there.hear().await.is_some() {}
    // One that has asked, and goes on.
    let mut used = Frames::open(&host, &pair, &[]).await;
    used.say(HEADERS, WHOLE, 1, GET_HEALTHZ).await;
    used.hears(DATA).await;
    assert!(used.end().await.iter().any(|frame| frame.0 == GOAWAY));
    // A body that never comes to its end is refused, and the connection goes on until nobody asks.
    let mut body = Frames::open(&host, &pair, &[]).await;
    body.say(HEADERS, OPEN, 1, POST_RE).await;
    let (stream, refused) = body.hears(DATA).await;
    let refused = String::from_utf8(refused).unwrap();
    assert!(
        stream == 1 && refused.contains("e.http.tooSlow"),
        "{refused}"
    );
    // An answer of which nothing is wanted: SETTINGS_INITIAL_WINDOW_SIZE is none.
    let mut unread = Frames::open(&host, &pair, &[0, 4, 0, 0, 0, 0]).await;
    unread.say(HEADERS, WHOLE, 1, GET_HEALTHZ).await;
    unread.hears(HEADERS).await;
    assert!(unread.end().await.iter().all(|frame| frame.0 != DATA));
    let asker = Asker::of(&host, &pair, "127.0.0.1").await;
    assert_eq!(asker.get("/healthz").await.status(), StatusCode::OK);
}
