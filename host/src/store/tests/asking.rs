use super::*;

/// A waiting payment with one attempt that is to be asked about.
async fn waiting(shop: &Shop, ask_at_ms: Ams) -> TradeNo {
    let payment = Payment {
        state: State::Wait,
        ..payment("shop")
    };
    let first = Attempt {
        ask_at_ms,
        state: AttemptState::Wait,
        ..attempt(payment.id, 1)
    };
    let trade_no = first.trade_no.clone();
    let new = NewPayment {
        attempts: vec![first],
        ..new(payment)
    };
    shop.store.create(new).await.unwrap();
    trade_no
}

fn numbers(attempts: &[Attempt]) -> Vec<TradeNo> {
    attempts
        .iter()
        .map(|attempt| attempt.trade_no.clone())
        .collect()
}

#[tokio::test]
async fn what_is_due_is_claimed_once_the_most_overdue_first() {
    let shop = Shop::open();
    let late = waiting(&shop, 50).await;
    let later = waiting(&shop, 40).await;
    let future = waiting(&shop, 500).await;
    waiting(&shop, 0).await;
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(40));

    let one = shop.store.claim_asks(100, 200, 1).await.unwrap();
    assert_eq!(numbers(&one), std::slice::from_ref(&later));
    assert_eq!((one[0].fence, one[0].leased_until_ms), (1, 200));
    let rest = shop.store.claim_asks(100, 250, 9).await.unwrap();
    assert_eq!(numbers(&rest), [late]);
    assert!(shop.store.claim_asks(100, 300, 9).await.unwrap().is_empty());

    // The lease of the first ends, and nobody came back with an answer.
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(200));
    let again = shop.store.claim_asks(200, 900, 9).await.unwrap();
    assert_eq!(numbers(&again), [later]);
    assert_eq!(again[0].fence, 2);
    assert_eq!(
        again,
        shop.store
            .case_of_trade(&again[0].trade_no)
            .await
            .unwrap()
            .unwrap()
            .attempts
    );
    let last = shop.store.claim_asks(600, 900, 9).await.unwrap();
    assert_eq!(last.len(), 2);
    assert!(numbers(&last).contains(&future));
}

#[tokio::test]
async fn an_answer_sets_the_next_time() {
    let shop = Shop::open();
    let trade_no = waiting(&shop, 10).await;
    let claimed = shop.store.claim_asks(10, 60, 9).await.unwrap().remove(0);
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Wait);
        let mut attempt = case.attempts[0].clone();
        assert_eq!(attempt.fence, claimed.fence);
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
            .claim_asks(999, 2_000, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_askers_never_get_the_same_attempt() {
    let shop = Shop::open();
    for _ in 0..50 {
        waiting(&shop, 10).await;
    }
    let askers: Vec<_> = (0..10)
        .map(|_| {
            let store = shop.store.clone();
            tokio::spawn(async move { store.claim_asks(10, 99, 5).await.unwrap() })
        })
        .collect();
    let mut claimed = std::collections::HashSet::new();
    for asker in askers {
        for attempt in asker.await.unwrap() {
            assert!(claimed.insert(attempt.trade_no));
        }
    }
    assert_eq!(claimed.len(), 50);
}

#[tokio::test]
async fn a_lease_that_is_over_at_once_is_refused() {
    let shop = Shop::open();
    let refused = shop.store.claim_asks(10, 10, 1).await;
    assert!(matches!(refused, Err(StoreError::Invariant(_))));
    let refused = shop.store.lease_deliveries(10, 10, 1).await;
    assert!(matches!(refused, Err(StoreError::Invariant(_))));
}

#[tokio::test]
async fn payments_that_nobody_sent_in_time_are_found() {
    let shop = Shop::open();
    let make = |expires_ms, state| {
        shop.make(Payment {
            expires_ms,
            state,
            ..payment("shop")
        })
    };
    let second = make(20, State::New).await;
    let first = make(10, State::New).await;
    make(5, State::Wait).await;
    make(0, State::New).await;
    make(30, State::New).await;
    assert_eq!(shop.store.next_expiry().await.unwrap(), Some(10));
    assert_eq!(
        shop.store.expired_new(20, 9).await.unwrap(),
        [first, second]
    );
    assert_eq!(shop.store.expired_new(20, 1).await.unwrap(), [first]);
    assert!(shop.store.expired_new(9, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_begun_when_the_host_ended_is_due_at_once() {
    let shop = Shop::open();
    let asked = waiting(&shop, 50).await;
    let future = waiting(&shop, 5_000).await;
    let never = waiting(&shop, 0).await;
    shop.store.claim_asks(100, 9_000, 9).await.unwrap();
    let shop = shop.reopen().await;
    let claimed = shop.store.claim_asks(2_000, 9_000, 9).await.unwrap();
    assert_eq!(numbers(&claimed), [asked]);
    assert_eq!(claimed[0].fence, 2);
    assert_eq!(shop.store.next_ask().await.unwrap(), Some(5_000));
    for (trade_no, ask_at_ms) in [(future, 5_000), (never, 0)] {
        let case = shop.store.case_of_trade(&trade_no).await.unwrap().unwrap();
        assert_eq!(case.attempts[0].ask_at_ms, ask_at_ms);
    }
}
