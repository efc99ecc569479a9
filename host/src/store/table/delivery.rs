//! The table `delivery`: the outbox.

mod owners;

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::row::{Columns, integer};
use super::turn::in_turn;
use super::{history, kv, payment};
use crate::payment::model::{Ams, Change, Payment};
use crate::store::link::{Dialect, Link, all_rows, one_row, params};
use crate::store::{Delivery, DeliveryRoom, DeliveryState, Effects, Finished, Space, StoreError};

pub(in crate::store) use owners::{list, retry, retry_dead};

/// In the order in which [`decode`] reads them.
const SELECT: &str = "SELECT key, payment.id, delivery.domain, payment.test, \
    coalesce(payment.callback_name, ''), delivery.state, tries, fence, due_ms, \
    leased_until_ms, delivery.created_ms, ended_ms, last_error, log \
    FROM delivery JOIN payment ON payment.seq = delivery.payment";

/// Puts the payment's delivery into the outbox; one that is there already stays as it is.
pub(super) fn add(link: &dyn Link, seq: i64, payment: &Payment) -> Result<(), StoreError> {
    let sql = "INSERT INTO delivery (key, payment, domain, state, tries, fence, due_ms, \
        leased_until_ms, created_ms, ended_ms, log) \
        VALUES (?1, ?2, ?3, 'DUE', 0, 0, ?4, 0, ?4, 0, '') ON CONFLICT (payment) DO NOTHING";
    let key = Uuid::now_v7().simple().to_string();
    let at = integer(payment.changed_ms)?;
    link.execute(sql, &params![key, seq, payment.domain, at])?;
    Ok(())
}

/// Leases deliveries that are ready, one of each domain in turn. `turn` is the domain that was served last:
/// the next lease goes on behind it. A lap costs two look-ups in an index for each domain with work, however
/// long its backlog is.
pub(in crate::store) fn lease(
    link: &dyn Link,
    turn: &Mutex<String>,
    now: Ams,
    until: Ams,
    room: &DeliveryRoom,
) -> Result<Vec<Delivery>, StoreError> {
    if until <= now {
        return Err(StoreError::Invariant(
            "a lease that ends at once".to_owned(),
        ));
    }
    let (now, until) = (integer(now)?, integer(until)?);
    let places = usize::try_from(room.places).unwrap_or(usize::MAX);
    let lease = "UPDATE delivery SET state = 'LEASED', leased_until_ms = ?2, fence = fence + 1, \
        tries = tries + 1 WHERE key = ?1";
    let mut shares = Shares::of(room);
    let next = |domain: &String| next_domain(link, domain);
    in_turn(turn, places, usize::MAX, next, |domain| {
        if !shares.has(domain) {
            return Ok(None);
        }
        let Some(key) = ready(link, domain, now)? else {
            return Ok(None);
        };
        shares.take(domain);
        link.execute(lease, &params![key, until])?;
        by_key(link, &key)
    })
}

/// The places that are free, and those that each domain holds.
struct Shares {
    free: u32,
    held: HashMap<String, u32>,
}

impl Shares {
    fn of(room: &DeliveryRoom) -> Shares {
        let mut shares = Shares {
            free: room.places,
            held: HashMap::new(),
        };
        for domain in &room.under_way {
            *shares.held.entry(domain.clone()).or_default() += 1;
        }
        shares
    }

    fn has(&self, domain: &str) -> bool {
        self.held.get(domain).copied().unwrap_or(0) < self.free
    }

    fn take(&mut self, domain: &str) {
        self.free = self.free.saturating_sub(1);
        *self.held.entry(domain.to_owned()).or_default() += 1;
    }
}

/// The domain behind this one that has anything in the outbox.
fn next_domain(link: &dyn Link, turn: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT domain FROM delivery WHERE ready_ms IS NOT NULL AND domain > ?1 \
        ORDER BY domain LIMIT 1";
    one_row(link, sql, &params![turn], |row| row.next())
}

/// The domain's delivery that has been ready for the longest time and that nobody else is taking.
fn ready(link: &dyn Link, domain: &str, now: i64) -> Result<Option<String>, StoreError> {
    let lock = link.lock_free_row();
    let sql = format!(
        "SELECT key FROM delivery WHERE domain = ?1 AND ready_ms <= ?2 \
        ORDER BY ready_ms LIMIT 1{lock}"
    );
    one_row(link, &sql, &params![domain, now], |row| row.next())
}

pub(in crate::store) fn by_key(link: &dyn Link, key: &str) -> Result<Option<Delivery>, StoreError> {
    let sql = format!("{SELECT} WHERE key = ?1");
    one_row(link, &sql, &params![key], decode)
}

/// Those that were leased by a host that has ended.
pub(in crate::store) fn interrupted(link: &dyn Link) -> Result<Vec<Delivery>, StoreError> {
    let ended = match link.dialect() {
        // One host has the store, and it has not leased anything yet.
        Dialect::Sqlite => "",
        Dialect::Postgres => " AND NOT EXISTS (SELECT 1 FROM host WHERE host.id = delivery.host)",
    };
    let sql = format!("{SELECT} WHERE delivery.state = 'LEASED' AND ready_ms IS NOT NULL{ended}");
    all_rows(link, &sql, &[], decode)
}

