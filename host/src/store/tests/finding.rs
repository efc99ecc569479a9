use super::*;

/// Five payments of two domains, and their ids.
async fn stock(shop: &Shop) -> Vec<PaymentId> {
    let usd = |minor| Money::new(minor, Currency::parse("USD").unwrap()).unwrap();
    let buyer = |id: &str, name: &str| Buyer {
        tp: 2,
        id: id.to_owned(),
        name: name.to_owned(),
    };
    let payments = [
        Payment {
            created_ms: 10,
            changed_ms: 90,
            buyer: buyer("b1", "xiaobai"),
            ..payment("shop")
        },
        Payment {
            created_ms: 20,
            changed_ms: 80,
            total: usd(500),
            state: State::Wait,
            pay_type: Some("zfb.qrcode".to_owned()),
            target: Some("main".to_owned()),
            ..payment("shop")
        },
        Payment {
            created_ms: 30,
            changed_ms: 70,
            total: usd(100),
            state: State::Fail,
            fail_why: Some(FailWhy::Closed),
            test: true,
            buyer: buyer("b2", "xiaobai"),
            ..payment("shop")
        },
        Payment {
            created_ms: 30,
            changed_ms: 60,
            brief: "'; DROP TABLE payment; --".to_owned(),
            state: State::Ok,
            late: true,
            ..payment("shop")
        },
        Payment {
            created_ms: 40,
            changed_ms: 50,
            ..payment("cafe")
        },
    ];
    let mut ids = Vec::new();
    for payment in payments {
        ids.push(shop.make(payment).await);
    }
    ids
}

async fn places(shop: &Shop, ids: &[PaymentId], query: Find) -> Vec<usize> {
    let found = shop.store.find(query).await.unwrap();
    found
        .iter()
        .map(|found| ids.iter().position(|id| *id == found.id).unwrap())
        .collect()
}

/// 2026-11-23T00:30:00Z
const ASKED: i64 = 1_795_393_800_000;

/// What the shop asks for.
fn asking(matching: &Value) -> Result<Find, FindError> {
    let mut query = Find::new(Some("shop".to_owned()));
    let clock = Clock::at(ASKED, jiff::tz::TimeZone::UTC);
    query.matching(matching.as_object().unwrap(), &clock)?;
    Ok(query)
}

#[tokio::test]
async fn payments_are_found_by_their_own_columns() {
    let Some(shop) = open() else { return };
    let ids = stock(&shop).await;
    let id = ids[1].to_string();
    let dashed = format!(
        "{}-{}-{}-{}-{}",
        &id[..8],
        &id[8..12],
        &id[12..16],
        &id[16..20],
        &id[20..]
    );
    let table: [(Value, &[usize]); 21] = [
        (json!({}), &[3, 2, 1, 0]),
        (json!({"tp": "wn_payment"}), &[3, 2, 1, 0]),
        (json!({"tp": "something else"}), &[]),
        (json!({"id": id}), &[1]),
        (json!({"nm": dashed.to_uppercase()}), &[1]),
        (json!({"id": ids[4].to_string()}), &[]),
        (json!({"st": "OK"}), &[3]),
        (json!({"st": ["NEW", "WAIT"]}), &[1, 0]),
        (json!({"st": []}), &[]),
        (json!({"fee": 100}), &[3, 2, 0]),
        (json!({"fee": 100, "cur": "usd"}), &[2]),
        (json!({"cur": "RMB"}), &[3, 0]),
        (json!({"buyer_nm": "xiaobai"}), &[2, 0]),
        (json!({"buyer_id": ["b1", "b2", ""]}), &[3, 2, 1, 0]),
        (json!({"pay_tp": null}), &[3, 2, 0]),
        (json!({"pay_target": [null, "main"]}), &[3, 2, 1, 0]),
        (json!({"fail_why": "CLOSED", "test": true}), &[2]),
        (json!({"late": true, "held": false, "len": 0}), &[3]),
        (json!({"brief": "'; DROP TABLE payment; --"}), &[3]),
        (json!({"ct": [10, 20], "lm": 80}), &[1]),
        (json!({"seller_nm": "cafe"}), &[]),
    ];
    for (matching, expected) in table {
        let query = asking(&matching).unwrap();
        assert_eq!(places(&shop, &ids, query).await, expected, "{matching}");
    }
    let root = Find {
        states: vec![State::New],
        ..Find::new(None)
    };
    assert_eq!(places(&shop, &ids, root).await, [4, 0]);
}

