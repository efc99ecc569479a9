//! The table `field_key`: payments by short values of what callers added, such as an owner's own order number.
//!
//! A key is a number made of domain, path and value, and leads to the payments that may have it: whoever asks looks at
//! each of them. Values of the first [`MOST`] places are kept; a payment with more is found under every key.

use serde_json::{Map, Value as Json};

use super::row::Columns;
use crate::payment::model::{Digest, Payment};
use crate::store::StoreError;
use crate::store::find::{Condition, Find, Operand, Subject, Test};
use crate::store::link::{Bind, Link, Value, all_rows, one_row, params};

/// Keys of one payment: each costs a row at every create.
const MOST: usize = 16;
/// Longer texts are not looked up.
const LONGEST_BYTES: usize = 128;
/// A key that leads to more payments than this is no help: among so many the newest are found sooner by reading them in
/// their order.
const FEW: i64 = 1_000;
/// Payments that are read at once when a store gets its keys.
const AT_ONCE: i64 = 10_000;

/// The key under which payments stand that have more values than are kept.
const MANY: &str = "\0many";

/// Keeps the keys of a new payment, in one journey to the engine.
pub(super) fn keep(link: &dyn Link, seq: i64, payment: &Payment) -> Result<(), StoreError> {
    let keys = keys(&payment.domain, &payment.meta);
    if keys.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (2..keys.len() + 2)
        .map(|at| format!("(?{at}, ?1)"))
        .collect();
    let sql = format!(
        "INSERT INTO field_key (key, payment) VALUES {}",
        rows.join(", ")
    );
    let values: Vec<Value<'_>> = std::iter::once(&seq).chain(&keys).map(Bind::bind).collect();
    link.execute(&sql, &values).map(drop)
}

/// Removes the keys of a payment that leaves.
pub(super) fn forget(link: &dyn Link, seq: i64, payment: &Payment) -> Result<(), StoreError> {
    let sql = "DELETE FROM field_key WHERE key = ?1 AND payment = ?2";
    for key in keys(&payment.domain, &payment.meta) {
        link.execute(sql, &params![key, seq])?;
    }
    Ok(())
}

fn insert(link: &dyn Link, key: i64, seq: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO field_key (key, payment) VALUES (?1, ?2)";
    link.execute(sql, &params![key, seq]).map(drop)
}

/// Gives every payment its keys, for a store that had none.
pub(in crate::store) fn keep_all(link: &dyn Link) -> Result<(), StoreError> {
    let sql = "SELECT seq, domain, meta FROM payment WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let read = |row: &mut Columns<'_>| {
        let seq: i64 = row.next()?;
        let domain: String = row.next()?;
        Ok((seq, keys(&domain, &row.json()?)))
    };
    let mut behind = 0;
    loop {
        let payments = all_rows(link, sql, &params![behind, AT_ONCE], read)?;
        let Some((last, _)) = payments.last() else {
            return Ok(());
        };
        behind = *last;
        let rows = payments
            .into_iter()
            .flat_map(|(seq, keys)| keys.into_iter().map(move |key| (key, seq)));
        let mut rows: Vec<(i64, i64)> = rows.collect();
        // In their order they go to pages that stand side by side.
        rows.sort_unstable();
        for (key, seq) in rows {
            insert(link, key, seq)?;
        }
    }
}

/// The keys that lead to all payments for which the question's condition can hold, when they are few.
pub(super) fn leading(link: &dyn Link, query: &Find) -> Result<Option<[i64; 2]>, StoreError> {
    let Some(domain) = query.domain.as_deref() else {
        return Ok(None);
    };
    let many = key(domain, MANY, &[]);
    for (path, operand) in equalities(&query.condition) {
        let Some(bytes) = bytes_of(operand) else {
            continue;
        };
        // What a platform told stands beside what callers added, under the platform's name.
        let root = path.split('.').next().unwrap_or(path);
        let platform = "SELECT 1 FROM provider WHERE name = ?1 LIMIT 1";
        if one_row(link, platform, &params![root], |_| Ok(()))?.is_some() {
            continue;
        }
        let own = key(domain, path, &bytes);
        let sql =
            "SELECT count(*) FROM (SELECT 1 FROM field_key WHERE key IN (?1, ?2) LIMIT ?3) AS few";
        let found = one_row(link, sql, &params![own, many, FEW + 1], |row| {
            row.next::<i64>()
        })?;
        if found.is_some_and(|found| found <= FEW) {
            return Ok(Some([own, many]));
        }
    }
    Ok(None)
}

