//! The language of `match`, in the store and on what callers see: both give the same payments.

use super::*;
use crate::payment::view;

/// 2026-11-23T08:30:00 in UTC.
const NOW: u64 = 1_795_422_600_000;
const HOUR: u64 = 3_600_000;
const TODAY: u64 = NOW - 8 * HOUR - HOUR / 2;

pub(super) fn asking(matching: &Value) -> Find {
    let mut query = Find::new(Some("shop".to_owned()));
    query.limit = 100;
    let clock = Clock::at(NOW.try_into().unwrap(), jiff::tz::TimeZone::UTC);
    query
        .matching(matching.as_object().unwrap(), &clock)
        .unwrap_or_else(|error| panic!("{matching}: {error}"));
    query
}

/// Five payments, the newest first.
pub(super) fn stock() -> Vec<Payment> {
    let cny = |minor| Money::new(minor, Currency::parse("RMB").unwrap()).unwrap();
    vec![
        Payment {
            created_ms: NOW - HOUR,
            brief: "green tea".to_owned(),
            total: cny(100),
            meta: object(json!({
                "or": {"id": "A1", "items": [{"sku": "t-1", "n": 2}, {"sku": "t-2", "n": 5}]},
                "vip": true, "weight": 2.5, "tags": ["new", "tea"],
            })),
            ..payment("shop")
        },
        Payment {
            created_ms: NOW - 2 * HOUR,
            brief: "black tea".to_owned(),
            total: cny(200),
            state: State::Ok,
            sent_ms: NOW - HOUR,
            pay_type: Some("zfb.qrcode".to_owned()),
            platforms: object(json!({"zfb": {"trade_no": "20261123", "buyer": "x"}})),
            meta: object(json!({"or": {"id": "A2"}, "or.id": "dotted", "vip": false})),
            ..payment("shop")
        },
        Payment {
            created_ms: TODAY,
            brief: "一杯咖啡".to_owned(),
            total: cny(300),
            state: State::Fail,
            fail_why: Some(FailWhy::Expired),
            meta: object(json!({"or": {"id": "say \"B\""}, "n": 7, "none": null})),
            ..payment("shop")
        },
        Payment {
            created_ms: TODAY - 1,
            brief: String::new(),
            total: cny(400),
            pay_type: Some("wx.jsapi".to_owned()),
            buyer: Buyer {
                tp: 2,
                id: "45-d2".to_owned(),
                name: "xiaobai".to_owned(),
            },
            ..payment("shop")
        },
        Payment {
            created_ms: TODAY - 24 * HOUR,
            brief: "TEA*".to_owned(),
            total: cny(500),
            late: true,
            state: State::Ok,
            refunded_minor: 50,
            ..payment("shop")
        },
    ]
}

