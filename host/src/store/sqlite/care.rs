//! A whole store looked through, and copied while a host writes to it.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, params};

use super::{FILE, connection, lock, schema};
use crate::payment::model::Digest;
use crate::store::{Checked, StoreError};

/// More of one kind are counted, not told one by one.
const TOLD: usize = 20;

/// Sentences that hold in a sound store, each with the SQL that finds what breaks it.
const RULES: [(&str, &str); 6] = [
    (
        "the last line of the history tells another state than the payment",
        "SELECT payment.id FROM payment JOIN history ON history.payment = payment.seq \
         WHERE history.line = (SELECT max(line) FROM history WHERE payment = payment.seq) \
         AND history.to_state <> payment.state",
    ),
    (
        "a payment has no history",
        "SELECT id FROM payment WHERE NOT EXISTS \
         (SELECT 1 FROM history WHERE history.payment = payment.seq)",
    ),
    (
        "a payment is OK and has a callback, and its delivery is missing",
        "SELECT id FROM payment WHERE state = 'OK' AND callback_name IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM delivery WHERE delivery.payment = payment.seq)",
    ),
    (
        "a delivery is done and its payment not applied, or the other way round",
        "SELECT payment.id FROM payment JOIN delivery ON delivery.payment = payment.seq \
         WHERE (delivery.state = 'DONE') <> (payment.applied_ms > 0)",
    ),
    (
        "more was given back than the payment says",
        "SELECT payment.id FROM payment JOIN refund ON refund.payment = payment.seq \
         WHERE refund.state = 'OK' AND refund.cause <> 'EXTRA' GROUP BY payment.seq \
         HAVING sum(refund.amount_minor) > payment.refunded_minor",
    ),
    (
        "the bytes of a domain's data are counted wrongly",
        "SELECT kv_space.domain FROM kv_space WHERE bytes <> \
         (SELECT coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) FROM kv \
          WHERE kv.domain = kv_space.domain AND kv.test = kv_space.test)",
    ),
];

/// Looks through the store in `dir`, whether a host has it open or not.
pub(in crate::store) fn check(dir: &Path) -> Result<Checked, StoreError> {
    let connection = opened(dir)?;
    // Everything is of one moment.
    connection.execute_batch("BEGIN")?;
    let mut checked = Checked {
        payments: count(&connection)?,
        problems: Vec::new(),
    };
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            checked.problems.push(said);
        }
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let lost = statement.query_map([], |row| {
        let (table, other): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("of {table} to {other}"))
    })?;
    tell(
        &mut checked.problems,
        "a row refers to a missing one",
        lost.collect::<Result<_, _>>()?,
    );
    for (rule, sql) in RULES {
        let mut statement = connection.prepare(sql)?;
        let found = statement.query_map([], |row| row.get(0))?;
        tell(
            &mut checked.problems,
            rule,
            found.collect::<Result<_, _>>()?,
        );
    }
    for (what, sql) in [
        ("a statement", "SELECT digest, text FROM statement"),
        (
            "a callback's content",
            "SELECT digest, bytes FROM content_bytes",
        ),
    ] {
        let broken = digests(&connection, sql)?;
        tell(
            &mut checked.problems,
            &format!("the digest of {what} is not that of its bytes"),
            broken,
        );
    }
    connection.execute_batch("COMMIT")?;
    Ok(checked)
}

fn tell(problems: &mut Vec<String>, rule: &str, broken: Vec<String>) {
    let count = broken.len();
    problems.extend(
        broken
            .into_iter()
            .take(TOLD)
            .map(|what| format!("{rule}: {what}")),
    );
    if count > TOLD {
        problems.push(format!("{rule}: {} more", count - TOLD));
    }
}

/// Rows whose bytes are not those that their digest is of.
fn digests(connection: &Connection, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut broken = Vec::new();
    while let Some(row) = rows.next()? {
        let digest = Digest(row.get(0)?);
        let bytes = row.get_ref(1)?;
        let bytes = bytes.as_bytes().map_err(rusqlite::Error::from)?;
        if Digest::of(bytes) != digest {
            broken.push(digest.to_string());
        }
    }
    Ok(broken)
}

/// Writes the store in `dir` as it is at this moment into the directory `to`, where none may be yet. A host may write to
/// it meanwhile.
pub(in crate::store) fn copy(dir: &Path, to: &Path) -> Result<(), StoreError> {
    let connection = opened(dir)?;
    let place = lock::DirectoryLock::take(to)?;
    let file = to.join(FILE);
    if file.exists() {
        return Err(StoreError::Exists(file.display().to_string()));
    }
    lock::make_private_file(&file)?;
    let path = file.to_str().ok_or_else(|| {
        let problem = std::io::Error::other("the path is not UTF-8");
        StoreError::io(file.display().to_string(), problem)
    })?;
    connection.execute("VACUUM INTO ?1", params![path])?;
    File::open(&file)
        .and_then(|written| written.sync_all())
        .map_err(|error| StoreError::io(format!("cannot synchronise {}", file.display()), error))?;
    place.sync()
}

/// A connection to a store that exists and is of this version.
fn opened(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    std::fs::metadata(&path)
        .map_err(|error| StoreError::io(format!("cannot open {}", path.display()), error))?;
    let connection = connection::open(&path)?;
    let found = schema::version(&connection, &path)?;
    if found != schema::current() {
        return Err(StoreError::Corrupt(format!(
            "{} is of schema {found}, this walnut is of {}: start it once with this version, which brings it up to date",
            path.display(),
            schema::current()
        )));
    }
    Ok(connection)
}

fn count(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM payment";
    let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
