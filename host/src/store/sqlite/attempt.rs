//! The table `attempt`, with the schedule for asking that stands in its columns.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{Columns, integer, json};
use super::turn::in_turn;
use crate::payment::model::{Ams, Attempt, AttemptState, FailWhy, PaymentId, TargetRef, TradeNo};
use crate::store::{Account, AskingRoom, DueAsk, StoreError};

/// In the order in which [`decode`] reads them.
const SELECT: &str = "SELECT attempt.trade_no, payment.id, number, attempt.pay_type, \
    target_platform, target_name, target_version, provider, attempt.state, attempt.fail_why, \
    attempt.created_ms, attempt.expires_ms, payable_until_ms, client_ip, args, notify_url, \
    ending, paid_minor, notes, attempt.transaction_id, fence, leased_until_ms, ask_at_ms, asks, asked_ms, last_error \
    FROM attempt JOIN payment ON payment.seq = attempt.payment";

/// A known attempt keeps what it was sent with, and its payment.
const UPSERT: &str = "INSERT INTO attempt (domain, \
    trade_no, payment, number, pay_type, target_platform, \
    target_name, target_version, provider, state, fail_why, created_ms, expires_ms, \
    payable_until_ms, client_ip, args, notify_url, ending, paid_minor, notes, transaction_id, fence, \
    leased_until_ms, ask_at_ms, asks, asked_ms, last_error) \
    VALUES ((SELECT domain FROM payment WHERE seq = ?2), \
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
    ?20, ?21, ?22, ?23, ?24, ?25, ?26) \
    ON CONFLICT (trade_no) DO UPDATE SET state = excluded.state, fail_why = excluded.fail_why, \
    expires_ms = excluded.expires_ms, payable_until_ms = excluded.payable_until_ms, \
    client_ip = excluded.client_ip, args = excluded.args, ending = excluded.ending, \
    paid_minor = excluded.paid_minor, notes = excluded.notes, \
    transaction_id = excluded.transaction_id, fence = excluded.fence, \
    leased_until_ms = excluded.leased_until_ms, ask_at_ms = excluded.ask_at_ms, \
    asks = excluded.asks, asked_ms = excluded.asked_ms, last_error = excluded.last_error \
    WHERE payment = excluded.payment";

/// Adds an attempt to the payment `seq`, or writes what may change of it.
pub(super) fn put(connection: &Connection, seq: i64, attempt: &Attempt) -> Result<(), StoreError> {
    let written = connection.prepare_cached(UPSERT)?.execute(params![
        attempt.trade_no.as_str(),
        seq,
        attempt.number,
        attempt.pay_type,
        attempt.target.platform,
        attempt.target.name,
        attempt.target.version,
        attempt.provider.0,
        attempt.state.as_str(),
        attempt.fail_why.map(|why| why.as_str()),
        integer(attempt.created_ms)?,
        integer(attempt.expires_ms)?,
        integer(attempt.payable_until_ms)?,
        attempt.client_ip,
        json(&attempt.args)?,
        attempt.notify_url,
        attempt.ending.as_ref().map(json).transpose()?,
        attempt.paid_minor,
        json(&attempt.notes)?,
        attempt.transaction_id,
        integer(attempt.fence)?,
        integer(attempt.leased_until_ms)?,
        integer(attempt.ask_at_ms)?,
        attempt.asks,
        integer(attempt.asked_ms)?,
        attempt.last_error,
    ])?;
    if written == 1 {
        return Ok(());
    }
    Err(StoreError::Invariant(format!(
        "attempt {} belongs to another payment",
        attempt.trade_no
    )))
}

/// A payment's attempts, the earliest first.
pub(super) fn of(connection: &Connection, seq: i64) -> Result<Vec<Attempt>, StoreError> {
    let sql = format!("{SELECT} WHERE attempt.payment = ?1 ORDER BY number");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([seq])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(decode(row)?);
    }
    Ok(attempts)
}

/// The payment that an attempt belongs to.
pub(super) fn payment_of(
    connection: &Connection,
    trade_no: &TradeNo,
) -> Result<Option<PaymentId>, StoreError> {
    let sql = "SELECT payment.id FROM attempt JOIN payment ON payment.seq = attempt.payment \
        WHERE trade_no = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([trade_no.as_str()])?;
    rows.next()?.map(|row| Columns::of(row).id()).transpose()
}

