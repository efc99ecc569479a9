//! The store's file as another reader sees it: everything at one moment.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

/// One moment of the store.
#[derive(Debug)]
pub(crate) struct Moment {
    /// What callbacks left, by the payment's id; of payments with a callback that are OK.
    pub(crate) left: BTreeMap<String, Left>,
    /// Values that callbacks keep, by domain and key.
    pub(crate) kv: BTreeMap<(String, String), String>,
}

/// What the callback of one payment left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// `apply_at` is set.
    pub(crate) applied: bool,
    /// The delivery is done.
    pub(crate) done: bool,
    /// Tries that were begun.
    pub(crate) tries: u32,
    /// Lines of the payment's history that say "apply".
    pub(crate) told: u32,
    /// Events that were emitted.
    pub(crate) events: u32,
}

const LEFT: &str = "SELECT payment.id, applied_ms <> 0, delivery.state = 'DONE', tries, \
    (SELECT count(*) FROM history WHERE history.payment = payment.seq AND cause = 'apply'), \
    (SELECT count(*) FROM event WHERE event.payment = payment.seq) \
    FROM payment JOIN delivery ON delivery.payment = payment.seq";

impl Moment {
    /// Looks into the data root, whether a host runs there or not.
    pub(crate) fn of(data_root: &Path) -> Moment {
        let file = data_root.join("var/payment/payments.db");
        let mut connection =
            Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        // The first look fixes the moment for all of them.
        let moment = connection.transaction().unwrap();
        let left = rows(&moment, LEFT, |row| {
            let left = Left {
                applied: row.get(1)?,
                done: row.get(2)?,
                tries: row.get(3)?,
                told: row.get(4)?,
                events: row.get(5)?,
            };
            Ok((row.get(0)?, left))
        });
        let kv = "SELECT domain, key, CAST(value AS TEXT) FROM kv";
        let kv = rows(&moment, kv, |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        });
        Moment { left, kv }
    }

    /// The same of payments in PostgreSQL.
    pub(crate) async fn in_database(url: &str) -> Moment {
        let (mut client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let moment = client.build_transaction();
        let moment = moment.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
        let moment = moment.start().await.unwrap();
        let number =
            |row: &tokio_postgres::Row, at: usize| u32::try_from(row.get::<_, i64>(at)).unwrap();
        let left = moment.query(LEFT, &[]).await.unwrap();
        let left = left.iter().map(|row| {
            let left = Left {
                applied: row.get(1),
                done: row.get(2),
                tries: number(row, 3),
                told: number(row, 4),
                events: number(row, 5),
            };
            (row.get(0), left)
        });
        let left = left.collect();
        let kv = "SELECT domain, key, convert_from(value, 'UTF8') FROM kv";
        let kv = moment.query(kv, &[]).await.unwrap();
        let kv = kv.iter().map(|row| ((row.get(0), row.get(1)), row.get(2)));
        let kv = kv.collect();
        Moment { left, kv }
    }

    /// The value under a key of the domain `shop`.
    pub(crate) fn kept(&self, key: &str) -> Option<&str> {
        let key = ("shop".to_owned(), key.to_owned());
        self.kv.get(&key).map(String::as_str)
    }
}

fn rows<K: Ord, V>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<(K, V)>,
) -> BTreeMap<K, V> {
    let mut statement = connection.prepare(sql).unwrap();
    let found = statement.query_map([], read).unwrap();
    found.collect::<rusqlite::Result<_>>().unwrap()
}
