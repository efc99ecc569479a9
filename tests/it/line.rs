//! The main line: create, send, pay, notify, settle, deliver.

use serde_json::json;

use crate::world::{RECORD_SALE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_goes_from_creation_to_its_callback() {
    let world = World::start().await;
    let shop = &world.shop;
    let created = shop
        .post(
            "/pay/ajax/create",
            json!({ "brief": "两杯茶", "fee": "2300RMB", "callback": RECORD_SALE, "table": 7 }),
        )
        .await
        .data();
    let id = created["id"].as_str().unwrap();
    assert_eq!(created["st"], "NEW");
    assert_eq!(created["cur"], "RMB");
    assert_eq!(created["table"], 7);
    let open = created["pay_types"].as_array().unwrap();
    assert!(open.iter().any(|offer| offer["pay_tp"] == "zfb.qrcode"));
    assert!(
        created["len"].as_u64().unwrap() > 10_000,
        "the callback is bound: {created}"
    );

    let sent = shop.send(id).await.data();
    assert_eq!(sent["status"], "WAIT");
    assert_eq!(sent["dataType"], "QRCODE");
    assert_eq!(sent["type"], "QRCODE");
    assert_eq!(sent["payObjId"], id);
    let again = shop.send(id).await.data();
    assert_eq!(
        again["data"], sent["data"],
        "sending again repeats the stored answer"
    );

    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    let paid = shop.until_applied(id).await;
    assert_eq!(paid["st"], "OK");
    assert_eq!(paid["pay_tp"], "zfb.qrcode");
    assert_eq!(paid["pay_target"], "main");
    assert_eq!(
        paid["re_obj"],
        json!(null),
        "what the buyer was shown is wiped"
    );
    assert_eq!(paid["apply_re"]["recorded"], true);
    assert_eq!(paid["zfb"]["trade_no"], id);
    assert!(paid["zfb"]["transaction_id"].is_string());

    let notified = world
        .alipay
        .until(|alipay| alipay.notifications().into_iter().find(|sent| sent.taken))
        .await;
    assert_eq!(notified.reply.as_deref(), Some("success"));
    let orders: Vec<_> = world
        .alipay
        .requests()
        .into_iter()
        .filter(|request| request.operation.as_deref() == Some("alipay.trade.precreate"))
        .collect();
    assert_eq!(orders.len(), 1);
    assert_eq!(
        shop.causes(id).await,
        ["create", "send", "sent", "notification", "apply"]
    );

    let content = shop.get(&format!("/pay/ajax/content?id={id}")).await;
    assert_eq!(content.bytes, walnut_bundle::RECORD_SALE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_nothing_is_complete_at_once() {
    let world = World::start().await;
    let body = json!({ "brief": "gift", "fee": 0, "callback": RECORD_SALE });
    let created = world.shop.post("/pay/ajax/create", body).await.data();
    assert_eq!(created["status"], "OK");
    let id = created["payObjId"].as_str().unwrap();
    let applied = world.shop.until_applied(id).await;
    assert_eq!(applied["pay_tp"], "free");
    assert_eq!(applied["apply_re"]["recorded"], true);
    let refused = world.shop.create(json!({ "fee": 1 })).await;
    let refusal = world.shop.send_by(&refused, "free").await.refusal();
    assert_eq!(
        refusal,
        (409, "e.pay.send.notOffered".to_owned()),
        "free is for nothing only"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_notification_is_healed_by_asking() {
    use walnut_sandbox::alipay::{Misbehaviour, NotificationFault};
    let world = World::start().await;
    let (id, code) = world.sent().await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.pay(&code).await.unwrap();
    let paid = world.shop.until_state(&id, "OK").await;
    assert_eq!(paid["zfb"]["trade_no"], id);
    assert!(world.shop.causes(&id).await.contains(&"check".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_the_platform_and_repeats_what_is_done() {
    use walnut_sandbox::alipay::{Misbehaviour, NotificationFault};
    let world = World::start().await;
    let (id, code) = world.sent().await;
    let waiting = world.shop.check(&id).await.data();
    assert_eq!(waiting["st"], "WAIT", "not scanned yet is not failed");
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&id, "OK").await;
    let asked = world.alipay.requests().len();
    assert_eq!(world.shop.check(&id).await.data()["st"], "OK");
    assert_eq!(
        world.alipay.requests().len(),
        asked,
        "a payment that is done is not asked about"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_makes_one_payment() {
    let world = World::start().await;
    let create = |key: &'static str, fee: i64| {
        let body = json!({ "brief": "tea", "fee": fee });
        let request = world
            .shop
            .request(reqwest::Method::POST, "/pay/ajax/create");
        crate::world::Shop::answer(request.header("Idempotency-Key", key).json(&body))
    };
    let first = create("order-1", 100).await.data();
    let second = create("order-1", 100).await.data();
    assert_eq!(first["id"], second["id"]);
    assert_eq!(first["ticket"], second["ticket"]);
    let other = create("order-1", 200).await.refusal();
    assert_eq!(other, (422, "e.pay.idempotency.reused".to_owned()));
    assert_ne!(create("order-2", 100).await.data()["id"], first["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_for_its_one_payment() {
    let world = World::start().await;
    let create = json!({ "brief": "tea", "fee": 100 });
    let mine = world
        .shop
        .post("/pay/ajax/create", create.clone())
        .await
        .data();
    let other = world.shop.post("/pay/ajax/create", create).await.data();
    let buyer = world.shop.with_key(mine["ticket"].as_str().unwrap());
    let (id, other_id) = (mine["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    assert_eq!(buyer.payment(id).await["st"], "NEW");
    assert_eq!(buyer.send(id).await.data()["status"], "WAIT");
    assert_eq!(buyer.check(id).await.data()["st"], "WAIT");
    let foreign = buyer
        .get(&format!("/pay/ajax/get?id={other_id}"))
        .await
        .refusal();
    assert_eq!(foreign, (404, "e.pay.noexists".to_owned()));
    let denied = (403, "e.pay.nopvg".to_owned());
    assert_eq!(
        buyer
            .get(&format!("/pay/ajax/history?id={id}"))
            .await
            .refusal(),
        denied
    );
    assert_eq!(buyer.get("/pay/ajax/query").await.refusal(), denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_finishes_what_runs() {
    let world = World::start().await;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_applied(&id).await;
    let (success, data) = world.host.terminate().await;
    assert!(success, "SIGTERM ends the host with success");
    assert!(data.path().join("root/var/payment").is_dir());
}
