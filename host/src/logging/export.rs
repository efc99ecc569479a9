//! Spans of requests, calls of plugins, outgoing requests and commits, sent to a collector by OTLP over HTTP.
//!
//! A span is told by the words of this program: an endpoint, a platform, a host's name. It has no id, no key, no address
//! with a query and no body. What is logged does not go there.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter};

use super::SPANS;
use crate::config::OtlpEndpoint;

/// The longest that the collector is waited for. Spans wait meanwhile, up to a bound, and are let go beyond it.
const WITHIN: Duration = Duration::from_secs(10);
/// The same at the end of the host.
const AT_THE_END: Duration = Duration::from_secs(5);
/// The largest answer of a collector that is read.
const ANSWER_BYTES: usize = 64 * 1024;

/// Where spans go.
pub(super) struct Export(SdkTracerProvider);

impl Export {
    /// To be called within the runtime that sends them.
    ///
    /// # Errors
    /// Why spans cannot be sent there, in words.
    pub(super) fn to(endpoint: &OtlpEndpoint) -> Result<Export, String> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(WITHIN)
            .build()
            .map_err(|error| error.to_string())?;
        let sender = Sender {
            client,
            runtime: tokio::runtime::Handle::current(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.as_str()))
            .with_timeout(WITHIN)
            .build()
            .map_err(|error| error.to_string())?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder()
            .with_service_name("walnut")
            .with_attribute(version)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Export(provider))
    }

    /// Takes the spans of this program, and nothing else.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let only: filter::FilterFn = filter_fn(|of| of.is_span() && of.target() == SPANS);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("walnut"))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(only)
    }

    /// Sends what has not been sent yet. Blocks: the runtime has to go on meanwhile.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(AT_THE_END) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Sends by the host's own client, on its runtime: whoever collects spans has a thread without one.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

impl HttpClient for Sender {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(send(client, request));
        Box::pin(async move { sent.await? })
    }
}

async fn send(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request)?;
    let mut answer = client.execute(request).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err("the collector's answer is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    let response = Response::builder().status(answer.status());
    Ok(response.body(Bytes::from(body))?)
}
