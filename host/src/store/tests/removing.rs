use super::*;

/// A payment that ended, with all that may be written for one.
async fn ended(shop: &Shop, state: State) -> PaymentId {
    let payment = Payment {
        state,
        meta: Map::from_iter([("or".to_owned(), json!({"id": "A-7"}))]),
        callback: (state == State::Ok).then(|| callback(b"a component")),
        ..payment("shop")
    };
    let paid = Attempt {
        state: if state == State::Ok {
            AttemptState::Ok
        } else {
            AttemptState::Fail
        },
        ..attempt(payment.id, 1)
    };
    let id = payment.id;
    let key = IdempotencyKey {
        verb: "create".to_owned(),
        key: id.to_string(),
        body: Digest::of(b"{}"),
    };
    let new = NewPayment {
        attempts: vec![paid.clone()],
        callback_content: (state == State::Ok).then(|| Arc::new(b"a component".to_vec())),
        deliver: state == State::Ok,
        idempotency: Some(key),
        ..new(payment)
    };
    shop.store.create(new).await.unwrap();
    let text = id.to_string().into_bytes();
    let evidence = StoredStatement {
        digest: Digest::of(&text),
        trade_no: paid.trade_no.clone(),
        scheme: "notification".to_owned(),
        claim: "paid".to_owned(),
        text,
        at: 1_000,
    };
    let refund = Refund {
        refund_no: RefundNo::generate(),
        payment: id,
        trade_no: paid.trade_no,
        amount_minor: 50,
        reason: String::new(),
        cause: RefundCause::Asked,
        state: RefundState::Fail,
        created_ms: 1,
        ended_ms: 2,
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms: 0,
        asks: 1,
        last_error: None,
    };
    let rule = move |case: &Case| {
        let mut changes = moved(case, state);
        changes.history[0].statement = Some(evidence.digest.to_string());
        changes.statement = Some(evidence.clone());
        changes.refunds = vec![refund.clone()];
        Ok::<_, ()>((Some(changes), ()))
    };
    shop.store.change(id, rule).await.unwrap().unwrap().unwrap();
    id
}

async fn old(shop: &Shop, state: State) -> Vec<PaymentId> {
    let old = shop.store.ended(state, 1 << 40, None, 9).await.unwrap();
    old.into_iter().map(|ended| ended.id).collect()
}

async fn rows(shop: &Shop) -> Vec<(&'static str, i64)> {
    let tables = [
        "payment", "attempt", "refund", "history", "statement", "idempotency", "delivery", "event",
        "field_key", "leaving",
    ];
    shop.store
        .database
        .read(move |link| {
            let count = |table: &'static str| {
                let sql = format!("SELECT count(*) FROM {table}");
                let count = link::one_row(link, &sql, &[], |row| row.next())?;
                Ok((table, count.unwrap()))
            };
            tables.into_iter().map(count).collect()
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_payment_leaves_with_all_its_rows_and_nobody_elses() {
    let Some(shop) = open() else { return };
    let stays = ended(&shop, State::Fail).await;
    let before = rows(&shop).await;
    let leaves = ended(&shop, State::Fail).await;
    assert_eq!(old(&shop, State::Fail).await, [stays, leaves]);
    assert!(shop.store.remove(leaves, |_| true).await.unwrap());
    assert_eq!(rows(&shop).await, before);
    assert!(shop.store.case(leaves).await.unwrap().is_none());
    assert_eq!(shop.store.history(stays).await.unwrap().len(), 2);
    assert!(!shop.store.remove(leaves, |_| true).await.unwrap());
    let checked = shop.store.database.read(table::care::check).await.unwrap();
    assert_eq!(checked.problems, [""; 0]);
}

#[tokio::test]
async fn what_is_not_over_stays_whatever_the_policy_says() {
    let Some(shop) = open() else { return };
    // Its callback has not run.
    let owes = ended(&shop, State::Ok).await;
    let new = shop.make(payment("shop")).await;
    let held = Payment {
        state: State::Fail,
        hold: full_payment().hold,
        ..payment("shop")
    };
    let held = shop.make(held).await;
    let failed = ended(&shop, State::Fail).await;
    for id in [owes, new, held] {
        assert!(!shop.store.remove(id, |_| true).await.unwrap());
    }
    assert!(!shop.store.remove(failed, |_| false).await.unwrap(), "the rule decides");
    for id in [owes, new, held, failed] {
        assert!(shop.store.case(id).await.unwrap().is_some());
    }
    let history = "DELETE FROM history";
    let statement = "DELETE FROM statement";
    for sql in [history, statement] {
        let delete = move |link: &dyn link::Link| link.execute(sql, &[]);
        assert!(shop.store.database.write(delete).await.is_err(), "{sql}");
    }
}
