//! `/pay/target`: settings with an error for each field, secrets that never come back, versions, and
//! what a deleted target still does.

use serde_json::{Value, json};

use crate::world::{Answer, RECORD_SALE, Shop, World};

const MAIN: &str = "/pay/target/zfb/main";
const SECOND: &str = "/pay/target/zfb/second";

async fn refusal_of(answer: Answer) -> (u16, String, String) {
    let (status, code) = answer.refusal();
    let msg = answer.json()["msg"].as_str().unwrap().to_owned();
    (status, code, msg)
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_are_refused_field_by_field() {
    let world = World::start().await;
    let (shop, live) = (&world.shop, world.host.key_of("shop", false).await);
    let good = Shop::target_body(&world.alipay, &world.account);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body["settings"][field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = good.clone();
        body["settings"].as_object_mut().unwrap().remove(field);
        body
    };
    let private = world.account.merchant_private_key();
    let public = world.account.alipay_public_key();
    for (body, words) in [
        (
            json!({ "test": true, "settings": {} }),
            &["app_id: must", "app_private_key: must"][..],
        ),
        (without("app_id"), &["app_id: must be given"]),
        (with("app_id", json!(2021)), &["app_id: ", "string"]),
        (with("app_id", json!("20 21")), &["app_id: "]),
        (with("seller_id", json!("seller")), &["seller_id: "]),
        (
            with("colour", json!("red")),
            &["colour: there is no such setting", "app_id"],
        ),
        (with("app_private_key", json!("")), &["app_private_key: "]),
        (
            with("app_private_key", json!("TRANSPARENT")),
            &["app_private_key: this is no key"],
        ),
        (
            with("app_private_key", json!(public)),
            &["app_private_key: ", "public key"],
        ),
        (
            with("app_private_key", json!([private])),
            &["app_private_key: "],
        ),
        (
            with("alipay_public_key", json!(private)),
            &["alipay_public_key: ", "private key"],
        ),
        (
            with("gateway", json!("ftp://127.0.0.1/gateway.do")),
            &["gateway: "],
        ),
        (
            with("gateway", json!("http://192.0.2.1/gateway.do")),
            &["gateway: "],
        ),
        (
            with(
                "gateway",
                json!("https://u:p@openapi.alipay.com/gateway.do"),
            ),
            &["gateway: "],
        ),
    ] {
        let (status, code, msg) = refusal_of(shop.put(SECOND, body.clone()).await).await;
        assert_eq!(
            (status, code.as_str()),
            (422, "e.pay.target.invalid"),
            "{msg}"
        );
        for word in words {
            assert!(msg.contains(word), "{word}: {msg}");
        }
        assert!(
            !msg.contains(&private[..40]),
            "a secret stands in the refusal"
        );
        assert!(!msg.contains("TRANSPARENT"), "{msg}");
    }
    let too_large = with("app_private_key", json!("A".repeat(16 * 1024 + 1)));
    let (status, code, msg) = refusal_of(shop.put(SECOND, too_large).await).await;
    assert_eq!((status, code.as_str()), (422, "e.pay.target.invalid"));
    assert!(
        msg.contains("app_private_key: ") && msg.len() < 2000,
        "{msg}"
    );

    // Only a test target may have a gateway of its own.
    let mut body = good.clone();
    body["test"] = json!(false);
    let (status, _, msg) = refusal_of(live.put(SECOND, body).await).await;
    assert_eq!(status, 422);
    assert!(msg.contains("gateway: only a test target"), "{msg}");

    for (path, body, expected) in [
        (SECOND, json!({}), (400, "e.pay.invalid")),
        (SECOND, json!({ "settings": [] }), (400, "e.pay.invalid")),
        (
            SECOND,
            json!({ "settings": {}, "tset": true }),
            (400, "e.pay.invalid"),
        ),
        (
            SECOND,
            json!({ "settings": {}, "test": "yes" }),
            (400, "e.pay.invalid"),
        ),
        ("/pay/target/nobody/main", good.clone(), (400, "e.pay.no3x")),
        (
            "/pay/target/callback/main",
            good.clone(),
            (400, "e.pay.no3x"),
        ),
        (
            "/pay/target/..%2Fzfb/main",
            good.clone(),
            (400, "e.pay.no3x"),
        ),
        (
            "/pay/target/free/main",
            good.clone(),
            (422, "e.pay.target.invalid"),
        ),
        (
            "/pay/target/zfb/..%2F..%2Fx",
            good.clone(),
            (400, "e.pay.invalid.name"),
        ),
        (
            "/pay/target/zfb/.x",
            good.clone(),
            (400, "e.pay.invalid.name"),
        ),
        (
            "/pay/target/zfb/%E4%B8%BB",
            good.clone(),
            (400, "e.pay.invalid.name"),
        ),
    ] {
        let (status, code, msg) = refusal_of(shop.put(path, body).await).await;
        assert_eq!((status, code.as_str()), expected, "{path}: {msg}");
    }
    let oversized = json!({ "settings": { "app_id": "2".repeat(256 * 1024) } });
    let refusal = shop.put(SECOND, oversized).await.refusal();
    assert_eq!(refusal, (413, "e.http.tooLarge".to_owned()));

    let listed = shop.get("/pay/target").await.data();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["name"], "main");
    let missing = shop.get(SECOND).await.refusal();
    assert_eq!(missing, (404, "e.pay.notFound".to_owned()));
    let home = world.host.data_root().join("home/shop/.payment");
    let left: Vec<_> = std::fs::read_dir(home.join("zfb")).unwrap().collect();
    assert_eq!(left.len(), 1, "a refusal leaves nothing behind: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let world = World::start().await;
    let root = world.host.root();
    let op = root.post("/pay/key", json!({ "role": "op" })).await.data();
    let op = root.with_key(op["key"].as_str().unwrap());
    let whose = format!("{MAIN}?domain=shop");
    for answer in [
        world.shop.get(MAIN).await,
        root.get(&whose).await,
        op.get(&whose).await,
    ] {
        let shown = answer.data();
        assert_eq!(shown["settings"]["app_id"], world.account.app_id());
        assert_eq!(shown["secrets"], json!(["app_private_key"]));
        assert_eq!(shown["settings"]["app_private_key"], Value::Null);
        let text = String::from_utf8(answer.bytes).unwrap();
        assert!(!text.contains(&world.account.merchant_private_key()[..40]));
    }
    let put = Shop::target_body(&world.alipay, &world.account);
    let put = world.shop.put(MAIN, put).await;
    let mut put = put.data();
    let address = put["notify_url"].take();
    assert!(address.as_str().unwrap().contains("/pay/re/t/"));
    assert_eq!(
        put,
        json!({ "platform": "zfb", "name": "main", "version": 2, "test": true, "notify_url": null })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_target_takes_nothing_new_and_still_settles() {
    let world = World::start().await;
    let shop = &world.shop;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    let unsent = shop.create(json!({})).await;
    let answer = shop.send(&id).await.data();

    let retired = shop.delete(MAIN).await.data();
    assert_eq!(
        retired,
        json!({ "platform": "zfb", "name": "main", "retired": true })
    );
    assert_eq!(
        shop.delete(MAIN).await.refusal(),
        (404, "e.pay.notFound".to_owned())
    );
    assert_eq!(shop.get(MAIN).await.data()["retired"], true);
    let refusal = shop.send(&unsent).await.refusal();
    assert_eq!(refusal, (409, "e.pay.send.noTarget".to_owned()));
    let body = json!({ "fee": 1 });
    let later = shop.post("/pay/ajax/create", body).await.data();
    assert_eq!(later["pay_types"], json!([]));
    let refusal = shop.send(later["id"].as_str().unwrap()).await.refusal();
    assert_eq!(refusal, (409, "e.pay.send.notOffered".to_owned()));

    assert_eq!(
        shop.send(&id).await.data(),
        answer,
        "what was sent stays sent"
    );
    assert_eq!(shop.check(&id).await.data()["st"], "WAIT");
    world.alipay.pay(&code).await.unwrap();
    assert_eq!(shop.until_applied(&id).await["st"], "OK");

    // Put again it is in use again, as its next version.
    let put = Shop::target_body(&world.alipay, &world.account);
    assert_eq!(shop.put(MAIN, put).await.data()["version"], 2);
    assert_eq!(shop.send(&unsent).await.data()["status"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_under_way_stays_with_the_keys_that_it_was_sent_with() {
    let world = World::start().await;
    let shop = &world.shop;
    let (earlier, code) = world.sent().await;
    let other = world.alipay.open_account().await.unwrap();
    shop.put_target("zfb", "main", &world.alipay, &other).await;
    let (later, later_code) = world.sent().await;
    for (id, account) in [(&earlier, &world.account), (&later, &other)] {
        assert_eq!(world.alipay.trade(id).unwrap().app_id, account.app_id());
    }
    world.alipay.pay(&code).await.unwrap();
    world.alipay.pay(&later_code).await.unwrap();
    shop.until_state(&earlier, "OK").await;
    shop.until_state(&later, "OK").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_targets_the_default_is_taken_or_one_has_to_be_named() {
    let world = World::start().await;
    let shop = &world.shop;
    let target = |default: bool| {
        let mut body = Shop::target_body(&world.alipay, &world.account);
        body["default"] = json!(default);
        body
    };
    let before = shop.create(json!({})).await;
    shop.put(SECOND, target(false)).await.data();
    let body = json!({ "fee": 100 });
    let created = shop.post("/pay/ajax/create", body.clone()).await.data();
    let offers: Vec<_> = created["pay_types"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|offer| offer["pay_tp"] == "zfb.qrcode")
        .map(|offer| offer["pay_target"].as_str().unwrap())
        .collect();
    assert_eq!(offers, ["main", "second"]);
    let id = created["id"].as_str().unwrap();
    let (status, code, msg) = refusal_of(shop.send(id).await).await;
    assert_eq!((status, code.as_str()), (409, "e.pay.send.noTarget"));
    assert!(msg.contains("main, second"), "{msg}");
    let named = json!({ "id": id, "pay_tp": "zfb.qrcode", "pay_target": "second" });
    shop.post("/pay/ajax/send", named).await.data();
    assert_eq!(shop.payment(id).await["pay_target"], "second");

    let sent_by = async |shop: &Shop| {
        let id = shop.create(json!({})).await;
        shop.send(&id).await.data();
        shop.payment(&id).await["pay_target"].take()
    };
    shop.put(SECOND, target(true)).await.data();
    assert_eq!(sent_by(shop).await, "second");
    shop.put(MAIN, target(true)).await.data();
    assert_eq!(sent_by(shop).await, "main", "one default at a time");
    let listed = shop.get("/pay/target").await.data();
    let defaults: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["default"].as_bool().unwrap())
        .collect();
    assert_eq!(defaults, [true, false]);

    // What was open when the payment was created is open to it, and nothing else.
    let named = json!({ "id": before, "pay_tp": "zfb.qrcode", "pay_target": "second" });
    let refusal = shop.post("/pay/ajax/send", named).await.refusal();
    assert_eq!(refusal, (409, "e.pay.send.notOffered".to_owned()));
    assert_eq!(shop.send(&before).await.data()["status"], "WAIT");
    assert_eq!(shop.payment(&before).await["pay_target"], "main");
}

#[tokio::test(flavor = "multi_thread")]
async fn test_and_live_never_meet() {
    let world = World::start().await;
    let (test, live) = (&world.shop, world.host.key_of("shop", false).await);
    // Live settings name no gateway: the platform's own. Nothing is sent in this story.
    let settings = json!({
        "app_id": world.account.app_id(),
        "app_private_key": world.account.merchant_private_key(),
        "alipay_public_key": world.account.alipay_public_key(),
    });
    let live_body = json!({ "test": false, "default": true, "settings": settings });
    let refusal = test.put("/pay/target/zfb/live", live_body.clone()).await;
    assert_eq!(refusal.refusal(), (403, "e.pay.nopvg".to_owned()));
    live.put("/pay/target/zfb/live", live_body.clone())
        .await
        .data();
    let refusal = test.delete("/pay/target/zfb/live").await.refusal();
    assert_eq!(refusal, (404, "e.pay.notFound".to_owned()));

    let offered = async |caller: &Shop, body: Value| {
        let created = caller.post("/pay/ajax/create", body).await.data();
        let offers = created["pay_types"].as_array().unwrap();
        let codes = offers.iter().filter(|o| o["pay_tp"] == "zfb.qrcode");
        let names: Vec<_> = codes.map(|o| o["pay_target"].clone()).collect();
        (created["id"].as_str().unwrap().to_owned(), json!(names))
    };
    let (paid, names) = offered(&live, json!({ "fee": 1 })).await;
    assert_eq!(names, json!(["live"]));
    let (_, names) = offered(&live, json!({ "fee": 1, "test": true })).await;
    assert_eq!(names, json!(["main"]));
    let (tried, names) = offered(test, json!({ "fee": 1 })).await;
    assert_eq!(names, json!(["main"]));
    for (caller, id, target) in [(&live, &paid, "main"), (test, &tried, "live")] {
        let named = json!({ "id": id, "pay_tp": "zfb.qrcode", "pay_target": target });
        let refusal = caller.post("/pay/ajax/send", named).await.refusal();
        assert_eq!(refusal, (409, "e.pay.send.notOffered".to_owned()));
    }
    // Nor does a target change sides, whoever asks for it.
    let refusal = live.put(MAIN, live_body).await.refusal();
    assert_eq!(refusal, (409, "e.pay.exists".to_owned()));
    assert!(world.alipay.requests().is_empty());
}
