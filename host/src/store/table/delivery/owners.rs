//! What owners ask of the outbox: which deliveries there are, and to run them again.

use std::fmt::Write as _;

use super::{SELECT, by_key, decode, foreign, tell};
use crate::payment::model::Ams;
use crate::store::link::{Bind, Link, Value, all_rows, params};
use crate::store::table::payment;
use crate::store::table::row::integer;
use crate::store::{DeliveriesOf, Delivery, DeliveryState, StoreError};

/// Deliveries, the newest first.
pub(in crate::store) fn list(
    link: &dyn Link,
    of: &DeliveriesOf,
    skip: u32,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    select(link, of, "DESC", skip, limit)
}

fn select(
    link: &dyn Link,
    of: &DeliveriesOf,
    order: &str,
    skip: u32,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let payment = of.payment.map(|id| id.to_string());
    let (sql, values) = question(of, payment.as_deref(), order, skip, limit);
    all_rows(link, &sql, &values, decode)
}

fn question<'a>(
    of: &'a DeliveriesOf,
    payment: Option<&'a str>,
    order: &str,
    skip: u32,
    limit: u32,
) -> (String, Vec<Value<'a>>) {
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
        ("delivery.domain", of.domain.as_deref()),
        ("payment.id", payment),
        ("payment.callback_name", of.callback.as_deref()),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value.bind());
            let _ = write!(sql, " AND {column} = ?{}", values.len());
        }
    }
    values.extend([limit, skip].map(|number| Value::Integer(number.into())));
    let (limit, skip) = (values.len() - 1, values.len());
    let _ = write!(
        sql,
        " ORDER BY delivery.seq {order} LIMIT ?{limit} OFFSET ?{skip}"
    );
    (sql, values)
}

/// Makes a dead or a waiting delivery due.
pub(in crate::store) fn retry(link: &dyn Link, key: &str, now: Ams) -> Result<bool, StoreError> {
    let sql = "UPDATE delivery SET due_ms = ?2 WHERE key = ?1 AND state = 'DUE'";
    if link.execute(sql, &params![key, integer(now)?])? == 1 {
        return Ok(true);
    }
    replay(link, key, now)
}

/// Brings a dead delivery back.
fn replay(link: &dyn Link, key: &str, now: Ams) -> Result<bool, StoreError> {
    let sql = "UPDATE delivery SET state = 'DUE', due_ms = ?2, tries = 0, ended_ms = 0 \
        WHERE key = ?1 AND state = 'DEAD'";
    if link.execute(sql, &params![key, integer(now)?])? == 0 {
        return Ok(false);
    }
    let Some(delivery) = by_key(link, key)? else {
        return Ok(false);
    };
    let (seq, payment) =
        payment::load(link, delivery.payment)?.ok_or_else(|| foreign(&delivery))?;
    tell(link, seq, &payment, "replay", &delivery, now)?;
    Ok(true)
}

/// Brings dead deliveries back, the earliest first.
pub(in crate::store) fn retry_dead(
    link: &dyn Link,
    of: &DeliveriesOf,
    limit: u32,
    now: Ams,
) -> Result<u32, StoreError> {
    let dead = DeliveriesOf {
        state: Some(DeliveryState::Dead),
        ..of.clone()
    };
    let mut retried = 0;
    for delivery in select(link, &dead, "ASC", 0, limit)? {
        retried += u32::from(replay(link, &delivery.key, now)?);
    }
    Ok(retried)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::plan;

    #[test]
    fn owners_find_their_deliveries_by_an_index() {
        let of = DeliveriesOf {
            domain: Some("shop".to_owned()),
            ..DeliveriesOf::default()
        };
        let dead = DeliveriesOf {
            state: Some(DeliveryState::Dead),
            ..of.clone()
        };
        for (of, index) in [(of, "delivery_domain"), (dead, "delivery_dead")] {
            let (sql, _) = question(&of, None, "DESC", 0, 10);
            let plan = plan(&sql);
            assert!(plan.starts_with("SEARCH") && plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