#[tokio::test]
async fn answers_are_sorted_and_cut() {
    let Some(shop) = open() else { return };
    let ids = stock(&shop).await;
    use Order::{Ascending, Descending};
    let sorted = |sort: &[(Column, Order)]| Find {
        sort: sort.to_vec(),
        ..Find::new(Some("shop".to_owned()))
    };
    type Keys = &'static [(Column, Order)];
    let table: [(Keys, [usize; 4]); 4] = [
        (&[(Column::Changed, Descending)], [0, 1, 2, 3]),
        (&[(Column::Created, Ascending)], [0, 1, 2, 3]),
        (
            &[(Column::Fee, Descending), (Column::Created, Descending)],
            [1, 3, 2, 0],
        ),
        (
            &[(Column::Fee, Ascending), (Column::Created, Descending)],
            [2, 3, 0, 1],
        ),
    ];
    for (sort, expected) in table {
        assert_eq!(
            places(&shop, &ids, sorted(sort)).await,
            expected,
            "{sort:?}"
        );
    }
    let page = Find {
        skip: 1,
        limit: 2,
        ..sorted(&[(Column::Changed, Descending)])
    };
    assert_eq!(places(&shop, &ids, page).await, [1, 2]);
}

#[test]
fn a_wrong_value_names_its_column() {
    let table = [
        (
            "fee",
            json!("100"),
            "fee: a whole number is expected, not \"100\"",
        ),
        (
            "fee",
            json!(1.5),
            "fee: a whole number is expected, not 1.5",
        ),
        (
            "st",
            json!("PAID"),
            "st: NEW, WAIT, OK or FAIL is expected, not \"PAID\"",
        ),
        (
            "st",
            json!(["OK", 1]),
            "st: NEW, WAIT, OK or FAIL is expected, not 1",
        ),
        (
            "id",
            json!("12"),
            "id: a payment's id is expected, not \"12\"",
        ),
        (
            "cur",
            json!("XYZ"),
            "cur: a currency is expected, not \"XYZ\"",
        ),
        ("late", json!(1), "late: true or false is expected, not 1"),
        (
            "brief",
            json!({"a": 1}),
            "brief: a value, or operators such as %gt is expected, not a",
        ),
        (
            "fee",
            json!("^1"),
            "fee: ^1: a pattern is for texts; a number is in an interval, such as [100,200]",
        ),
        (
            "fee",
            json!("[1,now]"),
            "fee: now: a whole number is expected",
        ),
        (
            "fee",
            json!("[200,100]"),
            "fee: [200,100]: 200 is more than 100: the lower end stands first",
        ),
        (
            "fee",
            json!("[1,2,3]"),
            "fee: [1,2,3]: an interval has two ends, such as [100,200]",
        ),
        (
            "brief",
            json!("^a(b"),
            "brief: ^a(b: unclosed group, at character 3",
        ),
        (
            "fee",
            json!({"%near": 1}),
            "fee: 1: %near is none of %gt %gte %lt %lte %ne %in %nin %exists",
        ),
        ("%or", json!(1), "%or: a list of objects is expected, not 1"),
    ];
    for (name, value, message) in table {
        let refused = asking(&json!({ name: value })).unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
    let refused = asking(&json!({"ct": "soon"})).unwrap_err().to_string();
    assert!(refused.starts_with("ct: soon: a time is"), "{refused}");
    let mut deep = json!("a");
    for _ in 0..20 {
        deep = json!([deep]);
    }
    assert!(asking(&json!({ "a": deep })).is_err());
}

#[tokio::test]
async fn questions_without_bounds_are_refused() {
    let Some(shop) = open() else { return };
    let find = || Find::new(None);
    for (query, error) in [
        (Find { limit: 0, ..find() }, FindError::Limit(0)),
        (
            Find {
                limit: 1001,
                ..find()
            },
            FindError::Limit(1001),
        ),
        (
            Find {
                skip: 100_001,
                ..find()
            },
            FindError::Skip(100_001),
        ),
        (
            Find {
                condition: Condition::Any(vec![Condition::always(); 201]),
                ..find()
            },
            FindError::TooManyConditions,
        ),
        (
            Find {
                sort: vec![(Column::Fee, Order::Ascending); 201],
                ..find()
            },
            FindError::TooManyConditions,
        ),
    ] {
        match shop.store.find(query).await {
            Err(StoreError::Find(refused)) => assert_eq!(refused, error),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        asking(&json!({ "fee": vec![1; 101] })),
        Err(FindError::TooManyValues {
            column: "fee".to_owned(),
            given: 101,
        })
    );
}

#[tokio::test]
async fn an_answer_is_bounded_in_bytes() {
    let Some(shop) = open() else { return };
    for _ in 0..9 {
        let mut large = payment("shop");
        large.meta = object(json!({ "note": "x".repeat(Find::MAX_BYTES / 8) }));
        shop.make(large).await;
    }
    let of = |limit| Find {
        limit,
        ..Find::new(Some("shop".to_owned()))
    };
    assert_eq!(shop.store.find(of(7)).await.unwrap().len(), 7);
    let refused = shop.store.find(of(9)).await;
    assert!(
        matches!(refused, Err(StoreError::Find(FindError::TooLarge))),
        "{refused:?}"
    );
    assert_eq!(shop.store.count(of(1)).await.unwrap(), 9);
}
