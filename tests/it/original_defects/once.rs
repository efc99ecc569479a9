//! What happens at the same time happens once.

use std::sync::Arc;

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Fen, Notice};

use crate::world::{Moment, RECORD_SALE, SCRIPTED, World, at_once};

#[tokio::test(flavor = "multi_thread")]
async fn defect_04_notification_and_check_together_run_the_callback_once() {
    let world = Arc::new(World::start().await);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.paid_unheard(json!({ "callback": RECORD_SALE })).await);
    }
    world.alipay.behave();
    let (of_all, paid) = (Arc::clone(&world), ids.clone());
    at_once(16, move |number| {
        let (world, id) = (Arc::clone(&of_all), paid[number % paid.len()].clone());
        async move {
            if number < 8 {
                let sent = world.alipay.notify(&id, &Notice::genuine()).await.unwrap();
                assert_eq!(sent.reply.as_deref(), Some("success"));
            } else {
                world.shop.check(&id).await.data();
            }
            world.shop.until_applied(&id).await;
        }
    })
    .await;
    let moment = Moment::of(&world.host.data_root());
    for id in &ids {
        assert_eq!(world.shop.payment(id).await["st"], "OK");
        let causes = world.shop.causes(id).await;
        assert_eq!(causes.iter().filter(|cause| *cause == "apply").count(), 1);
        assert_eq!(moment.left[id].told, 1);
    }
    assert_eq!(moment.kept("sales/CNY/count"), Some("4"));
    assert_eq!(moment.kept("sales/CNY/minor"), Some("9200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_05_a_callback_that_fails_is_not_applied_and_is_tried_again() {
    let world = World::scripted().await;
    let script = json!({
        "kv": [{ "op": "increment", "key": "sold" }],
        "fail_until_try": 2,
    });
    let (id, code) = world
        .sent_with(json!({ "callback": SCRIPTED, "script": script }))
        .await;
    world.alipay.pay(&code).await.unwrap();
    let failed = world
        .shop
        .until_delivery(&id, "failing", |delivery| {
            delivery["tries"] == 1 && delivery["error"].is_string()
        })
        .await;
    assert!(failed["error"].as_str().unwrap().contains("fails on try 1"));
    let paid = world.shop.payment(&id).await;
    assert_eq!(paid["st"], "OK", "paid all the same");
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["try"], 2);
    let moment = Moment::of(&world.host.data_root());
    assert_eq!(
        moment.kept("sold"),
        Some("1"),
        "the failed try left nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_08_of_two_writers_one_wins_and_the_other_is_told() {
    let world = Arc::new(World::start().await);
    let id = world.paid_unheard(json!({ "callback": RECORD_SALE })).await;
    let cheap = Notice::amount(Fen::new(1));
    world.alipay.notify(&id, &cheap).await.unwrap();
    let of_all = Arc::clone(&world);
    let held = id.clone();
    let answers = at_once(8, move |number| {
        let (world, id) = (Arc::clone(&of_all), held.clone());
        let decision = if number % 2 == 0 { "accept" } else { "dismiss" };
        async move {
            let body = json!({ "id": id, "decision": decision, "reason": "so" });
            (decision, world.shop.post("/pay/ajax/resolve", body).await)
        }
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|(_, answer)| answer.status == 200);
    assert_eq!(won.len(), 1, "{won:?}");
    for (_, answer) in &lost {
        assert_eq!(answer.refusal(), (409, "e.pay.resolve.notHeld".to_owned()));
    }
    let decided = world.shop.payment(&id).await;
    let expected = if won[0].0 == "accept" { "OK" } else { "WAIT" };
    assert_eq!(
        (&decided["st"], &decided["held"]),
        (&json!(expected), &Value::Null)
    );

    // Every change started from the state that the one before it left.
    let history = world.shop.history(&id).await;
    for step in history.windows(2) {
        assert_eq!(step[0]["to"], step[1]["from"], "{history:?}");
    }
    let decisions = history.iter().filter(|line| line["cause"] == "resolve");
    assert_eq!(decisions.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_09_sends_at_the_same_time_make_one_order() {
    let world = Arc::new(World::start().await);
    let id = world.shop.create(json!({})).await;
    let (of_all, one) = (Arc::clone(&world), id.clone());
    let answers = at_once(8, move |_| {
        let (world, id) = (Arc::clone(&of_all), one.clone());
        async move { world.shop.send(&id).await.data() }
    })
    .await;
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
        assert_eq!(answer["dataType"], "QRCODE");
    }
    let orders = world.alipay.requests();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(world.shop.causes(&id).await, ["create", "send", "sent"]);
}
