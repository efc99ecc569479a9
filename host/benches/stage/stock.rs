//! Payments that were created and sent and wait for their notification, with the notifications that will come.
//!
//! They are put into the store as they stand after `create` and `send`, without a callback. What the schedule would
//! ask meanwhile is left for later: nobody asks while notifications are measured.

use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Map, json};
use tempfile::TempDir;
use walnut::payment::model::{
    Attempt, AttemptState, Buyer, Change, Digest, Payment, PaymentId, State, TargetRef, TradeNo,
};
use walnut::payment::money::{Currency, Money};
use walnut::payment::now_ms;
use walnut::running::{Host, HostOptions};
use walnut::store::{Domain, NewPayment, Store};

use super::alipay::{self, Account};

pub(crate) const DOMAIN: &str = "shop";
pub(crate) const PLATFORM: &str = "zfb";
pub(crate) const TARGET: &str = "main";

const HOUR_MS: u64 = 3_600_000;

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
        let host = Host::start(HostOptions {
            data: dir.path().join("root"),
            listen: ([127, 0, 0, 1], 0).into(),
            public_url: None,
            instances: 1,
            allow_local_gateways: true,
            new_root_key: false,
        })
        .await?;
        let payments = host.payments();
        let store = payments.store();
        let domain = store.add_domain(DOMAIN, now_ms()).await?;
        let version = payments
            .put_target(DOMAIN, PLATFORM, TARGET, true, true, account.settings()?)
            .await?;
        let provider = payments.providers().of_platform(PLATFORM);
        let provider = provider.ok_or_else(|| anyhow::anyhow!("no provider"))?;
        let sent: Vec<NewPayment> = (0..count)
            .map(|_| sent(&domain, version, provider.digest))
            .collect::<anyhow::Result<_>>()?;
        let trades: Vec<TradeNo> = sent
            .iter()
            .map(|new| TradeNo::first(new.payment.id))
            .collect();
        for batch in sent.chunks(AT_ONCE) {
            store_all(store, batch).await?;
        }
        host.stop().await?;
        Ok(Stock {
            dir,
            requests: signed(account, &trades),
        })
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

/// A payment of a QR code that somebody is about to scan.
fn sent(domain: &Domain, version: u32, provider: Digest) -> anyhow::Result<NewPayment> {
    let id = PaymentId::generate();
    let trade_no = TradeNo::first(id);
    let now = now_ms();
    let payment = Payment {
        id,
        domain: domain.name.clone(),
        domain_id: domain.id.clone(),
        test: true,
        brief: "a pot of tea".to_owned(),
        total: Money::new(alipay::FEE_FEN, Currency::CNY)?,
        price_minor: None,
        state: State::Wait,
        fail_why: None,
        hold: None,
        late: false,
        created_ms: now,
        changed_ms: now,
        sent_ms: now,
        closed_ms: 0,
        expires_ms: now + 2 * HOUR_MS,
        pay_type: Some("zfb.qrcode".to_owned()),
        target: Some(TARGET.to_owned()),
        presentation: None,
        buyer: Buyer {
            tp: 2,
            id: id.to_string(),
            name: "xiaobai".to_owned(),
        },
        callback: None,
        applied_ms: 0,
        applied_result: None,
        offers: Vec::new(),
        platforms: Map::new(),
        meta: Map::from_iter([("table".to_owned(), json!(7))]),
        revision: 0,
    };
    let attempt = Attempt {
        trade_no: trade_no.clone(),
        payment: id,
        number: 1,
        pay_type: "zfb.qrcode".to_owned(),
        target: TargetRef {
            platform: PLATFORM.to_owned(),
            name: TARGET.to_owned(),
            version,
        },
        provider,
        state: AttemptState::Wait,
        fail_why: None,
        created_ms: now,
        expires_ms: payment.expires_ms,
        payable_until_ms: payment.expires_ms,
        client_ip: None,
        args: Vec::new(),
        notify_url: format!("http://127.0.0.1/pay/re/{trade_no}"),
        notes: Map::new(),
        transaction_id: None,
        fence: 1,
        leased_until_ms: 0,
        ask_at_ms: now + HOUR_MS,
        asks: 0,
        last_error: None,
    };
    let line = |cause: &str, from: Option<State>, to: State| Change {
        at: now,
        cause: cause.to_owned(),
        from,
        to,
        trade_no: Some(trade_no.to_string()),
        statement: None,
        detail: Map::new(),
    };
    let history = vec![
        line("create", None, State::New),
        line("send", Some(State::New), State::Wait),
        line("sent", Some(State::Wait), State::Wait),
    ];
    Ok(NewPayment {
        payment,
        attempts: vec![attempt],
        history,
        callback_content: None,
        deliver: false,
        idempotency: None,
    })
}

/// Signs a notification for each trade, on all processors: Alipay's work, done before anything is measured.
fn signed(account: &Account, trades: &[TradeNo]) -> Vec<Vec<u8>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = trades.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let shares: Vec<_> = trades
            .chunks(share)
            .map(|share| {
                scope.spawn(move || -> Vec<Vec<u8>> {
                    share.iter().map(|trade| request(account, trade)).collect()
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

/// Counts the payments of a data root that are paid, each by one notification of its own.
pub(crate) async fn settled(root: &Path) -> anyhow::Result<u64> {
    let home = walnut::home::DataRoot::open(root)?;
    let store = Store::open(&home.payment_dir())?;
    let mut paid = walnut::store::Find::new(Some(DOMAIN.to_owned()));
    paid.equal("st", &json!("OK"))?;
    let count = store.count(paid).await?;
    store.close().await;
    Ok(count)
}
