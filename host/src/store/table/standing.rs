//! What waits, over the tables `payment`, `delivery`, `attempt` and `refund`.

use super::calls;
use crate::store::link::{Dialect, Link, one_row};
use crate::store::{Standing, StoreError};

/// Those that wait are found domain by domain: the index of states begins with the domain.
const WAITING: &str = "SELECT CAST(coalesce(sum((SELECT count(*) FROM payment \
    WHERE payment.domain = domain.name AND payment.state = 'WAIT')), 0) AS BIGINT), \
    min((SELECT min(payment.created_ms) FROM payment \
    WHERE payment.domain = domain.name AND payment.state = 'WAIT')) FROM domain";

const HELD: &str = "SELECT count(*), min(changed_ms) FROM payment WHERE hold IS NOT NULL";

const DELIVERIES: &str = "SELECT count(*), min(ready_ms) FROM delivery WHERE ready_ms IS NOT NULL";

const DEAD: &str = "SELECT CAST(coalesce(sum((SELECT count(*) FROM delivery \
    WHERE delivery.domain = domain.name AND delivery.state = 'DEAD')), 0) AS BIGINT) FROM domain";

fn question(dialect: Dialect) -> String {
    let at = calls::at(dialect);
    format!("SELECT {at} FROM attempt WHERE ask_at_ms > 0 ORDER BY {at} LIMIT 1")
}

fn refunds(dialect: Dialect) -> String {
    let at = calls::at(dialect);
    format!(
        "SELECT count(*), coalesce(sum(CASE WHEN state = 'STUCK' THEN 1 ELSE 0 END), 0), min({at}) \
        FROM refund WHERE ask_at_ms > 0"
    )
}

/// All of it, as of one moment.
pub(in crate::store) fn now(link: &dyn Link) -> Result<Standing, StoreError> {
    let mut standing = Standing::default();
    one_row(link, WAITING, &[], |row| {
        standing.waiting = row.unsigned()?;
        standing.waiting_since = row.unsigned_or_null()?;
        Ok(())
    })?;
    one_row(link, HELD, &[], |row| {
        standing.held = row.unsigned()?;
        standing.held_since = row.unsigned_or_null()?;
        Ok(())
    })?;
    one_row(link, DELIVERIES, &[], |row| {
        standing.deliveries = row.unsigned()?;
        standing.delivery_due = row.unsigned_or_null()?;
        Ok(())
    })?;
    one_row(link, DEAD, &[], |row| {
        standing.dead = row.unsigned()?;
        Ok(())
    })?;
    standing.question_due = one_row(link, &question(link.dialect()), &[], |row| row.unsigned())?;
    one_row(link, &refunds(link.dialect()), &[], |row| {
        standing.refunds = row.unsigned()?;
        standing.stuck = row.unsigned()?;
        standing.refund_due = row.unsigned_or_null()?;
        Ok(())
    })?;
    Ok(standing)
}

/// The version of the tables.
pub(in crate::store) fn schema(link: &dyn Link) -> Result<u64, StoreError> {
    let sql = match link.dialect() {
        Dialect::Sqlite => "SELECT user_version FROM pragma_user_version",
        Dialect::Postgres => "SELECT schema FROM walnut",
    };
    let found = one_row(link, sql, &[], |row| row.unsigned())?;
    found.ok_or_else(|| StoreError::Corrupt("no version of the schema".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan;

    #[test]
    fn nothing_is_read_but_indexes() {
        for (sql, index) in [
            (WAITING.to_owned(), "payment_state_created"),
            (HELD.to_owned(), "payment_held"),
            (DELIVERIES.to_owned(), "delivery_ready"),
            (DEAD.to_owned(), "delivery_dead"),
            (question(Dialect::Sqlite), "attempt_ask"),
            (refunds(Dialect::Sqlite), "refund_ask"),
        ] {
            let plan = plan(&sql);
            assert!(plan.contains(index), "{sql}: {plan}");
            for table in [
                "SCAN payment",
                "SCAN attempt",
                "SCAN delivery",
                "SCAN refund",
            ] {
                let mut steps = plan.split("; ").filter(|step| step.starts_with(table));
                assert!(steps.all(|step| step.contains(index)), "{sql}: {plan}");
            }
        }
    }
}
