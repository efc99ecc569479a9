//! What nobody pays in time, and what arrives after the end.

use serde_json::json;
use walnut_sandbox::wechat::{
    AnswerFault, BuyerError, Misbehaviour, Notice, Operation, TradeState,
};

use crate::world::{ON_A_DEVICE, RECORD_SALE, Till, milliseconds_from_now};

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_pays_in_time_is_closed_there_and_expires() {
    let till = Till::open(json!({})).await;
    let mut ordered = Vec::new();
    for pay_tp in ON_A_DEVICE {
        let expi = milliseconds_from_now(8_000);
        ordered.push(till.ordered(pay_tp, json!({"expi": expi})).await);
    }
    for ordered in ordered {
        let expired = till.shop.until_state(&ordered.id, "FAIL").await;
        assert_eq!(expired["fail_why"], "EXPIRED");
        let trade = till.wechat.trade(&ordered.id).unwrap();
        assert_eq!(trade.state, TradeState::Closed);
        assert_eq!(till.requests(Operation::Close, &ordered.id).len(), 1);
        let asked = till.requests(Operation::Query, &ordered.id).len();
        assert!(asked >= 2, "asked before and after closing: {asked}");
        let late = till.pays(&ordered.shown).await;
        assert_eq!(late.unwrap_err(), BuyerError::Closed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_closes_what_it_does_not_want_paid_any_more() {
    let till = Till::open(json!({})).await;
    for pay_tp in ON_A_DEVICE {
        let ordered = till.ordered(pay_tp, json!({})).await;
        let body = json!({"id": ordered.id});
        let closed = till.shop.post("/pay/ajax/close", body).await.data();
        assert_eq!(
            (&closed["st"], &closed["fail_why"]),
            (&json!("FAIL"), &json!("CLOSED")),
            "{pay_tp}"
        );
        // Where it was paid meanwhile, that is found.
        let id = till.paid_unheard(pay_tp, json!({})).await;
        let found = till.shop.post("/pay/ajax/close", json!({"id": id})).await;
        assert_eq!(found.data()["st"], "OK", "{pay_tp}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_at_the_deadline_stays_open_until_the_platform_answers() {
    let till = Till::open(json!({})).await;
    let down = Misbehaviour::always(AnswerFault::SystemError { processed: false });
    till.wechat.misbehave(down.for_operation(Operation::Query));
    let mut paid = Vec::new();
    for pay_tp in ON_A_DEVICE {
        let expi = milliseconds_from_now(6_000);
        paid.push(till.paid_unheard(pay_tp, json!({"expi": expi})).await);
    }
    for id in &paid {
        let overdue = till
            .shop
            .until(id, "overdue", |payment| payment["overdue"] == true);
        assert_eq!(overdue.await["st"], "WAIT");
    }
    till.wechat.behave();
    for id in &paid {
        let found = till.shop.until_state(id, "OK").await;
        assert_eq!(found["late"], false, "it was paid in time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_arrives_after_the_end_is_taken_late() {
    let till = Till::open(json!({})).await.recording().await;
    let mut paid = Vec::new();
    for pay_tp in ON_A_DEVICE {
        let more = json!({"expi": milliseconds_from_now(8_000), "callback": RECORD_SALE});
        let id = till.paid_unheard(pay_tp, more).await;
        // The platform's own books lag behind: what it answers is right only after a while.
        let said = |state| AnswerFault::other_state(state);
        let of_query = |fault: Misbehaviour| fault.for_operation(Operation::Query).for_trade(&id);
        let unpaid = Misbehaviour::times(2, said(TradeState::Notpay));
        till.wechat.misbehave(of_query(unpaid));
        let closed = Misbehaviour::always(said(TradeState::Closed));
        till.wechat.misbehave(of_query(closed));
        paid.push(id);
    }
    for id in paid {
        let expired = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(expired["fail_why"], "EXPIRED");
        let sent = till.wechat.notify(&id, &Notice::genuine()).await.unwrap();
        assert!(sent.taken);
        let applied = till.shop.until_applied(&id).await;
        assert_eq!(
            (&applied["st"], &applied["late"], &applied["fail_why"]),
            (&json!("OK"), &json!(true), &json!(null))
        );
        assert_eq!(applied["wx"]["trade_no"], json!(id));
    }
}
