//! The payment: its data, its states, and the verbs with their rules. Whoever serves callers
//! (`http`, `cli`, `work`) comes in through [`Payments`]; nothing here knows axum, SQL or wasmtime.
//!
//! | file | is |
//! |---|---|
//! | [`model`], [`money`], [`state`] | what a payment is |
//! | [`view`] | how it looks as JSON |
//! | [`settle`], `sending`, `ending`, `refunding` | the rules: what a statement, a sender, a deadline and a refund change |
//! | [`reconciling`], [`reconcile`] | what the platform's bill of a day is compared with, and its fetching |
//! | [`create`], [`send`], [`ask`], `closing`, [`refund`], [`receive`], [`resolve`], [`deliver`], [`look`], [`evidence`], `watching`, [`following`], [`domain_following`] | the verbs |
//! | [`auditing`] | what was refused, and what was changed beside payments |
//! | `flood` | what bounds notifications that do not verify |
//! | `meter` | what becomes of platforms' words, counted |
//! | `clock` | what happens when the machine's clock is set |
//! | [`doctor`] | what is wrong with the host, and what to do |
//! | [`deliveries`], [`dry_run`] | what became of a callback's runs, what one would do |
//! | [`providers`], [`targets`] | who speaks to which platform, and with which account |
//! | `target_settings`, `kept_secrets`, `routes`, [`address`] | an account's settings, and which one a notification is for |
//! | [`caller`], [`keys`], `remembered_keys`, [`ticket`], [`session`], [`error`] | who may, and how a refusal reads |

pub mod address;
pub mod ask;
pub mod auditing;
pub mod caller;
mod clock;
mod closing;
pub mod create;
pub mod deliver;
pub mod deliveries;
pub mod doctor;
pub mod domain_following;
pub mod dry_run;
mod ending;
pub mod error;
pub mod evidence;
mod flood;
pub mod following;
mod kept_secrets;
pub mod key_ends;
pub mod keys;
pub mod look;
mod meter;
pub mod model;
pub mod money;
mod platform_certificates;
pub mod providers;
pub mod receive;
pub mod reconcile;
pub mod reconciling;
pub mod refund;
mod refunding;
mod remembered_keys;
pub mod resolve;
pub mod retention;
mod routes;
pub mod schedule;
pub mod send;
mod sending;
pub mod session;
pub mod settle;
mod sharing;
pub mod state;
pub mod target_settings;
pub mod targets;
pub mod ticket;
pub mod view;
mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::home::DataRoot;
use crate::plugin::{Author, Plugins};
use crate::store::Store;
use address::BARE_AT_ONCE;
use auditing::Audit;
use caller::{Act, Caller, no_such_payment};
use domain_following::DomainFollowers;
use error::{PayError, Result};
use flood::Flood;
use following::Followers;
use key_ends::HeldKeys;
use keys::Keys;
use meter::Meter;
use model::{Ams, Case, PaymentId};
use providers::Providers;
use receive::Refused;
use retention::Retention;
use routes::Routes;
use session::Sessions;
use sharing::Seen;
use targets::Targets;
use ticket::Tickets;

/// What the verbs need besides the rooms they stand on.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where platforms reach this host, without a trailing slash: `https://pay.example.com`.
    pub public_url: String,
    /// Whether another pay type may be begun while the platform cannot close the earlier attempt yet, so that a buyer
    /// could pay both (the second one is given back then). Otherwise the buyer has to wait.
    pub overlap: Switch,
    /// What is removed when it is old.
    pub retention: Retention,
    /// Whose provider components are approved and run, besides those that come with the host; everybody's where there is
    /// nobody.
    pub provider_authors: Vec<Author>,
}

/// What the operator turns on and off while the host runs. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Turned on or off.
    pub fn new(on: bool) -> Switch {
        Switch(Arc::new(AtomicBool::new(on)))
    }

    /// Turns it.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    /// How it stands.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The verbs. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Payments(Arc<Inner>);

