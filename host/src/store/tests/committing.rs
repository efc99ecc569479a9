use std::sync::mpsc;

use tokio::task::{JoinHandle, yield_now};

use super::*;

/// Holds the writer inside a job, until it is dropped.
struct Gate {
    _open: mpsc::Sender<()>,
    job: JoinHandle<Result<(), StoreError>>,
}

impl Gate {
    async fn shut(store: &Store) -> Gate {
        let (_open, wait) = mpsc::channel::<()>();
        let (entered, inside) = tokio::sync::oneshot::channel();
        let entered = std::sync::Mutex::new(Some(entered));
        let store = store.clone();
        let job = tokio::spawn(async move {
            let hold = move |_: &dyn crate::store::link::Link| {
                entered.lock().unwrap().take().unwrap().send(()).unwrap();
                // Ends when the other side is dropped.
                wait.recv().unwrap_err();
                Ok(())
            };
            store.database.write(hold).await
        });
        inside.await.unwrap();
        Gate { _open, job }
    }

    async fn open(self) {
        drop(self._open);
        self.job.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_waits_is_committed_together() {
    let shop = Shop::in_directory();
    let before = shop.store.stats();
    let mut commits = shop.store.commits();
    commits.mark_unchanged();
    let gate = Gate::shut(&shop.store).await;
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let store = shop.store.clone();
            tokio::spawn(async move { store.create(new(payment("shop"))).await })
        })
        .collect();
    // One thread runs all tasks of this test: each has put its job into the queue when this returns.
    yield_now().await;
    gate.open().await;
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), Created::Made);
    }
    let after = shop.store.stats();
    assert_eq!(after.jobs - before.jobs, 65);
    assert!(after.commits - before.commits <= 3, "{after:?}");
    assert!(commits.has_changed().unwrap());
}

#[tokio::test]
async fn a_job_that_fails_undoes_only_itself() {
    let shop = Shop::in_directory();
    let gate = Gate::shut(&shop.store).await;
    let callers: Vec<_> = (0..10)
        .map(|number| {
            let store = shop.store.clone();
            let mut new = new(payment("shop"));
            // Refused after the payment's row was written.
            if number % 2 == 1 {
                new.history[0].statement = Some(Digest::of(b"missing").to_string());
            }
            let id = new.payment.id;
            (
                number,
                id,
                tokio::spawn(async move { store.create(new).await }),
            )
        })
        .collect();
    yield_now().await;
    gate.open().await;
    for (number, id, caller) in callers {
        let made = caller.await.unwrap();
        assert_eq!(made.is_ok(), number % 2 == 0, "{number}: {made:?}");
        assert_eq!(shop.store.case(id).await.unwrap().is_some(), made.is_ok());
    }
}

#[tokio::test]
async fn a_commit_that_fails_is_nobodys_success() {
    let shop = Shop::in_directory();
    let gate = Gate::shut(&shop.store).await;
    let store = shop.store.clone();
    let spoiler = tokio::spawn(async move {
        // A dangling reference that SQLite looks for at the commit.
        let sql =
            "INSERT INTO event (payment, domain, name, data, at_ms) VALUES (99, '', '', '', 0)";
        store
            .database
            .write(move |link| {
                link.execute("PRAGMA defer_foreign_keys = ON", &[])?;
                link.execute(sql, &[])
            })
            .await
    });
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let store = shop.store.clone();
            let new = new(payment("shop"));
            let id = new.payment.id;
            (id, tokio::spawn(async move { store.create(new).await }))
        })
        .collect();
    yield_now().await;
    gate.open().await;
    assert!(matches!(
        spoiler.await.unwrap(),
        Err(StoreError::Invariant(_))
    ));
    for (id, caller) in callers {
        caller.await.unwrap().unwrap_err();
        assert_eq!(shop.store.case(id).await.unwrap(), None);
    }
    shop.make(payment("shop")).await;
}

#[tokio::test]
async fn a_full_disk_is_named_and_outlived() {
    let shop = Shop::in_directory();
    let set = |pages: &'static str| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        shop.store
            .database
            .write(move |link| link::one_row(link, &sql, &[], |_| Ok(())))
    };
    set("1").await.unwrap();
    let big = object(json!({"text": "x".repeat(1 << 20)}));
    let bulky = Payment {
        meta: big,
        ..payment("shop")
    };
    let id = bulky.id;
    let refused = shop.store.create(new(bulky.clone())).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused}");
    assert_eq!(shop.store.case(id).await.unwrap(), None);
    set("1000000").await.unwrap();
    shop.make(bulky).await;
}

#[tokio::test]
async fn closing_finishes_what_was_accepted_and_refuses_the_rest() {
    let shop = Shop::in_directory();
    let gate = Gate::shut(&shop.store).await;
    let new = new(payment("shop"));
    let id = new.payment.id;
    let store = shop.store.clone();
    let accepted = tokio::spawn(async move { store.create(new).await });
    yield_now().await;
    let store = shop.store.clone();
    let closing = tokio::spawn(async move { store.close().await });
    yield_now().await;
    assert!(matches!(shop.store.case(id).await, Err(StoreError::Closed)));
    let late = shop.store.create(super::new(payment("shop"))).await;
    assert!(matches!(late, Err(StoreError::Closed)));
    gate.open().await;
    assert_eq!(accepted.await.unwrap().unwrap(), Created::Made);
    closing.await.unwrap();
    let again = Store::open(shop.dir()).unwrap();
    assert!(again.case(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_that_cannot_write_is_not_ready() {
    let shop = Shop::in_directory();
    shop.store.ready().await.unwrap();
    // Somebody else holds the right to write, for longer than anybody waits.
    let path = shop.dir().join(crate::store::sqlite::FILE);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(shop.store.ready().await.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    shop.store.ready().await.unwrap();
    shop.store.close().await;
    assert!(matches!(shop.store.ready().await, Err(StoreError::Closed)));
}
