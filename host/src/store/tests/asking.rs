use super::*;

/// A waiting payment with one attempt that is to be asked about.
async fn waiting(shop: &Shop, ask_at_ms: Ams) -> TradeNo {
    waiting_at(shop, "shop", "zfb", ask_at_ms).await
}

async fn waiting_at(shop: &Shop, domain: &str, platform: &str, ask_at_ms: Ams) -> TradeNo {
    let payment = Payment {
        state: State::Wait,
        ..payment(domain)
    };
    let mut first = Attempt {
        ask_at_ms,
        state: AttemptState::Wait,
        ..attempt(payment.id, 1)
    };
    first.target.platform = platform.to_owned();
    let trade_no = first.trade_no.clone();
    let new = NewPayment {
        attempts: vec![first],
        ..new(payment)
    };
    shop.store.create(new).await.unwrap();
    trade_no
}

fn numbers(due: &[DueAsk]) -> Vec<TradeNo> {
    due.iter().map(|due| due.attempt.trade_no.clone()).collect()
}

#[tokio::test]
async fn what_is_due_is_claimed_once_the_most_overdue_first() {
    let Some(shop) = open() else { return };
    let late = waiting(&shop, 50).await;
    let later = waiting(&shop, 40).await;
    let future = waiting(&shop, 500).await;
    waiting(&shop, 0).await;
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(40));

    let one = shop
        .store
        .claim_asks(100, 200, CallRoom::of(1))
        .await
        .unwrap();
    assert_eq!(numbers(&one), std::slice::from_ref(&later));
    assert_eq!(
        (one[0].attempt.fence, one[0].attempt.leased_until_ms),
        (1, 200)
    );
    let rest = shop
        .store
        .claim_asks(100, 250, CallRoom::of(9))
        .await
        .unwrap();
    assert_eq!(numbers(&rest), [late]);
    assert!(
        shop.store
            .claim_asks(100, 300, CallRoom::of(9))
            .await
            .unwrap()
            .is_empty()
    );

    // The lease of the first ends, and nobody came back with an answer.
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(200));
    let again = shop
        .store
        .claim_asks(200, 900, CallRoom::of(9))
        .await
        .unwrap();
    assert_eq!(numbers(&again), [later]);
    assert_eq!(again[0].attempt.fence, 2);
    let case = shop.store.case_of_trade(&again[0].attempt.trade_no).await;
    assert_eq!(again[0].attempt, case.unwrap().unwrap().attempts[0]);
    assert_eq!(again[0].domain, "shop");
    let last = shop
        .store
        .claim_asks(600, 900, CallRoom::of(9))
        .await
        .unwrap();
    assert_eq!(last.len(), 2);
    assert!(numbers(&last).contains(&future));
}

#[tokio::test]
async fn an_answer_sets_the_next_time() {
    let Some(shop) = open() else { return };
    let trade_no = waiting(&shop, 10).await;
    let claimed = shop
        .store
        .claim_asks(10, 60, CallRoom::of(9))
        .await
        .unwrap()
        .remove(0);
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Wait);
        let mut attempt = case.attempts[0].clone();
        assert_eq!(attempt.fence, claimed.attempt.fence);
        attempt.leased_until_ms = 0;
        attempt.ask_at_ms = 1_000;
        attempt.asks += 1;
        changes.attempts = vec![attempt];
        Ok::<_, ()>((Some(changes), ()))
    };
    let id = shop
        .store
        .case_of_trade(&trade_no)
        .await
        .unwrap()
        .unwrap()
        .payment
        .id;
    shop.store.change(id, rule).await.unwrap();
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(1_000));
    assert!(
        shop.store
            .claim_asks(999, 2_000, CallRoom::of(9))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_askers_never_get_the_same_attempt() {
    let Some(shop) = open() else { return };
    for _ in 0..50 {
        waiting(&shop, 10).await;
    }
    let askers: Vec<_> = (0..10)
        .map(|_| {
            let store = shop.store.clone();
            tokio::spawn(async move { store.claim_asks(10, 99, CallRoom::of(5)).await.unwrap() })
        })
        .collect();
    let mut claimed = std::collections::HashSet::new();
    for asker in askers {
        for due in asker.await.unwrap() {
            assert!(claimed.insert(due.attempt.trade_no));
        }
    }
    assert_eq!(claimed.len(), 50);
}

fn lanes(due: &[DueAsk]) -> Vec<(&str, &str)> {
    due.iter()
        .map(|due| (due.domain.as_str(), due.attempt.target.platform.as_str()))
        .collect()
}

#[tokio::test]
async fn domains_and_platforms_are_asked_about_in_turn() {
    let Some(shop) = open() else { return };
    for at in 1..=20 {
        waiting_at(&shop, "large", "zfb", at).await;
    }
    waiting_at(&shop, "large", "wx", 50).await;
    waiting_at(&shop, "small", "zfb", 50).await;
    // The large one's backlog is older, and holds up nobody.
    let room = CallRoom::of(4);
    let claimed = shop.store.claim_asks(60, 99, room.clone()).await.unwrap();
    assert_eq!(
        lanes(&claimed),
        [
            ("large", "wx"),
            ("large", "zfb"),
            ("small", "zfb"),
            ("large", "zfb")
        ]
    );
    // Nor does a round without work for the others end it.
    let claimed = shop.store.claim_asks(60, 99, room).await.unwrap();
    assert_eq!(lanes(&claimed), [("large", "zfb"); 4]);
}

#[tokio::test]
async fn what_is_under_way_counts_in_the_share_of_its_domain_and_of_its_platform() {
    let Some(shop) = open() else { return };
    for (domain, platform) in [("a", "zfb"), ("a", "zfb"), ("b", "zfb"), ("b", "wx")] {
        waiting_at(&shop, domain, platform, 10).await;
    }
    let lane = |domain: &str, platform: &str| (domain.to_owned(), platform.to_owned());
    for places in [9, 2] {
        let room = CallRoom {
            places,
            of_a_domain: 2,
            of_a_platform: 3,
            under_way: vec![lane("a", "wx"), lane("a", "wx"), lane("c", "zfb")],
        };
        // Nothing of a, which has its share; of b as much as its own share allows.
        let claimed = shop.store.claim_asks(10, 20, room).await.unwrap();
        assert_eq!(claimed.len(), 2, "{places}");
        assert!(claimed.iter().all(|due| due.domain == "b"), "{places}");
        for due in claimed {
            free(&shop, &due).await;
        }
    }
    let hanging = CallRoom {
        places: 9,
        of_a_domain: 9,
        of_a_platform: 1,
        under_way: vec![lane("c", "zfb")],
    };
    let claimed = shop.store.claim_asks(10, 20, hanging).await.unwrap();
    assert_eq!(lanes(&claimed), [("b", "wx")]);
}

/// Gives a leased attempt back, due as before.
async fn free(shop: &Shop, due: &DueAsk) {
    let trade_no = due.attempt.trade_no.clone();
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Wait);
        changes.attempts = case.attempts.clone();
        for attempt in &mut changes.attempts {
            assert_eq!(attempt.trade_no, trade_no);
            attempt.leased_until_ms = 0;
        }
        Ok::<_, ()>((Some(changes), ()))
    };
    let changed = shop.store.change(due.attempt.payment, rule).await;
    changed.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_lease_that_is_over_at_once_is_refused() {
    let Some(shop) = open() else { return };
    let refused = shop.store.claim_asks(10, 10, CallRoom::of(1)).await;
    assert!(matches!(refused, Err(StoreError::Invariant(_))));
    let refused = shop
        .store
        .lease_deliveries(10, 10, DeliveryRoom::of(1))
        .await;
    assert!(matches!(refused, Err(StoreError::Invariant(_))));
}