struct Inner {
    store: Store,
    plugins: Plugins,
    home: DataRoot,
    providers: Providers,
    targets: Targets,
    seen: Seen,
    routes: Arc<Routes>,
    tickets: Tickets,
    keys: Keys,
    sessions: Sessions,
    refused: Refused,
    flood: Flood,
    audit: Audit,
    meter: Meter,
    watch: clock::Watch,
    /// Places for notifications to the bare address.
    bare: tokio::sync::Semaphore,
    reconciling: Arc<reconcile::Running>,
    diagnosing: tokio::sync::Semaphore,
    begun: Instant,
    options: Options,
    /// Rung when a delivery or a question may be due earlier than the workers think.
    work: watch::Sender<u64>,
    /// Rung when any payment changed.
    changed: tokio::sync::broadcast::Sender<PaymentId>,
    followers: Arc<Followers>,
    domain_followers: Arc<DomainFollowers>,
    held_keys: HeldKeys,
}

/// How many changes a waiting caller may fall behind before it looks at the store instead.
const CHANGES_KEPT: usize = 1024;

impl Payments {
    /// Opens the verbs on rooms that are open already, with the shipped providers approved.
    pub async fn open(
        store: Store,
        plugins: Plugins,
        home: DataRoot,
        options: Options,
    ) -> anyhow::Result<Payments> {
        let tickets = Tickets::new(&home.key().subkey("ticket"));
        let keys = Keys::new(&home.key().subkey("api key"));
        let sessions = Sessions::new(&home.key().subkey("session"));
        let routes = Routes::new(&home.key().subkey("account address"));
        let providers = Providers::load(&store, &plugins).await?;
        let payments = Payments(Arc::new(Inner {
            store,
            plugins,
            home,
            providers,
            targets: Targets::default(),
            seen: Seen::default(),
            routes: Arc::new(routes),
            tickets,
            keys,
            sessions,
            refused: Refused::default(),
            flood: Flood::default(),
            audit: Audit::default(),
            meter: Meter::default(),
            watch: clock::Watch::begin(),
            bare: tokio::sync::Semaphore::new(BARE_AT_ONCE),
            reconciling: Arc::default(),
            diagnosing: tokio::sync::Semaphore::new(1),
            begun: Instant::now(),
            options,
            work: watch::channel(0).0,
            changed: tokio::sync::broadcast::channel(CHANGES_KEPT).0,
            followers: Arc::default(),
            domain_followers: Arc::default(),
            held_keys: HeldKeys::default(),
        }));
        payments.look_at_clock_since_last_host().await?;
        payments.end_interrupted_tries().await?;
        let learnt = payments.learn_accounts(None).await;
        learnt.map_err(|error| anyhow::anyhow!("the domains' targets: {error}"))?;
        Ok(payments)
    }

    /// What is removed when it is old.
    pub fn retention(&self) -> Retention {
        self.0.options.retention
    }

    /// The store, for the rooms above.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The domains' homes, for the rooms above.
    pub fn home(&self) -> &DataRoot {
        &self.0.home
    }

    /// Whether attempts may overlap: for the operator to turn.
    pub(crate) fn overlap(&self) -> &Switch {
        &self.0.options.overlap
    }

    /// Where platforms and buyers reach this host.
    pub(crate) fn public_url(&self) -> &str {
        &self.0.options.public_url
    }

    /// Whether browsers reach this host by TLS.
    pub(crate) fn is_reached_by_tls(&self) -> bool {
        self.0.options.public_url.starts_with("https:")
    }

    /// Issues and checks tickets.
    pub fn tickets(&self) -> &Tickets {
        &self.0.tickets
    }

    /// Changes whenever work may be due earlier than the workers think.
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    /// The case, if the caller may do that with it.
    pub(crate) async fn case_for(&self, caller: &Caller, act: Act, id: PaymentId) -> Result<Case> {
        let case = self.0.store.case(id).await?.ok_or_else(no_such_payment)?;
        caller.may(act, &case.payment)?;
        Ok(case)
    }

    fn rang(&self, id: PaymentId) {
        // Nobody listening is fine.
        let _ = self.0.changed.send(id);
        self.0.followers.tell(id);
        self.ring();
    }

    /// Another host changed this payment.
    pub(crate) fn changed_elsewhere(&self, id: PaymentId) {
        // Nobody listening is fine.
        let _ = self.0.changed.send(id);
        self.0.followers.tell(id);
    }

    /// Work may be due earlier than the workers think.
    pub(crate) fn ring(&self) {
        self.0
            .work
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Does the work to its end even when whoever waits for it goes away: a call of a platform and the writing down of its
/// answer belong together.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "a call of a platform ended badly");
            Err(PayError::internal("a fault of the host; its log says more"))
        }
    }
}

/// The host's clock, milliseconds since 1970.
pub fn now_ms() -> Ams {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
