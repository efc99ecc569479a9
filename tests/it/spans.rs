//! What a request is made of, as a collector of spans is told by the real binary.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{AlipayWay, Host, RECORD_SALE, World, run_walnut};

/// A collector on this machine that keeps what it is sent.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/collect", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Bytes>>>::default();
        let kept = Arc::clone(&received);
        let take = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
            assert_eq!(uri.path(), "/collect/v1/traces");
            assert_eq!(headers["content-type"], "application/x-protobuf");
            kept.lock().unwrap().push(body);
        };
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(take)).await });
        Collector { url, received }
    }

    /// All spans, and whose they are.
    fn spans(&self) -> (Vec<Span>, Vec<KeyValue>) {
        let received = self.received.lock().unwrap();
        let mut resource = Vec::new();
        let mut spans = Vec::new();
        for body in received.iter() {
            let read = ExportTraceServiceRequest::decode(body.clone()).unwrap();
            for of in read.resource_spans {
                resource = of.resource.unwrap().attributes;
                spans.extend(of.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        (spans, resource)
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |of: &KeyValue| match of.value.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .iter()
        .map(|of| (of.key.as_str(), text(of)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_followed_through_the_host() {
    let collector = Collector::start().await;
    let endpoint = format!("otlp.endpoint={}", collector.url);
    let world = World::with(1, &["--set", &endpoint]).await;
    let secret = "PLANTEDINEVERYPLACE";
    let body = json!({ "callback": RECORD_SALE, "brief": secret, "note": secret });
    let order = world.order(AlipayWay::Code, body).await;
    world.pay(&order).await;
    world.shop.until_applied(&order.id).await;
    world
        .shop
        .with_key(secret)
        .get(&format!("/pay/ajax/get?id={secret}"))
        .await
        .refusal();
    let (key, root_key) = (
        world.shop.key().to_owned(),
        world.host.root_key().to_owned(),
    );
    // The log is what it is without a collector.
    let log = world.host.log();
    assert!(
        !log.contains("otel.name") && !log.contains("http.route"),
        "{log}"
    );
    let (well, _data) = world.host.terminate().await;
    assert!(well);

    let (spans, resource) = collector.spans();
    let whose = texts(&resource);
    assert_eq!(whose["service.name"], "walnut");
    assert_eq!(whose["service.version"], env!("CARGO_PKG_VERSION"));
    let named =
        |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name == name).collect() };
    let below = |parent: &Span| -> Vec<&Span> {
        let of = |span: &&Span| {
            span.parent_span_id == parent.span_id && span.trace_id == parent.trace_id
        };
        spans.iter().filter(of).collect()
    };
    let names =
        |spans: &[&Span]| -> Vec<String> { spans.iter().map(|span| span.name.clone()).collect() };

    // The order: one request, in which the platform is called by the provider, between commits.
    let send = named("POST /pay/ajax/send");
    assert_eq!(
        send.len(),
        1,
        "{:?}",
        names(&spans.iter().collect::<Vec<_>>())
    );
    let of_send = texts(&send[0].attributes);
    assert_eq!(
        (
            of_send["http.route"].as_str(),
            of_send["http.response.status_code"].as_str()
        ),
        ("/pay/ajax/send", "200")
    );
    let parts = below(send[0]);
    let commits = parts.iter().filter(|span| span.name == "commit").count();
    assert!(commits >= 2, "{:?}", names(&parts));
    let call = parts.iter().find(|span| span.name == "call of zfb");
    let call = call.unwrap_or_else(|| panic!("{:?}", names(&parts)));
    assert_eq!(texts(&call.attributes)["walnut.end"], "ok");
    let outgoing = below(call);
    assert_eq!(names(&outgoing), ["POST"]);
    assert_eq!(
        texts(&outgoing[0].attributes)["server.address"],
        "127.0.0.1"
    );
    // The notification, and the callback that follows it.
    let notified = named("POST /pay/re/{trade_no}");
    let parts = names(&below(notified[0]));
    assert!(
        parts.contains(&"call of zfb".to_owned()) && parts.contains(&"commit".to_owned()),
        "{parts:?}"
    );
    let delivered = named("delivering");
    let parts = names(&below(delivered[0]));
    assert!(parts.contains(&"call of callback".to_owned()), "{parts:?}");
    let refused = named("GET /pay/ajax/get");
    assert!(refused.iter().any(|span| {
        texts(&span.attributes)
            .get("walnut.err_code")
            .is_some_and(|code| code == "e.auth.required")
    }));

    // Nobody's words, ids or keys.
    let all: Vec<u8> = collector.received.lock().unwrap().concat();
    let all = String::from_utf8_lossy(&all);
    let keys = [&key, &root_key].map(|key| key.splitn(4, '_').last().unwrap());
    for told in [secret, &order.id, "shop", keys[0], keys[1]] {
        assert!(!all.contains(told), "{told}");
    }
    for span in &spans {
        for name in texts(&span.attributes).keys() {
            assert!(KNOWN.contains(name), "{name} of {}", span.name);
        }
        assert!(span.events.is_empty(), "{}", span.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_proxy_says_what_a_request_is_part_of_and_nobody_else_does() {
    let collector = Collector::start().await;
    let endpoint = format!("otlp.endpoint={}", collector.url);
    let proxies = "incoming.proxies=127.0.0.2";
    let host = Host::start_with(&["--set", &endpoint, "--set", proxies]).await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let told = format!("00-{trace}-{parent}-01");
    for (from, path, told) in [
        ("127.0.0.2", "/healthz", told.as_str()),
        (
            "127.0.0.2",
            "/readyz",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-01",
        ),
        ("127.0.0.3", "/pay/till", &told),
    ] {
        let client = reqwest::Client::builder()
            .no_proxy()
            .local_address(Some(from.parse().unwrap()))
            .build()
            .unwrap();
        let ask = client.get(format!("{}{path}", host.url()));
        let ask = ask.header("traceparent", told);
        let asked = ask.header("tracestate", "planted=everywhere").send().await;
        assert_eq!(asked.unwrap().status(), 200, "{path}");
    }
    assert!(host.terminate().await.0);
    let (spans, _) = collector.spans();
    let of = |name: &str| {
        let span = spans.iter().find(|span| span.name == name).unwrap();
        (
            hex::encode(&span.trace_id),
            hex::encode(&span.parent_span_id),
        )
    };
    assert_eq!(of("GET /healthz"), (trace.to_owned(), parent.to_owned()));
    for name in ["GET /readyz", "GET /pay/till"] {
        let (its_trace, its_parent) = of(name);
        assert!(its_trace != trace && its_parent.is_empty(), "{name}");
    }
    assert!(spans.iter().all(|span| span.trace_state.is_empty()));
}

/// What a span may tell.
const KNOWN: &[&str] = &[
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "server.address",
    "walnut.err_code",
    "walnut.plugin",
    "walnut.digest",
    "walnut.end",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_up_nobody() {
    let world = World::with(1, &["--set", "otlp.endpoint=http://127.0.0.1:9"]).await;
    let id = world.paid(AlipayWay::Code, json!({})).await;
    assert_eq!(world.shop.payment(&id).await["st"], "OK");
    // It ends, as it does with a collector.
    assert!(world.host.terminate().await.0);
    let dir = tempfile::tempdir().unwrap();
    let wrong = ["serve", "--set", "otlp.endpoint=collector:4318"];
    let ran = run_walnut("http://127.0.0.1:9", "", "", &wrong, dir.path()).await;
    assert_eq!(
        (ran.code, ran.err.contains("otlp.endpoint")),
        (2, true),
        "{ran:?}"
    );
}