/// What has to equal something for the whole to hold.
fn equalities(condition: &Condition) -> Vec<(&str, &Operand)> {
    match condition {
        Condition::All(parts) => parts.iter().flat_map(equalities).collect(),
        Condition::Any(parts) => match parts.as_slice() {
            [one] => equalities(one),
            _ => Vec::new(),
        },
        Condition::Is(Subject::Field(path), Test::Equal(operand)) => vec![(path, operand)],
        Condition::Is(..) | Condition::Not(_) => Vec::new(),
    }
}

/// The keys of what a caller added.
fn keys(domain: &str, meta: &Map<String, Json>) -> Vec<i64> {
    let mut keys = Vec::new();
    for (name, value) in meta {
        add(&mut keys, domain, name, value);
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Adds the keys of everything at a path and below it; lists are looked through. Names with dots in them are the same as
/// names one in the other.
fn add(keys: &mut Vec<i64>, domain: &str, path: &str, value: &Json) {
    if keys.len() > MOST {
        return;
    }
    let operand = match value {
        Json::Object(object) => {
            for (name, value) in object {
                add(keys, domain, &format!("{path}.{name}"), value);
            }
            return;
        }
        Json::Array(items) => {
            for item in items {
                add(keys, domain, path, item);
            }
            return;
        }
        Json::String(text) => Operand::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Operand::Integer(number),
            None => return,
        },
        Json::Null | Json::Bool(_) => return,
    };
    let Some(bytes) = bytes_of(&operand) else {
        return;
    };
    keys.push(if keys.len() < MOST {
        key(domain, path, &bytes)
    } else {
        key(domain, MANY, &[])
    });
}

/// What a key is made of, for values that have keys.
fn bytes_of(operand: &Operand) -> Option<Vec<u8>> {
    match operand {
        Operand::Text(text) if text.len() <= LONGEST_BYTES => {
            Some([b"t", text.as_bytes()].concat())
        }
        Operand::Integer(number) => Some([&b"i"[..], &number.to_be_bytes()].concat()),
        Operand::Text(_) | Operand::Json(_) => None,
    }
}

fn key(domain: &str, path: &str, value: &[u8]) -> i64 {
    let parts = [domain.as_bytes(), path.as_bytes(), value];
    let Digest(digest) = Digest::of(&parts.join(&0));
    let mut first = [0; 8];
    for (byte, from) in first.iter_mut().zip(digest) {
        *byte = from;
    }
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys_of(meta: Json) -> Vec<i64> {
        keys("shop", meta.as_object().unwrap())
    }

    #[test]
    fn short_texts_and_whole_numbers_have_keys_wherever_they_stand() {
        let one = |path: &str, operand: Operand| key("shop", path, &bytes_of(&operand).unwrap());
        let a7 = one("or.id", Operand::Text("A-7".into()));
        for meta in [
            json!({"or": {"id": "A-7"}}),
            json!({"or.id": "A-7"}),
            json!({"or": [{"id": ["A-7"]}]}),
        ] {
            assert_eq!(keys_of(meta), [a7]);
        }
        assert_eq!(keys_of(json!({"n": 7})), [one("n", Operand::Integer(7))]);
        assert_ne!(keys_of(json!({"n": 7})), keys_of(json!({"n": "7"})));
        let none = json!({"a": null, "b": true, "c": 0.5, "d": "x".repeat(LONGEST_BYTES + 1)});
        assert_eq!(keys_of(none), [0_i64; 0]);
    }

    #[test]
    fn a_payment_with_many_values_says_so() {
        let many = key("shop", MANY, &[]);
        let list: Vec<usize> = (0..MOST).collect();
        assert!(!keys_of(json!({ "n": list })).contains(&many));
        let list: Vec<usize> = (0..100).collect();
        let keys = keys_of(json!({ "n": list }));
        assert!(keys.contains(&many) && keys.len() == MOST + 1);
    }
}
