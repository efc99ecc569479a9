use super::*;

pub(super) async fn lease_one(shop: &Shop, now: Ams) -> Delivery {
    let mut leased = shop
        .store
        .lease_deliveries(now, now + 100, DeliveryRoom::of(1))
        .await
        .unwrap();
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

/// Finishes with an answer and nothing else to remark.
pub(super) async fn finish(shop: &Shop, delivery: &Delivery, effects: Effects) -> Finished {
    let answer = "{\"ok\":1}".to_owned();
    shop.store
        .finish_delivery(delivery, effects, answer, "log".to_owned(), 7_000)
        .await
        .unwrap()
}

/// Those of one payment.
fn of(payment: PaymentId) -> DeliveriesOf {
    DeliveriesOf {
        payment: Some(payment),
        ..DeliveriesOf::default()
    }
}

pub(super) fn sets(key: &str, value: &[u8]) -> Effects {
    Effects {
        writes: vec![(key.to_owned(), Some(value.to_vec()))],
        ..Effects::default()
    }
}

#[tokio::test]
async fn effects_and_apply_at_commit_together_and_once() {
    let Some(shop) = open() else { return };
    let id = shop.make_paid("shop").await;
    assert_eq!(shop.store.next_delivery().await.unwrap(), Some(1_000));
    assert!(
        shop.store
            .lease_deliveries(999, 2_000, DeliveryRoom::of(9))
            .await
            .unwrap()
            .is_empty()
    );
    let delivery = lease_one(&shop, 5_000).await;
    assert_eq!(
        (delivery.payment, delivery.tries, delivery.fence),
        (id, 1, 1)
    );
    assert_eq!(
        (delivery.state, delivery.leased_until_ms),
        (DeliveryState::Leased, 5_100)
    );
    assert!(
        shop.store
            .lease_deliveries(5_000, 6_000, DeliveryRoom::of(9))
            .await
            .unwrap()
            .is_empty()
    );

    let effects = Effects {
        reads: vec![("sales".to_owned(), 0)],
        writes: vec![("sales".to_owned(), Some(b"1".to_vec()))],
        events: vec![
            ("sold".to_owned(), "{}".to_owned()),
            ("again".to_owned(), "1".to_owned()),
        ],
    };
    assert_eq!(
        finish(&shop, &delivery, effects.clone()).await,
        Finished::Done
    );
    assert_eq!(finish(&shop, &delivery, effects).await, Finished::Fenced);

    let shop = shop.reopen().await;
    let payment = shop.payment(id).await;
    assert_eq!(
        (payment.applied_ms, payment.changed_ms, payment.revision),
        (7_000, 7_000, 1)
    );
    assert_eq!(payment.applied_result.as_deref(), Some("{\"ok\":1}"));
    assert_eq!(
        shop.store.kv_get(&live("shop"), "sales").await.unwrap(),
        Some((b"1".to_vec(), 1))
    );
    let events = shop.store.events("shop", id).await.unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| event.name.as_str())
            .collect::<Vec<_>>(),
        ["sold", "again"]
    );
    assert!(shop.store.events("cafe", id).await.unwrap().is_empty());
    let history = shop.store.history(id).await.unwrap();
    assert_eq!(history.last().unwrap().cause, "apply");
    let done = shop.store.deliveries(of(id), 0, 9).await.unwrap().remove(0);
    assert_eq!(
        (done.state, done.ended_ms, done.log.as_str()),
        (DeliveryState::Done, 7_000, "log")
    );
    assert_eq!(shop.store.next_delivery().await.unwrap(), None);
    assert!(!shop.store.retry_delivery(&done.key, 8_000).await.unwrap());
}

