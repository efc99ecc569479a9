//! Who may do what: no key, a strange one, a foreign domain's, a ticket, a test key, op and root.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Ask, changes, how_many, looks, query};
use crate::world::{Host, RECORD_SALE, Shop, World};

/// A callback that another domain of the story has under a name that the shop has not.
const THEIRS: &str = "theirs";

#[tokio::test(flavor = "multi_thread")]
async fn without_a_known_key_every_address_says_so() {
    let world = World::start().await;
    let id = world.shop.create(json!({})).await;
    let asks: Vec<Ask> = looks(&id).into_iter().chain(changes(&id)).collect();
    let revoked = world.host.key_of("shop", true).await;
    let key_id = revoked.key().split('_').nth(2).unwrap();
    let root = world.host.root();
    root.delete(&format!("/pay/key/{key_id}")).await.data();

    let strangers = [
        None,
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer x".to_owned()),
        Some("Basic c2hvcDpzaG9w".to_owned()),
        Some(world.shop.key().to_owned()),
        Some(format!("Bearer {}x", world.shop.key())),
        Some(format!("Bearer {}", revoked.key())),
        Some(format!("Bearer wk_root_{}_AAAA", "0".repeat(16))),
        Some(format!("Bearer wt_{id}_{}", "A".repeat(43))),
    ];
    for ask in &asks {
        for stranger in &strangers {
            let request = world.shop.keyless(ask.method.clone(), &ask.path);
            let request = match stranger {
                None => request,
                Some(stranger) => request.header("Authorization", stranger),
            };
            let answer = Shop::answer(ask.request(request)).await;
            let why = format!("{ask:?} by {stranger:?}");
            assert_eq!(
                answer.refusal(),
                (401, "e.auth.required".to_owned()),
                "{why}"
            );
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{why}");
        }
    }
    assert_eq!(how_many(&world.shop).await, 1);
    assert_eq!(world.shop.causes(&id).await, ["create"]);
    for open in ["/healthz", "/readyz"] {
        let answer = Shop::answer(world.shop.keyless(Method::GET, open));
        answer.await.data();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreign_reads_as_what_does_not_exist() {
    let world = World::start().await;
    let (foreign, _) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    let before = world.shop.history(&foreign).await;
    let rival = world.host.domain("rival").await;
    rival.put_callback(THEIRS, walnut_bundle::RECORD_SALE).await;
    let own = rival.create(json!({})).await;
    let buyer = {
        let created = rival.post("/pay/ajax/create", json!({ "fee": 1 })).await;
        rival.with_key(created.data()["ticket"].as_str().unwrap())
    };
    let nobody = "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b";

    let about = |id: &str| {
        let looks = ["get", "check", "history", "content", "deliveries"]
            .map(|verb| Ask::get(format!("/pay/ajax/{verb}?id={id}")));
        let send = json!({ "id": id, "pay_tp": "zfb.qrcode" });
        let resolve = json!({ "id": id, "decision": "accept", "reason": "mine" });
        looks.into_iter().chain([
            Ask::new(Method::POST, "/pay/ajax/send", send),
            Ask::new(Method::POST, "/pay/ajax/resolve", resolve),
        ])
    };
    for caller in [&rival, &buyer] {
        for (theirs, missing) in about(&foreign).zip(about(nobody)) {
            // A ticket is not for all of it, whosever the payment is.
            let verb = theirs.path.split(['/', '?']).nth(3).unwrap_or_default();
            let is_for_it = caller.key() == rival.key() || ["get", "check", "send"].contains(&verb);
            let (theirs, missing) = (theirs.by(caller).await, missing.by(caller).await);
            assert_eq!(theirs.bytes, missing.bytes, "in the same words");
            if is_for_it {
                assert_eq!(theirs.refusal(), (404, "e.pay.noexists".to_owned()));
                assert_eq!(theirs.json()["msg"], "no such payment");
            } else {
                assert_eq!(theirs.refusal(), (403, "e.pay.nopvg".to_owned()));
            }
        }
    }
    let matching = json!({ "id": [foreign, own] }).to_string();
    let found = query(&rival, &[("match", &matching)]).await.data();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["id"], own);

    // Callbacks and targets: neither by their names, nor by the domain's.
    for (theirs, missing, code) in [
        (
            "/pay/callback/record-sale",
            "/pay/callback/nowhere",
            "e.pay.callback.noexists",
        ),
        (
            "/pay/target/zfb/main",
            "/pay/target/zfb/nowhere",
            "e.pay.notFound",
        ),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let theirs = Ask::new(method.clone(), theirs, Value::Null);
            let missing = Ask::new(method, missing, Value::Null);
            let (theirs, missing) = (theirs.by(&rival).await, missing.by(&rival).await);
            assert_eq!(theirs.refusal(), (404, code.to_owned()));
            assert_eq!(theirs.bytes, missing.bytes);
        }
    }
    for path in [
        "/pay/callback",
        "/pay/callback/record-sale",
        "/pay/target",
        "/pay/target/zfb/main",
    ] {
        let theirs = rival.get(&format!("{path}?domain=shop")).await;
        let missing = rival.get(&format!("{path}?domain=nowhere")).await;
        assert_eq!(theirs.refusal(), (403, "e.pay.nopvg".to_owned()));
        assert_eq!(theirs.bytes, missing.bytes);
    }
    let stolen = json!({ "fee": 1, "callback": RECORD_SALE });
    let refusal = rival.post("/pay/ajax/create", stolen).await.refusal();
    assert_eq!(refusal, (404, "e.pay.callback.noexists".to_owned()));
    let stolen = json!({ "fee": 1, "seller": "shop" });
    let named = rival.post("/pay/ajax/create", stolen).await;
    assert_eq!(named.refusal(), (403, "e.pay.noMatchSeller".to_owned()));

    assert_eq!(world.shop.history(&foreign).await, before);
    assert_eq!(how_many(&rival).await, 2, "nothing was made");
}

