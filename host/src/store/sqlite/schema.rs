//! The schema and its versions. A released migration never changes; the next one goes behind it.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::link::SqliteLink;
use crate::store::StoreError;
use crate::store::link::Link;
use crate::store::table::field_key;

/// Each brings the schema from its index to the next version (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_first.sql"),
    include_str!("schema/0002_callbacks.sql"),
    include_str!("schema/0003_refund_turns.sql"),
    include_str!("schema/0004_field_keys.sql"),
    include_str!("schema/0005_leaving.sql"),
    include_str!("schema/0006_keys.sql"),
    include_str!("schema/0007_audit.sql"),
    include_str!("schema/0008_held.sql"),
    include_str!("schema/0009_sessions.sql"),
];

/// The version that has keys of what callers added, which no SQL makes.
const FIELD_KEYS: i64 = 4;

/// Marks the file as walnut's (`PRAGMA application_id`): "WLNT".
const APPLICATION: i64 = 0x574c_4e54;

/// The version that this program writes.
pub(super) fn current() -> usize {
    MIGRATIONS.len()
}

/// The version of the file's schema, 0 for a new file.
///
/// # Errors
/// [`StoreError::Newer`], and [`StoreError::Corrupt`] for another program's database.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let new = found == 0 && application == 0 && tables == 0;
    if !new && (application != APPLICATION || found < 1) {
        let path = path.display();
        return Err(StoreError::Corrupt(format!(
            "{path} is the database of another program"
        )));
    }
    match usize::try_from(found) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => {
            let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
            Err(StoreError::Newer {
                store: path.display().to_string(),
                found,
                known,
            })
        }
    }
}

/// Writes what is there already: whether this commits shows whether anything would.
pub(super) fn write_again(link: &dyn Link) -> Result<(), StoreError> {
    let sql = format!("PRAGMA application_id = {APPLICATION}");
    link.execute(&sql, &[]).map(drop)
}

/// Brings a file of version `found` up to date, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, found: usize) -> Result<(), StoreError> {
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(found) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        if version == FIELD_KEYS {
            field_key::keep_all(&SqliteLink::writing(&step))?;
        }
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::table::domain;

    #[test]
    fn what_an_earlier_walnut_wrote_is_kept() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = MIGRATIONS.first().unwrap();
        connection.execute_batch(first).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let sql = "INSERT INTO domain (name, id, created_ms) VALUES ('shop', 'id', 1000)";
        connection.execute(sql, []).unwrap();
        migrate(&mut connection, 1).unwrap();
        let kept = domain::get(&SqliteLink::reading(&connection), "shop")
            .unwrap()
            .unwrap();
        assert_eq!((kept.created_ms, kept.web.as_slice()), (1_000, &[][..]));
    }
}