/// The short key of the payment, if this lease still holds. One that ran out holds until another begins.
fn held(link: &dyn Link, delivery: &Delivery) -> Result<Option<i64>, StoreError> {
    let lock = link.lock_rows();
    let sql = format!(
        "SELECT payment FROM delivery WHERE key = ?1 AND state = 'LEASED' AND fence = ?2{lock}"
    );
    let fence = integer(delivery.fence)?;
    one_row(link, &sql, &params![delivery.key, fence], |row| row.next())
}

/// Commits a callback's effects with its payment's `apply_at`.
pub(in crate::store) fn finish(
    link: &dyn Link,
    delivery: &Delivery,
    effects: &Effects,
    answer: &str,
    log: &str,
    now: Ams,
) -> Result<Finished, StoreError> {
    let Some(seq) = held(link, delivery)? else {
        return Ok(Finished::Fenced);
    };
    let (_, payment) = payment::load(link, delivery.payment)?
        .filter(|(found, _)| *found == seq)
        .ok_or_else(|| foreign(delivery))?;
    // The space is the payment's, whatever the caller says: effects cannot reach another one.
    let space = Space::of(&payment);
    if !(effects.reads.is_empty() && effects.writes.is_empty()) {
        kv::hold(link, &space)?;
    }
    if !kv::unchanged(link, &space, &effects.reads)? {
        return Ok(Finished::Conflict);
    }
    kv::apply(link, &space, seq, effects, now)?;
    payment::set_applied(link, &payment, answer, now)?;
    let sql = "UPDATE delivery SET state = 'DONE', leased_until_ms = 0, ended_ms = ?2, \
        last_error = NULL, log = ?3 WHERE key = ?1";
    link.execute(sql, &params![delivery.key, integer(now)?, log])?;
    tell(link, seq, &payment, "apply", delivery, now)?;
    Ok(Finished::Done)
}

/// Records a failed try.
pub(in crate::store) fn fail(
    link: &dyn Link,
    delivery: &Delivery,
    error: &str,
    log: &str,
    again_at: Option<Ams>,
    now: Ams,
) -> Result<bool, StoreError> {
    let Some(seq) = held(link, delivery)? else {
        return Ok(false);
    };
    let Some(again_at) = again_at else {
        let (_, payment) =
            payment::load(link, delivery.payment)?.ok_or_else(|| foreign(delivery))?;
        let sql = "UPDATE delivery SET state = 'DEAD', leased_until_ms = 0, ended_ms = ?2, \
            last_error = ?3, log = ?4 WHERE key = ?1";
        link.execute(sql, &params![delivery.key, integer(now)?, error, log])?;
        tell(link, seq, &payment, "dead", delivery, now)?;
        return Ok(true);
    };
    let sql = "UPDATE delivery SET state = 'DUE', leased_until_ms = 0, due_ms = ?2, \
        last_error = ?3, log = ?4 WHERE key = ?1";
    link.execute(sql, &params![delivery.key, integer(again_at)?, error, log])?;
    Ok(true)
}

/// Gives a lease back as if it had not been taken.
pub(in crate::store) fn postpone(
    link: &dyn Link,
    delivery: &Delivery,
    again_at: Ams,
) -> Result<bool, StoreError> {
    if held(link, delivery)?.is_none() {
        return Ok(false);
    }
    let sql = "UPDATE delivery SET state = 'DUE', leased_until_ms = 0, due_ms = ?2, \
        tries = tries - 1 WHERE key = ?1";
    link.execute(sql, &params![delivery.key, integer(again_at)?])?;
    Ok(true)
}

fn foreign(delivery: &Delivery) -> StoreError {
    StoreError::Invariant(format!(
        "delivery {} is not one of {}",
        delivery.key, delivery.payment
    ))
}

/// A line in the payment's history about its delivery.
fn tell(
    link: &dyn Link,
    seq: i64,
    payment: &Payment,
    cause: &str,
    delivery: &Delivery,
    now: Ams,
) -> Result<(), StoreError> {
    let detail = Map::from_iter([
        ("delivery".to_owned(), Value::from(delivery.key.as_str())),
        ("tries".to_owned(), Value::from(delivery.tries)),
    ]);
    let line = Change {
        at: now,
        cause: cause.to_owned(),
        from: Some(payment.state),
        to: payment.state,
        trade_no: None,
        statement: None,
        detail,
    };
    history::append(link, seq, &[line])
}

/// When the next delivery can be leased.
pub(in crate::store) fn next(link: &dyn Link) -> Result<Option<Ams>, StoreError> {
    let sql = "SELECT ready_ms FROM delivery WHERE ready_ms IS NOT NULL ORDER BY ready_ms LIMIT 1";
    one_row(link, sql, &[], |row| row.unsigned())
}

fn decode(columns: &mut Columns<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        key: columns.next()?,
        payment: columns.id()?,
        domain: columns.next()?,
        test: columns.next()?,
        callback: columns.next()?,
        state: columns.parsed(DeliveryState::parse)?,
        tries: columns.next()?,
        fence: columns.unsigned()?,
        due_ms: columns.unsigned()?,
        leased_until_ms: columns.unsigned()?,
        created_ms: columns.unsigned()?,
        ended_ms: columns.unsigned()?,
        last_error: columns.next()?,
        log: columns.next()?,
    })
}
