//! Going through all payments page by page.

use super::*;

async fn everything(shop: &Shop, query: Find) -> Vec<PaymentId> {
    let mut query = Find { limit: 7, ..query };
    let mut ids = Vec::new();
    loop {
        let page = shop.store.find(query.clone()).await.unwrap();
        let Some(last) = page.last() else {
            return ids;
        };
        ids.extend(page.iter().map(|payment| payment.id));
        let cursor = query.cursor(last).unwrap().to_string();
        query.after = Some(Cursor::parse(&cursor).unwrap());
    }
}

#[tokio::test]
async fn pages_together_are_the_whole_in_any_order() {
    use Order::{Ascending, Descending};
    let Some(shop) = open() else { return };
    for number in 0..50_u64 {
        shop.make(Payment {
            created_ms: 1_000 + number / 4,
            brief: format!("b{}", number % 3),
            total: Money::new((number % 5) as i64, Currency::parse("RMB").unwrap()).unwrap(),
            test: number % 2 == 0,
            meta: object(json!({ "n": number })),
            ..payment("shop")
        })
        .await;
    }
    shop.make(payment("cafe")).await;
    let mut small = Find::new(Some("shop".to_owned()));
    let clock = Clock::at(0, jiff::tz::TimeZone::UTC);
    small
        .matching(&object(json!({"n": "[10,40)"})), &clock)
        .unwrap();
    for sort in [
        vec![],
        vec![(Column::Created, Ascending)],
        vec![(Column::Fee, Descending), (Column::Created, Ascending)],
        vec![
            (Column::Brief, Ascending),
            (Column::Fee, Descending),
            (Column::Test, Ascending),
        ],
        vec![(Column::Id, Descending)],
        vec![(Column::Held, Ascending)],
    ] {
        for (query, count) in [
            (Find::new(Some("shop".to_owned())), 50),
            (small.clone(), 30),
        ] {
            let query = Find {
                sort: sort.clone(),
                ..query
            };
            let whole = Find {
                limit: 100,
                ..query.clone()
            };
            let whole: Vec<_> = shop
                .store
                .find(whole)
                .await
                .unwrap()
                .iter()
                .map(|p| p.id)
                .collect();
            assert_eq!(whole.len(), count);
            assert_eq!(everything(&shop, query).await, whole, "{sort:?}");
        }
    }
}

#[tokio::test]
async fn a_place_is_good_for_its_own_order_alone() {
    let Some(shop) = open() else { return };
    let id = shop.make(payment("shop")).await;
    let last = shop.store.case(id).await.unwrap().unwrap().payment;
    let newest = Find::new(Some("shop".to_owned()));
    let cursor = newest.cursor(&last).unwrap();
    let other = Find {
        sort: vec![(Column::Fee, Order::Ascending)],
        after: Some(cursor.clone()),
        ..newest.clone()
    };
    assert_eq!(other.check(), Err(FindError::Cursor));
    let nullable = Find {
        sort: vec![(Column::PayType, Order::Ascending)],
        ..newest.clone()
    };
    assert_eq!(nullable.cursor(&last), Err(FindError::NoCursor("pay_tp")));
    for forged in [
        "",
        "x",
        "e30",
        "eyJvIjoiY3Q6LTEiLCJ2IjpbInRleHQiXSwiaSI6IngifQ",
        &"A".repeat(5_000),
    ] {
        assert_eq!(Cursor::parse(forged), Err(FindError::Cursor), "{forged}");
    }
    // Of a payment that does not exist.
    let mut text = cursor.to_string();
    assert_eq!(Cursor::parse(&text), Ok(cursor));
    let nobody = Payment {
        id: PaymentId::parse("0190a5b1c2d37e4f8a9b0c1d2e3f4a5b").unwrap(),
        ..last
    };
    text = newest.cursor(&nobody).unwrap().to_string();
    let gone = Find {
        after: Some(Cursor::parse(&text).unwrap()),
        ..newest
    };
    let refused = shop.store.find(gone).await;
    assert!(
        matches!(refused, Err(StoreError::Find(FindError::Cursor))),
        "{refused:?}"
    );
}
