use super::*;

#[tokio::test]
async fn every_field_comes_back_as_it_was_given() {
    let Some(shop) = open() else { return };
    let payment = full_payment();
    let id = payment.id;
    let attempts = vec![full_attempt(id), attempt(id, 2)];
    let mut told = line("create", Some(State::New), State::Fail);
    told.trade_no = Some(attempts[0].trade_no.to_string());
    told.detail = object(json!({"by": "root"}));
    let history = vec![line("create", None, State::New), told];
    let new = NewPayment {
        attempts: attempts.clone(),
        history: history.clone(),
        callback_content: Some(Arc::new(b"content".to_vec())),
        ..new(payment.clone())
    };
    assert_eq!(shop.store.create(new).await.unwrap(), Created::Made);

    let mut case = Case {
        payment,
        attempts: attempts.clone(),
        refunds: Vec::new(),
    };
    assert_eq!(shop.store.case(id).await.unwrap(), Some(case.clone()));
    let shop = shop.reopen().await;
    // Whoever held a lease is gone.
    case.attempts[0].leased_until_ms = 0;
    assert_eq!(shop.store.case(id).await.unwrap(), Some(case.clone()));
    for attempt in attempts {
        assert_eq!(
            shop.store.case_of_trade(&attempt.trade_no).await.unwrap(),
            Some(case.clone())
        );
    }
    assert_eq!(shop.store.history(id).await.unwrap(), history);
}

#[tokio::test]
async fn an_unknown_payment_is_no_error() {
    let Some(shop) = open() else { return };
    let id = PaymentId::generate();
    assert_eq!(shop.store.case(id).await.unwrap(), None);
    assert_eq!(
        shop.store
            .case_of_trade(&TradeNo::generate())
            .await
            .unwrap(),
        None
    );
    assert!(shop.store.history(id).await.unwrap().is_empty());
    let changed = shop
        .store
        .change(id, |_| Ok::<_, ()>((None, ())))
        .await
        .unwrap();
    assert!(changed.is_none());
}

#[tokio::test]
async fn a_repeated_request_finds_the_first_payment() {
    let Some(shop) = open() else { return };
    let request = |domain: &str, verb: &str, body: &[u8]| NewPayment {
        idempotency: Some(IdempotencyKey {
            verb: verb.to_owned(),
            key: "k-1".to_owned(),
            body: Digest::of(body),
        }),
        ..new(payment(domain))
    };
    let first = request("shop", "create", b"body");
    let id = first.payment.id;
    let store = &shop.store;
    assert_eq!(store.create(first).await.unwrap(), Created::Made);
    assert_eq!(
        store
            .create(request("shop", "create", b"body"))
            .await
            .unwrap(),
        Created::Repeated(id)
    );
    let other = store
        .create(request("shop", "create", b"other"))
        .await
        .unwrap();
    assert_eq!(other, Created::KeyUsedForOtherBody);
    // Neither another verb's keys nor another domain's are in the way.
    for (domain, verb) in [("shop", "send"), ("cafe", "create")] {
        let made = store.create(request(domain, verb, b"other")).await.unwrap();
        assert_eq!(made, Created::Made, "{domain} {verb}");
    }
    let all = Find::new(None);
    assert_eq!(store.find(all).await.unwrap().len(), 3);
}

#[tokio::test]
async fn sixty_four_repeated_requests_at_once_make_one_payment() {
    let Some(shop) = open() else { return };
    let callers = (0..64).map(|_| {
        let store = shop.store.clone();
        let key = IdempotencyKey {
            verb: "create".to_owned(),
            key: "same".to_owned(),
            body: Digest::of(b"same"),
        };
        let new = NewPayment {
            idempotency: Some(key),
            ..new(payment("shop"))
        };
        tokio::spawn(async move { store.create(new).await.unwrap() })
    });
    let mut made = 0;
    for caller in callers.collect::<Vec<_>>() {
        made += usize::from(caller.await.unwrap() == Created::Made);
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn content_is_kept_once_and_counted() {
    let Some(shop) = open() else { return };
    let store = &shop.store;
    let bytes = Arc::new(vec![7; 100_000]);
    let digest = store.put_content(Arc::clone(&bytes)).await.unwrap();
    assert_eq!(store.content_uses(digest).await.unwrap(), Some(0));
    for given in [None, Some(Arc::clone(&bytes)), None] {
        let mut payment = payment("shop");
        payment.callback = Some(callback(&bytes));
        let new = NewPayment {
            callback_content: given,
            ..new(payment)
        };
        assert_eq!(store.create(new).await.unwrap(), Created::Made);
    }
    assert_eq!(store.content_uses(digest).await.unwrap(), Some(3));
    assert_eq!(store.content(digest).await.unwrap(), Some(bytes));
    assert_eq!(store.content(Digest::of(b"unknown")).await.unwrap(), None);
    assert_eq!(
        store.content_uses(Digest::of(b"unknown")).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn parts_that_do_not_fit_are_refused_whole() {
    let Some(shop) = open() else { return };
    let bound = |len: u64| {
        let mut payment = payment("shop");
        payment.callback = Some(BoundCallback {
            len,
            ..callback(b"right")
        });
        new(payment)
    };
    let content = |bytes: &[u8]| Some(Arc::new(bytes.to_vec()));
    let plain = || new(payment("shop"));
    let mut ok = payment("shop");
    ok.state = State::Ok;
    let mut too_late = payment("shop");
    too_late.expires_ms = u64::MAX;
    let mut dangling = line("create", None, State::New);
    dangling.statement = Some(Digest::of(b"never stored").to_string());

    let bad = [
        (
            "no history",
            NewPayment {
                history: Vec::new(),
                ..plain()
            },
        ),
        ("missing content", bound(5)),
        (
            "other content",
            NewPayment {
                callback_content: content(b"wrong"),
                ..bound(5)
            },
        ),
        (
            "other length",
            NewPayment {
                callback_content: content(b"right"),
                ..bound(6)
            },
        ),
        (
            "content without callback",
            NewPayment {
                callback_content: content(b"x"),
                ..plain()
            },
        ),
        (
            "a foreign attempt",
            NewPayment {
                attempts: vec![attempt(PaymentId::generate(), 1)],
                ..plain()
            },
        ),
        (
            "delivery before OK",
            NewPayment {
                deliver: true,
                ..plain()
            },
        ),
        (
            "delivery without callback",
            NewPayment {
                deliver: true,
                ..new(ok)
            },
        ),
        (
            "evidence that is not there",
            NewPayment {
                history: vec![dangling],
                ..plain()
            },
        ),
        ("no domain", new(payment(""))),
    ];
    let late = shop.store.create(new(too_late)).await.unwrap_err();
    assert!(matches!(late, StoreError::Unkeepable(_)), "{late}");
    for (what, new) in bad {
        let id = new.payment.id;
        let refused = shop.store.create(new).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Invariant(_)),
            "{what}: {refused}"
        );
        assert_eq!(shop.store.case(id).await.unwrap(), None, "{what}");
    }
    assert_eq!(
        shop.store.content_uses(Digest::of(b"right")).await.unwrap(),
        None
    );
    assert_eq!(
        shop.store.content_uses(Digest::of(b"wrong")).await.unwrap(),
        None
    );

    let id = shop.make(payment("shop")).await;
    let again = Payment {
        id,
        ..payment("cafe")
    };
    assert!(matches!(
        shop.store.create(new(again)).await,
        Err(StoreError::Exists(_))
    ));
}