/// By the index `attempt_account`.
const PAID: &str = "WHERE attempt.domain = ?1 AND target_platform = ?2 AND target_name = ?3 \
    AND (attempt.created_ms, trade_no) > (?4, ?5) AND attempt.created_ms < ?6 \
    AND attempt.state = 'OK' AND payment.changed_ms >= ?7 \
    ORDER BY attempt.created_ms, trade_no LIMIT ?8";

/// Paid attempts of an account, page by page.
pub(in crate::store) fn paid_of(
    connection: &Connection,
    account: &Account,
    made: &Range<Ams>,
    changed_since: Ams,
    after: Option<(Ams, TradeNo)>,
    limit: u32,
) -> Result<Vec<Attempt>, StoreError> {
    let (from, above) = match &after {
        Some((made, trade_no)) => (*made, trade_no.as_str()),
        None => (made.start, ""),
    };
    let sql = format!("{SELECT} {PAID}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        account.domain,
        account.platform,
        account.target,
        integer(from)?,
        above,
        integer(made.end)?,
        integer(changed_since)?,
        limit,
    ])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(decode(row)?);
    }
    Ok(attempts)
}

/// Domains and platforms that are looked at in one claim: some look-ups in an index for each.
const LANES: usize = 64;

// The expressions are those of the indexes `attempt_ask` and `attempt_turn`.

const DUE: &str = "SELECT trade_no, domain, target_platform FROM attempt \
    WHERE ask_at_ms > 0 AND max(ask_at_ms, leased_until_ms) <= ?1 \
    ORDER BY max(ask_at_ms, leased_until_ms) LIMIT ?2";

const NEXT_LANE: &str = "SELECT domain, target_platform FROM attempt \
    WHERE ask_at_ms > 0 AND (domain, target_platform) > (?1, ?2) \
    ORDER BY domain, target_platform LIMIT 1";

const MOST_OVERDUE: &str = "SELECT trade_no FROM attempt WHERE ask_at_ms > 0 AND domain = ?1 \
    AND target_platform = ?2 AND max(ask_at_ms, leased_until_ms) <= ?3 \
    ORDER BY max(ask_at_ms, leased_until_ms) LIMIT 1";

/// A domain and a platform.
type Lane = (String, String);

/// Leases attempts that are due and free. While there are few, the most overdue come first; where there are more than
/// room, one of each domain and platform in turn, however long a backlog is. `turn` is the one that was served last.
pub(in crate::store) fn claim_asks(
    connection: &Connection,
    turn: &Mutex<Lane>,
    now: Ams,
    until: Ams,
    room: &AskingRoom,
) -> Result<Vec<DueAsk>, StoreError> {
    if until <= now {
        return Err(StoreError::Invariant(
            "a lease that ends at once".to_owned(),
        ));
    }
    let (now, until) = (integer(now)?, integer(until)?);
    let places = usize::try_from(room.places).unwrap_or(usize::MAX);
    let mut shares = Shares::of(room);
    let due = due(connection, now, places.saturating_add(1))?;
    let mut claimed = Vec::new();
    if due.len() <= places {
        for (trade_no, lane) in due {
            if shares.take(&lane) {
                claimed.extend(lease(connection, trade_no, lane, until)?);
            }
        }
        return Ok(claimed);
    }
    let next = |last: &Lane| next_lane(connection, last);
    in_turn(turn, places, LANES, next, |lane| {
        if !shares.has(lane) {
            return Ok(None);
        }
        let Some(trade_no) = most_overdue(connection, lane, now)? else {
            return Ok(None);
        };
        shares.take(lane);
        lease(connection, trade_no, lane.clone(), until)
    })
}

/// What is left of each domain's and each platform's share.
struct Shares<'a> {
    room: &'a AskingRoom,
    domains: HashMap<String, u32>,
    platforms: HashMap<String, u32>,
}

