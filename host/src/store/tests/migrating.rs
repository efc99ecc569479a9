//! A store that goes over from one machine's file to a server's database.

use std::sync::Mutex;

use super::delivering::{finish, lease_one};
use super::refunding::ordered;
use super::*;
use crate::store::PutFile;

/// A file with something in every table.
async fn filled() -> (Shop, Vec<PaymentId>) {
    let from = Shop::in_directory();
    let store = &from.store;
    store.add_domain("shop", 1).await.unwrap();
    let hosts = vec!["api.example".to_owned()];
    store.set_web("shop", hosts).await.unwrap();
    let key = StoredKey {
        id: "k1".to_owned(),
        domain: Some("shop".to_owned()),
        role: "domain".to_owned(),
        test: true,
        hash: [7; 32],
        created_ms: 5,
        name: "front".to_owned(),
        refunds: true,
        expires_ms: 0,
        used_ms: 0,
        successor: None,
    };
    store.add_key(key).await.unwrap();
    let session = (Digest::of(b"session"), 9);
    store.end_sessions(vec![session], 5).await.unwrap();
    let bytes = Arc::new(b"component".to_vec());
    let provider = ProviderRecord {
        digest: Digest::of(&bytes),
        name: "zfb".to_owned(),
        version: "1".to_owned(),
        manifest: "{\"say\": \"\\\"quoted\\\" \u{1F375}\"}".to_owned(),
        bytes,
        approved_ms: 9,
        current: true,
        shipped: false,
    };
    store.put_provider(provider).await.unwrap();
    let line = crate::store::AuditLine {
        who: "shop".to_owned(),
        times: 1,
        ..Default::default()
    };
    store.note(line).await.unwrap();
    let full = full_payment();
    let mut ids = vec![full.id];
    let all = NewPayment {
        callback_content: Some(Arc::new(b"content".to_vec())),
        attempts: vec![attempt(full.id, 1)],
        idempotency: Some(IdempotencyKey {
            verb: "create".to_owned(),
            key: "once".to_owned(),
            body: Digest::of(b"body"),
        }),
        ..new(full)
    };
    store.create(all).await.unwrap();
    ids.push(from.make_paid("shop").await);
    let effects = Effects {
        reads: Vec::new(),
        writes: vec![("sales".to_owned(), Some(vec![0, 1, 255]))],
        events: vec![("sold".to_owned(), "{\"n\": 1}".to_owned())],
    };
    let delivery = lease_one(&from, 5_000).await;
    assert_eq!(finish(&from, &delivery, effects).await, Finished::Done);
    ordered(&from, "shop", "wx", 40).await;
    let told = from.make(payment("shop")).await;
    let statement = StoredStatement {
        digest: Digest::of(b"said"),
        trade_no: TradeNo::first(told),
        scheme: "wx".to_owned(),
        claim: "paid".to_owned(),
        text: b"said".to_vec(),
        at: 7,
    };
    let digest = statement.digest.to_string();
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Wait);
        changes.history[0].statement = Some(digest.clone());
        changes.statement = Some(statement.clone());
        Ok::<_, ()>((Some(changes), ()))
    };
    store.change(told, rule).await.unwrap().unwrap().unwrap();
    ids.push(told);
    (from, ids)
}

fn homes(put: &mut PutFile<'_>) -> Result<u64, StoreError> {
    put("shop", "callback/sale", b"return 1", 4)?;
    put("shop", "zfb/main/current.json", b"{}", 5)?;
    Ok(2)
}

async fn migrate(dir: &Path, to: &Store) -> Result<Migrated, StoreError> {
    to.migrate_from(dir, vec![("key", vec![1])], homes, |_, _| {})
        .await
}

#[tokio::test]
async fn everything_comes_over_and_goes_on() {
    let Some(to) = open() else { return };
    let (from, ids) = filled().await;
    let in_use = migrate(from.dir(), &to.store).await;
    assert!(matches!(in_use, Err(StoreError::Locked(_))), "{in_use:?}");
    let mut before = Vec::new();
    for id in &ids {
        let case = from.store.case(*id).await.unwrap().unwrap();
        before.push((case, from.store.history(*id).await.unwrap()));
    }
    let deliveries = from.store.deliveries(DeliveriesOf::default(), 0, 99).await;
    let deliveries = deliveries.unwrap();
    assert!(!deliveries.is_empty());
    from.store.close().await;

    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let told = move |table: &str, rows: u64| hears.lock().unwrap().push((table.to_owned(), rows));
    let migrated = to
        .store
        .migrate_from(from.dir(), vec![("key", vec![1])], homes, told)
        .await
        .unwrap();
    assert_eq!((migrated.payments, migrated.files), (4, 2));
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert!(heard.contains(&("payment".to_owned(), 4)), "{heard:?}");
    assert!(heard.iter().all(|(_, rows)| *rows > 0), "{heard:?}");

    for ((case, history), id) in before.iter().zip(&ids) {
        let now = to.store.case(*id).await.unwrap().unwrap();
        assert_eq!(
            (&now, &to.store.history(*id).await.unwrap()),
            (case, history)
        );
    }
    let now = to.store.deliveries(DeliveriesOf::default(), 0, 99).await;
    assert_eq!(now.unwrap(), deliveries);
    let sales = to.store.kv_get(&live("shop"), "sales").await.unwrap();
    assert_eq!(sales.unwrap().0, [0, 1, 255]);
    assert!(to.store.key("k1").await.unwrap().unwrap().test);
    let providers = to.store.providers().await.unwrap();
    assert!(providers[0].current && !providers[0].shipped);
    let said = to.store.statement(Digest::of(b"said")).await.unwrap();
    assert_eq!(said.unwrap().text, b"said");
    let file = |files: &HomeFiles<'_>| files.read("callback/sale");
    let file = to.store.read_home("shop", file).await.unwrap();
    assert_eq!(file.as_deref(), Some(&b"return 1"[..]));
    assert_eq!(to.store.agreed("key").await.unwrap(), Some(vec![1]));

    // What comes next is counted behind what came.
    let next = to.make_paid("shop").await;
    let delivery = lease_one(&to, 8_000).await;
    assert_eq!(delivery.payment, next);
    let effects = Effects {
        events: vec![("sold".to_owned(), "{}".to_owned())],
        ..Effects::default()
    };
    assert_eq!(finish(&to, &delivery, effects).await, Finished::Done);

    let again = migrate(from.dir(), &to.store).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
}

#[tokio::test]
async fn what_is_not_well_does_not_come_over_at_all() {
    let Some(to) = open() else { return };
    let (from, _) = filled().await;
    from.store.close().await;
    let file = from.dir().join(crate::store::sqlite::FILE);
    let payments = rusqlite::Connection::open(&file).unwrap();
    let sql = "UPDATE payment SET state = 'WAIT' WHERE state = 'NEW' OR state = 'OK'";
    payments.execute(sql, []).unwrap();
    drop(payments);
    let refused = migrate(from.dir(), &to.store).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt(_))),
        "{refused:?}"
    );
    assert!(to.store.domains().await.unwrap().is_empty());
    assert!(to.store.home_versions().await.unwrap().is_empty());
}
