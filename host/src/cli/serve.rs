//! `walnut serve`: runs the host until it is told to stop, then finishes what runs. SIGHUP has it read its options anew.

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::handed::Handed;
use super::options::ServeOptions;
use super::place;
use crate::config::{Config, Format, Number, Sources};
use crate::logging::Logging;
use crate::payment::retention::Retention;
use crate::running::{Host, HostOptions};

/// Runs the host until SIGINT or SIGTERM.
pub(super) async fn run(options: ServeOptions, handed: Handed) -> ExitCode {
    let new_root_key = options.new_root_key;
    let read = options.sources().and_then(|sources| {
        let config = sources.read().map_err(|error| error.to_string())?;
        Ok((sources, config))
    });
    let (sources, config) = match read {
        Ok(read) => read,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let (level, collector) = (config.log_level.as_ref(), config.otlp_endpoint.as_ref());
    let logging = match Logging::begin(level, "info", config.log_format, collector) {
        Ok(logging) => logging,
        Err(why) => {
            eprintln!("otlp.endpoint: {why}");
            return ExitCode::from(2);
        }
    };
    for told in sources.strange_variables(&config) {
        tracing::warn!("{told}");
    }
    let served = serve(sources, config, &logging, new_root_key, handed).await;
    logging.end().await;
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walnut: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(
    sources: Sources,
    mut config: Config,
    logging: &Logging,
    new_root_key: bool,
    handed: Handed,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    take_all_descriptors();
    let store = config.store.as_ref();
    let store = store.map(|place| place::read(place.as_str())).transpose()?;
    let host = Host::start(HostOptions {
        data: config.data.clone(),
        master_key: config.master_key.clone().unwrap_or_default(),
        store,
        listen: config.listen,
        handed,
        incoming: config.incoming(),
        tls: config.tls(),
        proxies: config.proxies(),
        public_url: config.public_url.clone(),
        instances: config.instances.get(),
        allow_local_gateways: config.allow_local_gateways,
        overlap: config.overlap,
        retention: Retention {
            failed_days: config.remove_failed_after.map(Number::get),
            paid_days: config.remove_paid_after.map(Number::get),
        },
        provider_authors: config
            .provider_keys
            .as_ref()
            .map(|authors| authors.keys().to_vec())
            .unwrap_or_default(),
        compiler: Some(super::this_program()?),
        new_root_key,
    })
    .await?;
    // The engine has opened what it needs of /proc/self.
    crate::undumped::no_looks();
    if let Some(file) = host.root_key_file() {
        println!(
            "A root key was made: read it from {}, keep it safe, and delete the file.",
            file.display()
        );
    }
    println!(
        "walnut listens on {} with the data root {}",
        host.url(),
        config.data.display()
    );
    let failed = loop {
        tokio::select! {
            error = host.failed() => break Some(error),
            reload_wanted = signals.next() => match reload_wanted {
                true => reload(&sources, &mut config, logging, &host),
                false => break None,
            },
        }
    };
    println!("Stopping: finishing what runs.");
    host.stop().await?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Reads the options anew. What cannot be used changes nothing; what is taken at a start alone is told.
fn reload(sources: &Sources, config: &mut Config, logging: &Logging, host: &Host) {
    let read = match sources.read() {
        Ok(read) => read,
        Err(error) => {
            tracing::error!("the options stay as they are: {error}");
            return;
        }
    };
    let (taken, left) = read.changed_from(config);
    logging.set(read.log_level.as_ref());
    host.take(&read);
    tracing::info!(changed = taken.join(" "), "the options were read anew");
    if !left.is_empty() {
        tracing::warn!("at the next start, and not before: {}", left.join(" "));
    }
    // What waits for the next start is told of again the next time.
    *config = config.with_live_of(read);
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

/// SIGINT, SIGTERM and SIGHUP, noticed from when this is made: before that they end the process as it stands.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until one of them says that it is over.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits until the options are to be read anew (true), or it is over (false).
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => false,
            _ = self.hangup.recv() => true,
        }
    }
}

/// Logs little to standard error, unless `RUST_LOG` says otherwise: for what people watch.
pub(super) fn log_errors() {
    let _ = Logging::begin(None, "error", Format::Pretty, None);
}