impl<'a> Shares<'a> {
    fn of(room: &'a AskingRoom) -> Shares<'a> {
        let mut shares = Shares {
            room,
            domains: HashMap::new(),
            platforms: HashMap::new(),
        };
        for lane in &room.under_way {
            shares.count(lane);
        }
        shares
    }

    fn count(&mut self, (domain, platform): &Lane) {
        *self.domains.entry(domain.clone()).or_default() += 1;
        *self.platforms.entry(platform.clone()).or_default() += 1;
    }

    fn has(&self, (domain, platform): &Lane) -> bool {
        let used = |by: &HashMap<String, u32>, name: &str| by.get(name).copied().unwrap_or(0);
        used(&self.domains, domain) < self.room.of_a_domain
            && used(&self.platforms, platform) < self.room.of_a_platform
    }

    fn take(&mut self, lane: &Lane) -> bool {
        let has = self.has(lane);
        if has {
            self.count(lane);
        }
        has
    }
}

/// What is due, the most overdue first.
fn due(connection: &Connection, now: i64, limit: usize) -> Result<Vec<(String, Lane)>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(DUE)?;
    let rows = statement.query_map(params![now, limit], |row| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The domain and platform behind these that anything is to be asked about, now or later.
fn next_lane(
    connection: &Connection,
    (domain, platform): &Lane,
) -> Result<Option<Lane>, StoreError> {
    let mut statement = connection.prepare_cached(NEXT_LANE)?;
    Ok(statement
        .query_row([domain, platform], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

fn most_overdue(
    connection: &Connection,
    (domain, platform): &Lane,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(MOST_OVERDUE)?;
    Ok(statement
        .query_row(params![domain, platform, now], |row| row.get(0))
        .optional()?)
}

fn lease(
    connection: &Connection,
    trade_no: String,
    (domain, _): Lane,
    until: i64,
) -> Result<Option<DueAsk>, StoreError> {
    let sql = "UPDATE attempt SET fence = fence + 1, leased_until_ms = ?2 WHERE trade_no = ?1";
    connection
        .prepare_cached(sql)?
        .execute(params![trade_no, until])?;
    let sql = format!("{SELECT} WHERE trade_no = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([trade_no])?;
    let attempt = rows.next()?.map(decode).transpose()?;
    Ok(attempt.map(|attempt| DueAsk { domain, attempt }))
}

/// Ends every lease; what was begun under one is to be asked about at once.
pub(super) fn free_all(connection: &Connection) -> Result<(), StoreError> {
    let sql = "UPDATE attempt SET leased_until_ms = 0, ask_at_ms = min(ask_at_ms, created_ms) \
        WHERE ask_at_ms > 0 AND leased_until_ms > 0";
    connection.execute(sql, [])?;
    Ok(())
}

/// When the next attempt can be claimed.
pub(in crate::store) fn next_ask(connection: &Connection) -> Result<Option<Ams>, StoreError> {
    let sql = "SELECT max(ask_at_ms, leased_until_ms) FROM attempt WHERE ask_at_ms > 0 \
        ORDER BY max(ask_at_ms, leased_until_ms) LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    rows.next()?
        .map(|row| Columns::of(row).unsigned())
        .transpose()
}

fn decode(row: &Row<'_>) -> Result<Attempt, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Attempt {
        trade_no: columns.parsed(TradeNo::parse)?,
        payment: columns.id()?,
        number: columns.next()?,
        pay_type: columns.next()?,
        target: TargetRef {
            platform: columns.next()?,
            name: columns.next()?,
            version: columns.next()?,
        },
        provider: columns.digest()?,
        state: columns.parsed(AttemptState::parse)?,
        fail_why: columns.parsed_or_null(FailWhy::parse)?,
        created_ms: columns.unsigned()?,
        expires_ms: columns.unsigned()?,
        payable_until_ms: columns.unsigned()?,
        client_ip: columns.next()?,
        args: columns.json()?,
        notify_url: columns.next()?,
        ending: columns.json_or_null()?,
        paid_minor: columns.next()?,
        notes: columns.json()?,
        transaction_id: columns.next()?,
        fence: columns.unsigned()?,
        leased_until_ms: columns.unsigned()?,
        ask_at_ms: columns.unsigned()?,
        asks: columns.next()?,
        asked_ms: columns.unsigned()?,
        last_error: columns.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn what_is_due_is_found_by_an_index_and_never_sorted() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        for (sql, index) in [
            (DUE, "attempt_ask"),
            (NEXT_LANE, "attempt_turn"),
            (MOST_OVERDUE, "attempt_turn"),
            (&format!("{SELECT} {PAID}"), "attempt_account"),
        ] {
            let mut statement = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let values = vec![rusqlite::types::Null; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3));
            let plan: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
            let plan = plan.join("; ");
            assert!(plan.starts_with("SEARCH") && plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
