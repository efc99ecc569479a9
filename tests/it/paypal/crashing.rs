//! The host is killed while PayPal works: what was begun comes to its end, and the money is taken once.

use serde_json::json;
use walnut_sandbox::paypal::{AnswerFault, CaptureStatus, Misbehaviour, PayPal};

use crate::world::{Page, order_at};

/// The request arrived and the answer is on its way for ever; or it never arrived.
fn interruptions() -> [AnswerFault; 2] {
    [
        AnswerFault::Late { ms: 3_600_000 },
        AnswerFault::Silent { processed: false },
    ]
}

fn seen(paypal: &PayPal, operation: &str, times: usize) -> Option<()> {
    let requests = paypal.requests();
    let of = requests
        .iter()
        .filter(|request| request.operation.as_deref() == Some(operation));
    (of.count() >= times).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_never_came_is_made_once() {
    let mut page = Page::open().await;
    for (number, fault) in interruptions().into_iter().enumerate() {
        let id = page.shop.create(json!({ "cur": "USD" })).await;
        let misbehaviour = Misbehaviour::once(fault.clone()).for_operation("orders.create");
        page.paypal.misbehave(misbehaviour.for_order(&id));
        let shop = page.shop.clone();
        let sending = {
            let id = id.clone();
            tokio::spawn(async move {
                let body = json!({ "id": id, "pay_tp": "paypal.page" });
                let request = shop.request(reqwest::Method::POST, "/pay/ajax/send");
                request.json(&body).send().await
            })
        };
        let times = 2 * number + 1;
        page.paypal
            .until(|paypal| seen(paypal, "orders.create", times))
            .await;
        let killed = page.host.kill().await;
        assert!(sending.await.unwrap().is_err(), "nobody was answered");
        page.host = killed.restart().await;

        let shown = |payment: &serde_json::Value| payment["re_obj"].is_string();
        let waiting = page.shop.until(&id, "shown to the buyer", shown).await;
        let order = order_at(&waiting["re_obj"]);
        let orders = page.paypal.orders().into_iter();
        let own = orders.filter(|order| order.custom_id.as_deref() == Some(id.as_str()));
        assert_eq!(own.count(), 1, "{fault:?}");
        page.paypal.approve(&order).await.unwrap();
        page.shop.until_state(&id, "OK").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_while_the_host_was_down_is_captured_once() {
    let mut page = Page::open().await;
    let (id, order) = page.sent().await;
    let killed = page.host.kill().await;
    page.paypal.approve(&order).await.unwrap();
    let lost = |paypal: &PayPal| {
        let mut sent = paypal.notifications().into_iter();
        sent.find(|sent| sent.error.is_some())
    };
    page.paypal.until(lost).await;
    page.host = killed.restart().await;
    page.shop.until_state(&id, "OK").await;
    assert_eq!(page.requests("orders.capture", &id).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_whose_answer_never_came_takes_the_money_once() {
    let mut page = Page::open().await;
    for fault in interruptions() {
        let (id, order) = page.sent().await;
        let misbehaviour = Misbehaviour::once(fault.clone()).for_operation("orders.capture");
        page.paypal.misbehave(misbehaviour.for_order(&id));
        page.lose_notifications(&id);
        page.paypal.approve(&order).await.unwrap();
        let captures = |paypal: &PayPal| {
            let mut requests = paypal.requests().into_iter();
            requests.find(|request| {
                request.operation.as_deref() == Some("orders.capture")
                    && request.path.contains(&order)
            })
        };
        page.paypal.until(captures).await;
        page.host = page.host.kill().await.restart().await;
        page.shop.until_state(&id, "OK").await;
        let there = page.paypal.order(&id).unwrap();
        assert_eq!(there.capture.unwrap().status, CaptureStatus::Completed);
        let taken = page.requests("orders.capture", &id);
        let made = taken.iter().filter(|request| request.status == Some(201));
        assert_eq!(made.count(), 1, "{fault:?}: {taken:?}");
    }
}
