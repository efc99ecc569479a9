use super::*;
use crate::payment::state::may_follow;

const STATES: [State; 4] = [State::New, State::Wait, State::Ok, State::Fail];

#[tokio::test]
async fn a_settlement_is_written_with_its_evidence() {
    let Some(shop) = open() else { return };
    let id = shop
        .make(Payment {
            callback: None,
            ..payment("shop")
        })
        .await;
    let sent = attempt(id, 1);
    let first = sent.clone();
    let answer = shop
        .store
        .change(id, move |case| {
            let mut changes = moved(case, State::Wait);
            changes.attempts = vec![first];
            changes.payment.pay_type = Some("zfb.qrcode".to_owned());
            Ok::<_, ()>((Some(changes), "sent"))
        })
        .await
        .unwrap();
    assert_eq!(answer, Some(Ok("sent")));

    let said = StoredStatement {
        digest: Digest::of(b"paid 100"),
        trade_no: sent.trade_no.clone(),
        scheme: "notify".to_owned(),
        claim: "notification".to_owned(),
        text: b"paid 100".to_vec(),
        at: 3_000,
    };
    let kept = said.clone();
    shop.store
        .change(id, move |case| {
            let mut changes = moved(case, State::Ok);
            let mut paid = case.attempts[0].clone();
            paid.state = AttemptState::Ok;
            paid.transaction_id = Some("2026".to_owned());
            changes.attempts = vec![paid];
            changes.history[0].statement = Some(kept.digest.to_string());
            changes.statement = Some(kept);
            Ok::<_, ()>((Some(changes), ()))
        })
        .await
        .unwrap();

    let case = shop.store.case(id).await.unwrap().unwrap();
    assert_eq!((case.payment.state, case.payment.revision), (State::Ok, 2));
    assert_eq!(case.attempts.len(), 1);
    assert_eq!(case.attempts[0].transaction_id.as_deref(), Some("2026"));
    assert_eq!(
        shop.store.statement(said.digest).await.unwrap(),
        Some(said.clone())
    );
    let history = shop.store.history(id).await.unwrap();
    assert_eq!(history.len(), 3);
    assert_eq!(history[2].statement, Some(said.digest.to_string()));
}

#[tokio::test]
async fn a_rule_that_refuses_or_has_nothing_to_say_writes_nothing() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let before = shop.payment(id).await;
    let refused = shop
        .store
        .change(id, |_| Err::<(Option<Changes>, ()), _>("no"))
        .await
        .unwrap();
    assert_eq!(refused, Some(Err("no")));
    let silent = shop
        .store
        .change(id, |case| Ok::<_, ()>((None, case.attempts.len())))
        .await;
    assert_eq!(silent.unwrap(), Some(Ok(0)));
    assert_eq!(shop.payment(id).await, before);
    assert_eq!(shop.store.history(id).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_callers_one_wins_and_no_change_is_lost() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let callers = (0..64).map(|_| {
        let store = shop.store.clone();
        tokio::spawn(async move {
            store
                .change(id, |case| {
                    let won = case.payment.state == State::New;
                    let mut changes = moved(case, State::Wait);
                    let seen = case.payment.platforms.get("seen").and_then(Value::as_u64);
                    let seen = seen.unwrap_or(0) + 1;
                    changes
                        .payment
                        .platforms
                        .insert("seen".to_owned(), seen.into());
                    Ok::<_, ()>((Some(changes), won))
                })
                .await
        })
    });
    let mut won = 0;
    for caller in callers.collect::<Vec<_>>() {
        won += usize::from(caller.await.unwrap().unwrap().unwrap().unwrap());
    }
    assert_eq!(won, 1);
    let payment = shop.payment(id).await;
    assert_eq!(payment.platforms["seen"], 64);
    assert_eq!(payment.revision, 64);
    assert_eq!(shop.store.history(id).await.unwrap().len(), 65);
}

#[tokio::test]
async fn illegal_states_are_refused_by_the_store_too() {
    let Some(shop) = open() else { return };
    for (from, to) in STATES.iter().flat_map(|from| STATES.map(|to| (*from, to))) {
        let id = shop
            .make(Payment {
                state: from,
                ..payment("shop")
            })
            .await;
        let rule = move |case: &Case| Ok::<_, ()>((Some(moved(case, to)), ()));
        let changed = shop.store.change(id, rule).await;
        let legal = may_follow(from, to);
        assert_eq!(changed.is_ok(), legal, "{from:?} to {to:?}");
        if !legal {
            assert!(matches!(changed, Err(StoreError::Invariant(_))));
        }
        let kept = if legal { to } else { from };
        assert_eq!(shop.payment(id).await.state, kept);
        assert_eq!(
            shop.store.history(id).await.unwrap().len(),
            if legal { 2 } else { 1 }
        );
    }
}

