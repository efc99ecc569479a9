//! The log: to standard error, for people or for programs, and how much of it, which may change while the host runs. Spans
//! are no part of it: they go to a collector, where there is one.

mod export;
mod seldom;

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{Filter, Format, OtlpEndpoint};
use export::Export;
pub(crate) use seldom::Seldom;

/// The target of spans. They cost nothing where nobody collects them.
pub(crate) const SPANS: &str = "walnut::spans";

/// The log of this process.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    preset: &'static str,
    export: Option<Export>,
}

impl Logging {
    /// Begins to log as `filter` says; where it says nothing, as `RUST_LOG`, else `preset`. Spans go to `collector`. Where
    /// another host of this process has begun already, it stays as it is.
    ///
    /// # Errors
    /// Why spans cannot be sent there, in words.
    pub(crate) fn begin(
        filter: Option<&Filter>,
        preset: &'static str,
        format: Format,
        collector: Option<&OtlpEndpoint>,
    ) -> Result<Logging, String> {
        let export = collector.map(Export::to).transpose()?;
        let (filter, handle) = reload::Layer::new(read(filter, preset));
        let lines = match format {
            Format::Pretty => fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .boxed(),
            Format::Json => fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .with_writer(std::io::stderr)
                .boxed(),
        };
        let told = filter_fn(|of| of.target() != SPANS).and(filter);
        // Set already when two hosts run in one process.
        drop(
            tracing_subscriber::registry()
                .with(lines.with_filter(told))
                .with(export.as_ref().map(Export::layer))
                .try_init(),
        );
        Ok(Logging {
            filter: handle,
            preset,
            export,
        })
    }

    /// Logs as `filter` says from now on.
    pub(crate) fn set(&self, filter: Option<&Filter>) {
        if let Err(error) = self.filter.reload(read(filter, self.preset)) {
            tracing::warn!(%error, "the log stays as it is");
        }
    }

    /// Sends the last spans.
    pub(crate) async fn end(mut self) {
        if let Some(export) = self.export.take() {
            // It waits for a thread that waits for this runtime.
            let ended = tokio::task::spawn_blocking(move || export.end());
            drop(ended.await);
        }
    }
}

fn read(filter: Option<&Filter>, preset: &str) -> EnvFilter {
    match filter {
        Some(filter) => EnvFilter::new(filter.as_str()),
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(preset)),
    }
}
