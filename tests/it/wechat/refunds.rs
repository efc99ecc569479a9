//! Money that goes back: of what was paid on a device and at the till, all by v3.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, AtTheTill, Misbehaviour, Notice, NotificationFault, Operation, RefundOutcome,
    RefundStatus,
};

use super::at_the_till::in_each_dialect;
use crate::world::{ON_A_DEVICE, Till};

async fn refund(till: &Till, id: &str, fee: u64) -> Value {
    let body = json!({"id": id, "fee": fee, "reason": "一杯茶"});
    till.shop.post("/pay/ajax/refund", body).await.data()
}

/// The refund of this number, as the shop sees it.
fn found<'a>(payment: &'a Value, refund_no: &Value) -> &'a Value {
    let refunds = payment["refunds"].as_array().unwrap();
    let found = refunds
        .iter()
        .find(|refund| refund["refund_no"] == *refund_no);
    found.unwrap_or_else(|| panic!("no refund {refund_no}: {payment}"))
}

async fn until_refund(till: &Till, id: &str, refund_no: &Value, state: &str) -> Value {
    let is = |payment: &Value| found(payment, refund_no)["st"] == state;
    till.shop.until(id, state, is).await
}

async fn goes_back_in_two_parts(till: &Till, id: &str) {
    let first = refund(till, id, 500).await;
    assert_eq!(first["st"], "WAIT", "accepted is not made");
    let much = json!({"id": id, "fee": 1801});
    let refused = till.shop.post("/pay/ajax/refund", much).await.refusal();
    assert_eq!(refused, (422, "e.pay.refund.tooMuch".to_owned()));
    let rest = json!({"id": id});
    let rest = till.shop.post("/pay/ajax/refund", rest).await.data();
    assert_eq!(rest["fee"], 1800);
    let all = |payment: &Value| payment["refunded"] == 2300;
    let back = till.shop.until(id, "given back", all).await;
    assert_eq!(back["st"], "OK");
    for part in [&first, &rest] {
        assert_eq!(found(&back, &part["refund_no"])["st"], "OK");
    }
    let trade = till.wechat.trade(id).unwrap();
    assert_eq!((trade.refunded_fen, trade.refunds.len()), (2300, 2));
    let lines = till.shop.history(id).await;
    let told = lines
        .iter()
        .filter(|line| line["cause"] == "notification" && line["detail"]["refund"] == "OK");
    assert_eq!(told.count(), 2, "WeChat Pay notified of both: {lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_in_two_parts() {
    let till = Till::refunding(json!({})).await;
    for pay_tp in ON_A_DEVICE {
        let id = till.paid(pay_tp, json!({})).await;
        goes_back_in_two_parts(&till, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_at_the_till_goes_back_by_v3_whatever_took_it() {
    in_each_dialect(|more| async move {
        let till = Till::refunding(more.clone()).await;
        let (id, _) = till.scanned(json!({}), AtTheTill::Pays).await;
        till.shop.until_state(&id, "OK").await;
        goes_back_in_two_parts(&till, &id).await;
        assert_eq!(till.requests(Operation::V2Refund, &id).len(), 0, "{more}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abnormal_refund_keeps_its_amount_until_a_person_has_mended_it() {
    let till = Till::refunding(json!({})).await;
    let id = till.paid("wx.qrcode", json!({})).await;
    till.wechat
        .decide_refunds(&id, RefundOutcome::Abnormal)
        .unwrap();
    let stuck = refund(&till, &id, 2000).await;
    let number = stuck["refund_no"].clone();
    let seen = until_refund(&till, &id, &number, "STUCK").await;
    assert_eq!(seen["refunded"], 0);
    let words = found(&seen, &number)["error"].as_str().unwrap().to_owned();
    assert!(words.contains("console"), "{words}");
    assert!(
        till.host.log().contains("refund stuck"),
        "the operator is told"
    );
    let much = till
        .shop
        .post("/pay/ajax/refund", json!({"id": id, "fee": 301}))
        .await;
    assert_eq!(much.refusal(), (422, "e.pay.refund.tooMuch".to_owned()));
    till.wechat
        .settle_refund(number.as_str().unwrap(), RefundStatus::Success)
        .unwrap();
    let back = until_refund(&till, &id, &number, "OK").await;
    assert_eq!(back["refunded"], 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_which_nobody_tells_is_asked_about() {
    let till = Till::refunding(json!({})).await;
    let lost = Misbehaviour::always(NotificationFault::Lost);
    let ends = [
        (RefundOutcome::Success, "OK", 700),
        (RefundOutcome::Abnormal, "STUCK", 0),
        (RefundOutcome::Closed, "FAIL", 0),
    ];
    let mut begun = Vec::new();
    for (outcome, state, refunded) in ends {
        let id = till.paid("wx.qrcode", json!({})).await;
        till.wechat.misbehave(lost.clone().for_trade(&id));
        till.wechat.decide_refunds(&id, outcome).unwrap();
        let number = refund(&till, &id, 700).await["refund_no"].clone();
        begun.push((id, number, state, refunded));
    }
    for (id, number, state, refunded) in &begun {
        let seen = until_refund(&till, id, number, state).await;
        assert_eq!(seen["refunded"], *refunded);
    }
    // Mended at the console, and nobody tells of that either.
    let (id, number, ..) = &begun[1];
    till.wechat
        .settle_refund(number.as_str().unwrap(), RefundStatus::Success)
        .unwrap();
    until_refund(&till, id, number, "OK").await;
    // What came to nothing may be given back again.
    let (id, ..) = &begun[2];
    till.wechat
        .decide_refunds(id, RefundOutcome::Success)
        .unwrap();
    let again = refund(&till, id, 2300).await;
    until_refund(&till, id, &again["refund_no"], "OK").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_from_wechat_pay_gives_nothing_back() {
    let till = Till::open(json!({})).await;
    let id = till.paid("wx.qrcode", json!({})).await;
    till.lose_notifications(&id);
    till.wechat
        .decide_refunds(&id, RefundOutcome::Undecided)
        .unwrap();
    let number = refund(&till, &id, 500).await["refund_no"].clone();
    let refund_no = number.as_str().unwrap();
    for notice in [
        Notice::forged(),
        Notice::stale(301),
        Notice::probe(),
        Notice::tampered("event_type", "REFUND.CLOSED"),
        Notice::stating("mchid", "1900000001"),
        Notice::stating("out_trade_no", "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b"),
    ] {
        let sent = till.wechat.notify_refund(refund_no, &notice).await.unwrap();
        assert_eq!(sent.http_status, Some(500), "{notice:?}");
        let payment = till.shop.payment(&id).await;
        assert_eq!(found(&payment, &number)["st"], "WAIT", "{notice:?}");
    }
    // Another amount than was ordered is for a person to look at.
    let sent = till
        .wechat
        .notify_refund(refund_no, &Notice::stating("amount.refund", 1))
        .await
        .unwrap();
    assert!(sent.taken);
    let seen = till.shop.payment(&id).await;
    assert_eq!(
        (&found(&seen, &number)["st"], &seen["refunded"]),
        (&json!("STUCK"), &json!(0))
    );
    let genuine = till
        .wechat
        .notify_refund(refund_no, &Notice::genuine())
        .await;
    assert!(genuine.unwrap().taken);
    assert_eq!(till.shop.payment(&id).await["refunded"], 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_was_lost_is_made_once() {
    let till = Till::refunding(json!({})).await;
    for processed in [true, false] {
        let id = till.paid("wx.qrcode", json!({})).await;
        let lost = Misbehaviour::once(AnswerFault::HttpStatus {
            status: 502,
            processed,
        });
        till.wechat.misbehave(lost.for_operation(Operation::Refund));
        let unknown = refund(&till, &id, 700).await;
        assert_eq!(unknown["st"], "INTENT", "nobody knows yet");
        let back = |payment: &Value| payment["refunded"] == 700;
        till.shop.until(&id, "given back", back).await;
        assert_eq!(till.wechat.trade(&id).unwrap().refunds.len(), 1);
    }
}
