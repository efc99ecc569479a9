//! The connection by which hosts know of each other: that this one lives, that somebody committed, that another is gone.
//!
//! Whoever commits says so in a transaction apart from the commit: `NOTIFY` holds a lock of the whole database until its own
//! commit, and hosts would write one after another. What is said while one notice is on its way goes with the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Notification};

use super::address::Address;
use super::connecting::{Connected, connect};
use super::{error, hosts};
use crate::payment::model::PaymentId;
use crate::store::threads::{Alive, Threads};
use crate::store::{News, StoreError};

const CHANNEL: &str = "walnut_commit";

/// Between two attempts to connect again.
const AGAIN: Duration = Duration::from_millis(500);

/// Between two announcements: everybody who hears one looks at the store.
const QUIET: Duration = Duration::from_millis(3);

/// A notice has room for 8,000 bytes.
const IDS_OF_A_NOTICE: usize = 200;

/// How much whoever listens to the other hosts may fall behind before it looks at the store instead.
const NEWS_KEPT: usize = 4096;

/// A server that does not answer for so long hangs: another connection is made. Until then others take this host for dead.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// The longest that the end of a host waits for the server to hear of it.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the threads of a store share with it.
pub(super) struct Calls {
    /// Grows with every commit, of whatever host.
    pub(super) commits: watch::Sender<u64>,
    /// What the others do.
    pub(super) news: broadcast::Sender<News>,
    /// What this host did and the others do not know yet.
    untold: Mutex<Vec<PaymentId>>,
    /// There is something to tell them.
    tell: Notify,
    /// The store is closed.
    end: watch::Sender<bool>,
}

impl Calls {
    pub(super) fn new() -> Arc<Calls> {
        Arc::new(Calls {
            commits: watch::Sender::new(0),
            news: broadcast::Sender::new(NEWS_KEPT),
            untold: Mutex::default(),
            tell: Notify::new(),
            end: watch::Sender::new(false),
        })
    }

    /// This host committed changes of these payments, or of something else.
    pub(super) fn committed(&self, changed: impl Iterator<Item = PaymentId>) {
        self.untold().extend(changed);
        self.commits.send_modify(|commits| *commits += 1);
        self.tell.notify_one();
    }

    fn untold(&self) -> MutexGuard<'_, Vec<PaymentId>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another host did something.
    fn heard(&self, news: News) {
        self.commits.send_modify(|commits| *commits += 1);
        // Nobody listening is fine.
        drop(self.news.send(news));
    }

    pub(super) fn end(&self) {
        self.end.send_replace(true);
    }
}

/// Starts the thread.
pub(super) fn start(
    address: Address,
    settings: String,
    host: i64,
    calls: Arc<Calls>,
    threads: &Threads,
    alive: Alive,
) -> Result<(), StoreError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::io("cannot prepare a connection", error))?;
    let herald = Herald {
        address,
        settings,
        host,
        calls,
    };
    threads.start("store-herald", move || {
        runtime.block_on(herald.run());
        drop(runtime);
        drop(alive);
    })
}

struct Herald {
    address: Address,
    settings: String,
    host: i64,
    calls: Arc<Calls>,
}

impl Herald {
    async fn run(&self) {
        let mut end = self.calls.end.subscribe();
        let mut silent = false;
        while !*end.borrow_and_update() {
            match self.stay(&mut end).await {
                Ok(()) => return,
                Err(error) => {
                    if !silent {
                        tracing::error!(%error, "what other hosts commit is not heard of");
                    }
                    silent = true;
                }
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                _ = end.changed() => {}
            }
        }
    }

    /// One connection's life; ends well when the store is closed.
    async fn stay(&self, end: &mut watch::Receiver<bool>) -> Result<(), StoreError> {
        let (heard, mut said) = mpsc::unbounded_channel();
        let Connected { client, driver, .. } = connect(&self.address, Some(heard)).await?;
        // What is announced need not be durable.
        let settings = format!(
            "{}; SET synchronous_commit = off; LISTEN {CHANNEL}",
            self.settings
        );
        answered(client.batch_execute(&settings)).await?;
        let live = answered(client.prepare_typed(hosts::LIVE, &[Type::INT8])).await?;
        self.calls.heard(News::Missed);
        let mut beat = interval(hosts::BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = end.changed() => {
                    let left = timeout(GOODBYE, client.execute(hosts::LEAVE, &[&self.host])).await;
                    if !matches!(left, Ok(Ok(_))) {
                        tracing::warn!("the store was not told that this host ends; the others find out");
                    }
                    drop(client);
                    drop(timeout(GOODBYE, driver).await);
                    return Ok(());
                }
                _ = beat.tick() => {
                    answered(client.execute(&live, &[&self.host])).await?;
                    self.look_after(&client).await?;
                }
                one = said.recv() => match one {
                    Some(one) => self.heard(&one),
                    None => return Err(StoreError::Unavailable("the connection ended".to_owned())),
                },
                () = self.calls.tell.notified() => {
                    let notices = self.notices();
                    answered(client.batch_execute(&notices)).await?;
                    sleep(QUIET).await;
                }
            }
        }
    }

    /// Tells who committed, and what: `host:payment,payment,…`.
    fn notices(&self) -> String {
        let changed = std::mem::take(&mut *self.calls.untold());
        let notice = |some: &[PaymentId]| {
            let ids: Vec<String> = some.iter().map(PaymentId::to_string).collect();
            format!("NOTIFY {CHANNEL}, '{}:{}'", self.host, ids.join(","))
        };
        if changed.is_empty() {
            return notice(&[]);
        }
        let notices: Vec<String> = changed.chunks(IDS_OF_A_NOTICE).map(notice).collect();
        notices.join("; ")
    }

    fn heard(&self, said: &Notification) {
        let Some((host, changed)) = said.payload().split_once(':') else {
            return;
        };
        if host == self.host.to_string() {
            return;
        }
        let mut ids = changed.split(',').filter_map(PaymentId::parse).peekable();
        if ids.peek().is_none() {
            self.calls.heard(News::Committed);
        }
        for id in ids {
            self.calls.heard(News::Changed(id));
        }
    }

    /// Takes over from hosts that are dead.
    async fn look_after(&self, client: &Client) -> Result<(), StoreError> {
        let dead = answered(client.execute(hosts::BURY, &[])).await?;
        if dead == 0 {
            return Ok(());
        }
        tracing::warn!(
            hosts = dead,
            "hosts were silent for too long; what they had begun is taken over"
        );
        for sql in hosts::FREE {
            // However much it was: nobody does it a second time.
            let freed = client.execute(sql, &[]).await;
            freed.map_err(|error| error::of(&error))?;
        }
        self.calls.heard(News::Dead);
        self.calls.committed(std::iter::empty());
        Ok(())
    }
}

/// What the server answers, if it does.
async fn answered<T>(
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    match timeout(ANSWERS_WITHIN, work).await {
        Ok(done) => done.map_err(|error| error::of(&error)),
        Err(_) => {
            let seconds = ANSWERS_WITHIN.as_secs();
            let why = format!("it has been silent for {seconds} s");
            Err(StoreError::Unavailable(why))
        }
    }
}