#[tokio::test]
async fn a_payment_has_one_delivery_however_often_it_is_asked_for() {
    let Some(shop) = open() else { return };
    let id = shop.make_paid("shop").await;
    let rule = |case: &Case| {
        let changes = Changes {
            deliver: true,
            ..moved(case, State::Ok)
        };
        Ok::<_, ()>((Some(changes), ()))
    };
    shop.store.change(id, rule).await.unwrap();
    assert_eq!(shop.store.deliveries(of(id), 0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_lost_the_lease_writes_nothing() {
    let Some(shop) = open() else { return };
    let id = shop.make_paid("shop").await;
    let slow = lease_one(&shop, 5_000).await;
    // The slow one's lease ran out, and another took over.
    assert_eq!(shop.store.next_delivery().await.unwrap(), Some(5_100));
    let fast = lease_one(&shop, 5_100).await;
    assert_eq!(
        (fast.key.as_str(), fast.tries, fast.fence),
        (slow.key.as_str(), 2, 2)
    );

    assert_eq!(
        finish(&shop, &slow, sets("k", b"slow")).await,
        Finished::Fenced
    );
    let store = &shop.store;
    assert!(
        !store
            .fail_delivery(&slow, "e".into(), "".into(), None, 1)
            .await
            .unwrap()
    );
    assert!(!store.postpone_delivery(&slow, 1).await.unwrap());
    assert_eq!(shop.payment(id).await.applied_ms, 0);
    assert_eq!(store.kv_get(&live("shop"), "k").await.unwrap(), None);

    assert_eq!(
        finish(&shop, &fast, sets("k", b"fast")).await,
        Finished::Done
    );
    assert_eq!(
        store.kv_get(&live("shop"), "k").await.unwrap(),
        Some((b"fast".to_vec(), 1))
    );
}

#[tokio::test]
async fn a_lease_that_ran_out_still_holds_while_nobody_took_it() {
    let Some(shop) = open() else { return };
    shop.make_paid("shop").await;
    let slow = lease_one(&shop, 5_000).await;
    assert_eq!(
        finish(&shop, &slow, Effects::default()).await,
        Finished::Done
    );
}

#[tokio::test]
async fn what_could_not_be_run_counts_no_try() {
    let Some(shop) = open() else { return };
    shop.make_paid("shop").await;
    let busy = lease_one(&shop, 5_000).await;
    assert!(shop.store.postpone_delivery(&busy, 5_500).await.unwrap());
    assert_eq!(shop.store.next_delivery().await.unwrap(), Some(5_500));
    let delivery = lease_one(&shop, 5_500).await;
    assert_eq!((delivery.tries, delivery.fence), (1, 2));
}

#[tokio::test]
async fn a_read_that_went_stale_is_a_conflict_and_keeps_the_lease() {
    let Some(shop) = open() else { return };
    shop.make_paid("shop").await;
    shop.make_paid("shop").await;
    let leased = shop
        .store
        .lease_deliveries(5_000, 6_000, DeliveryRoom::of(9))
        .await
        .unwrap();
    let [first, second] = leased.as_slice() else {
        panic!("two deliveries")
    };
    let adds = |version: u64, value: &[u8]| Effects {
        reads: vec![("sum".to_owned(), version)],
        ..sets("sum", value)
    };
    // Both read that there is no sum yet.
    assert_eq!(finish(&shop, first, adds(0, b"1")).await, Finished::Done);
    assert_eq!(
        finish(&shop, second, adds(0, b"1")).await,
        Finished::Conflict
    );
    let (value, version) = shop
        .store
        .kv_get(&live("shop"), "sum")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value, b"1");
    assert_eq!(
        finish(&shop, second, adds(version, b"2")).await,
        Finished::Done
    );
    assert_eq!(
        shop.store
            .kv_get(&live("shop"), "sum")
            .await
            .unwrap()
            .unwrap()
            .0,
        b"2"
    );
}

#[tokio::test]
async fn a_key_that_was_deleted_and_set_again_is_another_one() {
    let Some(shop) = open() else { return };
    let run = async |effects: Effects| {
        shop.make_paid("shop").await;
        let delivery = lease_one(&shop, 5_000).await;
        assert_eq!(finish(&shop, &delivery, effects).await, Finished::Done);
    };
    run(sets("k", b"one")).await;
    let (_, seen) = shop
        .store
        .kv_get(&live("shop"), "k")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shop.store.kv_size(&live("shop")).await.unwrap(), 4);
    run(Effects {
        writes: vec![("k".to_owned(), None)],
        ..Effects::default()
    })
    .await;
    assert_eq!(shop.store.kv_get(&live("shop"), "k").await.unwrap(), None);
    assert_eq!(shop.store.kv_size(&live("shop")).await.unwrap(), 0);
    run(sets("k", b"three")).await;
    let (_, now) = shop
        .store
        .kv_get(&live("shop"), "k")
        .await
        .unwrap()
        .unwrap();
    assert!(now > seen);
    assert_eq!(shop.store.kv_size(&live("shop")).await.unwrap(), 6);

    shop.make_paid("shop").await;
    let delivery = lease_one(&shop, 5_000).await;
    let stale = Effects {
        reads: vec![("k".to_owned(), seen)],
        ..Effects::default()
    };
    assert_eq!(finish(&shop, &delivery, stale).await, Finished::Conflict);
    // Another domain's key of the same name is none of it.
    assert_eq!(shop.store.kv_get(&live("cafe"), "k").await.unwrap(), None);
    assert_eq!(shop.store.kv_size(&live("cafe")).await.unwrap(), 0);
}

#[tokio::test]
async fn test_payments_keep_their_data_in_a_space_of_their_own() {
    let Some(shop) = open() else { return };
    let trial = Space {
        test: true,
        ..live("shop")
    };
    for (space, value) in [(live("shop"), b"live"), (trial.clone(), b"test")] {
        shop.make_paid_in(&space).await;
        let delivery = lease_one(&shop, 5_000).await;
        // Nothing is there before, whatever the other has.
        let first = Effects {
            reads: vec![("k".to_owned(), 0)],
            ..sets("k", value)
        };
        assert_eq!(finish(&shop, &delivery, first).await, Finished::Done);
        assert_eq!(shop.store.kv_size(&space).await.unwrap(), 5);
    }
    for (space, value) in [(live("shop"), b"live"), (trial, b"test")] {
        let kept = shop.store.kv_get(&space, "k").await.unwrap().unwrap();
        assert_eq!(kept.0, value);
    }
}
