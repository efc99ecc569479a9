//! The table `payment`.

use super::row::{Columns, integer, json};
use crate::payment::model::{
    Ams, BoundCallback, Buyer, CallbackKind, FailWhy, Payment, PaymentId, Presentation,
    PresentationKind, State,
};
use crate::payment::money::{Currency, Money};
use crate::store::StoreError;
use crate::store::link::{Link, all_rows, one_row, params};

/// In the order in which [`decode`] reads them; `seq` comes first.
pub(super) const COLUMNS: &str = "seq, id, domain, domain_id, test, brief, fee_minor, currency, \
    price_minor, state, fail_why, hold, late, refunded_minor, created_ms, changed_ms, sent_ms, closed_ms, \
    expires_ms, pay_type, target, presentation, presentation_content, presentation_until_ms, \
    buyer_tp, buyer_id, buyer_name, callback_name, callback_kind, callback_digest, callback_len, \
    applied_ms, applied_result, offers, platforms, meta, revision";

const INSERT: &str = "INSERT INTO payment (id, domain, domain_id, test, brief, fee_minor, currency, \
    price_minor, state, fail_why, hold, late, refunded_minor, created_ms, changed_ms, sent_ms, closed_ms, \
    expires_ms, pay_type, target, presentation, presentation_content, presentation_until_ms, \
    buyer_tp, buyer_id, buyer_name, callback_name, callback_kind, callback_digest, callback_len, \
    applied_ms, applied_result, offers, platforms, meta, revision, ends_ms) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
    ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37) \
    ON CONFLICT (id) DO NOTHING";

/// Names no column that is fixed at creation, so that their indexes are not touched either.
const UPDATE: &str = "UPDATE payment SET state = ?3, fail_why = ?4, hold = ?5, late = ?6, \
    changed_ms = ?7, sent_ms = ?8, closed_ms = ?9, expires_ms = ?10, pay_type = ?11, target = ?12, \
    presentation = ?13, presentation_content = ?14, presentation_until_ms = ?15, buyer_tp = ?16, \
    buyer_id = ?17, buyer_name = ?18, platforms = ?19, refunded_minor = ?20, ends_ms = ?21, \
    revision = revision + 1 \
    WHERE id = ?1 AND revision = ?2";

/// Stores a new payment, with when its deadline alone ends it, and gives its `seq`; `None` when its id is taken.
pub(super) fn insert(
    link: &dyn Link,
    payment: &Payment,
    ends_ms: Ams,
) -> Result<Option<i64>, StoreError> {
    let presentation = payment.presentation.as_ref();
    let callback = payment.callback.as_ref();
    link.insert(
        INSERT,
        &params![
            payment.id.to_string(),
            payment.domain,
            payment.domain_id,
            payment.test,
            payment.brief,
            payment.total.minor(),
            payment.total.currency().code(),
            payment.price_minor,
            payment.state.as_str(),
            payment.fail_why.map(|why| why.as_str()),
            payment.hold.as_ref().map(json).transpose()?,
            payment.late,
            payment.refunded_minor,
            integer(payment.created_ms)?,
            integer(payment.changed_ms)?,
            integer(payment.sent_ms)?,
            integer(payment.closed_ms)?,
            integer(payment.expires_ms)?,
            payment.pay_type,
            payment.target,
            presentation.map(|shown| shown.kind.as_str()),
            presentation.map(|shown| shown.content.as_str()),
            presentation
                .map(|shown| integer(shown.until_ms))
                .transpose()?,
            payment.buyer.tp,
            payment.buyer.id,
            payment.buyer.name,
            callback.map(|callback| callback.name.as_str()),
            callback.map(|callback| callback.kind.as_str()),
            callback.map(|callback| callback.digest.0),
            callback.map(|callback| integer(callback.len)).transpose()?,
            integer(payment.applied_ms)?,
            payment.applied_result,
            json(&payment.offers)?,
            json(&payment.platforms)?,
            json(&payment.meta)?,
            integer(payment.revision)?,
            integer(ends_ms)?,
        ],
    )
}

/// Writes what may change of a payment, and when its deadline alone ends it, if it is still at the revision that was
/// read.
pub(super) fn update(link: &dyn Link, payment: &Payment, ends_ms: Ams) -> Result<(), StoreError> {
    let presentation = payment.presentation.as_ref();
    at_revision(
        link.execute(
            UPDATE,
            &params![
                payment.id.to_string(),
                integer(payment.revision)?,
                payment.state.as_str(),
                payment.fail_why.map(|why| why.as_str()),
                payment.hold.as_ref().map(json).transpose()?,
                payment.late,
                integer(payment.changed_ms)?,
                integer(payment.sent_ms)?,
                integer(payment.closed_ms)?,
                integer(payment.expires_ms)?,
                payment.pay_type,
                payment.target,
                presentation.map(|shown| shown.kind.as_str()),
                presentation.map(|shown| shown.content.as_str()),
                presentation
                    .map(|shown| integer(shown.until_ms))
                    .transpose()?,
                payment.buyer.tp,
                payment.buyer.id,
                payment.buyer.name,
                json(&payment.platforms)?,
                payment.refunded_minor,
                integer(ends_ms)?,
            ],
        )?,
        payment,
    )
}

