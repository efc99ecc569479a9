//! The table `attempt`, with the schedule for asking that stands in its columns.

use rusqlite::{Connection, Row, params};

use super::row::{Columns, integer, json};
use crate::payment::model::{Ams, Attempt, AttemptState, FailWhy, PaymentId, TargetRef, TradeNo};
use crate::store::StoreError;

/// In the order in which [`decode`] reads them.
const SELECT: &str = "SELECT attempt.trade_no, payment.id, number, attempt.pay_type, \
    target_platform, target_name, target_version, provider, attempt.state, attempt.fail_why, \
    attempt.created_ms, attempt.expires_ms, payable_until_ms, client_ip, args, notify_url, notes, \
    transaction_id, fence, leased_until_ms, ask_at_ms, asks, last_error \
    FROM attempt JOIN payment ON payment.seq = attempt.payment";

/// A known attempt keeps what it was sent with, and its payment.
const UPSERT: &str = "INSERT INTO attempt (trade_no, payment, number, pay_type, target_platform, \
    target_name, target_version, provider, state, fail_why, created_ms, expires_ms, \
    payable_until_ms, client_ip, args, notify_url, notes, transaction_id, fence, leased_until_ms, \
    ask_at_ms, asks, last_error) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
    ?20, ?21, ?22, ?23) \
    ON CONFLICT (trade_no) DO UPDATE SET state = excluded.state, fail_why = excluded.fail_why, \
    expires_ms = excluded.expires_ms, payable_until_ms = excluded.payable_until_ms, \
    client_ip = excluded.client_ip, args = excluded.args, notes = excluded.notes, \
    transaction_id = excluded.transaction_id, fence = excluded.fence, \
    leased_until_ms = excluded.leased_until_ms, ask_at_ms = excluded.ask_at_ms, \
    asks = excluded.asks, last_error = excluded.last_error \
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
        json(&attempt.notes)?,
        attempt.transaction_id,
        integer(attempt.fence)?,
        integer(attempt.leased_until_ms)?,
        integer(attempt.ask_at_ms)?,
        attempt.asks,
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

/// Leases attempts that are due and free. The expressions are those of the index `attempt_ask`.
pub(in crate::store) fn claim_asks(
    connection: &Connection,
    now: Ams,
    until: Ams,
    limit: u32,
) -> Result<Vec<Attempt>, StoreError> {
    if until <= now {
        return Err(StoreError::Invariant(
            "a lease that ends at once".to_owned(),
        ));
    }
    let (now, until) = (integer(now)?, integer(until)?);
    let due = "SELECT trade_no FROM attempt \
        WHERE ask_at_ms > 0 AND max(ask_at_ms, leased_until_ms) <= ?1 \
        ORDER BY max(ask_at_ms, leased_until_ms) LIMIT ?2";
    let trade_nos = connection
        .prepare_cached(due)?
        .query_map(params![now, limit], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    let lease = "UPDATE attempt SET fence = fence + 1, leased_until_ms = ?2 WHERE trade_no = ?1";
    let mut lease = connection.prepare_cached(lease)?;
    let load = format!("{SELECT} WHERE trade_no = ?1");
    let mut load = connection.prepare_cached(&load)?;
    let mut claimed = Vec::with_capacity(trade_nos.len());
    for trade_no in trade_nos {
        lease.execute(params![trade_no, until])?;
        let mut rows = load.query([trade_no])?;
        if let Some(row) = rows.next()? {
            claimed.push(decode(row)?);
        }
    }
    Ok(claimed)
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
        notes: columns.json()?,
        transaction_id: columns.next()?,
        fence: columns.unsigned()?,
        leased_until_ms: columns.unsigned()?,
        ask_at_ms: columns.unsigned()?,
        asks: columns.next()?,
        last_error: columns.next()?,
    })
}
