//! What waits for its time, brought forward when the clock was set back.

use super::row::integer;
use crate::payment::model::Ams;
use crate::store::StoreError;
use crate::store::link::{Link, one_row, params};

/// The last time that a payment was changed.
pub(in crate::store) fn newest_change(link: &dyn Link) -> Result<Option<Ams>, StoreError> {
    let sql = "SELECT changed_ms FROM payment ORDER BY changed_ms DESC LIMIT 1";
    one_row(link, sql, &[], |row| row.unsigned())
}

/// Everything that is due after `now` is due earlier by so much, and not before `now`. Leases stay: whoever holds one
/// gives it back.
pub(in crate::store) fn bring_forward(
    link: &dyn Link,
    now: Ams,
    by: Ams,
) -> Result<(), StoreError> {
    let (now, by) = (integer(now)?, integer(by)?);
    for (table, column) in [
        ("attempt", "ask_at_ms"),
        ("refund", "ask_at_ms"),
        ("delivery", "due_ms"),
    ] {
        let sql = format!(
            "UPDATE {table} SET {column} = CASE WHEN {column} - ?2 > ?1 THEN {column} - ?2 ELSE ?1 END \
            WHERE {column} > ?1"
        );
        link.execute(&sql, &params![now, by])?;
    }
    Ok(())
}
