//! Sums of the table `payment`.

use super::row::integer;
use crate::payment::model::State;
use crate::store::link::{Link, all_rows, params};
use crate::store::{Span, StoreError, Sum};

/// The sums of a span. The index by domain (or of all) and time is read from its start to its end.
pub(in crate::store) fn of(link: &dyn Link, span: &Span) -> Result<Vec<Sum>, StoreError> {
    let (sql, start) = (question(span), span.created.start);
    let (from, until) = (integer(start)?, integer(span.created.end)?);
    let step = integer(span.step_ms.max(1))?;
    let domain = span.domain.as_deref().unwrap_or_default();
    let mut values = params![from, until, step].to_vec();
    if span.domain.is_some() {
        values.extend(params![domain]);
    }
    all_rows(link, &sql, &values, |row| {
        let number = row.unsigned()?;
        Ok(Sum {
            at_ms: start.saturating_add(number.saturating_mul(span.step_ms.max(1))),
            pay_type: row.next()?,
            currency: row.next()?,
            state: row.parsed(State::parse)?,
            count: row.unsigned()?,
            fee_minor: row.unsigned()?,
            refunded_minor: row.unsigned()?,
            took_ms: row.unsigned()?,
            took: row.unsigned()?,
        })
    })
}

fn question(span: &Span) -> String {
    let domain = span.domain.as_ref().map_or("", |_| "domain = ?4 AND ");
    let test = match span.test {
        None => "",
        Some(true) => " AND test",
        Some(false) => " AND NOT test",
    };
    // PostgreSQL sums whole numbers to a type that has no end.
    format!(
        "SELECT (created_ms - ?1) / ?3 AS step, coalesce(pay_type, '') AS way, currency, state, count(*), \
         CAST(sum(fee_minor) AS BIGINT), CAST(sum(refunded_minor) AS BIGINT), \
         CAST(sum(CASE WHEN sent_ms > 0 AND closed_ms > sent_ms THEN closed_ms - sent_ms ELSE 0 END) AS BIGINT), \
         sum(CASE WHEN sent_ms > 0 AND closed_ms > sent_ms THEN 1 ELSE 0 END) \
         FROM payment WHERE {domain}created_ms >= ?1 AND created_ms < ?2{test} \
         GROUP BY step, way, currency, state ORDER BY step, way, currency, state"
    )
}
