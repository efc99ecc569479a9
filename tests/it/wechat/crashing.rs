//! The host is killed between what it means to do and the platform's answer.

use std::time::Duration;

use serde_json::{Value, json};
use walnut_sandbox::wechat::{AnswerFault, AtTheTill, Misbehaviour, Operation, TradeState};

use super::at_the_till::{Dialect, in_each_dialect};
use crate::world::{ON_A_DEVICE, RECORD_SALE, Shop, Till, milliseconds_from_now};

/// The platform does what was asked, and its answer is under way for an hour.
const HELD: AnswerFault = AnswerFault::Late { ms: 3_600_000 };
/// The platform never hears of it, and nobody is told.
const LOST: AnswerFault = AnswerFault::Silent { processed: false };

fn order_by(pay_tp: &str) -> Operation {
    match pay_tp {
        "wx.qrcode" => Operation::Native,
        "wx.jsapi" => Operation::Jsapi,
        "wx.h5" => Operation::H5,
        _ => Operation::App,
    }
}

/// Begins a request of the shop whose answer will never come.
fn begun(shop: &Shop, path: &'static str, body: Value) -> tokio::task::JoinHandle<bool> {
    let request = shop.request(reqwest::Method::POST, path).json(&body);
    tokio::spawn(async move { request.send().await.is_ok() })
}

async fn until_requested(till: &Till, operation: Operation, id: &str) {
    let requested = || (!till.requests(operation, id).is_empty()).then_some(());
    let seen = till.wechat.until(|_| requested());
    let seen = tokio::time::timeout(Duration::from_secs(120), seen).await;
    assert!(seen.is_ok(), "{operation:?} of {id} never came");
}

/// Sends until there is an answer: the host may be at it already.
async fn sent_again(till: &Till, id: &str, pay_tp: &str) -> Value {
    for _ in 0..6_000 {
        let order = till.order_of(id, pay_tp);
        let answer = till.shop.post("/pay/ajax/send", order).await;
        if answer.status == 200 {
            return answer.data();
        }
        assert_eq!(answer.refusal().1, "e.pay.send.busy");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} was never answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_answer_never_came_is_sent_again_in_the_same_words() {
    let mut till = Till::open(json!({})).await.recording().await;
    for fault in [HELD, LOST] {
        let mut orders = Vec::new();
        for pay_tp in ON_A_DEVICE {
            let id = till.shop.create(json!({"callback": RECORD_SALE})).await;
            let once = Misbehaviour::once(fault.clone()).for_operation(order_by(pay_tp));
            till.wechat.misbehave(once.for_trade(&id));
            let sending = begun(&till.shop, "/pay/ajax/send", till.order_of(&id, pay_tp));
            until_requested(&till, order_by(pay_tp), &id).await;
            orders.push((pay_tp, id, sending));
        }
        till.host = till.host.kill_and_restart().await;
        for (pay_tp, id, sending) in orders {
            assert!(!sending.await.unwrap(), "nobody was answered");
            // The buyer's page sends once more, or looks until the host has.
            let shown = match pay_tp {
                "wx.qrcode" | "wx.jsapi" => sent_again(&till, &id, pay_tp).await,
                _ => {
                    let shown = |payment: &Value| payment["re_tp"].is_string();
                    let payment = till.shop.until(&id, "shown", shown).await;
                    json!({"type": payment["re_tp"], "data": payment["re_obj"]})
                }
            };
            let sent = till.requests(order_by(pay_tp), &id);
            assert_eq!(sent.len(), 2, "{pay_tp} {fault:?}");
            assert_eq!(sent[0].body, sent[1].body, "{pay_tp} {fault:?}");
            let asked = till.requests(Operation::Query, &id);
            assert!(
                !asked.is_empty(),
                "it is asked before anything is sent again"
            );
            till.pays(&shown).await.unwrap();
            assert_eq!(till.shop.until_applied(&id).await["st"], "OK");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_at_the_till_is_never_made_again() {
    in_each_dialect(|more| async move {
        let mut till = Till::open(more.clone()).await.recording().await;
        let order = Dialect::of(&more).order;
        let mut charged = Vec::new();
        for (then, fault) in [
            (AtTheTill::Pays, HELD),
            (AtTheTill::MustConfirm, HELD),
            (AtTheTill::Pays, LOST),
        ] {
            let mut payment = json!({"callback": RECORD_SALE});
            if fault == LOST {
                payment["expi"] = json!(milliseconds_from_now(8_000));
            }
            let id = till.shop.create(payment).await;
            let once = Misbehaviour::once(fault).for_operation(order);
            till.wechat.misbehave(once.for_trade(&id));
            let code = till.wechat.show_code(then);
            let body = json!({"id": id, "pay_tp": "wx.scan", "args": [code]});
            begun(&till.shop, "/pay/ajax/send", body);
            until_requested(&till, order, &id).await;
            charged.push(id);
        }
        let [paid, confirmed, lost] = &charged[..] else {
            panic!("{charged:?}");
        };
        let killed = till.host.kill().await;
        till.wechat.confirm(confirmed).unwrap();
        till.host = killed.restart().await;
        assert_eq!(till.shop.until_applied(paid).await["st"], "OK");
        assert_eq!(till.shop.until_applied(confirmed).await["st"], "OK");
        // It may still arrive while the buyer's code is good: it is being undone, and not sent again.
        until_requested(&till, Dialect::of(&more).reverse, lost).await;
        let payment = till.shop.payment(lost).await;
        assert_eq!(payment["attempts"][0]["ending"], "REVERSED", "{more}");
        for id in &charged {
            assert_eq!(till.requests(order, id).len(), 1, "{more}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_that_was_begun_is_brought_to_its_end() {
    in_each_dialect(|more| async move {
        let mut till = Till::open(more.clone()).await;
        let reverse = Dialect::of(&more).reverse;
        let (id, _) = till.scanned(json!({}), AtTheTill::MustConfirm).await;
        let held = Misbehaviour::once(HELD).for_operation(reverse);
        till.wechat.misbehave(held);
        till.shop.post("/pay/ajax/reverse", json!({"id": id})).await;
        until_requested(&till, reverse, &id).await;
        till.host = till.host.kill_and_restart().await;
        let undone = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(undone["fail_why"], "REVERSED", "{more}");
        assert_eq!(till.requests(reverse, &id).len(), 2, "{more}");
        assert_eq!(till.wechat.trade(&id).unwrap().state, TradeState::Revoked);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_begun_is_made_once() {
    let mut till = Till::refunding(json!({})).await;
    for fault in [HELD, LOST] {
        let id = till.paid("wx.qrcode", json!({})).await;
        let once = Misbehaviour::once(fault.clone()).for_operation(Operation::Refund);
        till.wechat.misbehave(once.for_trade(&id));
        let body = json!({"id": id, "fee": 700});
        let refunding = begun(&till.shop, "/pay/ajax/refund", body);
        until_requested(&till, Operation::Refund, &id).await;
        till.host = till.host.kill_and_restart().await;
        assert!(!refunding.await.unwrap(), "nobody was answered");
        let back = |payment: &Value| payment["refunded"] == 700;
        till.shop.until(&id, "given back", back).await;
        assert_eq!(
            till.wechat.trade(&id).unwrap().refunds.len(),
            1,
            "{fault:?}"
        );
    }
}
