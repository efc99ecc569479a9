//! The table `refund`, with the schedule for calling platforms that stands in its columns.

use std::ops::Range;
use std::sync::Mutex;

use super::calls::{Calls, Lane};
use super::row::{Columns, integer};
use crate::payment::model::{Ams, Refund, RefundCause, RefundNo, RefundState, TradeNo};
use crate::store::link::{Link, all_rows, one_row, params};
use crate::store::{Account, CallRoom, DueRefund, StoreError};

/// In the order in which [`decode`] reads them.
const SELECT: &str = "SELECT refund_no, payment.id, trade_no, amount_minor, reason, cause, refund.state, \
    refund.created_ms, ended_ms, transaction_id, fence, leased_until_ms, ask_at_ms, asks, last_error \
    FROM refund JOIN payment ON payment.seq = refund.payment";

/// A known refund keeps what was ordered.
const UPSERT: &str = "INSERT INTO refund (domain, platform, \
    refund_no, payment, trade_no, amount_minor, reason, cause, state, \
    created_ms, ended_ms, transaction_id, fence, leased_until_ms, ask_at_ms, asks, last_error) \
    VALUES ((SELECT domain FROM payment WHERE seq = ?2), \
    (SELECT target_platform FROM attempt WHERE attempt.trade_no = ?3), \
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
    ON CONFLICT (refund_no) DO UPDATE SET state = excluded.state, ended_ms = excluded.ended_ms, \
    transaction_id = excluded.transaction_id, fence = excluded.fence, \
    leased_until_ms = excluded.leased_until_ms, ask_at_ms = excluded.ask_at_ms, \
    asks = excluded.asks, last_error = excluded.last_error \
    WHERE refund.payment = excluded.payment";

/// Adds a refund to the payment `seq`, or writes what may change of it.
pub(super) fn put(link: &dyn Link, seq: i64, refund: &Refund) -> Result<(), StoreError> {
    if link.execute(
        UPSERT,
        &params![
            refund.refund_no.as_str(),
            seq,
            refund.trade_no.as_str(),
            refund.amount_minor,
            refund.reason,
            refund.cause.as_str(),
            refund.state.as_str(),
            integer(refund.created_ms)?,
            integer(refund.ended_ms)?,
            refund.transaction_id,
            integer(refund.fence)?,
            integer(refund.leased_until_ms)?,
            integer(refund.ask_at_ms)?,
            refund.asks,
            refund.last_error,
        ],
    )? == 1
    {
        return Ok(());
    }
    Err(StoreError::Invariant(format!(
        "refund {} belongs to another payment",
        refund.refund_no
    )))
}

/// A payment's refunds, the earliest first. Whoever claims one writes it too, so a change locks them.
pub(super) fn of(link: &dyn Link, seq: i64) -> Result<Vec<Refund>, StoreError> {
    let lock = link.where_many_write(" FOR NO KEY UPDATE OF refund");
    // Numbers grow with time.
    let order = "ORDER BY refund.created_ms, refund_no";
    let sql = format!("{SELECT} WHERE refund.payment = ?1 {order}{lock}");
    all_rows(link, &sql, &params![seq], decode)
}

/// By the index `refund_given`.
const GIVEN: &str = "WHERE refund.state = 'OK' AND (refund.created_ms, refund_no) > (?1, ?2) \
    AND refund.created_ms < ?3 AND EXISTS (SELECT 1 FROM attempt WHERE attempt.trade_no = refund.trade_no \
    AND attempt.domain = ?4 AND target_platform = ?5 AND target_name = ?6) \
    ORDER BY refund.created_ms, refund_no LIMIT ?7";

/// Refunds of an account that were given back, page by page.
pub(in crate::store) fn given_of(
    link: &dyn Link,
    account: &Account,
    ordered: &Range<Ams>,
    after: Option<(Ams, RefundNo)>,
    limit: u32,
) -> Result<Vec<Refund>, StoreError> {
    let (from, above) = match &after {
        Some((ordered, number)) => (*ordered, number.as_str()),
        None => (ordered.start, ""),
    };
    let sql = format!("{SELECT} {GIVEN}");
    all_rows(
        link,
        &sql,
        &params![
            integer(from)?,
            above,
            integer(ordered.end)?,
            account.domain,
            account.platform,
            account.target,
            limit,
        ],
        decode,
    )
}

/// Platforms are called about refunds.
pub(super) const CALLS: Calls = Calls {
    table: "refund",
    number: "refund_no",
    platform: "platform",
};

/// Leases refunds that are due and free; see [`Calls::claim`].
pub(in crate::store) fn claim(
    link: &dyn Link,
    turn: &Mutex<Lane>,
    now: Ams,
    until: Ams,
    room: &CallRoom,
) -> Result<Vec<DueRefund>, StoreError> {
    let sql = format!("{SELECT} WHERE refund_no = ?1");
    let mut claimed = Vec::new();
    for (number, (domain, platform)) in CALLS.claim(link, turn, now, until, room)? {
        if let Some(refund) = one_row(link, &sql, &params![number], decode)? {
            claimed.push(DueRefund {
                domain,
                platform,
                refund,
            });
        }
    }
    Ok(claimed)
}

/// When the next refund can be claimed.
pub(in crate::store) fn next_due(link: &dyn Link) -> Result<Option<Ams>, StoreError> {
    CALLS.next_due(link)
}

fn decode(columns: &mut Columns<'_>) -> Result<Refund, StoreError> {
    Ok(Refund {
        refund_no: columns.parsed(RefundNo::parse)?,
        payment: columns.id()?,
        trade_no: columns.parsed(TradeNo::parse)?,
        amount_minor: columns.next()?,
        reason: columns.next()?,
        cause: columns.parsed(RefundCause::parse)?,
        state: columns.parsed(RefundState::parse)?,
        created_ms: columns.unsigned()?,
        ended_ms: columns.unsigned()?,
        transaction_id: columns.next()?,
        fence: columns.unsigned()?,
        leased_until_ms: columns.unsigned()?,
        ask_at_ms: columns.unsigned()?,
        asks: columns.next()?,
        last_error: columns.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan;

    #[test]
    fn what_was_given_back_is_found_by_an_index_and_never_sorted() {
        let plan = plan(&format!("{SELECT} {GIVEN}"));
        assert!(
            plan.starts_with("SEARCH") && plan.contains("refund_given"),
            "{plan}"
        );
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
