//! What callers may say, and that it stays what it is: text, and whole minor units.

use serde_json::{Value, json};

use crate::world::{Host, Moment, SCRIPTED, World};

#[tokio::test(flavor = "multi_thread")]
async fn defect_06_metadata_cannot_say_that_a_payment_is_paid() {
    let world = World::scripted().await;
    let shop = &world.shop;
    for (name, value) in [
        ("pay_st", json!("OK")),
        ("st", json!("OK")),
        ("close_at", json!(1)),
        ("apply_at", json!(1)),
        ("send_at", json!(1)),
        ("zfb", json!({ "trade_status": "TRADE_SUCCESS" })),
        ("held", Value::Null),
    ] {
        let mut body = json!({ "fee": 2300, "callback": SCRIPTED });
        body[name] = value;
        let refusal = shop.post("/pay/ajax/create", body).await.refusal();
        assert_eq!(refusal, (400, "e.pay.meta.reserved".to_owned()), "{name}");
    }
    // Names that are free are metadata and nothing more.
    let (id, _) = world
        .sent_with(json!({
            "callback": SCRIPTED,
            "status": "OK",
            "state": "OK",
            "paid": true,
            "trade_status": "TRADE_SUCCESS",
        }))
        .await;
    let checked = shop.check(&id).await.data();
    assert_eq!(checked["paid"], true);
    assert_eq!(
        (&checked["st"], &checked["apply_at"]),
        (&json!("WAIT"), &json!(0))
    );
    assert_eq!(shop.delivery(&id).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_07_a_brief_is_never_code() {
    let world = World::scripted().await;
    let shop = &world.shop;
    let code = "'\"`; ${id} ${fee} {{brief}} $(pay resolve) \n pay create -fee 0 \\ </script> %s";
    let bystander = shop.create(json!({ "brief": code })).await;
    let script = json!({
        "kv": [{ "op": "set", "key": "ran", "value": 1 }],
        "query": { "matching": { "brief": code }, "limit": 10 },
    });
    let body = json!({
        "fee": 0, "brief": code, "buyer": format!("members:{code}:{code}"),
        "note": code, "callback": SCRIPTED, "script": script,
    });
    let id = shop.create(body).await;
    let applied = shop.until_applied(&id).await;
    for field in ["brief", "note", "buyer_nm"] {
        assert!(
            applied[field].as_str().unwrap().contains("${fee}"),
            "{field}"
        );
    }
    assert_eq!(
        applied["apply_re"]["query"],
        json!([id, bystander]),
        "the callback got it as the text that it is"
    );
    let content = shop.get(&format!("/pay/ajax/content?id={id}")).await;
    assert!(
        content.bytes == walnut_test_guests::SCRIPTED,
        "nothing was filled in"
    );
    let moment = Moment::of(&world.host.data_root());
    assert_eq!(moment.kv.len(), 1, "{moment:?}");
    let found = shop.get("/pay/ajax/query?pager=true").await.data();
    assert_eq!(found["pager"]["total"], 2);
    assert_eq!(shop.payment(&bystander).await["st"], "NEW");
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_10_every_amount_reaches_the_platform_to_the_fen() {
    let world = World::start().await;
    // The original printed the fifth as 131072.02 yuan.
    for fee in [
        1_i64,
        10,
        29,
        114,
        13_107_201,
        16_777_217,
        99_999_999,
        2_147_483_649,
        9_999_999_999,
        10_000_000_000,
    ] {
        let (id, _) = world.sent_with(json!({ "fee": fee })).await;
        let requests = world.alipay.requests();
        let order: Value =
            serde_json::from_str(&requests.last().unwrap().parameters["biz_content"]).unwrap();
        assert_eq!(order["out_trade_no"], id);
        let yuan = format!("{}.{:02}", fee / 100, fee % 100);
        assert_eq!(order["total_amount"], yuan);
        assert_eq!(world.shop.payment(&id).await["fee"], fee);
    }
    let (id, code) = world.sent_with(json!({ "fee": 13_107_201 })).await;
    world.alipay.pay(&code).await.unwrap();
    let paid = world.shop.until_state(&id, "OK").await;
    assert_eq!(
        paid["held"],
        Value::Null,
        "what comes back compares exactly too"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_11_a_fee_keeps_its_currency_and_a_wrong_one_is_refused() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let create = |fee: &'static str| {
        let (host, key) = (&host, shop.key());
        async move { host.walnut(key, &["pay", "create", "-fee", fee]).await }
    };
    for (fee, minor, cur) in [
        ("199USD", 199, "USD"),
        ("199", 199, "RMB"),
        ("199RMB", 199, "RMB"),
    ] {
        let ran = create(fee).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let created: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (&created["fee"], &created["cur"]),
            (&json!(minor), &json!(cur)),
            "{fee}"
        );
    }
    for fee in ["0.01", "0.01RMB", "-1", "1e3", "199XYZ", ""] {
        let ran = create(fee).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{fee}: {ran:?}");
        assert!(ran.err.starts_with("e.pay.invalid.fee: "), "{fee}: {ran:?}");
    }
    let found = shop.get("/pay/ajax/query?pager=true").await.data();
    assert_eq!(found["pager"]["total"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_12_the_named_seller_is_the_seller_or_nobody_is() {
    let host = Host::start().await;
    let (shop, rival) = (host.domain("shop").await, host.domain("rival").await);
    let root = host.root();
    let domains = root.get("/pay/domain").await.data();
    assert_eq!(domains[0]["name"], "rival");
    let rival_id = domains[0]["id"].as_str().unwrap();
    for flag in ["-se", "-sl"] {
        for seller in ["rival", rival_id, &format!("{rival_id}:rival"), ":rival"] {
            let line = ["pay", "create", "-fee", "1", flag, seller];
            let by_rival = host.walnut(rival.key(), &line).await;
            let by_root = host.walnut(host.root_key(), &line).await;
            for ran in [by_rival, by_root] {
                assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
                let created: Value = serde_json::from_str(&ran.out).unwrap();
                assert_eq!(created["seller_id"], rival_id, "{line:?}");
                assert_eq!(created["seller_nm"], "rival", "{line:?}");
            }
            let by_shop = host.walnut(shop.key(), &line).await;
            assert_eq!(by_shop.code, 1, "{line:?}: {by_shop:?}");
            assert!(
                by_shop.err.starts_with("e.pay.noMatchSeller: "),
                "{by_shop:?}"
            );
        }
    }
    let found = shop.get("/pay/ajax/query").await.data();
    assert_eq!(found, json!([]), "the caller did not become the seller");
}
