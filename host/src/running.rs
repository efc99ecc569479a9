//! A running host: the rooms opened in their order, served, and closed again.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Incoming, PublicUrl};
use crate::home::{DataRoot, MasterSource, ROOT_KEY_FILE};
use crate::http;
use crate::http::door::Door;
use crate::http::serving::{Serving, serve};
use crate::http::source::Proxies;
use crate::http::tls::{Tls, TlsFiles};
use crate::payment::keys::{KeyOf, NewKey};
use crate::payment::retention::Retention;
use crate::payment::{Options, Payments, Switch};
use crate::plugin::{Author, PluginOptions, Plugins};
use crate::store::{Address, Store, StoreError};
use crate::work;

/// What a host is started with.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The data root.
    pub data: PathBuf,
    /// Where the operator's master key comes from.
    pub master_key: MasterSource,
    /// The address of a PostgreSQL database that keeps payments and homes; in the data root where there is none.
    pub store: Option<Address>,
    /// Where to listen; port 0 lets the kernel pick one.
    pub listen: SocketAddr,
    /// A socket to listen on in place of that, which another program opened.
    pub handed: Option<Arc<std::net::TcpListener>>,
    /// What bounds those who come in.
    pub incoming: Incoming,
    /// Certificate and key, where the host speaks TLS itself.
    pub tls: Option<TlsFiles>,
    /// The proxies that are believed.
    pub proxies: Proxies,
    /// Where platforms reach this host; the listening address when it is not given.
    pub public_url: Option<PublicUrl>,
    /// Plugin calls that may run at once.
    pub instances: u32,
    /// Whether test targets may name a simulated platform on this machine.
    pub allow_local_gateways: bool,
    /// Whether a buyer may switch to another pay type while the platform cannot close the earlier code yet.
    pub overlap: bool,
    /// What is removed when it is old.
    pub retention: Retention,
    /// Whose provider components are approved and run; everybody's where there is nobody.
    pub provider_authors: Vec<Author>,
    /// The program that compiles components, this one: see [`PluginOptions`].
    pub compiler: Option<PathBuf>,
    /// Whether a root key is made although there is one: for an operator who lost it.
    pub new_root_key: bool,
}

/// A host that serves.
pub struct Host {
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    payments: Payments,
    root_key_file: Option<PathBuf>,
    stop: CancellationToken,
    /// How long what runs may take to its end.
    end: Duration,
    serving: JoinHandle<()>,
    working: JoinHandle<()>,
}

impl Host {
    /// Opens the data root and serves. Where there is no root key (at the first start, or after the last one was
    /// revoked) one is made and left in `root.key` of the data root; only its hash is kept.
    pub async fn start(options: HostOptions) -> anyhow::Result<Host> {
        let tls = match options.tls {
            Some(files) => Some(Arc::new(Tls::open(files).context("TLS")?)),
            None => None,
        };
        let (home, store) = match &options.store {
            Some(address) => {
                let store = Store::connect(address)?;
                let home = DataRoot::open_shared(&options.data, &options.master_key, store.clone())
                    .await?;
                (home, store)
            }
            None => {
                let home = DataRoot::open_with(&options.data, &options.master_key)?;
                let store = Store::open(&home.payment_dir())?;
                (home, store)
            }
        };
        let plugins = Plugins::start(PluginOptions {
            instances: options.instances,
            cache_dir: home.cache_dir(),
            cache_key: *home.key().subkey("compiled code"),
            allow_local_gateways: options.allow_local_gateways,
            compiler: options.compiler,
        })?;
        let listener = match options.handed {
            Some(socket) => {
                tracing::info!("listens on the socket that was handed over");
                adopted(&socket).context("the socket that was handed over cannot be used")?
            }
            None => TcpListener::bind(options.listen)
                .await
                .with_context(|| format!("cannot listen on {}", options.listen))?,
        };
        let address = listener.local_addr()?;
        let public_url = match &options.public_url {
            Some(url) => url.as_str().to_owned(),
            None => url_of(address, tls.is_some()),
        };
        let root = home.path().to_owned();
        let payments = Payments::open(
            store,
            plugins,
            home,
            Options {
                public_url,
                overlap: Switch::new(options.overlap),
                retention: options.retention,
                provider_authors: options.provider_authors,
            },
        )
        .await?;
        let root_key_file =
            new_root_key(&payments, root.join(ROOT_KEY_FILE), options.new_root_key).await?;
        let stop = CancellationToken::new();
        let working = tokio::spawn(work::run(payments.clone(), stop.clone()));
        let end = options.incoming.end;
        let door = Door::default();
        let router = http::router(payments.clone(), &options.incoming, &door, tls.clone());
        let serving = Serving {
            router,
            incoming: options.incoming,
            tls: tls.clone(),
            proxies: options.proxies,
            door,
        };
        let serving = tokio::spawn(serve(listener, serving, stop.clone()));
        Ok(Host {
            address,
            tls,
            payments,
            root_key_file,
            stop,
            end,
            serving,
            working,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL without a trailing slash.
    pub fn url(&self) -> String {
        url_of(self.address, self.tls.is_some())
    }

    /// The verbs of this host.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }

    /// The file with the root key, when this start made it.
    pub fn root_key_file(&self) -> Option<&PathBuf> {
        self.root_key_file.as_ref()
    }

    /// Takes what of these options may change while it runs, and reads certificate and key anew.
    pub fn take(&self, config: &Config) {
        self.payments.overlap().set(config.overlap);
        if let Some(tls) = &self.tls {
            tls.read_anew();
        }
    }

    /// Returns when the host cannot go on and has to be ended and started again, with the reason. Never returns otherwise.
    pub async fn failed(&self) -> StoreError {
        self.payments.store().unsynced().await;
        StoreError::Unsynced
    }

    /// Takes nothing new, finishes what runs, and closes the store. What has not come to its end within
    /// [`Incoming::end`] is given up: it is taken up again at the next start.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.payments.end_following();
        let working = tokio::time::timeout(self.end, &mut self.working);
        let (served, worked) = tokio::join!(&mut self.serving, working);
        served.context("the server ended badly")?;
        match worked {
            Ok(worked) => worked.context("the background work ended badly")?,
            Err(_) => {
                tracing::warn!("unfinished background work is given up");
                self.working.abort();
            }
        }
        self.payments.end_audit().await;
        self.payments.store().close().await;
        Ok(())
    }
}

fn adopted(socket: &std::net::TcpListener) -> std::io::Result<TcpListener> {
    let socket = socket.try_clone()?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

fn url_of(address: SocketAddr, by_tls: bool) -> String {
    let scheme = if by_tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

async fn new_root_key(
    payments: &Payments,
    path: PathBuf,
    wanted: bool,
) -> anyhow::Result<Option<PathBuf>> {
    let keys = payments.store().keys(None).await?;
    if !wanted
        && keys
            .iter()
            .any(|key| key.role == "root" && key.expires_ms == 0)
    {
        return Ok(None);
    }
    let issued = payments
        .issue_key(NewKey::of(KeyOf::Root))
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{}", issued.key)?;
    file.sync_all()?;
    Ok(Some(path))
}
