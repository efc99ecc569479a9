//! `query`: by columns, sorted, in pages.

use serde_json::{Value, json};

use super::{how_many, query};
use crate::world::{RECORD_SALE, Shop, World};

/// The briefs of what a query finds, in its order.
async fn briefs(caller: &Shop, asked: &[(&str, &str)]) -> Vec<String> {
    let found = query(caller, asked).await.data();
    let found = found.as_array().or(found["list"].as_array()).unwrap();
    found
        .iter()
        .map(|payment| payment["brief"].as_str().unwrap().to_owned())
        .collect()
}

/// A shop with five payments, and their ids.
async fn five() -> (World, Vec<String>) {
    let world = World::start().await;
    let shop = &world.shop;
    let mut ids = Vec::new();
    for body in [
        json!({ "brief": "茶", "fee": 300, "buyer": "walnut:45:小白" }),
        json!({ "brief": "咖啡", "fee": 200, "price": 250, "callback": RECORD_SALE }),
        json!({ "brief": "水", "fee": 0 }),
        json!({ "brief": "tea", "fee": 300, "cur": "USD", "buyer": "members:45:xiaobai" }),
        json!({ "brief": "酒", "fee": 100 }),
    ] {
        ids.push(shop.create(body).await);
    }
    shop.send(&ids[4]).await.data();
    (world, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_found_by_their_columns() {
    let (world, ids) = five().await;
    let shop = &world.shop;
    let free = shop.payment(&ids[2]).await;
    let sent = shop.payment(&ids[4]).await;
    let by_id = json!({ "id": ids[1] });
    let by_nm = json!({ "nm": ids[1].to_uppercase() });
    let by_len = json!({ "len": walnut_bundle::RECORD_SALE.len() });
    let by_time = json!({ "send_at": sent["send_at"], "close_at": 0 });
    let seller = json!({ "seller_id": free["seller_id"], "st": "OK" });
    for (matching, expected) in [
        (json!({}), &["酒", "tea", "水", "咖啡", "茶"][..]),
        (
            json!({ "tp": "wn_payment" }),
            &["酒", "tea", "水", "咖啡", "茶"],
        ),
        (json!({ "tp": "something" }), &[]),
        (json!({ "brief": "茶" }), &["茶"]),
        (json!({ "brief": "' OR 1=1 --" }), &[]),
        (json!({ "brief": ["茶", "酒", "none"] }), &["酒", "茶"]),
        (json!({ "brief": [] }), &[]),
        (json!({ "fee": 300 }), &["tea", "茶"]),
        (json!({ "fee": 300, "cur": "RMB" }), &["茶"]),
        (json!({ "cur": "cny", "fee": 300 }), &["茶"]),
        (json!({ "cur": ["USD", "EUR"] }), &["tea"]),
        (json!({ "st": "NEW" }), &["tea", "咖啡", "茶"]),
        (json!({ "st": ["OK", "WAIT"] }), &["酒", "水"]),
        (json!({ "price": 250 }), &["咖啡"]),
        (json!({ "price": null, "st": "NEW" }), &["tea", "茶"]),
        (json!({ "pay_tp": "zfb.qrcode" }), &["酒"]),
        (
            json!({ "pay_tp": [null, "free"] }),
            &["tea", "水", "咖啡", "茶"],
        ),
        (json!({ "pay_target": "main" }), &["酒"]),
        (json!({ "re_tp": "QRCODE" }), &["酒"]),
        (json!({ "buyer_id": "45" }), &["tea", "茶"]),
        (json!({ "buyer_tp": 1, "buyer_id": "45" }), &["茶"]),
        (json!({ "buyer_nm": null, "st": "NEW" }), &["咖啡"]),
        (json!({ "buyer_nm": "", "st": "NEW" }), &["tea", "茶"]),
        (json!({ "brief": "^.*e" }), &["tea"]),
        (json!({ "fee": "(100,300)" }), &["咖啡"]),
        (
            json!({ "ct": "[now-1h,]", "st": "^(OK|WAIT)$" }),
            &["酒", "水"],
        ),
        (json!({ "ct": "[,yesterday)" }), &[]),
        (json!({ "callback": RECORD_SALE }), &["咖啡"]),
        (json!({ "held": true }), &[]),
        (json!({ "late": false, "fee": 100 }), &["酒"]),
        (json!({ "test": true, "fee": 0 }), &["水"]),
        (by_id, &["咖啡"]),
        (by_nm, &["咖啡"]),
        (by_len, &["咖啡"]),
        (by_time, &["酒"]),
        (seller, &["水"]),
    ] {
        let text = matching.to_string();
        assert_eq!(briefs(shop, &[("match", &text)]).await, expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_sorted_and_come_in_pages() {
    let (world, ids) = five().await;
    let shop = &world.shop;
    for (asked, expected) in [
        (
            &[("sort", "ct:1")][..],
            &["茶", "咖啡", "水", "tea", "酒"][..],
        ),
        (&[("sort", "fee:1")], &["水", "酒", "咖啡", "茶", "tea"]),
        (&[("sort", "fee:-1")], &["tea", "茶", "咖啡", "酒", "水"]),
        (
            &[("sort", "fee:-1,ct:1")],
            &["茶", "tea", "咖啡", "酒", "水"],
        ),
        (&[("sort", "fee")], &["水", "酒", "咖啡", "茶", "tea"]),
        (
            &[("sort", " fee : 1 , ct : -1 ")],
            &["水", "酒", "咖啡", "tea", "茶"],
        ),
        (&[("sort", "")], &["酒", "tea", "水", "咖啡", "茶"]),
        (&[("limit", "2")], &["酒", "tea"]),
        (&[("limit", "2"), ("skip", "1")], &["tea", "水"]),
        (&[("skip", "5")], &[]),
        (&[("limit", "1000"), ("skip", "4")], &["茶"]),
        (
            &[
                ("match", r#"{"st":"NEW"}"#),
                ("sort", "fee:1"),
                ("skip", "1"),
                ("limit", "1"),
            ],
            &["茶"],
        ),
    ] {
        assert_eq!(briefs(shop, asked).await, expected, "{asked:?}");
    }
    let asked = [
        ("match", r#"{"st":"NEW"}"#),
        ("pager", "true"),
        ("limit", "2"),
    ];
    let page = query(shop, &asked).await.data();
    assert_eq!(page["pager"], json!({ "total": 3, "skip": 0, "limit": 2 }));
    assert_eq!(page["list"].as_array().unwrap().len(), 2);
    let mut shown = shop.payment(&ids[3]).await;
    for only_there in ["attempts", "refunds"] {
        assert!(shown[only_there].is_array());
        shown.as_object_mut().unwrap().remove(only_there);
    }
    assert_eq!(page["list"][0], shown, "as get shows it");

    for number in 0..7 {
        shop.create(json!({ "brief": format!("{number}") })).await;
    }
    assert_eq!(briefs(shop, &[]).await.len(), 10, "there is always a limit");
    assert_eq!(how_many(shop).await, 12);
    let root = world.host.root();
    world.host.domain("rival").await.create(json!({})).await;
    assert_eq!(how_many(&root).await, 13);
    let only = query(&root, &[("match", r#"{"seller_nm":"rival"}"#)]).await;
    assert_eq!(only.data().as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_payments_are_reached_page_by_page() {
    let (world, ids) = five().await;
    let shop = &world.shop;
    let mut after = String::new();
    let mut found = Vec::new();
    for limit in [2, 2, 1, 10] {
        let limit = limit.to_string();
        let asked = [
            ("match", "tp:wn_payment"),
            ("after", &after),
            ("limit", &limit),
        ];
        let page = query(shop, &asked).await.data();
        assert!(
            page["pager"].get("total").is_none(),
            "nobody counts: {page}"
        );
        found.extend(
            page["list"]
                .as_array()
                .unwrap()
                .iter()
                .map(|payment| payment["id"].clone()),
        );
        match page["pager"]["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => assert_eq!(limit, "10"),
        }
        // What comes new at the top moves nothing.
        shop.create(json!({ "brief": "later" })).await;
    }
    let newest_first: Vec<Value> = ids.iter().rev().map(|id| json!(id)).collect();
    assert_eq!(found, newest_first);
    let asked = [("after", after.as_str()), ("sort", "lm:-1")];
    assert_eq!(query(shop, &asked).await.refusal().0, 400);
    // A place says nothing that a stranger could use: another domain finds nothing of this one behind it.
    let rival = world.host.domain("rival").await;
    rival.create(json!({ "brief": "own" })).await;
    let page = query(&rival, &[("after", &after)]).await.data();
    assert!(
        page["list"]
            .as_array()
            .unwrap()
            .iter()
            .all(|payment| payment["seller_nm"] == "rival")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_asked_is_refused() {
    let world = World::start().await;
    world.shop.create(json!({})).await;
    let values: Value = (0..101).collect::<Vec<_>>().into();
    let many = json!({ "fee": values }).to_string();
    let sorts = vec!["fee:1"; 201].join(",");
    for (asked, word) in [
        (&[("match", "{")][..], "'}' is missing at character 2"),
        (&[("match", "[]")], "a key is missing before '['"),
        (&[("match", "st:'OK")], "never closed at character 4"),
        (&[("match", r#"{"st":"OK","st":"NEW"}"#)], "second time"),
        (&[("match", "ct:soon")], "a time is"),
        (
            &[("match", "brief:'^a(b'")],
            "unclosed group, at character 3",
        ),
        (
            &[("match", "brief:'^(((a{100}){100}){100})'")],
            "grows too large",
        ),
        (&[("after", "x")], "give its `next` as it is"),
        (&[("tz", "Mars/Olympus")], "no time zone"),
        (&[("match", r#"{"st":"PAID"}"#)], "NEW, WAIT, OK or FAIL"),
        (&[("match", r#"{"st":1}"#)], "NEW, WAIT, OK or FAIL"),
        (&[("match", r#"{"fee":"300"}"#)], "a whole number"),
        (&[("match", r#"{"fee":1.5}"#)], "a whole number"),
        (&[("match", r#"{"cur":"YUAN"}"#)], "a currency"),
        (&[("match", r#"{"id":"1"}"#)], "a payment's id"),
        (&[("match", r#"{"test":1}"#)], "true or false"),
        (&[("match", r#"{"brief":{"$near":""}}"#)], "is none of %gt"),
        (&[("match", &many)], "101 values"),
        (&[("sort", "table:1")], "\"table\" is not a column"),
        (&[("sort", "lm:down")], "lm:-1"),
        (&[("sort", "lm:-1,")], "is not a column"),
        (&[("sort", &sorts)], "200"),
        (&[("limit", "0")], "between 1 and 1000"),
        (&[("limit", "1001")], "between 1 and 1000"),
        (&[("limit", "-1")], "limit"),
        (&[("limit", "ten")], "limit"),
        (&[("skip", "100001")], "100000"),
        (&[("skip", "1e3")], "skip"),
        (&[("pager", "yes")], "pager"),
        (&[("st", "OK")], "`match`"),
        (&[("limit", "1"), ("limit", "2")], "limit"),
    ] {
        let answer = query(&world.shop, asked).await;
        assert_eq!(
            answer.refusal(),
            (400, "e.pay.invalid".to_owned()),
            "{asked:?}"
        );
        let msg = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(msg.contains(word), "{asked:?}: {msg}");
    }
}
