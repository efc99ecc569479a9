//! SQLite alone, in a file that the store made: the rows that a create writes, and nothing else of the store.

use std::path::Path;

use rusqlite::{Connection, params};
use walnut::payment::model::PaymentId;
use walnut::store::Store;

/// Pages of the log before they are carried into the file, as the store has it.
const CHECKPOINT_PAGES: i64 = 4096;

const PAYMENT: &str = "INSERT INTO payment (id, domain, domain_id, test, brief, fee_minor, currency, price_minor, \
    state, fail_why, hold, late, refunded_minor, created_ms, changed_ms, sent_ms, closed_ms, expires_ms, pay_type, \
    target, presentation, presentation_content, presentation_until_ms, buyer_tp, buyer_id, buyer_name, callback_name, \
    callback_kind, callback_digest, callback_len, applied_ms, applied_result, offers, platforms, meta, revision, ends_ms) \
    VALUES (?1, ?2, ?3, 0, 'a pot of tea', 8800, 'CNY', NULL, ?4, NULL, NULL, 0, 0, ?5, ?5, 0, 0, ?6, NULL, NULL, NULL, \
    NULL, NULL, 2, ?7, 'xiaobai', NULL, NULL, NULL, NULL, 0, NULL, '[]', '{}', ?8, 0, ?6)";

const HISTORY: &str = "INSERT INTO history (payment, line, at_ms, cause, from_state, to_state, trade_no, statement, \
    detail) VALUES (?1, 1, ?2, 'create', NULL, ?3, NULL, NULL, '{}')";

const FIELD_KEY: &str = "INSERT INTO field_key (key, payment) VALUES (?1, ?2)";

/// What differs from payment to payment.
pub(crate) struct Row<'a> {
    pub(crate) id: String,
    pub(crate) domain: &'a str,
    pub(crate) state: &'a str,
    pub(crate) created_ms: i64,
    pub(crate) meta: String,
    pub(crate) keys: [i64; 2],
}

/// The file, open without the store.
pub(crate) struct Bare(Connection);

impl Bare {
    /// Makes a store in the directory and opens its file.
    pub(crate) fn make(dir: &Path) -> Bare {
        drop(Store::open(dir).expect("a store"));
        let connection = Connection::open(dir.join("payments.db")).expect("its file");
        for (name, value) in [
            ("foreign_keys", 1),
            ("recursive_triggers", 1),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
            ("cache_size", -(16 << 10)),
        ] {
            connection
                .pragma_update(None, name, value)
                .expect("a setting");
        }
        connection
            .pragma_update(None, "synchronous", "FULL")
            .expect("a setting");
        Bare(connection)
    }

    /// For a file that is filled: whoever loses it fills it again.
    pub(crate) fn hastily(self) -> Bare {
        for (name, value) in [("synchronous", 0), ("cache_size", -(1 << 20))] {
            self.0.pragma_update(None, name, value).expect("a setting");
        }
        self
    }

    /// Writes these in one transaction.
    pub(crate) fn commit<'a>(&self, rows: impl IntoIterator<Item = Row<'a>>) {
        let run = |sql: &str| {
            let mut statement = self.0.prepare_cached(sql).expect("a statement");
            statement.execute([]).expect("a transaction");
        };
        run("BEGIN IMMEDIATE");
        let (mut payment, mut history, mut key) = (
            self.0.prepare_cached(PAYMENT).expect("a statement"),
            self.0.prepare_cached(HISTORY).expect("a statement"),
            self.0.prepare_cached(FIELD_KEY).expect("a statement"),
        );
        for row in rows {
            let expires_ms = row.created_ms + 900_000;
            payment
                .execute(params![
                    row.id,
                    row.domain,
                    "0198f0c0000070008000000000000001",
                    row.state,
                    row.created_ms,
                    expires_ms,
                    row.id,
                    row.meta
                ])
                .expect("a payment");
            let seq = self.0.last_insert_rowid();
            history
                .execute(params![seq, row.created_ms, row.state])
                .expect("its history");
            for one in row.keys {
                key.execute(params![one, seq]).expect("a key");
            }
        }
        run("COMMIT");
    }
}

/// What an owner adds: the shop's own number, and what many have in common.
pub(crate) fn meta(number: u64) -> String {
    format!(r#"{{"or":{{"id":"A-{number}"}},"table":7}}"#)
}

/// Numbers without an order (splitmix64).
pub(crate) fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The id of a payment by its place, in the order of time as the host makes them.
pub(crate) fn id(place: u64) -> PaymentId {
    let ms = 1_790_000_000_000 + place;
    let tail = scattered(place) >> 4;
    PaymentId::parse(&format!("{ms:012x}70008{tail:015x}")).expect("an id")
}
