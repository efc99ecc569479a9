//! The table `attempt`, with the schedule for asking that stands in its columns.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;

use super::calls::{Calls, Lane};
use super::row::{Columns, integer, json};
use crate::payment::model::{Ams, Attempt, AttemptState, FailWhy, PaymentId, TargetRef, TradeNo};
use crate::store::link::{Dialect, Link, all_rows, one_row, params};
use crate::store::{Account, CallRoom, DueAsk, StoreError};

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
    WHERE attempt.payment = excluded.payment";

/// Adds an attempt to the payment `seq`, or writes what may change of it.
pub(super) fn put(link: &dyn Link, seq: i64, attempt: &Attempt) -> Result<(), StoreError> {
    let written = link.execute(
        UPSERT,
        &params![
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
        ],
    )?;
    if written == 1 {
        return Ok(());
    }
    Err(StoreError::Invariant(format!(
        "attempt {} belongs to another payment",
        attempt.trade_no
    )))
}

/// A payment's attempts, the earliest first. Whoever claims one writes it too, so a change locks them.
pub(super) fn of(link: &dyn Link, seq: i64) -> Result<Vec<Attempt>, StoreError> {
    let lock = link.where_many_write(" FOR NO KEY UPDATE OF attempt");
    let sql = format!("{SELECT} WHERE attempt.payment = ?1 ORDER BY number{lock}");
    all_rows(link, &sql, &params![seq], decode)
}

/// The payment that an attempt belongs to.
pub(super) fn payment_of(
    link: &dyn Link,
    trade_no: &TradeNo,
) -> Result<Option<PaymentId>, StoreError> {
    let sql = "SELECT payment.id FROM attempt JOIN payment ON payment.seq = attempt.payment \
        WHERE trade_no = ?1";
    one_row(link, sql, &params![trade_no.as_str()], |row| row.id())
}

/// By the index `attempt_account`.
const PAID: &str = "WHERE attempt.domain = ?1 AND target_platform = ?2 AND target_name = ?3 \
    AND (attempt.created_ms, trade_no) > (?4, ?5) AND attempt.created_ms < ?6 \
    AND attempt.state = 'OK' AND payment.changed_ms >= ?7 \
    ORDER BY attempt.created_ms, trade_no LIMIT ?8";

/// Paid attempts of an account, page by page.
pub(in crate::store) fn paid_of(
    link: &dyn Link,
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
    all_rows(
        link,
        &sql,
        &params![
            account.domain,
            account.platform,
            account.target,
            integer(from)?,
            above,
            integer(made.end)?,
            integer(changed_since)?,
            limit,
        ],
        decode,
    )
}

// The index `attempt_account` leads to the account's; each is looked at.
fn by_transaction(dialect: Dialect) -> String {
    let texts = match dialect {
        Dialect::Sqlite => "SELECT value FROM json_each(?4)",
        Dialect::Postgres => "SELECT json_array_elements_text(CAST(CAST(?4 AS text) AS json))",
    };
    format!(
        "SELECT transaction_id, trade_no FROM attempt \
        WHERE state = 'OK' AND domain = ?1 AND target_platform = ?2 AND target_name = ?3 \
        AND transaction_id IN ({texts})"
    )
}

/// Paid attempts of an account by the platform's numbers of them.
pub(in crate::store) fn trades_of_transactions(
    link: &dyn Link,
    account: &Account,
    transactions: &BTreeSet<String>,
) -> Result<Vec<(String, TradeNo)>, StoreError> {
    let wanted = json(transactions)?;
    all_rows(
        link,
        &by_transaction(link.dialect()),
        &params![account.domain, account.platform, account.target, wanted],
        |row| Ok((row.next()?, row.parsed(TradeNo::parse)?)),
    )
}

/// By the same index.
const LAST_PAID: &str = "SELECT created_ms FROM attempt WHERE domain = ?1 AND target_platform = ?2 \
    AND target_name = ?3 AND state = 'OK' ORDER BY created_ms DESC LIMIT 1";

/// When the newest paid attempt of an account was made; 0 where there is none.
pub(in crate::store) fn last_paid_of(
    link: &dyn Link,
    account: &Account,
) -> Result<Ams, StoreError> {
    let last = one_row(
        link,
        LAST_PAID,
        &params![account.domain, account.platform, account.target],
        |row| row.unsigned(),
    )?;
    Ok(last.unwrap_or(0))
}

/// Attempts are asked about.
pub(super) const CALLS: Calls = Calls {
    table: "attempt",
    number: "trade_no",
    platform: "target_platform",
};

/// Leases attempts that are due and free; see [`Calls::claim`].
pub(in crate::store) fn claim_asks(
    link: &dyn Link,
    turn: &Mutex<Lane>,
    now: Ams,
    until: Ams,
    room: &CallRoom,
) -> Result<Vec<DueAsk>, StoreError> {
    let sql = format!("{SELECT} WHERE trade_no = ?1");
    let mut claimed = Vec::new();
    for (trade_no, (domain, _)) in CALLS.claim(link, turn, now, until, room)? {
        if let Some(attempt) = one_row(link, &sql, &params![trade_no], decode)? {
            claimed.push(DueAsk { domain, attempt });
        }
    }
    Ok(claimed)
}

/// When the next attempt can be claimed.
pub(in crate::store) fn next_ask(link: &dyn Link) -> Result<Option<Ams>, StoreError> {
    CALLS.next_due(link)
}

fn decode(columns: &mut Columns<'_>) -> Result<Attempt, StoreError> {
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
    use crate::store::sqlite::plan;

    #[test]
    fn what_was_paid_is_found_by_an_index_and_never_sorted() {
        for sql in [&format!("{SELECT} {PAID}"), LAST_PAID] {
            let plan = plan(sql);
            assert!(
                plan.starts_with("SEARCH") && plan.contains("attempt_account"),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
