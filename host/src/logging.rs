//! The log: to standard error, for people or for programs, and how much of it, which may change while the host runs.

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{Filter, Format};

/// The log of this process.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    preset: &'static str,
}

impl Logging {
    /// Begins to log as `filter` says; where it says nothing, as `RUST_LOG`, else `preset`. Where another host of this
    /// process has begun already, it stays as it is.
    pub(crate) fn begin(filter: Option<&Filter>, preset: &'static str, format: Format) -> Logging {
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
        // Set already when two hosts run in one process.
        drop(
            tracing_subscriber::registry()
                .with(filter)
                .with(lines)
                .try_init(),
        );
        Logging {
            filter: handle,
            preset,
        }
    }

    /// Logs as `filter` says from now on.
    pub(crate) fn set(&self, filter: Option<&Filter>) {
        if let Err(error) = self.filter.reload(read(filter, self.preset)) {
            tracing::warn!(%error, "the log stays as it is");
        }
    }
}

fn read(filter: Option<&Filter>, preset: &str) -> EnvFilter {
    match filter {
        Some(filter) => EnvFilter::new(filter.as_str()),
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(preset)),
    }
}