#[tokio::test]
async fn what_owners_write_finds_what_they_mean() {
    let Some(shop) = open() else { return };
    let mut stock = stock();
    for payment in &mut stock {
        payment.id = shop.make(payment.clone()).await;
    }
    // What it told stands under its name.
    let provider = ProviderRecord {
        digest: Digest::of(b"bytes"),
        name: "zfb".to_owned(),
        version: "1".to_owned(),
        manifest: "{}".to_owned(),
        bytes: Arc::new(b"bytes".to_vec()),
        approved_ms: 1,
        current: true,
        shipped: true,
    };
    shop.store.put_provider(provider).await.unwrap();
    let table: &[(Value, &[usize])] = &[
        (json!({}), &[0, 1, 2, 3, 4]),
        // Regular expressions, wildcards, keywords.
        (json!({"st": "^(OK|FAIL)$"}), &[1, 2, 4]),
        (json!({"st": "^(NEW|O)"}), &[0, 1, 3, 4]),
        (json!({"st": "!OK"}), &[0, 2, 3]),
        (json!({"st": "!^(OK|FAIL)$"}), &[0, 3]),
        (json!({"brief": "^.*tea"}), &[0, 1]),
        (json!({"brief": "^green"}), &[0]),
        (json!({"brief": "^(?i)tea"}), &[4]),
        (json!({"brief": "^(green tea|black tea)$"}), &[0, 1]),
        (json!({"brief": "green*"}), &[0]),
        (json!({"brief": "*tea"}), &[0, 1]),
        (json!({"brief": "^一杯"}), &[2]),
        (json!({"brief": ["^green", "^black"]}), &[0, 1]),
        (json!({"!brief": "^.*tea"}), &[2, 3, 4]),
        (json!({"pay_tp": "^zfb"}), &[1]),
        (json!({"pay_tp": "!zfb.qrcode"}), &[0, 2, 3, 4]),
        (json!({"cur": "^(RMB|USD)$"}), &[0, 1, 2, 3, 4]),
        (json!({"buyer_id": "45*d2"}), &[3]),
        // Numbers.
        (json!({"fee": "[100,200]"}), &[0, 1]),
        (json!({"fee": "(100,300)"}), &[1]),
        (json!({"fee": "(100,]"}), &[1, 2, 3, 4]),
        (json!({"fee": "[,300)"}), &[0, 1]),
        (json!({"fee": "[300]"}), &[2]),
        (json!({"fee": "(300)"}), &[0, 1, 3, 4]),
        (json!({"fee": "![100,200]"}), &[2, 3, 4]),
        (json!({"fee": [100, "[400,500]"]}), &[0, 3, 4]),
        (json!({"fee": {"%gt": 100, "%lte": 300}}), &[1, 2]),
        (json!({"fee": {"$nin": [100, 200]}}), &[2, 3, 4]),
        (json!({"fee": {"%ne": 100}, "refunded": "(0,]"}), &[4]),
        // Times.
        (json!({"ct": "today"}), &[0, 1, 2]),
        (json!({"ct": "2026-11-22"}), &[3, 4]),
        (json!({"ct": "[%ms:now-1h,]"}), &[0]),
        (json!({"ct": "(now-2h,now]"}), &[0]),
        (json!({"ct": "[2026-11-22,today)"}), &[3, 4]),
        (
            json!({"ct": "[%ms:2026-11-22T12:00:00,%ms:2026-11-23]"}),
            &[2, 3],
        ),
        (json!({"ct": TODAY}), &[2]),
        (json!({"ct": "Ms[2026-11-23, 2026-11-24)"}), &[0, 1, 2]),
        (json!({"send_at": "[today,]"}), &[1]),
        // Null and existence.
        (json!({"pay_tp": null}), &[0, 2, 4]),
        (json!({"pay_tp": ""}), &[1, 3]),
        (json!({"pay_tp": "!"}), &[1, 3]),
        (json!({"send_at": null}), &[0, 2, 3, 4]),
        (json!({"brief": null}), &[3]),
        (json!({"buyer_nm": ""}), &[3]),
        (json!({"buyer_nm": {"%exists": false}}), &[0, 1, 2, 4]),
        (json!({"st": null}), &[]),
        // What callers added, and what platforms told.
        (json!({"or.id": "A1"}), &[0]),
        (json!({"or.id": "dotted"}), &[1]),
        (json!({"or.id": "^A"}), &[0, 1]),
        (json!({"or.id": "say \"B\""}), &[2]),
        (json!({"or": {"id": "A2"}}), &[1]),
        (json!({"or.items.sku": "t-2"}), &[0]),
        (json!({"or.items.n": "[5,]"}), &[0]),
        (json!({"tags": "tea"}), &[0]),
        (json!({"vip": true}), &[0]),
        (json!({"vip": ""}), &[0, 1]),
        (json!({"vip": null}), &[2, 3, 4]),
        (json!({"none": null}), &[0, 1, 2, 3, 4]),
        (json!({"n": 7}), &[2]),
        (json!({"n": "[5,8)"}), &[2]),
        (json!({"weight": "(2,3)"}), &[0]),
        (json!({"zfb.trade_no": "20261123"}), &[1]),
        (json!({"!or.id": "A1"}), &[1, 2, 3, 4]),
        (json!({"nothing.like.this": "x"}), &[]),
        // Together.
        (
            json!({"%or": [{"fee": 100}, {"st": "OK", "late": true}]}),
            &[0, 4],
        ),
        (json!({"%or": [{"or.id": "A1"}, {"fee": 500}]}), &[0, 4]),
        (json!({"%and": [{"fee": "[,200]"}, {"vip": false}]}), &[1]),
        (json!({"!%or": [{"fee": 100}, {"vip": false}]}), &[2, 3, 4]),
        (json!({"%or": []}), &[]),
        (json!({"st": "OK", "vip": {"%exists": true}}), &[1]),
    ];
    for (matching, expected) in table {
        let query = asking(matching);
        let found = shop.store.find(query.clone()).await.unwrap();
        let places: Vec<usize> = found
            .iter()
            .map(|found| {
                stock
                    .iter()
                    .position(|payment| payment.id == found.id)
                    .unwrap()
            })
            .collect();
        assert_eq!(places, *expected, "{matching}");
        let counted = shop.store.count(query.clone()).await.unwrap();
        assert_eq!(counted, expected.len() as u64, "{matching}");
        let shown: Vec<usize> = (0..stock.len())
            .filter(|place| {
                query
                    .condition
                    .holds(&Shown(&view::to_json(&stock[*place], NOW)))
            })
            .collect();
        assert_eq!(shown, *expected, "as shown: {matching}");
    }
}

#[tokio::test]
async fn values_that_have_no_key_are_found_all_the_same() {
    let Some(shop) = open() else { return };
    let many: Vec<u64> = (0..40).collect();
    let long = "x".repeat(500);
    for (brief, meta) in [
        ("many", json!({"n": many, "z": "last"})),
        ("long", json!({"z": long})),
        ("one", json!({"z": "last"})),
    ] {
        shop.make(Payment {
            brief: brief.to_owned(),
            meta: object(meta),
            ..payment("shop")
        })
        .await;
    }
    for (matching, expected) in [
        (json!({"z": "last"}), &["many", "one"][..]),
        (json!({"n": 39}), &["many"]),
        (json!({"z": long}), &["long"]),
        (json!({"z": "last", "n": 3}), &["many"]),
        (json!({"z": "none"}), &[]),
    ] {
        let found = shop.store.find(asking(&matching)).await.unwrap();
        let mut found: Vec<&str> = found.iter().map(|payment| payment.brief.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{matching}");
    }
    let elsewhere = Find {
        domain: Some("other".to_owned()),
        ..asking(&json!({"z": "last"}))
    };
    assert!(shop.store.find(elsewhere).await.unwrap().is_empty());
}

#[tokio::test]
async fn parts_of_what_only_rows_can_tell_are_cut_alike() {
    let Some(shop) = open() else { return };
    for number in 0..30_u64 {
        shop.make(Payment {
            created_ms: 100 + number,
            meta: object(json!({"n": number, "even": number % 2 == 0})),
            ..payment("shop")
        })
        .await;
    }
    let page = async |skip, limit| {
        let query = Find {
            skip,
            limit,
            ..asking(&json!({"even": true}))
        };
        let found = shop.store.find(query).await.unwrap();
        let numbers = found
            .iter()
            .map(|payment| payment.meta["n"].as_u64().unwrap());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3).await, [28, 26, 24]);
    assert_eq!(page(12, 10).await, [4, 2, 0]);
    assert!(page(15, 10).await.is_empty());
}
