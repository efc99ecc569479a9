//! Uploads are tried before they are kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use walnut_test_guests::SCRIPTED as COMPONENT;

use crate::world::{Answer, Host, Moment, SCRIPTED, Shop, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_everything_and_keeps_nothing() {
    let world = World::scripted().await;
    let shop = &world.shop;
    let payment = json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
        "script": {
            "log": ["dry"],
            "kv": [
                { "op": "set", "key": "a", "value": "text" },
                { "op": "increment", "key": "n", "by": 5 },
                { "op": "delete", "key": "b" },
            ],
            "emit": [{ "name": "sale", "data": [1] }],
            "query": { "limit": 10 },
        },
    });
    let uploaded = shop
        .post(&format!("/pay/callback/{SCRIPTED}/test"), payment.clone())
        .await
        .data();
    let upload = json!({ "content_base64": STANDARD.encode(COMPONENT), "payment": payment });
    let given = shop.post("/pay/callback/test", upload).await.data();
    for shown in [&uploaded, &given] {
        let answer: Value = serde_json::from_str(shown["answer"].as_str().unwrap()).unwrap();
        assert_eq!(answer["kv"], json!([null, 5, null]));
        assert_eq!(answer["query"], json!([]), "a domain without data");
        let writes = json!([
            { "key": "a", "value": "\"text\"" },
            { "key": "b", "value": null },
            { "key": "n", "value": "5" },
        ]);
        assert_eq!(shown["kv"], writes);
        assert_eq!(shown["events"], json!([["sale", "[1]"]]));
        assert_eq!(shown["log"], "info: dry\n");
        assert_eq!(shown["error"], Value::Null);
    }
    let moment = Moment::of(&world.host.data_root());
    assert!(moment.kv.is_empty() && moment.left.is_empty(), "{moment:?}");
    assert_eq!(shop.get("/pay/ajax/query").await.data(), json!([]));
    let listed = shop.get("/pay/callback").await.data();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");

    // What goes wrong in it is told as it is for a delivery.
    let dry = |script: Value| {
        let path = format!("/pay/callback/{SCRIPTED}/test");
        async move { shop.post(&path, json!({ "script": script })).await }
    };
    let failed = dry(json!({ "fail": "no" })).await.data();
    assert_eq!(
        (&failed["answer"], &failed["error"]),
        (&Value::Null, &json!("no"))
    );
    let broken = dry(json!({ "log": ["last words"], "trap": true })).await;
    let told = broken.json()["msg"].as_str().unwrap().to_owned();
    assert_eq!(broken.refusal(), (422, "e.pay.callback.refused".to_owned()));
    for part in ["trap: ", "component sha256 ", "last words", "backtrace:"] {
        assert!(told.contains(part), "{told}");
    }
}

/// Uploads the callback of the tests, tried with a payment of this script.
pub(super) async fn put(shop: &Shop, query: &str, script: Value) -> Answer {
    let path = format!("/pay/callback/sale{query}");
    let body = json!({
        "content_base64": STANDARD.encode(COMPONENT),
        "payment": { "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "script": script },
    });
    Shop::answer(shop.request(Method::PUT, &path).json(&body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_answered_with_what_its_dry_run_showed() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let script = json!({
        "log": ["dry"],
        "kv": [{ "op": "increment", "key": "sold" }],
        "emit": [{ "name": "sale", "data": 1 }],
    });
    let kept = put(&shop, "", script).await.data();
    assert_eq!(
        (&kept["name"], &kept["version"]),
        (&json!("sale"), &json!(1))
    );
    let dry = &kept["dry_run"];
    assert_eq!(dry["verdict"], "passed");
    assert_eq!(dry["log"], "info: dry\n");
    assert_eq!(dry["kv"], json!([{ "key": "sold", "value": "1" }]));
    assert_eq!(dry["events"], json!([["sale", "1"]]));
    assert!(dry["answer"].as_str().unwrap().contains("\"try\":1"));
    assert!(dry["micros"].as_u64() > Some(0) && dry["memory_bytes"].as_u64() > Some(0));
    let moment = Moment::of(&host.data_root());
    assert!(moment.kv.is_empty() && moment.left.is_empty(), "{moment:?}");
    // Without a payment the host makes one up.
    let sample = shop.put_bytes("/pay/callback/sale", COMPONENT).await.data();
    assert_eq!(sample["dry_run"]["verdict"], "passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_dry_run_fails_is_refused_unless_its_owner_insists() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    for (script, words) in [
        (
            json!({ "log": ["before"], "fail": "no such table" }),
            ["guest error: no such table", "info: before"],
        ),
        (
            json!({ "log": ["before"], "trap": true }),
            ["trap: ", "info: before"],
        ),
        (json!({ "loop": true }), ["timeout: ", "CPU time"]),
        (json!({ "memory": true }), ["memory: ", "backtrace:"]),
    ] {
        let answer = put(&shop, "", script.clone()).await;
        assert_eq!(answer.refusal(), (422, "e.pay.callback.dryRun".to_owned()));
        let msg = answer.json()["msg"].as_str().unwrap().to_owned();
        for word in words.into_iter().chain(["--insist", "nothing was kept"]) {
            assert!(msg.contains(word), "{msg}");
        }
    }
    let missing = shop.get("/pay/callback/sale").await.refusal();
    assert_eq!(missing, (404, "e.pay.callback.noexists".to_owned()));
    assert!(!host.data_root().join("home").exists());

    let kept = put(&shop, "?insist=true", json!({ "fail": "no such table" }));
    let kept = kept.await.data();
    assert_eq!(kept["dry_run"]["verdict"], "failed");
    assert_eq!(kept["dry_run"]["error"], "no such table");
    assert_eq!(shop.get("/pay/callback/sale").await.bytes, COMPONENT);
    // What cannot run at all is refused in any case.
    let text = shop
        .put_bytes("/pay/callback/sale?insist=true", b"\0\x01")
        .await;
    assert_eq!(text.refusal(), (422, "e.pay.callback.refused".to_owned()));
    let body = json!({ "content_base64": "AA==", "payment": 7 });
    let odd = Shop::answer(shop.request(Method::PUT, "/pay/callback/sale").json(&body)).await;
    assert_eq!(odd.refusal(), (400, "e.pay.invalid".to_owned()));
}
