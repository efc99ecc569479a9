//! All rows of one engine's store into another's.
//!
//! Rows go over as JSON, many at a time: the receiving engine reads each value as its own column's type, so that nothing
//! here says what a column is.

use std::ops::ControlFlow;

use serde_json::{Map, Value as Json};

use crate::store::StoreError;
use crate::store::link::{Link, Row, Value, all_rows, one_row, params};

/// Bytes of a batch of rows, about: large enough that the way to the server and back is nothing beside it.
const BATCH_BYTES: usize = 1 << 20;

/// A table, in an order in which no row refers to one that is not there yet.
struct Table {
    name: &'static str,
    /// What is summed up on both sides, besides the number of rows.
    sums: &'static [&'static str],
    /// It has a `seq` that is counted up.
    counted: bool,
    /// A column that the embedded engine has alone.
    left_out: Option<&'static str>,
}

const fn table(name: &'static str, sums: &'static [&'static str]) -> Table {
    Table {
        name,
        sums,
        counted: false,
        left_out: None,
    }
}

const fn counted(name: &'static str, sums: &'static [&'static str]) -> Table {
    Table {
        counted: true,
        ..table(name, sums)
    }
}

const TABLES: [Table; 19] = [
    table("domain", &["created_ms"]),
    table("api_key", &["created_ms", "revoked_ms"]),
    table("ended_session", &["until_ms"]),
    table("provider", &["approved_ms"]),
    table("provider_bytes", &["octet_length(bytes)"]),
    Table {
        left_out: Some("uses"),
        ..table("content", &["len"])
    },
    table("content_bytes", &["octet_length(bytes)"]),
    counted(
        "payment",
        &[
            "fee_minor",
            "refunded_minor",
            "revision",
            "changed_ms",
            "octet_length(meta)",
        ],
    ),
    table("field_key", &["key"]),
    table("attempt", &["paid_minor", "fence", "created_ms"]),
    table("refund", &["amount_minor", "fence", "created_ms"]),
    table("statement", &["octet_length(text)", "at_ms"]),
    table("history", &["line", "at_ms", "octet_length(detail)"]),
    table("idempotency", &["created_ms"]),
    counted("delivery", &["tries", "fence", "due_ms", "ended_ms"]),
    counted("kv", &["version", "octet_length(value)"]),
    table("kv_space", &["version", "bytes"]),
    counted("event", &["at_ms", "octet_length(data)"]),
    counted("audit", &["at_ms", "times"]),
];

/// Divides what is summed up, so that no sum of a store of any size is too large: a prime.
const MODULUS: i64 = 1_000_000_007;

/// So many rows are told of at once.
const TOLD_ROWS: u64 = 100_000;

/// Copies everything from the embedded engine's store into PostgreSQL's, which is empty, and compares what arrived.
/// `told` hears of each table how many of its rows are there, now and then and at its end. Gives the number of all rows.
///
/// # Errors
/// [`StoreError::Exists`] when the receiving store is in use; [`StoreError::Corrupt`] when not all of it arrived.
pub(in crate::store) fn all(
    from: &dyn Link,
    to: &dyn Link,
    told: &dyn Fn(&str, u64),
) -> Result<u64, StoreError> {
    for table in &TABLES {
        let name = table.name;
        let sql = format!("SELECT CAST(1 AS bigint) FROM {name} LIMIT 1");
        if one_row(to, &sql, &[], |_| Ok(()))?.is_some() {
            return Err(StoreError::Exists(format!("the store: its table {name}")));
        }
    }
    let mut rows = 0;
    for table in &TABLES {
        table.copy(from, to, told)?;
        let (sent, arrived) = (table.summed(from)?, table.summed(to)?);
        if sent != arrived {
            let name = table.name;
            return Err(StoreError::Corrupt(format!(
                "the table {name}: rows and sums were {sent:?} and are {arrived:?}"
            )));
        }
        let count = sent.first().copied().unwrap_or(0);
        let count = u64::try_from(count).unwrap_or(0);
        told(table.name, count);
        rows += count;
    }
    Ok(rows)
}

impl Table {
    fn copy(
        &self,
        from: &dyn Link,
        to: &dyn Link,
        told: &dyn Fn(&str, u64),
    ) -> Result<(), StoreError> {
        let name = self.name;
        let sql = "SELECT name FROM pragma_table_info(?1)";
        let mut columns: Vec<String> = all_rows(from, sql, &params![name], |row| row.next())?;
        columns.retain(|column| Some(column.as_str()) != self.left_out);
        let listed = columns.join(", ");
        let seq = if self.counted {
            "OVERRIDING SYSTEM VALUE "
        } else {
            ""
        };
        let insert = format!(
            "INSERT INTO {name} ({listed}) {seq}SELECT {listed} FROM \
            json_populate_recordset(CAST(NULL AS {name}), CAST(CAST(?1 AS text) AS json))"
        );
        let mut batch = Batch::default();
        let mut rows = 0_u64;
        from.each_row(&format!("SELECT {listed} FROM {name}"), &[], &mut |row| {
            batch.add(&columns, row)?;
            rows += 1;
            if rows.is_multiple_of(TOLD_ROWS) {
                told(name, rows);
            }
            if batch.text.len() >= BATCH_BYTES {
                to.execute(&insert, &params![batch.taken()])?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !batch.text.is_empty() {
            to.execute(&insert, &params![batch.taken()])?;
        }
        if self.counted {
            // Rows to come are counted behind those that came.
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{name}', 'seq'), max(seq)) \
                FROM {name} HAVING max(seq) IS NOT NULL"
            );
            one_row(to, &sql, &[], |_| Ok(()))?;
        }
        Ok(())
    }

    /// The number of rows, and the sums.
    fn summed(&self, link: &dyn Link) -> Result<Vec<i64>, StoreError> {
        let sums = self.sums.iter();
        let sums: String = sums
            .map(|what| format!(", CAST(coalesce(sum({what} % {MODULUS}), 0) AS bigint)"))
            .collect();
        let sql = format!("SELECT count(*){sums} FROM {}", self.name);
        let found = one_row(link, &sql, &[], |row| {
            (0..=self.sums.len()).map(|_| row.next()).collect()
        })?;
        Ok(found.unwrap_or_default())
    }
}

/// Rows as a JSON list.
#[derive(Default)]
struct Batch {
    /// Without the bracket at its end.
    text: String,
}

impl Batch {
    fn add(&mut self, columns: &[String], row: &dyn Row) -> Result<(), StoreError> {
        let mut object = Map::new();
        for (index, column) in columns.iter().enumerate() {
            let value = match row.value(index)? {
                Value::Null => Json::Null,
                Value::Bool(flag) => Json::Bool(flag),
                Value::Integer(number) => Json::from(number),
                Value::Text(text) => Json::from(text),
                // As PostgreSQL writes bytes.
                Value::Bytes(bytes) => Json::from(format!("\\x{}", hex::encode(bytes))),
            };
            object.insert(column.clone(), value);
        }
        self.text.push(if self.text.is_empty() { '[' } else { ',' });
        self.text.push_str(&Json::Object(object).to_string());
        Ok(())
    }

    fn taken(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        text.push(']');
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn no_table_is_forgotten_but_the_one_that_is_always_empty() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let names = |link: &dyn Link| all_rows(link, sql, &[], |row| row.next::<String>());
        let mut found: BTreeSet<String> = store
            .database
            .read(names)
            .await
            .unwrap()
            .into_iter()
            .collect();
        assert!(found.remove("leaving"));
        let listed = TABLES.iter().map(|table| table.name.to_owned());
        assert_eq!(found, listed.collect());
    }
}
