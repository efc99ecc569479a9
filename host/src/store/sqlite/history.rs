//! The tables `history` and `statement`: what happened, and the evidence for it. Rows are only added.

use rusqlite::{Connection, params};

use super::row::{Columns, integer, json};
use crate::payment::model::{Change, Digest, State, StoredStatement, TradeNo};
use crate::store::StoreError;

/// Adds lines to the history of the payment `seq`.
///
/// # Errors
/// [`StoreError::Invariant`] when a line names a statement that is not stored.
pub(super) fn append(
    connection: &Connection,
    seq: i64,
    lines: &[Change],
) -> Result<(), StoreError> {
    // A subquery: SQLite would copy the rows of an INSERT … SELECT from the same table into a temporary one.
    let sql = "INSERT INTO history (payment, line, at_ms, cause, from_state, to_state, trade_no, \
        statement, detail) \
        VALUES (?1, (SELECT coalesce(max(line), 0) + 1 FROM history WHERE payment = ?1), \
        ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = connection.prepare_cached(sql)?;
    for line in lines {
        insert.execute(params![
            seq,
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
        ])?;
    }
    Ok(())
}

fn digest(hex: &str) -> Result<Digest, StoreError> {
    Digest::parse(hex)
        .ok_or_else(|| StoreError::Invariant(format!("{hex:?} is not a statement's digest")))
}

/// A payment's history, the earliest line first.
pub(in crate::store) fn of(connection: &Connection, seq: i64) -> Result<Vec<Change>, StoreError> {
    let sql = "SELECT at_ms, cause, from_state, to_state, trade_no, statement, detail \
        FROM history WHERE payment = ?1 ORDER BY line";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([seq])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        lines.push(Change {
            at: columns.unsigned()?,
            cause: columns.next()?,
            from: columns.parsed_or_null(State::parse)?,
            to: columns.parsed(State::parse)?,
            trade_no: columns.next()?,
            statement: columns.digest_or_null()?.map(|digest| digest.to_string()),
            detail: columns.json()?,
        });
    }
    Ok(lines)
}

/// Keeps a statement; one that is kept already stays as it is.
pub(super) fn keep_statement(
    connection: &Connection,
    statement: &StoredStatement,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO statement (digest, trade_no, scheme, claim, text, at_ms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![
        statement.digest.0,
        statement.trade_no.as_str(),
        statement.scheme,
        statement.claim,
        statement.text,
        integer(statement.at)?,
    ])?;
    Ok(())
}

/// The statement of this digest.
pub(in crate::store) fn statement(
    connection: &Connection,
    digest: Digest,
) -> Result<Option<StoredStatement>, StoreError> {
    let sql =
        "SELECT digest, trade_no, scheme, claim, text, at_ms FROM statement WHERE digest = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([digest.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut columns = Columns::of(row);
    Ok(Some(StoredStatement {
        digest: columns.digest()?,
        trade_no: columns.parsed(TradeNo::parse)?,
        scheme: columns.next()?,
        claim: columns.next()?,
        text: columns.next()?,
        at: columns.unsigned()?,
    }))
}
