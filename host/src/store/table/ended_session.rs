//! The table `ended_session`.

use super::row::integer;
use crate::payment::model::{Ams, Digest};
use crate::store::StoreError;
use crate::store::link::{Link, params};

/// Old rows that one transaction removes: more than it adds, and few enough to wait for.
const REMOVED_AT_ONCE: u32 = 100;

pub(in crate::store) fn add(link: &dyn Link, id: Digest, until: Ams) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO ended_session (id, until_ms) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING";
    link.execute(sql, &params![id.0, integer(until)?]).map(drop)
}

/// Removes some of those that would have ended by themselves before this time.
pub(in crate::store) fn remove_before(link: &dyn Link, before: Ams) -> Result<(), StoreError> {
    let free = link.lock_free_row();
    let sql = format!(
        "DELETE FROM ended_session WHERE id IN \
        (SELECT id FROM ended_session WHERE until_ms < ?1 ORDER BY until_ms LIMIT ?2{free})"
    );
    let before = integer(before)?;
    link.execute(&sql, &params![before, REMOVED_AT_ONCE])
        .map(drop)
}
