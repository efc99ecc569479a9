//! Who looks after a domain hears of every change of its payments, and of nobody else's.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use walnut_test_postgres::Server;

use crate::following::{Events, Told};
use crate::world::{Host, Shop, World};

/// Reads on until the payment looks like this.
async fn until(events: &mut Events, id: &str, state: &str) -> Told {
    loop {
        let told = events.next().await.expect("the stream goes on");
        if told.name == "payment"
            && (&told.data["id"], &told.data["st"]) == (&json!(id), &json!(state))
        {
            return told;
        }
    }
}

async fn close(shop: &Shop, id: &str) {
    shop.post("/pay/ajax/close", json!({ "id": id }))
        .await
        .data();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_hears_of_every_payment_of_theirs_and_of_no_other() {
    let world = World::start().await;
    let (host, shop) = (&world.host, &world.shop);
    let rival = host.domain("rival").await;
    let mut owner = Events::open(shop, "", None).await;
    let mut operator = Events::open(&host.root(), "", None).await;
    let mut of_rival = Events::open(&host.root(), "domain=rival", None).await;
    for events in [&mut owner, &mut operator, &mut of_rival] {
        let begun = events.next().await.unwrap();
        assert_eq!(begun.name, "begin");
        assert!(begun.id.is_some());
    }
    let theirs = rival.create(json!({ "fee": 100 })).await;
    let (id, code) = world.sent().await;
    world.alipay.pay(&code).await.unwrap();
    let last = shop.create(json!({})).await;
    close(shop, &last).await;

    // The payment passes by in its states; those that follow each other at once are one.
    let mut seen = Vec::new();
    loop {
        let told = owner.next().await.unwrap();
        assert_eq!(
            (told.name.as_str(), &told.data["seller_nm"]),
            ("payment", &json!("shop"))
        );
        seen.push((told.data["id"].clone(), told.data["st"].clone()));
        if told.data["id"] == last.as_str() && told.data["st"] == "FAIL" {
            break;
        }
    }
    assert!(seen.contains(&(json!(id), json!("OK"))), "{seen:?}");
    until(&mut operator, &theirs, "NEW").await;
    until(&mut operator, &id, "OK").await;
    let first = of_rival.next().await.unwrap();
    assert_eq!(first.data["id"], theirs.as_str());

    // A ticket is good for one payment, nobody for none, and nobody watches another's domain.
    let made = shop
        .post("/pay/ajax/create", json!({ "brief": "tea", "fee": 1 }))
        .await
        .data();
    let ticket = format!(
        "/pay/ajax/watch?ticket={}",
        made["ticket"].as_str().unwrap()
    );
    let keyless = async |path: &str| {
        Shop::answer(shop.keyless(Method::GET, path))
            .await
            .refusal()
    };
    assert_eq!(keyless(&ticket).await, (403, "e.pay.nopvg".to_owned()));
    assert_eq!(keyless("/pay/ajax/watch").await.0, 401);
    assert_eq!(
        rival.get("/pay/ajax/watch?domain=shop").await.refusal().0,
        403
    );
    let missing = host.root().get("/pay/ajax/watch?domain=nobody").await;
    assert_eq!(missing.refusal().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_is_told_what_was_missed() {
    let world = World::start().await;
    let shop = &world.shop;
    let old = shop.create(json!({})).await;
    let mut owner = Events::open(shop, "", None).await;
    owner.next().await.unwrap();
    close(shop, &old).await;
    let known = until(&mut owner, &old, "FAIL").await.id;
    drop(owner);
    let (id, code) = world.sent().await;
    world.alipay.pay(&code).await.unwrap();
    shop.until_state(&id, "OK").await;
    let mut back = Events::open(shop, "", known).await;
    let position = until(&mut back, &id, "OK").await.id;
    assert!(position > known);
    // It goes on from there.
    let next = shop.create(json!({})).await;
    until(&mut back, &next, "NEW").await;
    drop(back);

    // Whoever missed too much looks anew.
    for _ in 0..5 {
        let many = shop.clone();
        crate::world::at_once(100, move |_| {
            let shop = many.clone();
            async move { shop.create(json!({})).await }
        })
        .await;
    }
    let mut behind = Events::open(shop, "", position).await;
    let told = behind.next().await.unwrap();
    assert_eq!(told.name, "behind");
    close(shop, &next).await;
    until(&mut behind, &next, "FAIL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_at_once_are_all_told() {
    let world = World::start().await;
    let mut owner = Events::open(&world.shop, "", None).await;
    owner.next().await.unwrap();
    let shop = world.shop.clone();
    let made = crate::world::at_once(200, move |_| {
        let shop = shop.clone();
        async move { shop.create(json!({})).await }
    })
    .await;
    let mut missing: BTreeSet<String> = made.into_iter().collect();
    while !missing.is_empty() {
        let told = owner.next().await.unwrap();
        assert_eq!(told.name, "payment");
        missing.remove(told.data["id"].as_str().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_followed_by_so_many_until_the_host_stops() {
    let world = World::start().await;
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(Events::open(&world.shop, "", None).await);
    }
    let refused = world.shop.get("/pay/ajax/watch").await;
    assert_eq!(refused.refusal(), (429, "e.pay.busy".to_owned()));
    let rival = world.host.domain("rival").await;
    let mut other = Events::open(&rival, "", None).await;
    assert_eq!(other.next().await.unwrap().name, "begin");
    let (clean, _data) = world.host.terminate().await;
    assert!(clean, "it ended in time");
    for events in &mut open {
        while let Some(told) = events.next().await {
            assert_eq!(told.name, "begin");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_host_commits_is_heard_here() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let options = ["--store", database.url()];
    let world = World::with(1, &options).await;
    let second: Host = world.host.beside().await;
    let there = Shop::new(second.url(), world.shop.key());
    let mut here = Events::open(&world.shop, "", None).await;
    here.next().await.unwrap();
    let id = there.create(json!({})).await;
    let sent = there.send(&id).await.data();
    until(&mut here, &id, "WAIT").await;
    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    let paid = until(&mut here, &id, "OK").await;
    // What is known of it there is known to whoever comes back to the other host.
    let mut elsewhere = Events::open(&there, "", paid.id).await;
    close(&there, &there.create(json!({})).await).await;
    let told: Value = elsewhere.next().await.unwrap().data;
    assert_eq!(told["seller_nm"], "shop");
}
