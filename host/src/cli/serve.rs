//! `walnut serve`: runs the host until it is told to stop, then finishes what runs.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::options::ServeOptions;
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
    let data = options.data.clone();
    let host = Host::start(HostOptions {
        data: options.data,
        listen: options.listen,
        public_url: options.public_url,
        instances: options.instances,
        allow_local_gateways: options.allow_local_gateways,
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
    stopped().await?;
    println!("Stopping: finishing what runs.");
    host.stop().await
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn stopped() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Logs go to standard error; `RUST_LOG` says otherwise how much.
pub(super) fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    // Set already when two hosts run in one process.
    drop(logging);
}