/// An answer, but for when keys were used last: looking is a use.
fn without_last_use(bytes: &[u8]) -> Vec<u8> {
    let Ok(mut answer) = serde_json::from_slice::<Value>(bytes) else {
        return bytes.to_vec();
    };
    for key in answer["data"].as_array_mut().into_iter().flatten() {
        key.as_object_mut().map(|key| key.remove("used"));
    }
    answer.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn op_reads_everything_and_changes_nothing() {
    let world = World::start().await;
    let body = json!({ "fee": 0, "callback": RECORD_SALE });
    let id = world.shop.create(body).await;
    world.shop.until_applied(&id).await;
    let rival = world.host.domain("rival").await;
    rival.create(json!({})).await;
    let root = world.host.root();
    let issued = root.post("/pay/key", json!({ "role": "op" })).await.data();
    let op = root.with_key(issued["key"].as_str().unwrap());

    let mut before = Vec::new();
    for look in looks(&id) {
        let answer = look.by(&op).await;
        assert_eq!(answer.status, 200, "{look:?}");
        before.push(without_last_use(&answer.bytes));
    }
    assert_eq!(how_many(&op).await, 2, "of every domain");
    assert_eq!(op.check(&id).await.data()["st"], "OK");
    for change in changes(&id) {
        let refusal = change.by(&op).await.refusal();
        assert_eq!(refusal, (403, "e.pay.nopvg".to_owned()), "{change:?}");
    }
    for (look, before) in looks(&id).into_iter().zip(before) {
        let after = without_last_use(&look.by(&op).await.bytes);
        assert_eq!(after, before, "{look:?}");
    }
    // It says whose things it wants to see.
    for path in ["/pay/callback", "/pay/target"] {
        assert_eq!(
            op.get(path).await.refusal(),
            (400, "e.pay.invalid".to_owned())
        );
        let unknown = op.get(&format!("{path}?domain=nowhere")).await;
        assert_eq!(unknown.refusal(), (404, "e.pay.notFound".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_payment_and_nothing_else() {
    let world = World::start().await;
    let body = json!({ "fee": 100, "callback": RECORD_SALE });
    let created = world.shop.post("/pay/ajax/create", body).await.data();
    let id = created["id"].as_str().unwrap();
    let ticket = created["ticket"].as_str().unwrap();
    let buyer = world.shop.with_key(ticket);
    for verb in ["get", "check"] {
        // The buyer's page is opened by its address.
        let address = format!("/pay/ajax/{verb}?id={id}&ticket={ticket}");
        let opened = Shop::answer(world.shop.keyless(Method::GET, &address));
        assert_eq!(opened.await.data()["id"], id);
    }
    for ask in looks(id)
        .into_iter()
        .filter(|look| !look.path.starts_with("/pay/ajax/get"))
        .chain(
            changes(id)
                .into_iter()
                .filter(|change| change.path != "/pay/ajax/send"),
        )
    {
        let refusal = ask.by(&buyer).await.refusal();
        assert_eq!(refusal, (403, "e.pay.nopvg".to_owned()), "{ask:?}");
    }
    assert_eq!(world.shop.causes(id).await, ["create"]);
    // An API key does not belong into an address, and is not taken there.
    let address = format!("/pay/ajax/get?id={id}&ticket={}", world.shop.key());
    let shown = Shop::answer(world.shop.keyless(Method::GET, &address)).await;
    assert_eq!(shown.refusal().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_key_knows_nothing_of_live_payments() {
    let world = World::start().await;
    let (test, live) = (&world.shop, world.host.key_of("shop", false).await);
    let create = |caller: &Shop, more: Value| {
        let caller = caller.clone();
        async move { caller.create(more).await }
    };
    live.put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
        .await;
    let sold = create(&live, json!({ "fee": 0, "callback": RECORD_SALE })).await;
    live.until_applied(&sold).await;
    let open = create(&live, json!({})).await;
    let tried = create(test, json!({ "test": false })).await;
    assert_eq!(
        test.payment(&tried).await["test"],
        true,
        "whatever was asked for"
    );
    let asked = create(&live, json!({ "test": true })).await;

    for id in [&sold, &open] {
        assert_eq!(live.payment(id).await["test"], false);
        for ask in [
            Ask::get(format!("/pay/ajax/get?id={id}")),
            Ask::get(format!("/pay/ajax/check?id={id}")),
            Ask::get(format!("/pay/ajax/history?id={id}")),
            Ask::get(format!("/pay/ajax/content?id={id}")),
            Ask::get(format!("/pay/ajax/deliveries?id={id}")),
            Ask::new(
                Method::POST,
                "/pay/ajax/send",
                json!({ "id": id, "pay_tp": "zfb.qrcode" }),
            ),
            Ask::new(
                Method::POST,
                "/pay/ajax/resolve",
                json!({ "id": id, "decision": "accept", "reason": "so" }),
            ),
        ] {
            let refusal = ask.by(test).await.refusal();
            assert_eq!(refusal, (404, "e.pay.noexists".to_owned()), "{ask:?}");
        }
    }
    assert_eq!(how_many(test).await, 2);
    assert_eq!(how_many(&live).await, 4);
    let live_ones = query(test, &[("match", r#"{"test":false}"#)]).await;
    assert_eq!(live_ones.data(), json!([]));
    assert_eq!(test.get("/pay/ajax/deliveries").await.data(), json!([]));
    let deliveries = live.get("/pay/ajax/deliveries").await.data();
    assert_eq!(deliveries[0]["payment"], sold);
    let key = &deliveries[0]["key"];
    let known = test.post("/pay/ajax/replay", json!({ "key": key })).await;
    let unknown = test
        .post("/pay/ajax/replay", json!({ "key": "0".repeat(32) }))
        .await;
    assert_eq!(known.bytes, unknown.bytes);
    assert_eq!(known.refusal(), (404, "e.pay.notFound".to_owned()));
    assert_eq!(live.payment(&asked).await["test"], true);
    assert_eq!(
        test.payment(&asked).await["id"],
        asked,
        "a test payment, whoever made it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn root_names_the_seller() {
    let host = Host::start().await;
    let (shop, rival) = (host.domain("shop").await, host.domain("rival").await);
    let root = host.root();
    let domains = root.get("/pay/domain").await.data();
    let id_of = |name: &str| {
        let domains = domains.as_array().unwrap();
        let domain = domains.iter().find(|domain| domain["name"] == name);
        domain.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (shop_id, rival_id) = (id_of("shop"), id_of("rival"));
    let sell = |caller: &Shop, seller: &str| {
        let body = json!({ "fee": 1, "seller": seller });
        let caller = caller.clone();
        async move { caller.post("/pay/ajax/create", body).await }
    };
    for seller in [
        "shop".to_owned(),
        shop_id.clone(),
        format!("{shop_id}:"),
        ":shop".to_owned(),
        format!("{shop_id}:shop"),
    ] {
        for caller in [&root, &shop] {
            let sold = sell(caller, &seller).await.data();
            assert_eq!(
                (&sold["seller_id"], &sold["seller_nm"]),
                (&json!(shop_id), &json!("shop")),
                "{seller}"
            );
        }
        let refusal = sell(&rival, &seller).await.refusal();
        assert_eq!(
            refusal,
            (403, "e.pay.noMatchSeller".to_owned()),
            "{seller} by another domain"
        );
    }
    for nobody in [
        "",
        ":",
        " ",
        "nowhere",
        ":nowhere",
        "0000:",
        &format!("{shop_id}:rival"),
        &format!("{rival_id}:shop"),
    ] {
        let refusal = sell(&root, nobody).await.refusal();
        assert_eq!(
            refusal,
            (403, "e.pay.noMatchSeller".to_owned()),
            "{nobody:?}"
        );
    }
    assert_eq!(how_many(&rival).await, 0);
    assert_eq!(how_many(&root).await, 10);
}
