//! Several hosts on one database.

use std::collections::HashSet;
use std::time::Duration;

use super::delivering::{finish, lease_one, sets};
use super::*;

/// Another host's store on the same database.
fn another(shop: &Shop) -> Store {
    shop.place.open()
}

/// Runs SQL beside the hosts.
fn run(shop: &Shop, sql: &str) {
    match &shop.place {
        Place::Database(database) => database.run(sql).unwrap(),
        _ => panic!("no database"),
    }
}

/// As if the host that holds the leases had been killed a minute ago.
fn their_host_dies(shop: &Shop) {
    run(
        shop,
        "INSERT INTO host (beaten_at) VALUES (now() - interval '1 minute'); \
         UPDATE attempt SET host = (SELECT max(id) FROM host); \
         UPDATE delivery SET host = (SELECT max(id) FROM host)",
    );
}

async fn within_seconds<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

fn due_at_once(payment: &Payment) -> Attempt {
    Attempt {
        ask_at_ms: 10,
        state: AttemptState::Wait,
        ..attempt(payment.id, 1)
    }
}

async fn waiting(store: &Store) {
    let payment = Payment {
        state: State::Wait,
        ..payment("shop")
    };
    let new = NewPayment {
        attempts: vec![due_at_once(&payment)],
        ..new(payment)
    };
    store.create(new).await.unwrap();
}

#[tokio::test]
async fn a_session_that_one_host_ends_is_good_at_no_other() {
    let Some(shop) = open() else { return };
    let key = super::registering::owners_key("r", None);
    shop.store.add_key(key).await.unwrap();
    let other = another(&shop);
    let session = Digest::of(b"said");
    assert!(other.key_of_session("r", session).await.unwrap().is_some());
    shop.store
        .end_sessions(vec![(session, 9)], 5)
        .await
        .unwrap();
    assert_eq!(other.key_of_session("r", session).await.unwrap(), None);
}

#[tokio::test]
async fn keys_that_several_hosts_add_are_so_many_together() {
    let Some(shop) = open() else { return };
    let other = another(&shop);
    let most = crate::store::MOST_KEYS;
    let adding = (0..most + 16).map(|number| {
        let store = if number % 2 == 0 { &shop.store } else { &other };
        store.add_key(super::registering::owners_key(format!("k{number}"), None))
    });
    let added = futures_util::future::join_all(adding).await;
    let added = added.iter().filter(|added| added.is_ok()).count();
    assert_eq!(added, most as usize);
}

