//! Payments that were created and sent and wait for their notification, with the notifications that will come.
//!
//! Domain and target are set up by the host itself; the payments are put into its store while it is not running.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use walnut::home::DataRoot;
use walnut::payment::model::TradeNo;
use walnut::store::{Find, NewPayment, Store};

use super::alipay::{self, Account};
use super::order::{DOMAIN, PLATFORM, TARGET, sent};
use super::process::Server;

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
    pub(crate) async fn lay_in(account: &Account, count: usize) -> anyhow::Result<Stock> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut stock = Stock {
            dir,
            requests: Vec::new(),
        };
        stock.set_up(account).await?;
        let home = DataRoot::open(&stock.root())?;
        let store = Store::open(&home.payment_dir())?;
        let known = store.providers().await?;
        let provider = known
            .iter()
            .find(|provider| provider.name == PLATFORM && provider.current)
            .context("no provider")?;
        let new: Vec<NewPayment> = (0..count)
            .map(|_| sent(provider.digest))
            .collect::<Result<_, _>>()?;
        for batch in new.chunks(AT_ONCE) {
            store_all(&store, batch).await?;
        }
        store.close().await;
        stock.requests = signed(account, &new);
        Ok(stock)
    }

    /// Makes the domain and its target, as an operator and an owner do.
    async fn set_up(&self, account: &Account) -> anyhow::Result<()> {
        let (_host, address) = Server::host(&self.root(), &self.log())?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = |path: &str| format!("http://{address}{path}");
        let root_key = std::fs::read_to_string(self.root().join("root.key"))?;
        let root_key = root_key.trim();
        let domain = http.post(url("/pay/domain")).bearer_auth(root_key);
        said(domain.json(&json!({ "name": DOMAIN }))).await?;
        let key = url(&format!("/pay/domain/{DOMAIN}/key"));
        let key = http.post(key).bearer_auth(root_key);
        let key = said(key.json(&json!({ "test": true }))).await?;
        let key = key.get("key").and_then(Value::as_str).context("no key")?;
        let target = url(&format!("/pay/target/{PLATFORM}/{TARGET}"));
        let target = http.put(target).bearer_auth(key);
        let settings = json!({ "test": true, "settings": account.settings()? });
        said(target.json(&settings)).await?;
        Ok(())
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

/// The data of the host's answer.
async fn said(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let mut answer: Value = request.send().await?.json().await?;
    let data = answer.get_mut("data").map(Value::take);
    data.with_context(|| format!("the host refused: {answer}"))
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

/// Signs a notification for each trade, on all processors: Alipay's work, done before anything is measured.
fn signed(account: &Account, new: &[NewPayment]) -> Vec<Vec<u8>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = new.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let shares: Vec<_> = new
            .chunks(share)
            .map(|share| {
                scope.spawn(move || -> Vec<Vec<u8>> {
                    share
                        .iter()
                        .map(|new| request(account, &TradeNo::first(new.payment.id)))
                        .collect()
                })
            })
            .collect();
        shares
            .into_iter()
            .flat_map(|share| share.join().unwrap_or_default())
            .collect()
    })
}

fn request(account: &Account, trade_no: &TradeNo) -> Vec<u8> {
    let body = account.paid(trade_no.as_str());
    let mut request = format!("POST /pay/re/{trade_no} HTTP/1.1\r\n");
    for (name, value) in alipay::headers(&body) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(&body);
    request.into_bytes()
}

/// Counts the payments of a data root that are paid.
pub(crate) async fn settled(root: &Path) -> anyhow::Result<u64> {
    let home = DataRoot::open(root)?;
    let store = Store::open(&home.payment_dir())?;
    let mut paid = Find::new(Some(DOMAIN.to_owned()));
    paid.equal("st", &json!("OK"))?;
    let count = store.count(paid).await?;
    store.close().await;
    Ok(count)
}
