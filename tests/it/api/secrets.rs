//! What never reaches the log: keys, tickets, and whatever was refused because it looked wrong.

use serde_json::json;
use walnut_sandbox::alipay::{AnswerFault, Misbehaviour, Notice};

use crate::world::{RECORD_SALE, Shop, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_no_secret() {
    let world = World::start().await;
    let shop = &world.shop;
    // A secret in every wrong place: settings, bodies, addresses, headers.
    let secret = "TRANSPARENTSECRETOFTHESHOP";
    let mut wrong = Shop::target_body(&world.alipay, &world.account);
    wrong["settings"]["app_private_key"] = json!(secret);
    shop.put("/pay/target/zfb/main", wrong).await.refusal();
    let misplaced = json!({ "test": true, "settings": { "private": secret } });
    shop.put("/pay/target/zfb/main", misplaced).await.refusal();
    let misplaced = json!({ "fee": secret, "pay_key": secret });
    shop.post("/pay/ajax/create", misplaced).await.refusal();
    shop.with_key(secret)
        .get(&format!("/pay/ajax/get?id={secret}&ticket={secret}"))
        .await
        .refusal();
    let body = format!("out_trade_no={secret}&sign={secret}");
    shop.post_bytes("/pay/re", body.as_bytes()).await;

    // A payment that goes through all that the host logs about one.
    let body = json!({ "fee": 2300, "callback": RECORD_SALE });
    let created = shop.post("/pay/ajax/create", body).await.data();
    let (id, ticket) = (
        created["id"].as_str().unwrap(),
        created["ticket"].as_str().unwrap(),
    );
    let precreate = "alipay.trade.precreate";
    for fault in [
        AnswerFault::WronglySigned,
        AnswerFault::Truncated,
        AnswerFault::HttpStatus {
            status: 502,
            processed: false,
        },
    ] {
        world
            .alipay
            .misbehave(Misbehaviour::always(fault).for_operation(precreate));
        shop.send(id).await.refusal();
        world.alipay.behave();
    }
    let buyer = shop.with_key(ticket);
    let sent = buyer.send(id).await.data();
    let code = sent["data"].as_str().unwrap();
    for notice in [Notice::forged(), Notice::tampered("total_amount", "0.01")] {
        world.alipay.notify(id, &notice).await.unwrap();
    }
    world.alipay.pay(code).await.unwrap();
    shop.until_applied(id).await;
    let request = &world.alipay.requests()[0].parameters["sign"];

    let log = world.host.log();
    assert!(log.contains("notification refused"), "{log}");
    assert!(log.contains("sending failed"), "{log}");
    for (what, secret) in [
        (
            "the merchant's key",
            &world.account.merchant_private_key()[..40],
        ),
        ("a request's signature", request.as_str()),
        ("the shop's API key", secret_part(shop.key(), 4)),
        ("the root key", secret_part(world.host.root_key(), 4)),
        ("the ticket", secret_part(ticket, 3)),
        ("what stood in a wrong place", secret),
    ] {
        assert!(!log.contains(secret), "{what} stands in the log");
    }
}

/// The last of so many parts of a key or ticket; the secret may have the separator in it.
fn secret_part(token: &str, parts: usize) -> &str {
    let secret = token.splitn(parts, '_').last().unwrap();
    assert!(secret.len() > 40, "the form of keys has changed");
    secret
}
