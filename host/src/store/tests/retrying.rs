//! Tries that failed, deliveries that died, and whose turn it is.

use super::delivering::{finish, lease_one, sets};
use super::*;

#[tokio::test]
async fn a_delivery_fails_twice_and_then_succeeds() {
    let Some(shop) = open() else { return };
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
    let Some(shop) = open() else { return };
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
async fn one_domains_backlog_does_not_hold_up_the_others() {
    let Some(shop) = open() else { return };
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
    let Some(shop) = open() else { return };
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
    let Some(shop) = open() else { return };
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
async fn a_delivery_that_waits_is_brought_forward_and_keeps_its_tries() {
    let Some(shop) = open() else { return };
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
    let Some(shop) = open() else { return };
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
