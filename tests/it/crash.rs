//! The host is killed, at chosen moments and at random ones, and started again on the same data:
//! what was answered is there, nobody is ordered or applied twice, and what was begun comes to its
//! end.

mod clock;
mod disk;
mod storm;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use walnut_sandbox::alipay::{Alipay, AnswerFault, Misbehaviour, RequestView};

use crate::world::{Moment, SCRIPTED, Shop, World};

const ORDER: &str = "alipay.trade.precreate";

/// Counts the payments that it was applied for.
fn counting() -> Value {
    json!({
        "kv": [{ "op": "increment", "key": "sold" }],
        "emit": [{ "name": "sale", "data": 1 }],
    })
}

fn create(shop: &Shop, key: &str, fee: u64) -> RequestBuilder {
    let body = json!({ "brief": "茶", "fee": fee, "callback": SCRIPTED, "script": counting() });
    shop.request(Method::POST, "/pay/ajax/create")
        .header("Idempotency-Key", key)
        .json(&body)
}

/// Every order that reached the platform under this number.
fn orders(alipay: &Alipay, id: &str) -> Vec<RequestView> {
    let mut requests = alipay.requests();
    requests.retain(|request| {
        request.operation.as_deref() == Some(ORDER) && request.out_trade_no.as_deref() == Some(id)
    });
    requests
}

