use super::*;

async fn lease_one(shop: &Shop, now: Ams) -> Delivery {
    let mut leased = shop
        .store
        .lease_deliveries(now, now + 100, DeliveryRoom::of(1))
        .await
        .unwrap();
    assert_eq!(leased.len(), 1);
    leased.remove(0)
}

/// Finishes with an answer and nothing else to remark.
async fn finish(shop: &Shop, delivery: &Delivery, effects: Effects) -> Finished {
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

fn sets(key: &str, value: &[u8]) -> Effects {
    Effects {
        writes: vec![(key.to_owned(), Some(value.to_vec()))],
        ..Effects::default()
    }
}

#[tokio::test]
async fn effects_and_apply_at_commit_together_and_once() {
    let shop = Shop::open();
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
    let shop = Shop::open();
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
    let shop = Shop::open();
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
    let shop = Shop::open();
    shop.make_paid("shop").await;
    let slow = lease_one(&shop, 5_000).await;
    assert_eq!(
        finish(&shop, &slow, Effects::default()).await,
        Finished::Done
    );
}

#[tokio::test]
async fn a_delivery_fails_twice_and_then_succeeds() {
    let shop = Shop::open();
    let id = shop.make_paid("shop").await;
    for (now, again_at) in [(5_000, 6_000), (6_000, 8_000)] {
        let delivery = lease_one(&shop, now).await;
        let error = format!("at {now}");
        let kept = shop
            .store
            .fail_delivery(&delivery, error, "l".into(), Some(again_at), now);
        assert!(kept.await.unwrap());
        assert_eq!(shop.store.next_delivery().await.unwrap(), Some(again_at));
        assert!(
            shop.store
                .lease_deliveries(again_at - 1, 9_999, DeliveryRoom::of(9))
                .await
                .unwrap()
                .is_empty()
        );
    }
    let delivery = lease_one(&shop, 8_000).await;
    assert_eq!(
        (delivery.tries, delivery.last_error.as_deref()),
        (3, Some("at 6000"))
    );
    assert_eq!(
        finish(&shop, &delivery, sets("k", b"v")).await,
        Finished::Done
    );
    assert_eq!(shop.payment(id).await.applied_ms, 7_000);
}

#[tokio::test]
async fn a_dead_delivery_rests_until_somebody_replays_it() {
    let shop = Shop::open();
    let id = shop.make_paid("shop").await;
    let delivery = lease_one(&shop, 5_000).await;
    let store = &shop.store;
    assert!(
        store
            .fail_delivery(&delivery, "gone".into(), "".into(), None, 5_050)
            .await
            .unwrap()
    );
    assert_eq!(store.next_delivery().await.unwrap(), None);
    assert!(
        store
            .lease_deliveries(1 << 60, 1 << 61, DeliveryRoom::of(9))
            .await
            .unwrap()
            .is_empty()
    );
    let dead = store
        .deliveries(DeliveriesOf::default(), 0, 9)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((dead.state, dead.ended_ms), (DeliveryState::Dead, 5_050));

    assert!(store.retry_delivery(&dead.key, 9_000).await.unwrap());
    assert!(!store.retry_delivery("unknown", 9_000).await.unwrap());
    let again = lease_one(&shop, 9_000).await;
    assert_eq!(
        (again.key.as_str(), again.tries, again.fence),
        (dead.key.as_str(), 1, 2)
    );
    assert_eq!(
        finish(&shop, &delivery, Effects::default()).await,
        Finished::Fenced
    );
    assert_eq!(
        finish(&shop, &again, Effects::default()).await,
        Finished::Done
    );
    let causes: Vec<_> = store
        .history(id)
        .await
        .unwrap()
        .into_iter()
        .map(|line| line.cause)
        .collect();
    assert_eq!(causes, ["create", "dead", "replay", "apply"]);
}

#[tokio::test]
async fn what_could_not_be_run_counts_no_try() {
    let shop = Shop::open();
    shop.make_paid("shop").await;
    let busy = lease_one(&shop, 5_000).await;
    assert!(shop.store.postpone_delivery(&busy, 5_500).await.unwrap());
    assert_eq!(shop.store.next_delivery().await.unwrap(), Some(5_500));
    let delivery = lease_one(&shop, 5_500).await;
    assert_eq!((delivery.tries, delivery.fence), (1, 2));
}

#[tokio::test]
async fn a_read_that_went_stale_is_a_conflict_and_keeps_the_lease() {
    let shop = Shop::open();
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
    let shop = Shop::open();
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
async fn one_domains_backlog_does_not_hold_up_the_others() {
    let shop = Shop::open();
    for _ in 0..30 {
        shop.make_paid("busy").await;
    }
    let quiet = shop.make_paid("quiet").await;
    let small = shop.make_paid("small").await;
    let leased = shop
        .store
        .lease_deliveries(5_000, 6_000, DeliveryRoom::of(4))
        .await
        .unwrap();
    let payments: Vec<_> = leased.iter().map(|delivery| delivery.payment).collect();
    assert!(
        payments.contains(&quiet) && payments.contains(&small),
        "{leased:?}"
    );
    let rest = shop
        .store
        .lease_deliveries(5_000, 6_000, DeliveryRoom::of(100))
        .await
        .unwrap();
    assert_eq!(rest.len(), 29);
    assert!(rest.iter().all(|delivery| delivery.domain == "busy"));

    // However short a lease is, everybody has a turn before anybody has a second one.
    for domain in ["a", "b", "c"] {
        for _ in 0..2 {
            shop.make_paid(domain).await;
        }
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(lease_one(&shop, 5_000).await.domain);
    }
    assert_eq!(order, ["a", "b", "c", "a", "b", "c"].map(str::to_owned));
}

#[tokio::test]
async fn a_try_that_was_begun_when_the_host_ended_is_told_and_can_still_be_failed() {
    let shop = Shop::open();
    shop.make_paid("shop").await;
    shop.make_paid("shop").await;
    let done = lease_one(&shop, 5_000).await;
    assert_eq!(
        finish(&shop, &done, Effects::default()).await,
        Finished::Done
    );
    let lost = lease_one(&shop, 5_000).await;
    let shop = shop.reopen().await;
    let interrupted = shop.store.interrupted_deliveries().await.unwrap();
    assert_eq!(interrupted, [lost]);
    let [lost] = interrupted.as_slice() else {
        panic!("one delivery")
    };
    let failed = shop
        .store
        .fail_delivery(lost, "the end".into(), "".into(), Some(6_000), 5_001);
    assert!(failed.await.unwrap());
    assert_eq!(shop.store.next_delivery().await.unwrap(), Some(6_000));
    let next = lease_one(&shop, 6_000).await;
    assert_eq!((next.tries, next.key.as_str()), (2, lost.key.as_str()));
    assert_eq!(finish(&shop, lost, sets("a", b"1")).await, Finished::Fenced);
    assert_eq!(finish(&shop, &next, sets("a", b"2")).await, Finished::Done);
}

#[tokio::test]
async fn no_domain_takes_the_places_that_the_others_need() {
    let shop = Shop::open();
    for _ in 0..20 {
        shop.make_paid("slow").await;
    }
    let lease = async |places: u32, under_way: &[String]| {
        let under_way = under_way.to_vec();
        let room = DeliveryRoom { places, under_way };
        let leased = shop.store.lease_deliveries(5_000, 6_000, room);
        let leased = leased.await.unwrap().into_iter();
        leased
            .map(|delivery| delivery.domain)
            .collect::<Vec<String>>()
    };
    // Half of the places, and no more however often it is asked.
    let mut held = lease(16, &[]).await;
    assert_eq!(held, ["slow"; 8]);
    assert!(lease(8, &held).await.is_empty());
    // The next slow one has half of the rest, and there is still a place for anybody else.
    for _ in 0..20 {
        shop.make_paid("slower").await;
    }
    held.extend(lease(8, &held).await);
    assert_eq!(held.len(), 12);
    assert!(lease(4, &held).await.is_empty());
    shop.make_paid("quick").await;
    assert_eq!(lease(4, &held).await, ["quick"]);
    // What has ended makes room again.
    held.retain(|domain| domain == "slower");
    assert_eq!(lease(12, &held).await[..2], ["slow", "slower"]);
}

#[tokio::test]
async fn test_payments_keep_their_data_in_a_space_of_their_own() {
    let shop = Shop::open();
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

#[tokio::test]
async fn a_delivery_that_waits_is_brought_forward_and_keeps_its_tries() {
    let shop = Shop::open();
    let id = shop.make_paid("shop").await;
    let first = lease_one(&shop, 5_000).await;
    let store = &shop.store;
    assert!(
        !store.retry_delivery(&first.key, 5_001).await.unwrap(),
        "it is running"
    );
    let failed = store.fail_delivery(&first, "e".into(), "".into(), Some(90_000), 5_002);
    assert!(failed.await.unwrap());
    assert!(store.retry_delivery(&first.key, 5_003).await.unwrap());
    let second = lease_one(&shop, 5_003).await;
    assert_eq!((second.key.as_str(), second.tries), (&*first.key, 2));
    let causes = store.history(id).await.unwrap();
    assert_eq!(causes.len(), 1, "no change of the payment");
}

#[tokio::test]
async fn deliveries_are_found_by_callback_and_state_and_the_dead_come_back_together() {
    let shop = Shop::open();
    let store = &shop.store;
    let trial = Space {
        test: true,
        ..live("shop")
    };
    let mut dead = Vec::new();
    for space in [live("shop"), trial, live("rival")] {
        let id = shop.make_paid_in(&space).await;
        let leased = lease_one(&shop, 5_000).await;
        assert_eq!(
            (leased.test, leased.callback.as_str()),
            (space.test, "record-sale")
        );
        let failed = store.fail_delivery(&leased, "e".into(), "".into(), None, 5_001);
        assert!(failed.await.unwrap());
        dead.push(id);
    }
    let waiting = shop.make_paid("shop").await;
    let found = async |of: DeliveriesOf| {
        let found = store.deliveries(of, 0, 9).await.unwrap().into_iter();
        found.map(|delivery| delivery.payment).collect::<Vec<_>>()
    };
    let shops = DeliveriesOf {
        domain: Some("shop".to_owned()),
        ..DeliveriesOf::default()
    };
    assert_eq!(found(shops.clone()).await, [waiting, dead[1], dead[0]]);
    for (of, expected) in [
        (
            DeliveriesOf {
                state: Some(DeliveryState::Dead),
                ..shops.clone()
            },
            vec![dead[1], dead[0]],
        ),
        (
            DeliveriesOf {
                state: Some(DeliveryState::Due),
                ..shops.clone()
            },
            vec![waiting],
        ),
        (
            DeliveriesOf {
                test_only: true,
                ..shops.clone()
            },
            vec![dead[1]],
        ),
        (
            DeliveriesOf {
                callback: Some("other".to_owned()),
                ..shops.clone()
            },
            vec![],
        ),
    ] {
        assert_eq!(found(of).await, expected);
    }
    assert_eq!(
        store.deliveries(shops.clone(), 1, 1).await.unwrap()[0].payment,
        dead[1]
    );
    assert_eq!(store.retry_dead(shops.clone(), 1, 6_000).await.unwrap(), 1);
    assert_eq!(store.retry_dead(shops.clone(), 9, 6_000).await.unwrap(), 1);
    assert_eq!(store.retry_dead(shops, 9, 6_000).await.unwrap(), 0);
    let still = DeliveriesOf {
        state: Some(DeliveryState::Dead),
        ..DeliveriesOf::default()
    };
    assert_eq!(found(still).await, [dead[2]]);
}
