//! The outbox: one delivery for each payment that became OK and has a callback.
//!
//! A delivery is leased with a fence that grows, so that whoever lost the lease can write nothing. Its
//! effects commit together with `apply_at` in one transaction: once, whatever is killed in between.

use crate::payment::model::{Ams, PaymentId};

use super::table::delivery;
use super::{Store, StoreError};

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// Waits for its time.
    Due,
    /// Somebody runs it, until the lease ends.
    Leased,
    /// Applied.
    Done,
    /// Given up; only a person brings it back.
    Dead,
}

impl DeliveryState {
    const ALL: [DeliveryState; 4] = [
        DeliveryState::Due,
        DeliveryState::Leased,
        DeliveryState::Done,
        DeliveryState::Dead,
    ];

    /// The word that is stored.
    pub fn as_str(&self) -> &'static str {
        match self {
            DeliveryState::Due => "DUE",
            DeliveryState::Leased => "LEASED",
            DeliveryState::Done => "DONE",
            DeliveryState::Dead => "DEAD",
        }
    }

    /// Reads that word.
    pub fn parse(text: &str) -> Option<DeliveryState> {
        DeliveryState::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// The word that owners read.
    pub fn shown(&self) -> &'static str {
        match self {
            DeliveryState::Due => "WAITING",
            DeliveryState::Leased => "RUNNING",
            DeliveryState::Done => "DONE",
            DeliveryState::Dead => "DEAD",
        }
    }

    /// Reads that word, in any case.
    pub fn of_shown(text: &str) -> Option<DeliveryState> {
        DeliveryState::ALL
            .into_iter()
            .find(|state| state.shown().eq_ignore_ascii_case(text))
    }
}

/// A callback's delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// 32 lower-case hex digits, the same on every try.
    pub key: String,
    /// The payment that became OK.
    pub payment: PaymentId,
    /// Its domain.
    pub domain: String,
    /// Whether it is a test payment's.
    pub test: bool,
    /// The name of the callback that the payment is bound to.
    pub callback: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries that were begun; when leased, this one is counted. A replay starts at 0 again.
    pub tries: u32,
    /// Grows with every lease.
    pub fence: u64,
    /// When it is (or was) to be tried next.
    pub due_ms: Ams,
    /// Until when the present lease holds; 0 without one.
    pub leased_until_ms: Ams,
    /// When the payment became OK.
    pub created_ms: Ams,
    /// When it was done or given up; 0 before.
    pub ended_ms: Ams,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// What the callback logged in its last try.
    pub log: String,
}

/// Which deliveries are looked for; all of them where nothing is said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeliveriesOf {
    /// Of this domain.
    pub domain: Option<String>,
    /// Of test payments alone.
    pub test_only: bool,
    /// Of this payment.
    pub payment: Option<PaymentId>,
    /// Of callbacks of this name.
    pub callback: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
}

/// How many more deliveries may run at once. Each is given to a domain only while more places are free than the domain
/// holds: one whose callbacks are slow has half of them at most, the next one half of the rest, and nobody is kept
/// waiting by a single domain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeliveryRoom {
    /// Places that are free.
    pub places: u32,
    /// The domain of each delivery that is under way.
    pub under_way: Vec<String>,
}

impl DeliveryRoom {
    /// So many free places, and nothing under way.
    pub fn of(places: u32) -> DeliveryRoom {
        DeliveryRoom {
            places,
            under_way: Vec::new(),
        }
    }
}

/// What a callback did, written when it is done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effects {
    /// Keys that it read, with the version it saw (0 for a missing one).
    pub reads: Vec<(String, u64)>,
    /// Keys that it set, or deleted (`None`).
    pub writes: Vec<(String, Option<Vec<u8>>)>,
    /// Names and JSON texts that it emitted, in order.
    pub events: Vec<(String, String)>,
}

