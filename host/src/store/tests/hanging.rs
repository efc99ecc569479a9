//! A server, or the way to it, that hangs: nothing is refused and nothing comes.

use std::time::Duration;

use walnut_test_postgres::Way;

use super::*;

/// A store on a way that can be held up.
fn on_a_way() -> Option<(Shop, Way, walnut_test_postgres::Database)> {
    let server = Server::shared()?;
    let database = server.database().unwrap();
    let way = Way::to(server).unwrap();
    let shop = Shop::at(Place::Elsewhere(way.url(&database)));
    Some((shop, way, database))
}

/// Nothing here is for ever.
async fn ends<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), future)
        .await
        .unwrap_or_else(|_| panic!("{what} does not end"))
}

fn is_away<T: std::fmt::Debug>(done: Result<T, StoreError>) {
    assert!(matches!(done, Err(StoreError::Unavailable(_))), "{done:?}");
}

/// Waits until the store is found again.
async fn is_back(store: &Store) {
    let looking = async {
        while store.ready().await.is_err() || store.schema().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    ends("the outage", looking).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_given_up_and_asked_anew_when_it_goes_on() {
    let Some((shop, way, _database)) = on_a_way() else {
        return;
    };
    let (first, second) = (
        shop.make(payment("shop")).await,
        shop.make(payment("shop")).await,
    );
    // With connections that were used, and by whoever has to make one.
    for _ in 0..12 {
        assert!(shop.store.case(first).await.unwrap().is_some());
    }
    way.hold();
    let unwritten = payment("shop");
    let id = unwritten.id;
    let (looks, more, finds, writes, ready) = ends("a verb", async {
        tokio::join!(
            shop.store.case(first),
            shop.store.case(second),
            shop.store.find(Find::new(None)),
            shop.store.create(new(unwritten)),
            shop.store.ready(),
        )
    })
    .await;
    is_away(looks);
    is_away(more);
    is_away(finds);
    is_away(writes);
    is_away(ready);
    for _ in 0..30 {
        is_away(ends("a later verb", shop.store.case(first)).await);
    }
    way.free();
    is_back(&shop.store).await;
    // Nobody is given what was the answer to another question, and what was refused is not there.
    for _ in 0..12 {
        let (one, other) = tokio::join!(shop.store.case(first), shop.store.case(second));
        assert_eq!(one.unwrap().unwrap().payment.id, first);
        assert_eq!(other.unwrap().unwrap().payment.id, second);
    }
    assert!(shop.store.case(id).await.unwrap().is_none());
    // A host can end meanwhile.
    way.hold();
    ends("closing", shop.store.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_uncertain_and_is_not_done_twice() {
    let Some((shop, way, _database)) = on_a_way() else {
        return;
    };
    let order = |id| NewPayment {
        idempotency: Some(IdempotencyKey {
            verb: "create".to_owned(),
            key: "an order".to_owned(),
            body: Digest::of(b"the same"),
        }),
        ..new(Payment {
            id,
            ..payment("shop")
        })
    };
    let id = PaymentId::generate();
    way.hold_answers_from_a_commit_on();
    let made = ends("the commit", shop.store.create(order(id))).await;
    assert!(matches!(made, Err(StoreError::Uncertain(_))), "{made:?}");
    way.free();
    is_back(&shop.store).await;
    let again = shop.store.create(order(PaymentId::generate())).await;
    assert_eq!(again.unwrap(), Created::Repeated(id));

    way.hold_answers_from_a_commit_on();
    let store = shop.store.clone();
    let rule = |case: &Case| {
        let mut changes = moved(case, case.payment.state);
        changes.payment.sent_ms += 1;
        Ok::<_, ()>((Some(changes), ()))
    };
    let changed = ends("the commit", store.change(id, rule)).await;
    assert!(matches!(changed, Err(StoreError::Uncertain(_))));
    way.free();
    is_back(&shop.store).await;
    let payment = shop.payment(id).await;
    assert_eq!((payment.sent_ms, payment.revision), (1, 1));
    assert_eq!(shop.store.history(id).await.unwrap().len(), 2);
}
