//! Calls of platforms that are due: the schedule that stands in the columns of `attempt` and of `refund`.

use std::collections::HashMap;
use std::sync::Mutex;

use super::row::integer;
use super::turn::in_turn;
use crate::payment::model::Ams;
use crate::store::link::{Dialect, Link, all_rows, one_row, params};
use crate::store::{CallRoom, StoreError};

/// A domain and a platform.
pub(in crate::store) type Lane = (String, String);

/// Domains and platforms that are looked at in one claim: some look-ups in an index for each.
const LANES: usize = 64;

/// When a row is due and free: the expression of both tables' indexes `…_ask` and `…_turn`.
pub(super) fn at(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "max(ask_at_ms, leased_until_ms)",
        Dialect::Postgres => "greatest(ask_at_ms, leased_until_ms)",
    }
}

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
        link: &dyn Link,
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
        let due = self.due(link, now, places.saturating_add(1))?;
        if due.len() <= places {
            let mut leased = Vec::with_capacity(due.len());
            for (number, lane) in due {
                if shares.has(&lane) && self.lease(link, &number, now, until)? {
                    shares.count(&lane);
                    leased.push((number, lane));
                }
            }
            return Ok(leased);
        }
        let next = |last: &Lane| self.next_lane(link, last);
        in_turn(turn, places, LANES, next, |lane| {
            if !shares.has(lane) {
                return Ok(None);
            }
            let Some(number) = self.most_overdue(link, lane, now)? else {
                return Ok(None);
            };
            if !self.lease(link, &number, now, until)? {
                return Ok(None);
            }
            shares.count(lane);
            Ok(Some((number, lane.clone())))
        })
    }

    /// When the next one can be claimed.
    pub(super) fn next_due(&self, link: &dyn Link) -> Result<Option<Ams>, StoreError> {
        let (table, at) = (self.table, at(link.dialect()));
        let sql = format!("SELECT {at} FROM {table} WHERE ask_at_ms > 0 ORDER BY {at} LIMIT 1");
        one_row(link, &sql, &[], |row| row.unsigned())
    }

    /// What is due, the most overdue first.
    fn due(
        &self,
        link: &dyn Link,
        now: i64,
        limit: usize,
    ) -> Result<Vec<(String, Lane)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = self.due_sql(link.dialect());
        all_rows(link, &sql, &params![now, limit], |row| {
            Ok((row.next()?, (row.next()?, row.next()?)))
        })
    }

    /// The domain and platform behind these for which anything is due, now or later.
    fn next_lane(
        &self,
        link: &dyn Link,
        (domain, platform): &Lane,
    ) -> Result<Option<Lane>, StoreError> {
        let sql = self.next_lane_sql();
        one_row(link, &sql, &params![domain, platform], |row| {
            Ok((row.next()?, row.next()?))
        })
    }

    fn most_overdue(
        &self,
        link: &dyn Link,
        (domain, platform): &Lane,
        now: i64,
    ) -> Result<Option<String>, StoreError> {
        let sql = self.most_overdue_sql(link.dialect()) + link.lock_free_row();
        one_row(link, &sql, &params![domain, platform, now], |row| {
            row.next()
        })
    }

    /// `false` when somebody else has it by now, or holds it.
    fn lease(
        &self,
        link: &dyn Link,
        number: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        let (table, key, at) = (self.table, self.number, at(link.dialect()));
        let lock = link.lock_free_row();
        let sql = format!(
            "UPDATE {table} SET fence = fence + 1, leased_until_ms = ?2 WHERE {key} = \
            (SELECT {key} FROM {table} WHERE {key} = ?1 AND ask_at_ms > 0 AND {at} <= ?3{lock})"
        );
        Ok(link.execute(&sql, &params![number, until, now])? == 1)
    }

    fn due_sql(&self, dialect: Dialect) -> String {
        let at = at(dialect);
        let (table, number, platform) = (self.table, self.number, self.platform);
        format!(
            "SELECT {number}, domain, {platform} FROM {table} \
            WHERE ask_at_ms > 0 AND {at} <= ?1 ORDER BY {at} LIMIT ?2"
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

    fn most_overdue_sql(&self, dialect: Dialect) -> String {
        let at = at(dialect);
        let (table, number, platform) = (self.table, self.number, self.platform);
        format!(
            "SELECT {number} FROM {table} WHERE ask_at_ms > 0 AND domain = ?1 \
            AND {platform} = ?2 AND {at} <= ?3 ORDER BY {at} LIMIT 1"
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
}

#[cfg(test)]
mod tests {
    use super::super::{attempt, refund};
    use super::*;
    use crate::store::sqlite::plan;

    #[test]
    fn what_is_due_is_found_by_an_index_and_never_sorted() {
        for calls in [attempt::CALLS, refund::CALLS] {
            for (sql, index) in [
                (calls.due_sql(Dialect::Sqlite), "ask"),
                (calls.next_lane_sql(), "turn"),
                (calls.most_overdue_sql(Dialect::Sqlite), "turn"),
            ] {
                let index = format!("{}_{index}", calls.table);
                let plan = plan(&sql);
                assert!(
                    plan.starts_with("SEARCH") && plan.contains(&index),
                    "{plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
    }
}