#[tokio::test]
async fn what_one_host_commits_wakes_the_others() {
    let Some(shop) = open() else { return };
    let other = another(&shop);
    let (mut news, commits) = (other.news().unwrap(), other.commits());
    // From when the other listens on.
    within_seconds("listening", async {
        while news.recv().await.unwrap() != News::Missed {}
    })
    .await;
    let before = *commits.borrow();
    let id = shop.make(payment("shop")).await;
    within_seconds("hearing", async {
        while news.recv().await.unwrap() != News::Changed(id) {}
    })
    .await;
    assert!(*commits.borrow() > before);
    assert!(other.case(id).await.unwrap().is_some());
    shop.store.add_domain("shop", 1).await.unwrap();
    within_seconds("hearing of something else", async {
        while news.recv().await.unwrap() != News::Committed {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_never_lease_the_same_delivery_or_ask_about_the_same_attempt() {
    let Some(shop) = open() else { return };
    for _ in 0..40 {
        shop.make_paid("shop").await;
        waiting(&shop.store).await;
    }
    let stores = [shop.store.clone(), another(&shop), another(&shop)];
    let takers = stores.iter().cloned().cycle().take(24).map(|store| {
        tokio::spawn(async move {
            let room = DeliveryRoom::of(4);
            let deliveries = store.lease_deliveries(5_000, 6_000, room).await.unwrap();
            let asks = store.claim_asks(20, 99, CallRoom::of(4)).await.unwrap();
            (deliveries, asks)
        })
    });
    let (mut leased, mut asked) = (HashSet::new(), HashSet::new());
    for taker in takers.collect::<Vec<_>>() {
        let (deliveries, asks) = taker.await.unwrap();
        for delivery in deliveries {
            assert!(leased.insert(delivery.key.clone()), "{delivery:?}");
        }
        for ask in asks {
            assert!(asked.insert(ask.attempt.trade_no.clone()), "{ask:?}");
        }
    }
    assert_eq!(asked.len(), 40);
    assert!(leased.len() >= 20, "{}", leased.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_at_two_hosts_makes_one_payment() {
    let Some(shop) = open() else { return };
    let other = another(&shop);
    for round in 0..10 {
        let requests = [&shop.store, &other, &shop.store, &other].map(|store| {
            let store = store.clone();
            let new = NewPayment {
                idempotency: Some(IdempotencyKey {
                    verb: "create".to_owned(),
                    key: format!("order {round}"),
                    body: Digest::of(b"the same"),
                }),
                ..new(payment("shop"))
            };
            let id = new.payment.id;
            tokio::spawn(async move { (id, store.create(new).await.unwrap()) })
        });
        let mut made = Vec::new();
        let mut repeated = HashSet::new();
        for request in requests {
            match request.await.unwrap() {
                (id, Created::Made) => made.push(id),
                (_, Created::Repeated(id)) => drop(repeated.insert(id)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((made.len(), repeated.len()), (1, 1));
        assert!(repeated.contains(&made[0]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_one_payment_at_several_hosts_come_one_after_another() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let stores = [shop.store.clone(), another(&shop), another(&shop)];
    let changes = stores.iter().cloned().cycle().take(30).map(|store| {
        tokio::spawn(async move {
            let rule = |case: &Case| {
                let mut changes = moved(case, case.payment.state);
                changes.payment.sent_ms += 1;
                Ok::<_, ()>((Some(changes), ()))
            };
            store.change(id, rule).await.unwrap().unwrap().unwrap();
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let payment = shop.payment(id).await;
    assert_eq!((payment.sent_ms, payment.revision), (30, 30));
    assert_eq!(shop.store.history(id).await.unwrap().len(), 31);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deliveries_that_finish_at_several_hosts_lose_no_effect() {
    let Some(shop) = open() else { return };
    for _ in 0..20 {
        shop.make_paid("shop").await;
    }
    let stores = [shop.store.clone(), another(&shop)];
    let hosts = stores.map(|store| {
        tokio::spawn(async move {
            loop {
                let room = DeliveryRoom::of(2);
                let leased = store.lease_deliveries(5_000, 6_000, room).await.unwrap();
                if leased.is_empty() && store.next_delivery().await.unwrap() != Some(1_000) {
                    return;
                }
                for delivery in leased {
                    count(&store, &delivery).await;
                }
            }
        })
    });
    for host in hosts {
        host.await.unwrap();
    }
    let sum = shop.store.kv_get(&live("shop"), "sum").await.unwrap();
    let applied = shop.store.deliveries(DeliveriesOf::default(), 0, 99).await;
    let done = |delivery: &&Delivery| delivery.state == DeliveryState::Done;
    let done = applied.unwrap().iter().filter(done).count();
    assert_eq!(done, 20);
    assert_eq!(sum.unwrap().0, b"20");
}

/// Adds one to a sum.
async fn count(store: &Store, delivery: &Delivery) {
    loop {
        let seen = store.kv_get(&live("shop"), "sum").await.unwrap();
        let (sum, version) = seen.unwrap_or((b"0".to_vec(), 0));
        let sum: u32 = str::from_utf8(&sum).unwrap().parse().unwrap();
        let effects = Effects {
            reads: vec![("sum".to_owned(), version)],
            writes: vec![("sum".to_owned(), Some((sum + 1).to_string().into_bytes()))],
            events: Vec::new(),
        };
        let finish = store.finish_delivery(delivery, effects, "1".into(), "".into(), 7_000);
        match finish.await.unwrap() {
            Finished::Done => return,
            Finished::Conflict => {}
            Finished::Fenced => panic!("nobody else has this lease"),
        }
    }
}

#[tokio::test]
async fn what_a_dead_host_had_begun_is_taken_over_and_it_writes_nothing_more() {
    let Some(shop) = open() else { return };
    let victim = another(&shop);
    // Of the hosts that live, either may be the first to find a dead one.
    let (mut news, mut others) = (shop.store.news().unwrap(), victim.news().unwrap());
    shop.make_paid("shop").await;
    waiting(&shop.store).await;
    let room = DeliveryRoom::of(1);
    let delivery = victim
        .lease_deliveries(5_000, 60_000, room)
        .await
        .unwrap()
        .remove(0);
    let ask = victim
        .claim_asks(20, 60_000, CallRoom::of(1))
        .await
        .unwrap()
        .remove(0);
    // While it lives, nobody touches what it has.
    assert!(
        shop.store
            .interrupted_deliveries()
            .await
            .unwrap()
            .is_empty()
    );
    let again = shop
        .store
        .claim_asks(30, 99, CallRoom::of(1))
        .await
        .unwrap();
    assert!(again.is_empty());

    their_host_dies(&shop);
    within_seconds("the death", async {
        loop {
            let heard = tokio::select! {
                heard = news.recv() => heard,
                heard = others.recv() => heard,
            };
            if heard.unwrap() == News::Dead {
                break;
            }
        }
    })
    .await;
    let taken = shop
        .store
        .claim_asks(30, 99, CallRoom::of(1))
        .await
        .unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].attempt.trade_no, ask.attempt.trade_no);
    assert_eq!(taken[0].attempt.fence, ask.attempt.fence + 1);
    let interrupted = shop.store.interrupted_deliveries().await.unwrap();
    assert_eq!(interrupted, std::slice::from_ref(&delivery));
    let failed = shop.store.fail_delivery(
        &interrupted[0],
        "the end".into(),
        "".into(),
        Some(5_500),
        5_400,
    );
    assert!(failed.await.unwrap());
    let next = lease_one(&shop, 5_500).await;
    assert_eq!(next.tries, 2);
    assert_eq!(
        finish(&shop, &delivery, sets("a", b"1")).await,
        Finished::Fenced
    );
    assert_eq!(finish(&shop, &next, sets("a", b"2")).await, Finished::Done);
}

#[tokio::test]
async fn connections_that_are_lost_are_made_again() {
    let Some(shop) = open() else { return };
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(shop.make(payment("shop")).await);
        run(
            &shop,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        for id in &ids {
            assert!(shop.store.case(*id).await.unwrap().is_some());
        }
        shop.store.ready().await.unwrap();
        let found = shop.store.find(Find::new(None)).await.unwrap();
        assert_eq!(found.len(), ids.len());
    }
}

#[tokio::test]
async fn what_others_hold_is_waited_for() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let url = shop.place.name();
    let (held, holding) = tokio::sync::oneshot::channel();
    let (free, freed) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
                .await
                .unwrap();
            tokio::spawn(connection);
            let sql = "BEGIN; SELECT 1 FROM payment FOR UPDATE";
            client.batch_execute(sql).await.unwrap();
            held.send(()).unwrap();
            // Longer than a change waits in one go.
            tokio::task::spawn_blocking(move || freed.recv().unwrap_err())
                .await
                .unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        });
    });
    holding.await.unwrap();
    let store = shop.store.clone();
    let change = tokio::spawn(async move {
        let rule = |case: &Case| Ok::<_, ()>((Some(moved(case, State::Wait)), ()));
        store.change(id, rule).await
    });
    // Another payment is made meanwhile, whatever waits.
    shop.make(payment("shop")).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!change.is_finished());
    drop(free);
    change.await.unwrap().unwrap().unwrap().unwrap();
    holder.join().unwrap();
    assert_eq!(shop.payment(id).await.state, State::Wait);
}

#[tokio::test]
async fn a_text_that_the_server_cannot_keep_is_refused_in_words() {
    let Some(shop) = open() else { return };
    let with_nul = Payment {
        brief: "tea\0".to_owned(),
        ..payment("shop")
    };
    let refused = shop.store.create(new(with_nul)).await.unwrap_err();
    assert!(refused.to_string().contains("U+0000"), "{refused}");
}

#[test]
fn a_server_proves_who_it_is() {
    let Some(programs) = walnut_test_postgres::Programs::find() else {
        return;
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = Server::encrypted(programs, &certificate, &key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("roots.pem");
    std::fs::write(&file, certificate).unwrap();
    let trusted = format!("sslrootcert={}", file.display());
    let port = server.port().unwrap();
    let ask = |host: &str, how: &str| {
        let url = format!("postgres://walnut@{host}:{port}/postgres?{how}");
        let address = Address::parse(&url).unwrap();
        Store::check_at(&address).unwrap_err().to_string()
    };
    // Whoever is let in finds that there is no store.
    for how in ["sslmode=require", "sslmode=disable", &trusted] {
        let said = ask("localhost", how);
        assert!(said.contains("there is no store"), "{how}: {said}");
    }
    for (host, how) in [("localhost", ""), ("127.0.0.1", trusted.as_str())] {
        let said = ask(host, how);
        assert!(said.contains("certificate"), "{host} {how}: {said}");
    }
}

#[tokio::test]
async fn a_newer_schema_and_another_programs_tables_are_left_alone() {
    let Some(shop) = open() else { return };
    shop.store.close().await;
    run(&shop, "UPDATE walnut SET schema = 99");
    let error = open_at(&shop.place.name()).err().unwrap();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
    run(&shop, "DROP TABLE walnut");
    let error = open_at(&shop.place.name()).err().unwrap();
    assert!(error.to_string().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_whole_store_is_looked_through_while_hosts_have_it() {
    let Some(shop) = open() else { return };
    let address = Address::parse(&shop.place.name()).unwrap();
    for _ in 0..3 {
        let id = shop.make_paid("shop").await;
        let delivery = lease_one(&shop, 5_000).await;
        assert_eq!(delivery.payment, id);
        finish(&shop, &delivery, sets("k", b"value")).await;
    }
    let checked = Store::check_at(&address).unwrap();
    assert_eq!((checked.payments, checked.problems), (3, Vec::new()));
    run(
        &shop,
        "UPDATE payment SET state = 'FAIL' WHERE seq = 1; DELETE FROM delivery WHERE payment = 2",
    );
    let checked = Store::check_at(&address).unwrap();
    assert_eq!(checked.problems.len(), 2, "{:?}", checked.problems);
    shop.store.close().await;
    run(&shop, "UPDATE walnut SET schema = 0");
    let old = Store::check_at(&address).unwrap_err().to_string();
    assert!(old.contains("schema 0"), "{old}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    let url = "postgres://walnut:s3cret@/pay?host=/nowhere";
    let error = open_at(url).err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("/nowhere/pay") && !said.contains("s3cret"),
        "{said}"
    );
}
