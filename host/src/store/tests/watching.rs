use super::refunding::ordered;
use super::*;
use crate::store::Standing;

#[tokio::test]
async fn what_waits_is_told_with_the_oldest_of_each_kind() {
    let Some(shop) = open() else { return };
    for domain in ["shop", "cafe"] {
        shop.store.add_domain(domain, 1).await.unwrap();
    }
    let standing = async || shop.store.standing().await.unwrap();
    assert_eq!(standing().await, Standing::default());

    // Waiting: two of different domains, beside one that was paid and one that was not sent.
    for (domain, created_ms, state) in [
        ("shop", 900, State::Wait),
        ("cafe", 700, State::Wait),
        ("cafe", 500, State::Ok),
        ("shop", 400, State::New),
    ] {
        let payment = Payment {
            created_ms,
            state,
            ..payment(domain)
        };
        shop.make(payment).await;
    }
    let now = standing().await;
    assert_eq!((now.waiting, now.waiting_since), (2, Some(700)));

    // Held.
    let hold = full_payment().hold;
    for changed_ms in [3_000, 2_000] {
        let payment = Payment {
            hold: hold.clone(),
            changed_ms,
            ..payment("shop")
        };
        shop.make(payment).await;
    }
    let now = standing().await;
    assert_eq!((now.held, now.held_since), (2, Some(2_000)));

    // Deliveries: one waits, one was given up.
    shop.make_paid("shop").await;
    shop.make_paid("cafe").await;
    let now = standing().await;
    assert_eq!((now.deliveries, now.delivery_due, now.dead), (2, Some(1_000), 0));
    let room = DeliveryRoom::of(1);
    let leased = shop.store.lease_deliveries(5_000, 6_000, room).await.unwrap();
    let given_up = shop.store.fail_delivery(&leased[0], "no".into(), String::new(), None, 5_500);
    given_up.await.unwrap();
    let now = standing().await;
    assert_eq!((now.deliveries, now.delivery_due, now.dead), (1, Some(1_000), 1));

    // Questions and refunds: those of the helper are stuck.
    ordered(&shop, "shop", "wx", 40).await;
    ordered(&shop, "cafe", "wx", 30).await;
    let asked = payment("shop");
    let question = Attempt {
        ask_at_ms: 60,
        leased_until_ms: 80,
        ..attempt(asked.id, 1)
    };
    let new = NewPayment {
        attempts: vec![question],
        ..new(asked)
    };
    shop.store.create(new).await.unwrap();
    let now = standing().await;
    assert_eq!((now.refunds, now.stuck, now.refund_due), (2, 2, Some(30)));
    assert_eq!(now.question_due, Some(80), "it is free then");
}

#[tokio::test]
async fn the_tables_are_of_the_version_that_this_program_works_with() {
    let Some(shop) = open() else { return };
    let schema = shop.store.schema().await.unwrap();
    assert_eq!(schema.found, schema.known);
    assert!(["SQLite", "PostgreSQL"].contains(&shop.store.engine()));
}
