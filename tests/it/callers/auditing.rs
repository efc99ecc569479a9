//! The audit log: what was refused and what was changed, by whom and from where, for those whose affair it is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Shop, World};

/// The lines that a caller sees, once there are so many.
async fn lines(caller: &Shop, query: &str, count: usize) -> Vec<Value> {
    loop {
        let lines = caller.get(&format!("/pay/audit?{query}")).await.data();
        let lines = lines.as_array().unwrap().clone();
        if lines.len() >= count {
            return lines;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn told(line: &Value) -> (&str, &str, &str) {
    let text = |name: &str| line[name].as_str().unwrap();
    (text("who"), text("what"), text("errCode"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_and_changed_is_kept_for_those_whose_affair_it_is() {
    let world = World::start().await;
    let (host, shop, root) = (&world.host, &world.shop, world.host.root());
    let rival = host.domain("rival").await;
    let created = shop
        .post("/pay/ajax/create", json!({ "fee": 100 }))
        .await
        .data();
    let id = created["id"].as_str().unwrap();
    let ticket = created["ticket"].as_str().unwrap();

    // Refused: nobody, a ticket, a foreign payment, a mistake.
    Shop::answer(shop.keyless(Method::GET, "/pay/ajax/query?secret=in-the-query")).await;
    shop.with_key(ticket)
        .get(&format!("/pay/ajax/history?id={id}"))
        .await
        .refusal();
    rival.get(&format!("/pay/ajax/get?id={id}")).await.refusal();
    shop.post("/pay/ajax/create", json!({ "fee": "in-the-body" }))
        .await
        .refusal();
    // Changed: by the owner, and by the operator in the owner's name.
    shop.post("/pay/ajax/close", json!({ "id": id }))
        .await
        .data();
    root.put("/pay/domain/shop", json!({ "web": ["api.example.com"] }))
        .await
        .data();

    let refused = lines(&root, "refused=true", 4).await;
    let mut refused: Vec<_> = refused.iter().map(told).collect();
    refused.sort_unstable();
    assert_eq!(
        refused,
        [
            ("buyer", "GET /pay/ajax/history", "e.pay.nopvg"),
            ("nobody", "GET /pay/ajax/query", "e.auth.required"),
            ("rival", "GET /pay/ajax/get", "e.pay.noexists"),
            ("shop", "POST /pay/ajax/create", "e.pay.invalid.fee"),
        ]
    );
    let done = lines(&root, "refused=false&domain=shop", 1).await;
    let newest: Vec<_> = done.iter().take(2).map(told).collect();
    assert_eq!(
        newest,
        [
            ("root", "PUT /pay/domain/{name}", ""),
            ("shop", "POST /pay/ajax/close", "")
        ],
        "durable before it is answered, the newest first"
    );
    let (granted, closed) = (&done[0], &done[1]);
    assert_eq!(granted["about"], "/pay/domain/shop: api.example.com");
    assert_eq!(closed["about"], format!("/pay/ajax/close: {id}"));
    assert_eq!(
        (&closed["source"], &closed["test"]),
        (&json!("127.0.0.1"), &json!(true))
    );
    assert_eq!(closed["key"], shop.key().split('_').nth(2).unwrap());
    assert!(closed["at"].as_u64().unwrap() > 0);

    // An owner sees its own affairs, whoever did it; a test key what test keys did.
    let live = host.key_of("shop", false).await;
    let seen = lines(&live, "", 3).await;
    assert!(seen.iter().all(|line| line["domain"] == "shop"), "{seen:?}");
    assert!(seen.iter().any(|line| line["who"] == "root"));
    let seen = lines(shop, "", 1).await;
    assert!(
        seen.iter()
            .all(|line| line["who"] == "shop" && line["test"] == true),
        "{seen:?}"
    );
    assert_eq!(
        rival.get("/pay/audit?domain=shop").await.refusal().1,
        "e.pay.nopvg"
    );
    let seen = lines(&rival, "", 1).await;
    assert!(
        seen.iter().all(|line| line["domain"] == "rival"),
        "{seen:?}"
    );

    // Asked for in parts, and by the command.
    let all = lines(&root, "limit=1000", 4).await;
    let seq = all[1]["seq"].as_u64().unwrap();
    let older = lines(&root, &format!("before={seq}&limit=1"), 1).await;
    assert_eq!(older[0], all[2]);
    let by_code = lines(&root, "errCode=e.auth.required", 1).await;
    assert_eq!(by_code.len(), 1);
    let printed = host
        .walnut(
            host.root_key(),
            &["audit", "--who", "rival", "--code", "e.pay.noexists"],
        )
        .await;
    assert!(
        printed.code == 0 && printed.out.contains("e.pay.noexists"),
        "{printed:?}"
    );
    assert_eq!(printed.out.matches("rival").count(), 1, "{printed:?}");

    // It has no secret, and is there after a restart; a flood is a few lines and a sum.
    for _ in 0..200 {
        Shop::answer(shop.keyless(Method::GET, "/pay/ajax/query")).await;
    }
    let (_, data) = world.host.terminate().await;
    let database =
        rusqlite::Connection::open(data.path().join("root/var/payment/payments.db")).unwrap();
    let sql = "SELECT count(*), sum(times) FROM audit WHERE who = 'nobody'";
    let counted = database.query_row(sql, [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    let (rows, times) = counted.unwrap();
    assert_eq!(times, 201, "nothing is forgotten");
    assert!(rows < 50, "{rows}");
    let sql = "SELECT group_concat(who || coalesce(key, '') || what || about || code) FROM audit";
    let text: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    for secret in ["in-the-query", "in-the-body", ticket, shop.key()] {
        assert!(!text.contains(secret), "{secret}");
    }
}