/// What became of a finished delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finished {
    /// Everything is committed.
    Done,
    /// Something that it read has changed since; nothing was written. The lease is still held: run it again.
    Conflict,
    /// The lease was lost, or the delivery is done; nothing was written.
    Fenced,
}

impl Store {
    /// Leases deliveries that are due (or whose lease ran out) until `until`, as far as there is room, and counts a
    /// try of each. Domains take turns, so that one domain's backlog does not hold up the others.
    pub async fn lease_deliveries(
        &self,
        now: Ams,
        until: Ams,
        room: DeliveryRoom,
    ) -> Result<Vec<Delivery>, StoreError> {
        let turn = self.database.turn();
        self.database
            .write(move |link| delivery::lease(link, &turn, now, until, &room))
            .await
    }

    /// Deliveries whose try was begun by a host that has ended since. Their leases are held by nobody: whoever opened
    /// the store says what becomes of each, before anything is leased; and so does every host that hears of another's end
    /// ([`News::Dead`](super::News::Dead)).
    pub async fn interrupted_deliveries(&self) -> Result<Vec<Delivery>, StoreError> {
        self.database.read(delivery::interrupted).await
    }

    /// Commits a delivery: its `kv` writes and events, `apply_at` and `apply_re` (`answer`, a JSON text) of its
    /// payment with a line in the history, and the delivery as done. All of it, or nothing.
    pub async fn finish_delivery(
        &self,
        delivery: &Delivery,
        effects: Effects,
        answer: String,
        log: String,
        now: Ams,
    ) -> Result<Finished, StoreError> {
        let held = delivery.clone();
        self.database
            .write(move |link| delivery::finish(link, &held, &effects, &answer, &log, now))
            .await
    }

    /// Records a failed try: the delivery is due again at `again_at`, or dead with `None`. `false` when the
    /// lease was lost; nothing is written then.
    pub async fn fail_delivery(
        &self,
        delivery: &Delivery,
        error: String,
        log: String,
        again_at: Option<Ams>,
        now: Ams,
    ) -> Result<bool, StoreError> {
        let held = delivery.clone();
        self.database
            .write(move |link| delivery::fail(link, &held, &error, &log, again_at, now))
            .await
    }

    /// Gives a lease back without counting the try, because nothing was run: due again at `again_at`.
    /// `false` when the lease was lost.
    pub async fn postpone_delivery(
        &self,
        delivery: &Delivery,
        again_at: Ams,
    ) -> Result<bool, StoreError> {
        let held = delivery.clone();
        self.database
            .write(move |link| delivery::postpone(link, &held, again_at))
            .await
    }

    /// Makes a delivery due at `now`: a dead one with all its tries before it, one that waits with those that are left.
    /// `false` when it is neither or does not exist.
    pub async fn retry_delivery(&self, key: &str, now: Ams) -> Result<bool, StoreError> {
        let key = key.to_owned();
        self.database
            .write(move |link| delivery::retry(link, &key, now))
            .await
    }

    /// Makes at most `limit` dead deliveries due at `now`, the earliest first, and says how many those were.
    pub async fn retry_dead(
        &self,
        of: DeliveriesOf,
        limit: u32,
        now: Ams,
    ) -> Result<u32, StoreError> {
        self.database
            .write(move |link| delivery::retry_dead(link, &of, limit, now))
            .await
    }

    /// The delivery of this key.
    pub async fn delivery(&self, key: &str) -> Result<Option<Delivery>, StoreError> {
        let key = key.to_owned();
        self.database
            .read(move |link| delivery::by_key(link, &key))
            .await
    }

    /// At most `limit` deliveries behind the first `skip`, the newest first.
    pub async fn deliveries(
        &self,
        of: DeliveriesOf,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.database
            .find(move |link| delivery::list(link, &of, skip, limit))
            .await
    }

    /// When the next delivery is due or its lease runs out; `None` when the outbox is empty.
    pub async fn next_delivery(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(delivery::next).await
    }
}
