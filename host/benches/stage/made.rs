//! Payments as a shop's page makes them, and many callers that store them at once.

use serde_json::{Map, json};
use walnut::payment::model::{Buyer, Change, Payment, PaymentId, State};
use walnut::payment::money::{Currency, Money};
use walnut::store::{Created, NewPayment, Store};

/// A payment as a shop's page makes it, with or without what the shop adds: each of its values has a key.
pub(crate) fn request(added: bool) -> NewPayment {
    let id = PaymentId::generate();
    let payment = Payment {
        id,
        domain: "shop".to_owned(),
        domain_id: "0198f0c0000070008000000000000001".to_owned(),
        test: false,
        brief: "a pot of tea".to_owned(),
        total: Money::new(8_800, Currency::CNY).expect("an amount"),
        price_minor: None,
        state: State::New,
        fail_why: None,
        hold: None,
        late: false,
        refunded_minor: 0,
        created_ms: 1_790_000_000_000,
        changed_ms: 1_790_000_000_000,
        sent_ms: 0,
        closed_ms: 0,
        expires_ms: 1_790_000_900_000,
        pay_type: None,
        target: None,
        presentation: None,
        buyer: Buyer {
            tp: 2,
            id: id.to_string(),
            name: "xiaobai".to_owned(),
        },
        callback: None,
        applied_ms: 0,
        applied_result: None,
        offers: Vec::new(),
        platforms: Map::new(),
        meta: match added {
            true => Map::from_iter([
                ("or".to_owned(), json!({ "id": format!("A-{id}") })),
                ("table".to_owned(), 7.into()),
            ]),
            false => Map::new(),
        },
        revision: 0,
    };
    let line = Change {
        at: payment.created_ms,
        cause: "create".to_owned(),
        from: None,
        to: State::New,
        trade_no: None,
        statement: None,
        detail: Map::new(),
    };
    NewPayment {
        payment,
        attempts: Vec::new(),
        history: vec![line],
        callback_content: None,
        deliver: false,
        idempotency: None,
    }
}

/// One caller, one create after another.
pub(crate) async fn create_some(store: Store, times: u64, added: bool) {
    for _ in 0..times {
        assert_eq!(
            store
                .create(request(added))
                .await
                .expect("a durable create"),
            Created::Made
        );
    }
}

/// So many creates by so many callers, of payments to which the shop added something.
pub(crate) async fn create(store: &Store, creates: u32, callers: u32) {
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            tokio::spawn(create_some(
                store.clone(),
                u64::from(creates / callers),
                true,
            ))
        })
        .collect();
    for task in tasks {
        task.await.expect("a caller");
    }
}
