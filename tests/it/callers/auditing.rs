//! The audit log: what was refused and what was changed, by whom and from where, for those whose affair it is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Host, Shop, World};

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

    // Refused: nobody, also at no address and by no method, a ticket, a foreign payment, a mistake.
    Shop::answer(shop.keyless(Method::GET, "/pay/ajax/query?secret=in-the-query")).await;
    Shop::answer(shop.keyless(Method::GET, "/nothing/here")).await;
    Shop::answer(shop.keyless(Method::DELETE, "/pay/ajax/query")).await;
    shop.get("/nothing/here/either").await;
    Shop::answer(shop.keyless(Method::POST, "/pay/re/none")).await;
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

    let refused = lines(&root, "refused=true", 8).await;
    let mut refused: Vec<_> = refused.iter().map(told).collect();
    refused.sort_unstable();
    assert_eq!(
        refused,
        [
            ("buyer", "GET /pay/ajax/history", "e.pay.nopvg"),
            ("nobody", "ANY /pay/re/{trade_no}", "e.pay.re.refused"),
            ("nobody", "DELETE", "e.http.method"),
            ("nobody", "GET", "e.pay.notFound"),
            ("nobody", "GET", "e.pay.notFound"),
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
    // A span of time has what is in it.
    let at = all[1]["at"].as_u64().unwrap();
    let listed = async |since: &str, until: &str| {
        let args = ["audit", "--since", since, "--until", until, "--json"];
        let printed = host.walnut(host.root_key(), &args).await;
        assert_eq!(printed.code, 0, "{printed:?}");
        let lines: Vec<Value> = serde_json::from_str(&printed.out).unwrap();
        lines
    };
    let (since, until) = (at.to_string(), (at + 1).to_string());
    let of_then = listed(&since, &until).await;
    assert!(
        of_then.contains(&all[1]) && of_then.iter().all(|line| line["at"] == at),
        "{of_then:?}"
    );
    assert_eq!(listed("now-2h", "now-1h").await, [] as [Value; 0]);
    let wrong = host.walnut(host.root_key(), &["audit", "--since", "soon"]);
    assert_eq!(wrong.await.code, 2);

    // It has no secret, whoever put it wherever, and is there after a restart; a flood is a few lines and a sum.
    let (key, root_key) = (shop.key(), root.key());
    for secret in [key, root_key, ticket] {
        for path in [
            format!("/pay/key/{secret}"),
            format!("/pay/callback/{secret}"),
            format!("/pay/domain/{secret}?domain={secret}"),
            format!("/{secret}"),
        ] {
            for caller in [&root, shop] {
                Shop::answer(caller.request(Method::DELETE, &path)).await;
            }
        }
        Shop::answer(shop.keyless(Method::GET, &format!("/pay/re/{secret}"))).await;
        // The command takes the id out of a whole key.
        let other = host.key_of("shop", false).await;
        let ended = host.walnut(root_key, &["key", "revoke", other.key()]).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(other.get("/pay/session").await.status, 401);
    }
    for _ in 0..200 {
        Shop::answer(shop.keyless(Method::GET, "/pay/ajax/query")).await;
    }
    let log = world.host.log();
    let (_, data) = world.host.terminate().await;
    let database =
        rusqlite::Connection::open(data.path().join("root/var/payment/payments.db")).unwrap();
    let sql = "SELECT count(*), sum(times) FROM audit WHERE who = 'nobody'";
    let counted = database.query_row(sql, [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    let (rows, times) = counted.unwrap();
    assert_eq!(times, 223, "nothing is forgotten");
    assert!(rows < 50, "{rows}");
    let of_nobody = |line: &&str| line.contains("refused") && line.contains("who=\"nobody\"");
    let told = log.lines().filter(of_nobody).count();
    assert!((1..50).contains(&told), "the log has them as well: {told}");
    let sql = "SELECT group_concat(who || coalesce(key, '') || what || about || code) FROM audit";
    let text: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    for secret in ["in-the-query", "in-the-body", ticket, key, root_key] {
        assert!(!text.contains(secret), "{secret}");
        assert!(
            !log.contains(&secret[..secret.len() - 8]),
            "{secret} is in the log"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_has_its_line_also_where_whoever_asked_hung_up() {
    use tokio::io::AsyncWriteExt as _;

    let host = Host::start().await;
    let root = host.root();
    let address = host.url().strip_prefix("http://").unwrap();
    for number in 0..60 {
        let body = json!({ "name": format!("domain-{number}") }).to_string();
        let request = format!(
            "POST /pay/domain HTTP/1.1\r\nhost: walnut\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            root.key(),
            body.len(),
        );
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_micros(100 * number)).await;
        drop(connection);
    }
    // Each domain that was made is in the log, once what was begun has ended.
    let (mut domains, mut noted, mut agreed) = (0, 0, 0);
    for _ in 0..600 {
        let data = root.get("/pay/domain").await.data();
        domains = data.as_array().unwrap().len();
        noted = lines(&root, "refused=false&limit=1000", 0).await.len();
        agreed = if domains == noted { agreed + 1 } else { 0 };
        if agreed == 20 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(domains, noted);
    assert!(domains > 0, "some were made");
}
