//! What owners ask of the outbox: which deliveries there are, and to run them again.

use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::{SELECT, by_key, decode, foreign, tell};
use crate::payment::model::Ams;
use crate::store::sqlite::payment;
use crate::store::sqlite::row::integer;
use crate::store::{DeliveriesOf, Delivery, DeliveryState, StoreError};

/// Deliveries, the newest first.
pub(in crate::store) fn list(
    connection: &Connection,
    of: &DeliveriesOf,
    skip: u32,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    select(connection, of, "DESC", skip, limit)
}

fn select(
    connection: &Connection,
    of: &DeliveriesOf,
    order: &str,
    skip: u32,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let (sql, values) = question(of, order, skip, limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(decode(row)?);
    }
    Ok(deliveries)
}

fn question(of: &DeliveriesOf, order: &str, skip: u32, limit: u32) -> (String, Vec<Value>) {
    let mut sql = format!("{SELECT} WHERE true");
    let mut values = Vec::new();
    if of.test_only {
        sql.push_str(" AND payment.test");
    }
    if let Some(state) = of.state {
        // As a word and no value: the index of the dead is for this word alone.
        let _ = write!(sql, " AND delivery.state = '{}'", state.as_str());
    }
    let equal = [
        ("delivery.domain", of.domain.clone()),
        ("payment.id", of.payment.map(|id| id.to_string())),
        ("payment.callback_name", of.callback.clone()),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            let _ = write!(sql, " AND {column} = ?");
            values.push(Value::Text(value));
        }
    }
    let _ = write!(sql, " ORDER BY delivery.seq {order} LIMIT ? OFFSET ?");
    values.push(Value::Integer(limit.into()));
    values.push(Value::Integer(skip.into()));
    (sql, values)
}

/// Makes a dead or a waiting delivery due.
pub(in crate::store) fn retry(
    connection: &Connection,
    key: &str,
    now: Ams,
) -> Result<bool, StoreError> {
    let sql = "UPDATE delivery SET due_ms = ?2 WHERE key = ?1 AND state = 'DUE'";
    let mut waiting = connection.prepare_cached(sql)?;
    if waiting.execute(params![key, integer(now)?])? == 1 {
        return Ok(true);
    }
    replay(connection, key, now)
}

/// Brings a dead delivery back.
fn replay(connection: &Connection, key: &str, now: Ams) -> Result<bool, StoreError> {
    let sql = "UPDATE delivery SET state = 'DUE', due_ms = ?2, tries = 0, ended_ms = 0 \
        WHERE key = ?1 AND state = 'DEAD'";
    if connection
        .prepare_cached(sql)?
        .execute(params![key, integer(now)?])?
        == 0
    {
        return Ok(false);
    }
    let Some(delivery) = by_key(connection, key)? else {
        return Ok(false);
    };
    let (seq, payment) =
        payment::load(connection, delivery.payment)?.ok_or_else(|| foreign(&delivery))?;
    tell(connection, seq, &payment, "replay", &delivery, now)?;
    Ok(true)
}

/// Brings dead deliveries back, the earliest first.
pub(in crate::store) fn retry_dead(
    connection: &Connection,
    of: &DeliveriesOf,
    limit: u32,
    now: Ams,
) -> Result<u32, StoreError> {
    let dead = DeliveriesOf {
        state: Some(DeliveryState::Dead),
        ..of.clone()
    };
    let mut retried = 0;
    for delivery in select(connection, &dead, "ASC", 0, limit)? {
        retried += u32::from(replay(connection, &delivery.key, now)?);
    }
    Ok(retried)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn owners_find_their_deliveries_by_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let of = DeliveriesOf {
            domain: Some("shop".to_owned()),
            ..DeliveriesOf::default()
        };
        let dead = DeliveriesOf {
            state: Some(DeliveryState::Dead),
            ..of.clone()
        };
        for (of, index) in [(of, "delivery_domain"), (dead, "delivery_dead")] {
            let (sql, values) = question(&of, "DESC", 0, 10);
            let mut statement = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let rows = statement.query_map(params_from_iter(values), |row| row.get(3));
            let plan: Vec<String> = rows.unwrap().collect::<Result<_, _>>().unwrap();
            let plan = plan.join("; ");
            assert!(plan.starts_with("SEARCH") && plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