#[tokio::test]
async fn payments_that_nobody_can_pay_any_more_are_found() {
    let Some(shop) = open() else { return };
    let make = |expires_ms, state| {
        shop.make(Payment {
            expires_ms,
            state,
            ..payment("shop")
        })
    };
    let second = make(20, State::New).await;
    let first = make(10, State::New).await;
    let unsent = make(5, State::Wait).await;
    let waiting = Payment {
        expires_ms: 4,
        state: State::Wait,
        ..payment("shop")
    };
    shop.store
        .create(NewPayment {
            attempts: vec![attempt(waiting.id, 1)],
            ..new(waiting)
        })
        .await
        .unwrap();
    make(0, State::New).await;
    make(30, State::New).await;
    assert_eq!(shop.store.next_expiry().await.unwrap(), Some(5));
    assert_eq!(
        shop.store.expired(20, 9).await.unwrap(),
        [unsent, first, second]
    );
    assert_eq!(shop.store.expired(20, 1).await.unwrap(), [unsent]);
    assert!(shop.store.expired(4, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_deadline_counts_once_the_last_attempt_is_closed_and_not_while_the_payment_is_held() {
    let Some(shop) = open() else { return };
    let waiting = Payment {
        expires_ms: 40,
        ..payment("shop")
    };
    let id = waiting.id;
    shop.store.create(new(waiting)).await.unwrap();
    assert_eq!(shop.store.next_expiry().await.unwrap(), Some(40));
    let put = async |attempts: Vec<Attempt>, hold: Option<Hold>| {
        let put = move |case: &Case| {
            let mut changes = moved(case, State::Wait);
            changes.attempts = attempts;
            changes.payment.hold = hold;
            Ok::<_, ()>((Some(changes), ()))
        };
        shop.store.change(id, put).await.unwrap();
        shop.store.next_expiry().await.unwrap()
    };
    let closed = |open: &Attempt| Attempt {
        state: AttemptState::Fail,
        ..open.clone()
    };
    let (first, second) = (attempt(id, 1), attempt(id, 2));
    assert_eq!(put(vec![first.clone()], None).await, None);
    assert_eq!(put(vec![closed(&first), second.clone()], None).await, None);
    assert_eq!(put(vec![closed(&second)], None).await, Some(40));
    let held = full_payment().hold;
    assert!(held.is_some());
    assert_eq!(put(Vec::new(), held).await, None);
    assert_eq!(put(Vec::new(), None).await, Some(40));
}

#[tokio::test]
async fn what_was_begun_when_the_host_ended_is_due_at_once() {
    let Some(shop) = open() else { return };
    let asked = waiting(&shop, 50).await;
    let future = waiting(&shop, 5_000).await;
    let never = waiting(&shop, 0).await;
    shop.store
        .claim_asks(100, 9_000, CallRoom::of(9))
        .await
        .unwrap();
    let shop = shop.reopen().await;
    let claimed = shop
        .store
        .claim_asks(2_000, 9_000, CallRoom::of(9))
        .await
        .unwrap();
    assert_eq!(numbers(&claimed), [asked]);
    assert_eq!(claimed[0].attempt.fence, 2);
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(5_000));
    for (trade_no, ask_at_ms) in [(future, 5_000), (never, 0)] {
        let case = shop.store.case_of_trade(&trade_no).await.unwrap().unwrap();
        assert_eq!(case.attempts[0].ask_at_ms, ask_at_ms);
    }
}
