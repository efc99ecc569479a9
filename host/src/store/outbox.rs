//! The outbox: one delivery for each payment that became OK and has a callback.
//!
//! A delivery is leased with a fence that grows, so that whoever lost the lease can write nothing. Its
//! effects commit together with `apply_at` in one transaction: once, whatever is killed in between.

use serde::Serialize;

use crate::payment::model::{Ams, PaymentId};

use super::sqlite::delivery;
use super::{Store, StoreError};

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
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
    /// The word that is stored and shown.
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
        [
            DeliveryState::Due,
            DeliveryState::Leased,
            DeliveryState::Done,
            DeliveryState::Dead,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
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
    /// Leases at most `limit` deliveries that are due (or whose lease ran out) until `until`, and counts a try
    /// of each. Domains take turns, so that one domain's backlog does not hold up the others.
    pub async fn lease_deliveries(
        &self,
        now: Ams,
        until: Ams,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let turn = self.database.turn();
        self.database
            .write(move |connection| delivery::lease(connection, &turn, now, until, limit))
            .await
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
            .write(move |connection| {
                delivery::finish(connection, &held, &effects, &answer, &log, now)
            })
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
            .write(move |connection| delivery::fail(connection, &held, &error, &log, again_at, now))
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
            .write(move |connection| delivery::postpone(connection, &held, again_at))
            .await
    }

    /// Makes a dead delivery due at `now`, with all its tries before it. `false` when it is not dead or does
    /// not exist.
    pub async fn replay_delivery(&self, key: &str, now: Ams) -> Result<bool, StoreError> {
        let key = key.to_owned();
        self.database
            .write(move |connection| delivery::replay(connection, &key, now))
            .await
    }

    /// The delivery of this key.
    pub async fn delivery(&self, key: &str) -> Result<Option<Delivery>, StoreError> {
        let key = key.to_owned();
        self.database
            .read(move |connection| delivery::by_key(connection, &key))
            .await
    }

    /// At most `limit` deliveries, the newest first: of a domain, of a payment, or all; or those of test
    /// payments alone.
    pub async fn deliveries(
        &self,
        domain: Option<&str>,
        test_only: bool,
        payment: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let domain = domain.map(str::to_owned);
        self.database
            .read(move |connection| {
                delivery::list(connection, domain.as_deref(), test_only, payment, limit)
            })
            .await
    }

    /// When the next delivery is due or its lease runs out; `None` when the outbox is empty.
    pub async fn next_delivery(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(delivery::next).await
    }
}
