//! A key's life: its name and end, the one that follows it, and its end at once, at every host that knows it.

use serde_json::{Value, json};
use walnut_test_postgres::Server;

use crate::world::{Host, Shop, World, milliseconds_from_now};

fn id(shop: &Shop) -> String {
    shop.key().split('_').nth(2).unwrap().to_owned()
}

async fn listed(caller: &Shop, id: &str) -> Value {
    let keys = caller.get("/pay/domain/shop/key").await.data();
    let keys = keys.as_array().unwrap();
    let found = keys.iter().find(|key| key["id"] == id);
    found.cloned().unwrap_or_default()
}

fn is_known(answer: &crate::world::Answer) -> bool {
    assert!([200, 401].contains(&answer.status), "{answer:?}");
    answer.status == 200
}

/// The story of a domain's keys, where requests go to `host` and `other` in turn.
async fn keys_of_a_domain(owner: &Shop, other: &str) {
    let knows = async |shop: &Shop| {
        let here = is_known(&shop.get("/pay/session").await);
        let there = is_known(&shop.at(other).get("/pay/session").await);
        assert_eq!(here, there);
        here
    };
    let path = "/pay/domain/shop/key";
    let body = json!({ "name": "front desk", "scope": "till", "test": true });
    let first = owner.post(path, body).await.data();
    let first = owner.with_key(first["key"].as_str().unwrap());
    assert!(knows(&first).await);
    let shown = listed(owner, &id(&first)).await;
    assert_eq!(
        (
            &shown["name"],
            &shown["role"],
            &shown["test"],
            &shown["refund"],
            &shown["expi"]
        ),
        (
            &json!("front desk"),
            &json!("till"),
            &json!(true),
            &json!(false),
            &json!(0)
        )
    );
    // Its use is noted soon.
    while listed(owner, &id(&first)).await["used"] == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    // The next one is good at once, and the earlier one until its time is over.
    let rotate = async |key: &Shop, overlap_ms: u64| {
        let path = format!("/pay/key/{}/rotate", id(key));
        owner.post(&path, json!({ "overlap_ms": overlap_ms })).await
    };
    let second = rotate(&first, 3_600_000).await.data();
    let second = owner.with_key(second["key"].as_str().unwrap());
    assert!(knows(&first).await && knows(&second).await);
    let earlier = listed(owner, &id(&first)).await;
    assert_eq!(earlier["successor"], id(&second));
    assert!(earlier["expi"].as_u64().unwrap() <= milliseconds_from_now(3_600_000));
    let follower = listed(owner, &id(&second)).await;
    assert_eq!(
        (&follower["name"], &follower["role"]),
        (&json!("front desk"), &json!("till"))
    );
    assert_eq!(
        rotate(&first, 0).await.refusal(),
        (409, "e.pay.exists".to_owned())
    );
    let third = rotate(&second, 0).await.data();
    let third = owner.with_key(third["key"].as_str().unwrap());
    assert!(!knows(&second).await, "without an overlap it ends at once");
    assert!(knows(&third).await);

    // Revoked is revoked, also for who is signed in with it.
    let signed_in = async |at: &str| {
        let request = third.at(at).keyless(reqwest::Method::POST, "/pay/session");
        let body = json!({ "key": third.key() });
        let begun = Shop::answer(request.header("X-Walnut-Page", "1").json(&body)).await;
        let cookie = begun.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    };
    let cookie = signed_in(other).await;
    let in_session = async |at: &str| {
        let request = third.at(at).keyless(reqwest::Method::GET, "/pay/session");
        is_known(&Shop::answer(request.header("Cookie", &cookie)).await)
    };
    assert!(in_session(other).await);
    owner
        .delete(&format!("/pay/key/{}", id(&third)))
        .await
        .data();
    assert!(!knows(&third).await);
    assert!(!in_session(other).await);
    assert_eq!(listed(owner, &id(&third)).await, Value::Null);

    // One that ends by itself.
    let ends = milliseconds_from_now(1_500);
    let body = json!({ "scope": "server", "test": true, "expi": ends });
    let short = owner.post(path, body).await.data();
    let short = owner.with_key(short["key"].as_str().unwrap());
    while milliseconds_from_now(0) <= ends {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(!knows(&short).await);
    let past = json!({ "test": true, "expi": 1 });
    assert_eq!(owner.post(path, past).await.refusal().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_when_its_owner_says_so() {
    let world = World::start().await;
    let owner = &world.shop;
    keys_of_a_domain(owner, world.host.url()).await;

    // A test key has no say in what is live, and no domain in what is another's.
    let live = world.host.key_of("shop", false).await;
    let rival = world.host.domain("rival").await;
    let root_id = world.host.root_key().split('_').nth(2).unwrap().to_owned();
    for caller in [owner, &rival] {
        for id in [id(&live), root_id.clone(), "0".repeat(16)] {
            let revoked = caller.delete(&format!("/pay/key/{id}")).await;
            assert_eq!(revoked.refusal(), (404, "e.pay.notFound".to_owned()));
            let rotated = caller
                .post(&format!("/pay/key/{id}/rotate"), json!({}))
                .await;
            assert_eq!(rotated.bytes, revoked.bytes);
        }
    }
    assert!(is_known(&live.get("/pay/session").await));
    let made = owner
        .post("/pay/domain/shop/key", json!({ "test": false }))
        .await
        .data();
    assert_eq!(made["test"], true, "whatever was asked for");

    // The same by commands.
    let run = async |key: &str, args: &[&str]| world.host.walnut(key, args).await;
    let issued = run(
        live.key(),
        &[
            "key", "create", "till", "--domain", "shop", "--name", "kiosk", "--days", "30",
        ],
    )
    .await;
    assert!(issued.out.starts_with("wk_live_"), "{issued:?}");
    let issued = owner.with_key(issued.out.trim());
    let rotated = run(
        live.key(),
        &["key", "rotate", &id(&issued), "--overlap", "1"],
    )
    .await;
    assert!(rotated.out.starts_with("wk_live_"), "{rotated:?}");
    let list = run(live.key(), &["key", "list", "--domain", "shop"]).await;
    assert_eq!(list.out.matches("kiosk").count(), 2, "{list:?}");
    let revoked = run(live.key(), &["key", "revoke", &id(&issued)]).await;
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert!(!is_known(&issued.get("/pay/session").await));
    let denied = run(rotated.out.trim(), &["key", "list", "--domain", "shop"]).await;
    assert!(
        denied.code == 1 && denied.err.contains("e.pay.nopvg"),
        "{denied:?}"
    );
    // Nothing but a hash of it is anywhere.
    let secret = issued.key().splitn(4, '_').last().unwrap().as_bytes();
    let database = world.host.data_root().join("var/payment/payments.db");
    for file in [database.clone(), database.with_extension("db-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_has_so_many_keys_in_use_and_no_more() {
    let host = Host::start().await;
    let owner = host.domain("shop").await;
    let path = "/pay/domain/shop/key";
    let till = json!({ "scope": "till", "test": true });
    // Many callers at once, who together ask for more than there may be.
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (owner, till) = (owner.clone(), till.clone());
        callers.spawn(async move {
            let mut made = Vec::new();
            for _ in 0..17 {
                let answer = owner.post(path, till.clone()).await;
                if answer.status == 200 {
                    made.push(answer.data()["key"].as_str().unwrap().to_owned());
                } else {
                    assert_eq!(answer.refusal(), (409, "e.pay.tooMany".to_owned()));
                }
            }
            made
        });
    }
    let made: Vec<String> = callers.join_all().await.concat();
    assert_eq!(made.len(), 255, "with the owner's own");

    // One that follows another is one more while both are good.
    let rotate = async |key: &str, overlap_ms: u64| {
        let id = key.split('_').nth(2).unwrap();
        let body = json!({ "overlap_ms": overlap_ms });
        owner.post(&format!("/pay/key/{id}/rotate"), body).await
    };
    let refused = rotate(&made[0], 60_000).await;
    assert_eq!(refused.refusal(), (409, "e.pay.tooMany".to_owned()));
    let why = refused.json()["msg"].as_str().unwrap().to_owned();
    assert!(why.contains("256") && why.contains("revoke"), "{why}");
    assert!(is_known(
        &owner.with_key(&made[0]).get("/pay/session").await
    ));
    let next = rotate(&made[0], 0).await.data();
    let next = next["key"].as_str().unwrap();
    assert!(is_known(&owner.with_key(next).get("/pay/session").await));

    // Keys for tests take no place of a live one's, nor of another domain's.
    let live = host.key_of("shop", false).await;
    assert!(is_known(&live.get("/pay/session").await));
    host.domain("rival").await;

    // A place comes free with a key that is revoked, and for one alone.
    let id = made[1].split('_').nth(2).unwrap();
    owner.delete(&format!("/pay/key/{id}")).await.data();
    owner.post(path, till.clone()).await.data();
    assert_eq!(owner.post(path, till).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_no_store_has_a_place_for_is_refused_by_its_name() {
    let host = Host::start().await;
    let (owner, root) = (host.domain("shop").await, host.root());
    let last = u64::MAX >> 1;
    let refuses = |answer: crate::world::Answer, field: &str| {
        assert_eq!(answer.refusal(), (400, "e.pay.invalid".to_owned()));
        let why = answer.json()["msg"].as_str().unwrap().to_owned();
        let says = format!("{field}: {} is too large: give at most {last}", last + 1);
        assert!(why.contains(&says), "{why}");
    };
    let keys = "/pay/domain/shop/key";
    let beyond = json!({ "expi": last + 1 });
    refuses(owner.post(keys, beyond).await, "expi");
    let beyond = json!({ "role": "op", "expi": last + 1 });
    refuses(root.post("/pay/key", beyond).await, "expi");
    // A key that ends at the last moment that there is, is followed by one that does.
    let made = owner.post(keys, json!({ "expi": last })).await.data();
    let rotate = format!("/pay/key/{}/rotate", made["id"].as_str().unwrap());
    let beyond = json!({ "overlap_ms": last + 1 });
    refuses(owner.post(&rotate, beyond).await, "overlap_ms");
    let next = owner.post(&rotate, json!({ "overlap_ms": last })).await;
    assert_eq!(next.data()["expi"], last);

    let span = |from: u64, until: u64, step: u64| {
        let path = format!("/pay/ajax/summary?from={from}&until={until}&step={step}");
        let owner = owner.clone();
        async move { owner.get(&path).await }
    };
    owner.create(json!({})).await;
    assert_eq!(span(0, last, last).await.data()[0]["count"], 1);
    refuses(span(last + 1, last, 1).await, "from");
    refuses(span(0, last + 1, last).await, "until");
    refuses(span(0, 1, last + 1).await, "step");
    for field in ["since", "until", "before"] {
        owner
            .get(&format!("/pay/audit?{field}={last}"))
            .await
            .data();
        let path = format!("/pay/audit?{field}={}", last + 1);
        refuses(owner.get(&path).await, field);
    }
    // Payments' own times: a deadline has its bound, and what is looked for may be anything.
    let deadline = json!({ "fee": 1, "expi": last + 1 });
    let refused = owner.post("/pay/ajax/create", deadline).await;
    assert_eq!(refused.refusal(), (400, "e.pay.invalid".to_owned()));
    for number in [(last + 1).to_string(), u64::MAX.to_string(), "1e30".into()] {
        for matching in [
            format!(r#"{{"expi":{number}}}"#),
            format!(r#"{{"ct":"[{number},]"}}"#),
            format!(r#"{{"fee":{number}}}"#),
            format!(r#"{{"note":{number}}}"#),
        ] {
            let query: String = form_urlencoded::byte_serialize(matching.as_bytes()).collect();
            let found = owner.get(&format!("/pay/ajax/query?match={query}")).await;
            assert!(found.status < 500, "{matching}: {found:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_host_ends_is_good_at_no_other() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let options = ["--store", database.url()];
    let first = Host::start_with(&options).await;
    let owner = first.domain("shop").await;
    let data = tempfile::tempdir().unwrap();
    let root = data.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::copy(
        first.data_root().join("master.key"),
        root.join("master.key"),
    )
    .unwrap();
    let second = Host::start_on_with(data, first.root_key(), &options).await;
    keys_of_a_domain(&owner, second.url()).await;
}
