//! The tables `history` and `statement`: what happened, and the evidence for it. Rows are only added.

use super::row::{integer, json};
use crate::payment::model::{Change, Digest, State, StoredStatement, TradeNo};
use crate::store::StoreError;
use crate::store::link::{Link, all_rows, one_row, params};

/// Writes the first lines of a new payment's history.
///
/// # Errors
/// [`StoreError::Invariant`] when a line names a statement that is not stored.
pub(super) fn begin(link: &dyn Link, seq: i64, lines: &[Change]) -> Result<(), StoreError> {
    add(link, seq, 0, lines)
}

/// Adds lines to the history of the payment `seq`, which is locked: the lines count up.
///
/// # Errors
/// [`StoreError::Invariant`] when a line names a statement that is not stored.
pub(super) fn append(link: &dyn Link, seq: i64, lines: &[Change]) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    let sql = "SELECT coalesce(max(line), 0) FROM history WHERE payment = ?1";
    let last = one_row(link, sql, &params![seq], |row| row.next())?.unwrap_or(0);
    add(link, seq, last, lines)
}

fn add(link: &dyn Link, seq: i64, last: i64, lines: &[Change]) -> Result<(), StoreError> {
    let sql = "INSERT INTO history (payment, line, at_ms, cause, from_state, to_state, trade_no, \
        statement, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    for (number, line) in (last + 1..).zip(lines) {
        link.execute(
            sql,
            &params![
                seq,
                number,
                integer(line.at)?,
                line.cause,
                line.from.map(|state| state.as_str()),
                line.to.as_str(),
                line.trade_no,
                line.statement
                    .as_deref()
                    .map(digest)
                    .transpose()?
                    .map(|digest| digest.0),
                json(&line.detail)?,
            ],
        )?;
    }
    Ok(())
}

fn digest(hex: &str) -> Result<Digest, StoreError> {
    Digest::parse(hex)
        .ok_or_else(|| StoreError::Invariant(format!("{hex:?} is not a statement's digest")))
}

/// A payment's history, the earliest line first.
pub(in crate::store) fn of(link: &dyn Link, seq: i64) -> Result<Vec<Change>, StoreError> {
    let sql = "SELECT at_ms, cause, from_state, to_state, trade_no, statement, detail \
        FROM history WHERE payment = ?1 ORDER BY line";
    all_rows(link, sql, &params![seq], |row| {
        Ok(Change {
            at: row.unsigned()?,
            cause: row.next()?,
            from: row.parsed_or_null(State::parse)?,
            to: row.parsed(State::parse)?,
            trade_no: row.next()?,
            statement: row.digest_or_null()?.map(|digest| digest.to_string()),
            detail: row.json()?,
        })
    })
}

/// Keeps a statement; one that is kept already stays as it is.
pub(super) fn keep_statement(
    link: &dyn Link,
    statement: &StoredStatement,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO statement (digest, trade_no, scheme, claim, text, at_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    link.execute(
        sql,
        &params![
            statement.digest.0,
            statement.trade_no.as_str(),
            statement.scheme,
            statement.claim,
            statement.text,
            integer(statement.at)?,
        ],
    )?;
    Ok(())
}

/// The statement of this digest.
pub(in crate::store) fn statement(
    link: &dyn Link,
    digest: Digest,
) -> Result<Option<StoredStatement>, StoreError> {
    let sql =
        "SELECT digest, trade_no, scheme, claim, text, at_ms FROM statement WHERE digest = ?1";
    one_row(link, sql, &params![digest.0], |row| {
        Ok(StoredStatement {
            digest: row.digest()?,
            trade_no: row.parsed(TradeNo::parse)?,
            scheme: row.next()?,
            claim: row.next()?,
            text: row.next()?,
            at: row.unsigned()?,
        })
    })
}
