//! Every upload of a callback is a version, and there is a way back.

use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Answer, Host, Shop, World};

/// The versions, the latest first: number, digest, and the version whose content it has again.
async fn versions(shop: &Shop, name: &str) -> Vec<(u64, String, Value)> {
    let path = format!("/pay/callback/{name}/versions");
    let listed = shop.get(&path).await.data();
    let listed = listed.as_array().unwrap().iter();
    listed
        .map(|version| {
            (
                version["version"].as_u64().unwrap(),
                version["sha256"].as_str().unwrap().to_owned(),
                version["from"].clone(),
            )
        })
        .collect()
}

async fn roll_back(shop: &Shop, name: &str, body: Value) -> Answer {
    shop.post(&format!("/pay/callback/{name}/roll-back"), body)
        .await
}

async fn content(shop: &Shop, query: &str) -> Vec<u8> {
    let answer = shop.get(&format!("/pay/callback/sale{query}")).await;
    assert_eq!(answer.status, 200);
    answer.bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_looks_at_versions_and_rolls_back() {
    let world = World::start().await;
    let shop = &world.shop;
    let path = "/pay/callback/sale";
    let first = shop
        .put_bytes(
            &format!("{path}?note=the%20first"),
            walnut_bundle::RECORD_SALE,
        )
        .await
        .data();
    assert_eq!(
        (&first["version"], &first["note"]),
        (&json!(1), &json!("the first"))
    );
    let (bound, code) = world.sent_with(json!({ "callback": "sale" })).await;
    let second = shop.put_bytes(path, COMPONENT).await.data();
    assert_eq!(second["version"], 2);
    assert_eq!(content(shop, "").await, COMPONENT);
    assert_eq!(
        content(shop, "?version=1").await,
        walnut_bundle::RECORD_SALE
    );

    // A roll-back is a new version with the old content, as often as one likes.
    let back = roll_back(shop, "sale", json!({ "note": "it was better" }))
        .await
        .data();
    assert_eq!(
        (&back["version"], &back["from"], &back["sha256"]),
        (&json!(3), &json!(1), &first["sha256"])
    );
    assert_eq!(back["dry_run"]["verdict"], "passed");
    assert_eq!(content(shop, "").await, walnut_bundle::RECORD_SALE);
    let forth = roll_back(shop, "sale", json!({ "version": 2 }))
        .await
        .data();
    assert_eq!((&forth["version"], &forth["from"]), (&json!(4), &json!(2)));
    let digests = [&first, &second].map(|put| put["sha256"].as_str().unwrap().to_owned());
    let [one, two] = digests;
    assert_eq!(
        versions(shop, "sale").await,
        [
            (4, two.clone(), json!(2)),
            (3, one.clone(), json!(1)),
            (2, two, Value::Null),
            (1, one, Value::Null),
        ]
    );
    let listed = shop.get("/pay/callback").await.data();
    assert_eq!(listed[1]["version"], 4);

    // What was bound stays bound.
    world.alipay.pay(&code).await.unwrap();
    let applied = shop.until_applied(&bound).await;
    assert_eq!(applied["apply_re"]["recorded"], true);

    for (answer, code) in [
        (
            shop.get(&format!("{path}?version=9")).await,
            "e.pay.callback.noexists",
        ),
        (
            roll_back(shop, "sale", json!({ "version": 9 })).await,
            "e.pay.callback.noexists",
        ),
        (
            roll_back(shop, "nowhere", json!({})).await,
            "e.pay.callback.noexists",
        ),
        (
            shop.put_bytes(&format!("{path}?note=a%0Ab"), COMPONENT)
                .await,
            "e.pay.invalid",
        ),
    ] {
        assert_eq!(answer.refusal().1, code);
    }
    shop.delete(path).await.data();
    let gone = shop.get(&format!("{path}/versions")).await.refusal();
    assert_eq!(gone, (404, "e.pay.callback.noexists".to_owned()));
    let again = shop.put_bytes(path, COMPONENT).await.data();
    assert_eq!(again["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_belong_to_a_domain_and_to_live_or_test_payments() {
    let host = Host::start().await;
    let test = host.domain("shop").await;
    let live = host.key_of("shop", false).await;
    let rival = host.domain("rival").await;
    live.put_callback("sale", walnut_bundle::RECORD_SALE).await;
    live.put_callback("sale", COMPONENT).await;
    // A test key neither sees the live ones nor changes them.
    let unseen = test.get("/pay/callback/sale/versions").await.refusal();
    assert_eq!(unseen, (404, "e.pay.callback.noexists".to_owned()));
    let missing = roll_back(&test, "sale", json!({})).await.refusal();
    assert_eq!(missing, (404, "e.pay.callback.noexists".to_owned()));
    let path = "/pay/callback/sale/roll-back?test=false";
    let refused = test.post(path, json!({})).await.refusal();
    assert_eq!(refused, (403, "e.pay.nopvg".to_owned()));
    test.put_callback("sale", COMPONENT).await;
    assert_eq!(versions(&test, "sale").await.len(), 1);
    let nothing = roll_back(&test, "sale", json!({})).await;
    let msg = nothing.json()["msg"].as_str().unwrap().to_owned();
    assert!(msg.contains("another content"), "{msg}");
    assert_eq!(versions(&live, "sale").await.len(), 2);
    assert_eq!(content(&live, "").await, COMPONENT);

    let foreign = rival.get("/pay/callback/sale/versions").await.refusal();
    assert_eq!(foreign, (404, "e.pay.callback.noexists".to_owned()));
    let root = host.root();
    let path = "/pay/callback/sale/roll-back?domain=shop";
    assert_eq!(root.post(path, json!({})).await.data()["from"], 1);

    // The same in a terminal.
    let table = host.walnut(live.key(), &["callback", "versions", "sale"]);
    let table = table.await.out;
    let rows: Vec<&str> = table.lines().skip(2).take(3).collect();
    assert!(
        rows[0].starts_with("3 ") && rows[1].starts_with("2 ") && rows[2].starts_with("1 "),
        "{table}"
    );
    let rolled = [
        "callback",
        "roll-back",
        "sale",
        "--version",
        "2",
        "--note",
        "again",
    ];
    let rolled = host.walnut(live.key(), &rolled).await;
    assert_eq!(rolled.code, 0, "{rolled:?}");
    let rolled: Value = serde_json::from_str(&rolled.out).unwrap();
    assert_eq!(
        (&rolled["version"], &rolled["note"]),
        (&json!(4), &json!("again"))
    );
}