#[tokio::test]
async fn what_creation_fixed_may_not_change() {
    type Spoil = fn(&mut Changes);
    let spoils: [(&str, Spoil); 17] = [
        ("id", |c| c.payment.id = PaymentId::generate()),
        ("domain", |c| c.payment.domain.push('x')),
        ("domain id", |c| c.payment.domain_id.push('x')),
        ("test", |c| c.payment.test ^= true),
        ("brief", |c| c.payment.brief.push('x')),
        ("fee", |c| {
            c.payment.total = Money::new(101, Currency::CNY).unwrap()
        }),
        ("currency", |c| {
            c.payment.total = Money::new(100, Currency::parse("USD").unwrap()).unwrap();
        }),
        ("price", |c| c.payment.price_minor = Some(1)),
        ("created", |c| c.payment.created_ms += 1),
        ("callback", |c| {
            c.payment.callback = Some(callback(b"other"))
        }),
        ("meta", |c| c.payment.meta = object(json!({"a": 1}))),
        ("applied", |c| c.payment.applied_ms = 5),
        ("result", |c| {
            c.payment.applied_result = Some("1".to_owned())
        }),
        ("revision", |c| c.payment.revision += 1),
        ("no history", |c| {
            c.payment.changed_ms += 1;
            c.history.clear();
        }),
        ("a foreign attempt", |c| {
            c.attempts = vec![attempt(PaymentId::generate(), 2)]
        }),
        ("a delivery", |c| c.deliver = true),
    ];
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let before = shop.payment(id).await;
    for (what, spoil) in spoils {
        let rule = move |case: &Case| {
            let mut changes = moved(case, State::New);
            spoil(&mut changes);
            Ok::<_, ()>((Some(changes), ()))
        };
        let refused = shop.store.change(id, rule).await;
        assert!(
            matches!(refused, Err(StoreError::Invariant(_))),
            "{what}: {refused:?}"
        );
        assert_eq!(shop.payment(id).await, before, "{what}");
    }
    assert_eq!(shop.store.history(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_of_state_must_be_told() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let rule = |case: &Case| {
        let mut changes = moved(case, State::Wait);
        changes.history[0].to = State::New;
        Ok::<_, ()>((Some(changes), ()))
    };
    assert!(matches!(
        shop.store.change(id, rule).await,
        Err(StoreError::Invariant(_))
    ));
}

#[tokio::test]
async fn what_an_attempt_was_sent_with_may_not_change() {
    type Spoil = fn(&mut Attempt);
    let spoils: [(&str, Spoil); 7] = [
        ("number", |a| a.number = 2),
        ("pay type", |a| a.pay_type.push('x')),
        ("target", |a| a.target.version += 1),
        ("provider", |a| a.provider = Digest::of(b"other")),
        ("address", |a| a.notify_url.push('x')),
        ("fence", |a| a.fence = 0),
        ("paid", |a| a.state = AttemptState::Fail),
    ];
    let Some(shop) = open() else { return };
    let mut payment = payment("shop");
    payment.state = State::Wait;
    let id = payment.id;
    let first = Attempt {
        state: AttemptState::Ok,
        fence: 2,
        ..attempt(id, 1)
    };
    let new = NewPayment {
        attempts: vec![first.clone()],
        ..new(payment)
    };
    shop.store.create(new).await.unwrap();
    for (what, spoil) in spoils {
        let rule = move |case: &Case| {
            let mut changes = moved(case, State::Wait);
            let mut attempt = case.attempts[0].clone();
            spoil(&mut attempt);
            changes.attempts = vec![attempt];
            Ok::<_, ()>((Some(changes), ()))
        };
        let refused = shop.store.change(id, rule).await;
        assert!(
            matches!(refused, Err(StoreError::Invariant(_))),
            "{what}: {refused:?}"
        );
        assert_eq!(
            shop.store.case(id).await.unwrap().unwrap().attempts,
            std::slice::from_ref(&first),
            "{what}"
        );
    }

    // Nor may a number that another payment's attempt has be taken over.
    let other = shop
        .make(Payment {
            state: State::Wait,
            ..super::payment("cafe")
        })
        .await;
    let stolen = first.trade_no.clone();
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Wait);
        changes.attempts = vec![Attempt {
            trade_no: stolen,
            ..attempt(other, 1)
        }];
        Ok::<_, ()>((Some(changes), ()))
    };
    assert!(matches!(
        shop.store.change(other, rule).await,
        Err(StoreError::Invariant(_))
    ));
}

#[tokio::test]
async fn history_and_evidence_refuse_every_other_statement() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    shop.store
        .change(id, move |case| {
            let mut changes = moved(case, State::Wait);
            changes.statement = Some(StoredStatement {
                digest: Digest::of(b"said"),
                trade_no: TradeNo::first(id),
                scheme: String::new(),
                claim: String::new(),
                text: b"said".to_vec(),
                at: 1,
            });
            Ok::<_, ()>((Some(changes), ()))
        })
        .await
        .unwrap();
    let before = shop.store.history(id).await.unwrap();
    let mut forgeries = vec![
        "UPDATE history SET cause = 'forged'",
        "DELETE FROM history",
        "UPDATE statement SET scheme = 'forged'",
        "DELETE FROM statement",
        "DELETE FROM payment",
    ];
    if matches!(shop.place, Place::Directory(_)) {
        forgeries.push(
            "INSERT OR REPLACE INTO history SELECT payment, line, at_ms, 'forged', from_state, \
            to_state, trade_no, statement, detail FROM history",
        );
    }
    for sql in forgeries {
        let refused = shop
            .store
            .database
            .write(move |link| link.execute(sql, &[]))
            .await;
        assert!(
            matches!(refused, Err(StoreError::Invariant(_))),
            "{sql}: {refused:?}"
        );
    }
    assert_eq!(shop.store.history(id).await.unwrap(), before);
}

#[tokio::test]
async fn a_rule_that_panics_harms_nobody_else() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let broken = |_: &Case| -> Result<(Option<Changes>, ()), ()> { panic!("a bug in a rule") };
    assert!(matches!(
        shop.store.change(id, broken).await,
        Err(StoreError::Invariant(_))
    ));
    let rule = |case: &Case| Ok::<_, ()>((Some(moved(case, State::Wait)), ()));
    assert_eq!(shop.store.change(id, rule).await.unwrap(), Some(Ok(())));
}
