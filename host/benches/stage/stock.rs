//! Payments that were created and sent and wait for their notification, with the notifications that will come.
//!
//! Domain and target are set up by the host itself; the payments are put into its store while it is not running.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, anyhow};
use tempfile::TempDir;
use walnut::home::DataRoot;
use walnut::payment::model::{State, TradeNo};
use walnut::store::{Address, Find, NewPayment, Store};

use super::merchant::Merchant;
use super::order::{DOMAIN, sent};
use super::process::Server;
use super::shop;

/// Payments that are stored at the same time, so that they share commits.
const AT_ONCE: usize = 256;

/// A data root with payments that wait, and a request for each.
pub(crate) struct Stock {
    dir: TempDir,
    /// One notification each, as HTTP/1.1 has it on the wire.
    pub(crate) requests: Vec<Vec<u8>>,
}

impl Stock {
    /// Lays in so many payments, on the disk that the build is on.
    pub(crate) async fn lay_in<M: Merchant>(merchant: &M, count: usize) -> anyhow::Result<Stock> {
        Stock::lay_in_at(merchant, count, None).await
    }

    /// The payments are at this address of PostgreSQL.
    pub(crate) async fn lay_in_at<M: Merchant>(
        merchant: &M,
        count: usize,
        address: Option<&str>,
    ) -> anyhow::Result<Stock> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut stock = Stock {
            dir,
            requests: Vec::new(),
        };
        {
            let (_host, address) = Server::host_at(&stock.root(), &stock.log(), address)?;
            shop::open(address, &stock.root(), merchant).await?;
        }
        let store = open(&stock.root(), address).await?;
        let known = store.providers().await?;
        let provider = known
            .iter()
            .find(|provider| provider.name == M::PLATFORM && provider.current)
            .context("no provider")?;
        let new: Vec<NewPayment> = (0..count)
            .map(|_| sent::<M>(provider.digest))
            .collect::<Result<_, _>>()?;
        for batch in new.chunks(AT_ONCE) {
            store_all(&store, batch).await?;
        }
        store.close().await;
        stock.requests = signed(merchant, &new)?;
        Ok(stock)
    }

    /// The data root.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A file beside it.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

async fn store_all(store: &Store, batch: &[NewPayment]) -> anyhow::Result<()> {
    let stored: Vec<_> = batch
        .iter()
        .map(|new| {
            let (store, new) = (store.clone(), new.clone());
            tokio::spawn(async move { store.create(new).await })
        })
        .collect();
    for made in stored {
        made.await??;
    }
    Ok(())
}

/// Signs a notification for each trade, on all processors: the platform's work, done before anything is measured.
fn signed<M: Merchant>(merchant: &M, new: &[NewPayment]) -> anyhow::Result<Vec<Vec<u8>>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = new.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let shares: Vec<_> = new
            .chunks(share)
            .map(|share| {
                scope.spawn(move || -> anyhow::Result<Vec<Vec<u8>>> {
                    share
                        .iter()
                        .map(|new| {
                            let trade_no = TradeNo::first(new.payment.id);
                            let notification = merchant.paid(trade_no.as_str())?;
                            Ok(notification.request(&format!("/pay/re/{trade_no}")))
                        })
                        .collect()
                })
            })
            .collect();
        let mut requests = Vec::with_capacity(new.len());
        for share in shares {
            let share = share.join().map_err(|_| anyhow!("a signer panicked"))?;
            requests.extend(share?);
        }
        Ok(requests)
    })
}

/// The store of a data root, or at an address.
async fn open(root: &Path, address: Option<&str>) -> anyhow::Result<Store> {
    let (root, address) = (root.to_owned(), address.map(Address::parse).transpose()?);
    let opening = move || match address {
        Some(address) => Ok(Store::connect(&address)?),
        None => anyhow::Ok(Store::open(&DataRoot::open(&root)?.payment_dir())?),
    };
    tokio::task::spawn_blocking(opening).await?
}

/// Counts the payments of a data root that are paid.
pub(crate) async fn settled(root: &Path) -> anyhow::Result<u64> {
    settled_at(root, None).await
}

/// Counts the payments at an address that are paid.
pub(crate) async fn settled_at(root: &Path, address: Option<&str>) -> anyhow::Result<u64> {
    let store = open(root, address).await?;
    let mut paid = Find::new(Some(DOMAIN.to_owned()));
    paid.states = vec![State::Ok];
    let count = store.count(paid).await?;
    store.close().await;
    Ok(count)
}
