//! `walnut serve`: runs the host until it is told to stop, then finishes what runs.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::options::ServeOptions;
use super::place;
use crate::payment::retention::Retention;
use crate::running::{Host, HostOptions};

/// Runs the host until SIGINT or SIGTERM.
pub(super) async fn run(options: ServeOptions) -> ExitCode {
    log_to_stderr("info");
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walnut: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    take_all_descriptors();
    let data = options.data.clone();
    let store = options.store.as_deref().map(place::read).transpose()?;
    let host = Host::start(HostOptions {
        data: options.data,
        store,
        listen: options.listen,
        public_url: options.public_url,
        instances: options.instances,
        allow_local_gateways: options.allow_local_gateways,
        overlap: options.overlap,
        retention: Retention {
            failed_days: options.remove_failed_after,
            paid_days: options.remove_paid_after,
        },
        provider_authors: options.provider_key,
        compiler: Some(super::this_program()?),
        new_root_key: options.new_root_key,
    })
    .await?;
    if let Some(file) = host.root_key_file() {
        println!(
            "A root key was made: read it from {}, keep it safe, and delete the file.",
            file.display()
        );
    }
    println!(
        "walnut listens on {} with the data root {}",
        host.url(),
        data.display()
    );
    let failed = tokio::select! {
        () = signals.stop() => None,
        error = host.failed() => Some(error),
    };
    println!("Stopping: finishing what runs.");
    host.stop().await?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Every page that follows a payment holds a connection. Systems give a program fewer descriptors than it may have, for the
/// sake of programs that cannot count far.
fn take_all_descriptors() {
    let now = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "the limit of descriptors stays as it is");
    }
}

/// SIGINT and SIGTERM, noticed from when this is made: before that they end the process as it stands.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Logs go to standard error; `RUST_LOG` says otherwise how much.
pub(super) fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Set already when two hosts run in one process.
    drop(logging);
}
