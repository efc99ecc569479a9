use std::fs;

use rusqlite::Connection;

use super::matching::{asking, stock};
use super::refunding::{lanes, ordered};
use super::*;
use crate::store::sqlite::FILE;

/// Takes back what the schemas after the fourth have added.
const WITHOUT_LATER: &str = "ALTER TABLE api_key DROP COLUMN name; ALTER TABLE api_key DROP COLUMN refunds; \
    ALTER TABLE api_key DROP COLUMN expires_ms; ALTER TABLE api_key DROP COLUMN used_ms; \
    ALTER TABLE api_key DROP COLUMN successor; DROP TABLE audit; DROP INDEX payment_held; \
    DROP TABLE ended_session;";

#[tokio::test]
async fn dropping_keeps_everything() {
    let shop = Shop::in_directory();
    let id = shop.make_paid("shop").await;
    let Shop { store, place } = shop;
    drop(store);
    let store = place.open();
    assert!(store.case(id).await.unwrap().is_some());
    let of = DeliveriesOf {
        payment: Some(id),
        ..DeliveriesOf::default()
    };
    assert_eq!(store.deliveries(of, 0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_is_open_once() {
    let shop = Shop::in_directory();
    let second = Store::open(shop.dir());
    assert!(matches!(second.err(), Some(StoreError::Locked(_))));
    let _again = shop.reopen().await;
}

#[tokio::test]
async fn a_newer_file_is_left_alone() {
    let shop = Shop::in_directory();
    shop.store.close().await;
    let path = shop.dir().join(FILE);
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(shop.dir()).err().unwrap();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer walnut"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_is_no_store_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, vec![b'x'; 8192]).unwrap();
    let error = Store::open(dir.path()).err().unwrap();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(error.to_string().contains(FILE), "{error}");
    assert_eq!(fs::read(&path).unwrap(), vec![b'x'; 8192]);

    fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a)")
        .unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(dir.path()).err().unwrap();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_never_an_answer() {
    let shop = Shop::in_directory();
    let mut ids = Vec::new();
    for _ in 0..200 {
        ids.push(shop.make(payment("shop")).await);
    }
    shop.store.close().await;
    let path = shop.dir().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    // Everything but the first page, which holds the schema.
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let damaged = match Store::open(shop.dir()) {
        Err(error) => error,
        Ok(store) => store.case(ids[0]).await.unwrap_err(),
    };
    assert!(matches!(damaged, StoreError::Corrupt(_)), "{damaged}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("payment")).err().unwrap();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("var/payment");
    let _store = Store::open(&inner).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for entry in fs::read_dir(&inner).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// Undoes the version that let payments leave.
const NOBODY_LEAVES: &str = "DROP TRIGGER statement_remains; DROP TRIGGER history_remains; DROP TABLE leaving; \
    DROP INDEX payment_failed; DROP INDEX history_statement; DROP INDEX idempotency_payment; DROP INDEX refund_trade; \
    CREATE TRIGGER statement_remains BEFORE DELETE ON statement BEGIN SELECT 1; END; \
    CREATE TRIGGER history_remains BEFORE DELETE ON history BEGIN SELECT 1; END;";

#[tokio::test]
async fn refunds_of_an_earlier_schema_get_their_domain_and_platform() {
    let shop = Shop::in_directory();
    ordered(&shop, "shop", "wx", 50).await;
    shop.store.close().await;
    let file = Connection::open(shop.dir().join(FILE)).unwrap();
    file.execute_batch(NOBODY_LEAVES).unwrap();
    file.execute_batch(
        "DROP TABLE field_key; DROP INDEX refund_turn; ALTER TABLE refund DROP COLUMN domain; \
         ALTER TABLE refund DROP COLUMN platform; PRAGMA user_version = 2;",
    )
    .unwrap();
    file.execute_batch(WITHOUT_LATER).unwrap();
    drop(file);
    let shop = shop.reopen().await;
    let claimed = shop.store.claim_refunds(100, 200, CallRoom::of(9)).await;
    assert_eq!(lanes(&claimed.unwrap()), [("shop", "wx")]);
}

#[tokio::test]
async fn payments_of_an_earlier_schema_are_found_by_what_callers_added() {
    let shop = Shop::in_directory();
    for payment in stock() {
        shop.make(payment).await;
    }
    shop.store.close().await;
    let keys = |sql: &str| {
        let file = Connection::open(shop.dir().join(FILE)).unwrap();
        let keys: i64 = file
            .query_row("SELECT count(*) FROM field_key", [], |row| row.get(0))
            .unwrap();
        file.execute_batch(NOBODY_LEAVES).unwrap();
        file.execute_batch(sql).unwrap();
        keys
    };
    let made = keys(&format!(
        "DROP TABLE field_key; PRAGMA user_version = 3; {WITHOUT_LATER}"
    ));
    let shop = shop.reopen().await;
    let found = shop.store.find(asking(&json!({"or.id": "A2"}))).await;
    assert_eq!(found.unwrap()[0].brief, "black tea");
    shop.store.close().await;
    let file = Connection::open(shop.dir().join(FILE)).unwrap();
    let sql = "SELECT count(*) FROM field_key";
    let again: i64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!((made, again), (11, 11));
}
