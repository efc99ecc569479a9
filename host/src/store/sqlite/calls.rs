//! Calls of platforms that are due: the schedule that stands in the columns of `attempt` and of `refund`.

use std::collections::HashMap;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, params};

use super::row::{Columns, integer};
use super::turn::in_turn;
use crate::payment::model::Ams;
use crate::store::{CallRoom, StoreError};

/// A domain and a platform.
pub(super) type Lane = (String, String);

/// Domains and platforms that are looked at in one claim: some look-ups in an index for each.
const LANES: usize = 64;

/// When a row is due and free: the expression of both tables' indexes `…_ask` and `…_turn`.
const AT: &str = "max(ask_at_ms, leased_until_ms)";

/// A table with a schedule.
pub(super) struct Calls {
    pub(super) table: &'static str,
    /// The column with the number that the platform knows.
    pub(super) number: &'static str,
    /// The column with the platform's name.
    pub(super) platform: &'static str,
}

impl Calls {
    /// Leases what is due and free until `until`, each with a fence one higher, and gives the numbers. While there is
    /// little, the most overdue comes first; where there is more than room, one of each domain and platform in turn,
    /// however long a backlog is. `turn` is the one that was served last.
    pub(super) fn claim(
        &self,
        connection: &Connection,
        turn: &Mutex<Lane>,
        now: Ams,
        until: Ams,
        room: &CallRoom,
    ) -> Result<Vec<(String, Lane)>, StoreError> {
        if until <= now {
            return Err(StoreError::Invariant(
                "a lease that ends at once".to_owned(),
            ));
        }
        let (now, until) = (integer(now)?, integer(until)?);
        let places = usize::try_from(room.places).unwrap_or(usize::MAX);
        let mut shares = Shares::of(room);
        let mut due = self.due(connection, now, places.saturating_add(1))?;
        if due.len() <= places {
            due.retain(|(_, lane)| shares.take(lane));
            for (number, _) in &due {
                self.lease(connection, number, until)?;
            }
            return Ok(due);
        }
        let next = |last: &Lane| self.next_lane(connection, last);
        in_turn(turn, places, LANES, next, |lane| {
            if !shares.has(lane) {
                return Ok(None);
            }
            let Some(number) = self.most_overdue(connection, lane, now)? else {
                return Ok(None);
            };
            shares.take(lane);
            self.lease(connection, &number, until)?;
            Ok(Some((number, lane.clone())))
        })
    }

    /// When the next one can be claimed.
    pub(super) fn next_due(&self, connection: &Connection) -> Result<Option<Ams>, StoreError> {
        let table = self.table;
        let sql = format!("SELECT {AT} FROM {table} WHERE ask_at_ms > 0 ORDER BY {AT} LIMIT 1");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        rows.next()?
            .map(|row| Columns::of(row).unsigned())
            .transpose()
    }

    /// Ends every lease; what was begun under one is due at once.
    pub(super) fn free_all(&self, connection: &Connection) -> Result<(), StoreError> {
        let table = self.table;
        let sql = format!(
            "UPDATE {table} SET leased_until_ms = 0, ask_at_ms = min(ask_at_ms, created_ms) \
            WHERE ask_at_ms > 0 AND leased_until_ms > 0"
        );
        connection.execute(&sql, [])?;
        Ok(())
    }

    /// What is due, the most overdue first.
    fn due(
        &self,
        connection: &Connection,
        now: i64,
        limit: usize,
    ) -> Result<Vec<(String, Lane)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(&self.due_sql())?;
        let rows = statement.query_map(params![now, limit], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The domain and platform behind these for which anything is due, now or later.
    fn next_lane(
        &self,
        connection: &Connection,
        (domain, platform): &Lane,
    ) -> Result<Option<Lane>, StoreError> {
        let mut statement = connection.prepare_cached(&self.next_lane_sql())?;
        Ok(statement
            .query_row([domain, platform], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    fn most_overdue(
        &self,
        connection: &Connection,
        (domain, platform): &Lane,
        now: i64,
    ) -> Result<Option<String>, StoreError> {
        let mut statement = connection.prepare_cached(&self.most_overdue_sql())?;
        Ok(statement
            .query_row(params![domain, platform, now], |row| row.get(0))
            .optional()?)
    }

    fn lease(&self, connection: &Connection, number: &str, until: i64) -> Result<(), StoreError> {
        let (table, key) = (self.table, self.number);
        let sql =
            format!("UPDATE {table} SET fence = fence + 1, leased_until_ms = ?2 WHERE {key} = ?1");
        connection
            .prepare_cached(&sql)?
            .execute(params![number, until])?;
        Ok(())
    }

    fn due_sql(&self) -> String {
        let (table, number, platform) = (self.table, self.number, self.platform);
        format!(
            "SELECT {number}, domain, {platform} FROM {table} \
            WHERE ask_at_ms > 0 AND {AT} <= ?1 ORDER BY {AT} LIMIT ?2"
        )
    }

    fn next_lane_sql(&self) -> String {
        let (table, platform) = (self.table, self.platform);
        format!(
            "SELECT domain, {platform} FROM {table} \
            WHERE ask_at_ms > 0 AND (domain, {platform}) > (?1, ?2) \
            ORDER BY domain, {platform} LIMIT 1"
        )
    }

    fn most_overdue_sql(&self) -> String {
        let (table, number, platform) = (self.table, self.number, self.platform);
        format!(
            "SELECT {number} FROM {table} WHERE ask_at_ms > 0 AND domain = ?1 \
            AND {platform} = ?2 AND {AT} <= ?3 ORDER BY {AT} LIMIT 1"
        )
    }
}

/// What is left of each domain's and each platform's share.
struct Shares<'a> {
    room: &'a CallRoom,
    domains: HashMap<String, u32>,
    platforms: HashMap<String, u32>,
}

impl<'a> Shares<'a> {
    fn of(room: &'a CallRoom) -> Shares<'a> {
        let mut shares = Shares {
            room,
            domains: HashMap::new(),
            platforms: HashMap::new(),
        };
        for lane in &room.under_way {
            shares.count(lane);
        }
        shares
    }

    fn count(&mut self, (domain, platform): &Lane) {
        *self.domains.entry(domain.clone()).or_default() += 1;
        *self.platforms.entry(platform.clone()).or_default() += 1;
    }

    fn has(&self, (domain, platform): &Lane) -> bool {
        let used = |by: &HashMap<String, u32>, name: &str| by.get(name).copied().unwrap_or(0);
        used(&self.domains, domain) < self.room.of_a_domain
            && used(&self.platforms, platform) < self.room.of_a_platform
    }

    fn take(&mut self, lane: &Lane) -> bool {
        let has = self.has(lane);
        if has {
            self.count(lane);
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::super::{attempt, refund, schema};
    use super::*;

    #[test]
    fn what_is_due_is_found_by_an_index_and_never_sorted() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        for calls in [attempt::CALLS, refund::CALLS] {
            for (sql, index) in [
                (calls.due_sql(), "ask"),
                (calls.next_lane_sql(), "turn"),
                (calls.most_overdue_sql(), "turn"),
            ] {
                let index = format!("{}_{index}", calls.table);
                let mut statement = connection
                    .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                    .unwrap();
                let values = vec![rusqlite::types::Null; statement.parameter_count()];
                let rows =
                    statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3));
                let plan: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
                let plan = plan.join("; ");
                assert!(
                    plan.starts_with("SEARCH") && plan.contains(&index),
                    "{plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }
}