/// However often it was sent, it was one order in the same words.
fn assert_ordered_once(alipay: &Alipay, id: &str) {
    let orders = orders(alipay, id);
    let words = |order: &RequestView| order.parameters["biz_content"].clone();
    for order in &orders {
        assert_eq!(words(order), words(&orders[0]));
        assert_eq!(
            order.parameters["notify_url"],
            orders[0].parameters["notify_url"]
        );
        assert_eq!(order.sub_code, None);
    }
    let trades = alipay.trades();
    let own = trades.iter().filter(|trade| trade.out_trade_no == id);
    assert_eq!(own.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_answered_is_there_with_its_ticket_and_its_key() {
    let World {
        host, alipay, shop, ..
    } = World::scripted().await;
    let created = Shop::answer(create(&shop, "order-1", 2300)).await.data();
    let host = host.kill_and_restart().await;
    let id = created["id"].as_str().unwrap();
    let buyer = shop.with_key(created["ticket"].as_str().unwrap());
    let payment = buyer.payment(id).await;
    assert_eq!(
        (&payment["st"], &payment["fee"]),
        (&json!("NEW"), &json!(2300))
    );
    assert_eq!(payment["script"], counting());
    let again = Shop::answer(create(&shop, "order-1", 2300)).await.data();
    assert_eq!(again, created, "the same answer");
    let other = Shop::answer(create(&shop, "order-1", 1)).await.refusal();
    assert_eq!(other, (422, "e.pay.idempotency.reused".to_owned()));
    assert_eq!(shop.causes(id).await, ["create"]);
    let content = shop.get(&format!("/pay/ajax/content?id={id}")).await;
    assert!(content.bytes == walnut_test_guests::SCRIPTED);
    let sent = buyer.send(id).await.data();
    assert_eq!(sent["data"], alipay.trade(id).unwrap().qr_code);
    let (success, _data) = host.terminate().await;
    assert!(success);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_never_came_is_taken_up_again() {
    let world = World::scripted().await;
    let (mut host, alipay, shop) = (world.host, world.alipay, world.shop);
    // The platform took the order and the answer was on its way, or never got it.
    let held = AnswerFault::Late { ms: 3_600_000 };
    let lost = AnswerFault::Silent { processed: false };
    for (fault, pressed_again) in [(&held, false), (&lost, false), (&held, true), (&lost, true)] {
        let id = shop
            .create(json!({ "callback": SCRIPTED, "script": counting() }))
            .await;
        let misbehaviour = Misbehaviour::once(fault.clone()).for_operation(ORDER);
        alipay.misbehave(misbehaviour.for_trade(&id));
        let body = json!({ "id": id, "pay_tp": "zfb.qrcode" });
        let request = shop.request(Method::POST, "/pay/ajax/send").json(&body);
        let sending = tokio::spawn(request.send());
        alipay
            .until(|alipay| (!orders(alipay, &id).is_empty()).then_some(()))
            .await;
        let killed = host.kill().await;
        assert!(sending.await.unwrap().is_err(), "nobody was answered");
        host = killed.restart().await;

        let code = if pressed_again {
            let sent = shop.send(&id).await.data();
            sent["data"].as_str().unwrap().to_owned()
        } else {
            let shown = |payment: &Value| payment["re_obj"].is_string();
            let waiting = shop.until(&id, "shown to the buyer", shown).await;
            waiting["re_obj"].as_str().unwrap().to_owned()
        };
        assert_eq!(orders(&alipay, &id).len(), 2, "{fault:?}");
        assert_ordered_once(&alipay, &id);
        assert_eq!(alipay.trade(&id).unwrap().qr_code, code);
        let queried = alipay.requests().iter().any(|request| {
            request.operation.as_deref() == Some("alipay.trade.query")
                && request.out_trade_no.as_deref() == Some(id.as_str())
        });
        assert!(queried, "it is asked before anything is sent again");
        assert_eq!(shop.send(&id).await.data()["data"], code, "and kept");

        alipay.pay(&code).await.unwrap();
        assert_eq!(shop.until_applied(&id).await["st"], "OK");
    }
    let moment = Moment::of(&host.data_root());
    assert_eq!(moment.kept("sold"), Some("4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_was_answered_is_settled_for_good() {
    let World {
        host, alipay, shop, ..
    } = World::scripted().await;
    let id = shop
        .create(json!({ "callback": SCRIPTED, "script": counting() }))
        .await;
    let sent = shop.send(&id).await.data();
    alipay.pay(sent["data"].as_str().unwrap()).await.unwrap();
    let taken = alipay
        .until(|alipay| alipay.notifications().into_iter().find(|sent| sent.taken))
        .await;
    let killed = host.kill().await;
    assert_eq!(taken.out_trade_no, id);
    let host = killed.restart().await;
    assert_eq!(shop.payment(&id).await["st"], "OK");
    shop.until_applied(&id).await;
    let causes = shop.causes(&id).await;
    assert_eq!(causes, ["create", "send", "sent", "notification", "apply"]);
    let moment = Moment::of(&host.data_root());
    assert_eq!(moment.kept("sold"), Some("1"));
    assert_eq!(moment.left[&id].events, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_made_while_the_host_was_down_is_found_by_asking() {
    let World {
        host, alipay, shop, ..
    } = World::scripted().await;
    let id = shop
        .create(json!({ "callback": SCRIPTED, "script": counting() }))
        .await;
    let sent = shop.send(&id).await.data();
    let killed = host.kill().await;
    alipay.pay(sent["data"].as_str().unwrap()).await.unwrap();
    alipay
        .until(|alipay| {
            alipay
                .notifications()
                .into_iter()
                .find(|sent| sent.error.is_some())
        })
        .await;
    let _host = killed.restart().await;
    shop.until_applied(&id).await;
    let causes = shop.causes(&id).await;
    assert_eq!(causes, ["create", "send", "sent", "check", "apply"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_was_killed_in_the_middle_leaves_its_effects_once() {
    let World { host, shop, .. } = World::scripted().await;
    let mut script = counting();
    script["loop"] = json!(true);
    script["until_try"] = json!(2);
    let id = shop
        .create(json!({ "fee": 0, "callback": SCRIPTED, "script": script }))
        .await;
    let running = shop
        .until_delivery(&id, "running", |delivery| delivery["state"] == "RUNNING")
        .await;
    let killed = host.kill().await;
    assert_eq!(running["tries"], 1);
    let moment = Moment::of(&killed.data_root());
    assert_eq!(moment.kept("sold"), None);
    let host = killed.restart().await;

    let applied = shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["try"], 2);
    assert_eq!(applied["apply_re"]["kv"], json!([1]));
    assert_eq!(shop.causes(&id).await, ["create", "apply"]);
    let moment = Moment::of(&host.data_root());
    assert_eq!(moment.kept("sold"), Some("1"));
    let left = &moment.left[&id];
    assert_eq!((left.tries, left.told, left.events), (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_by_which_the_host_ends_is_given_up_like_any_other() {
    let World { host, shop, .. } = World::scripted().await;
    let script = json!({ "loop": true });
    let id = shop
        .create(json!({ "fee": 0, "callback": SCRIPTED, "script": script }))
        .await;
    shop.until_delivery(&id, "running", |delivery| delivery["state"] == "RUNNING")
        .await;
    let killed = host.kill().await;
    // It was its last try.
    let store = killed.data_root().join("var/payment/payments.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let sql = "UPDATE delivery SET tries = 10 WHERE state = 'LEASED'";
    assert_eq!(store.execute(sql, []).unwrap(), 1);
    drop(store);
    let host = killed.restart().await;
    let dead = shop.delivery(&id).await;
    assert_eq!(
        (&dead["state"], &dead["tries"]),
        (&json!("DEAD"), &json!(10))
    );
    assert_eq!(dead["error"], "the host ended while this try ran");
    assert!(host.log().contains("ALERT: callback is dead"));
    assert_eq!(shop.causes(&id).await, ["create", "dead"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_lets_a_running_request_end() {
    let World {
        host, alipay, shop, ..
    } = World::start().await;
    let id = shop.create(json!({})).await;
    let late = Misbehaviour::once(AnswerFault::Late { ms: 2_000 });
    alipay.misbehave(late.for_operation(ORDER));
    let sending = {
        let (shop, id) = (shop.clone(), id.clone());
        tokio::spawn(async move { shop.send(&id).await })
    };
    alipay
        .until(|alipay| (!orders(alipay, &id).is_empty()).then_some(()))
        .await;
    let (success, _data) = host.terminate().await;
    assert!(success);
    let sent = sending.await.unwrap().data();
    assert_eq!(sent["data"], alipay.trade(&id).unwrap().qr_code);
}