/// Records that the callback was applied; on a payment that has it applied already, nothing is written.
pub(super) fn set_applied(
    link: &dyn Link,
    payment: &Payment,
    answer: &str,
    now: Ams,
) -> Result<(), StoreError> {
    let sql = "UPDATE payment SET applied_ms = ?3, applied_result = ?4, changed_ms = ?3, \
        revision = revision + 1 WHERE id = ?1 AND revision = ?2 AND applied_ms = 0";
    at_revision(
        link.execute(
            sql,
            &params![
                payment.id.to_string(),
                integer(payment.revision)?,
                integer(now)?,
                answer
            ],
        )?,
        payment,
    )
}

/// The compare of compare-and-set. The writer has just read the row and holds it, so this never fails but by a bug.
fn at_revision(written: usize, payment: &Payment) -> Result<(), StoreError> {
    if written == 1 {
        return Ok(());
    }
    Err(StoreError::Invariant(format!(
        "payment {} is not at revision {} any more",
        payment.id, payment.revision
    )))
}

/// The short key of a payment.
pub(in crate::store) fn seq(link: &dyn Link, id: PaymentId) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT seq FROM payment WHERE id = ?1";
    one_row(link, sql, &params![id.to_string()], |row| row.next())
}

/// A payment with its short key; locked, where it is read to be changed.
pub(super) fn load(link: &dyn Link, id: PaymentId) -> Result<Option<(i64, Payment)>, StoreError> {
    let lock = link.lock_rows();
    let sql = format!("SELECT {COLUMNS} FROM payment WHERE id = ?1{lock}");
    one_row(link, &sql, &params![id.to_string()], decode)
}

/// At most `limit` payments that their deadline has ended.
pub(in crate::store) fn expired(
    link: &dyn Link,
    now: Ams,
    limit: u32,
) -> Result<Vec<PaymentId>, StoreError> {
    let sql =
        "SELECT id FROM payment WHERE ends_ms > 0 AND ends_ms <= ?1 ORDER BY ends_ms LIMIT ?2";
    all_rows(link, sql, &params![integer(now)?, limit], |row| row.id())
}

/// When the deadline ends the next payment.
pub(in crate::store) fn next_expiry(link: &dyn Link) -> Result<Option<Ams>, StoreError> {
    let sql = "SELECT ends_ms FROM payment WHERE ends_ms > 0 ORDER BY ends_ms LIMIT 1";
    one_row(link, sql, &[], |row| row.unsigned())
}

/// Reads a row of [`COLUMNS`].
pub(super) fn decode(columns: &mut Columns<'_>) -> Result<(i64, Payment), StoreError> {
    let seq = columns.next()?;
    let payment = Payment {
        id: columns.id()?,
        domain: columns.next()?,
        domain_id: columns.next()?,
        test: columns.next()?,
        brief: columns.next()?,
        total: money(columns)?,
        price_minor: columns.next()?,
        state: columns.parsed(State::parse)?,
        fail_why: columns.parsed_or_null(FailWhy::parse)?,
        hold: columns.json_or_null()?,
        late: columns.next()?,
        refunded_minor: columns.next()?,
        created_ms: columns.unsigned()?,
        changed_ms: columns.unsigned()?,
        sent_ms: columns.unsigned()?,
        closed_ms: columns.unsigned()?,
        expires_ms: columns.unsigned()?,
        pay_type: columns.next()?,
        target: columns.next()?,
        presentation: presentation(columns)?,
        buyer: Buyer {
            tp: columns.next()?,
            id: columns.next()?,
            name: columns.next()?,
        },
        callback: callback(columns)?,
        applied_ms: columns.unsigned()?,
        applied_result: columns.next()?,
        offers: columns.json()?,
        platforms: columns.json()?,
        meta: columns.json()?,
        revision: columns.unsigned()?,
    };
    Ok((seq, payment))
}

fn money(columns: &mut Columns<'_>) -> Result<Money, StoreError> {
    let minor = columns.next()?;
    let currency = columns.parsed(|code| Currency::parse(code).ok())?;
    Money::new(minor, currency).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Three columns that are NULL together.
fn presentation(columns: &mut Columns<'_>) -> Result<Option<Presentation>, StoreError> {
    let kind = columns.parsed_or_null(PresentationKind::parse)?;
    let content: Option<String> = columns.next()?;
    let until_ms = columns.unsigned_or_null()?;
    Ok(match (kind, content, until_ms) {
        (Some(kind), Some(content), Some(until_ms)) => Some(Presentation {
            kind,
            content,
            until_ms,
        }),
        _ => None,
    })
}

/// Four columns that are NULL together.
fn callback(columns: &mut Columns<'_>) -> Result<Option<BoundCallback>, StoreError> {
    let name: Option<String> = columns.next()?;
    let kind = columns.parsed_or_null(CallbackKind::parse)?;
    let digest = columns.digest_or_null()?;
    let len = columns.unsigned_or_null()?;
    Ok(match (name, kind, digest, len) {
        (Some(name), Some(kind), Some(digest), Some(len)) => Some(BoundCallback {
            name,
            kind,
            digest,
            len,
        }),
        _ => None,
    })
}
