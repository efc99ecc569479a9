//! The till, when the buyer cannot pay: a definite refusal ends the payment as declined, and a code that is no good does
//! not.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{self, AnswerFault, Buyer};
use walnut_sandbox::wechat::{self, AtTheTill, Operation};

use crate::world::{Answer, RECORD_SALE, Shop, Till, World, dialects};

const DECLINED: &str = "e.pay.declined";

/// Scans the buyer's code at the till.
async fn scan(shop: &Shop, pay_tp: &str, id: &str, code: &str) -> Answer {
    let body = json!({ "id": id, "pay_tp": pay_tp, "args": [code] });
    shop.post("/pay/ajax/send", body).await
}

/// The dialects of WeChat Pay's till, with the operation that charges.
fn dialects_that_charge() -> [(Value, Operation); 3] {
    dialects().map(|more| {
        let by_v3 = more["scan_api"] == "v3";
        let charge = if by_v3 {
            Operation::Codepay
        } else {
            Operation::V2Micropay
        };
        (more, charge)
    })
}

/// A declined payment is final at once, says why, and stays so.
async fn is_declined(shop: &Shop, platform: &str, id: &str, answer: Answer, code: &str) {
    assert_eq!(answer.status, 200);
    let sent = answer.data();
    let told = [&sent["status"], &sent["fail_why"], &sent["errCode"]];
    let expected = [&json!("FAIL"), &json!("DECLINED"), &json!(DECLINED)];
    assert_eq!(told, expected, "{sent}");
    assert_eq!(sent["data"], Value::Null);
    let message = sent["errMsg"].as_str().unwrap();
    assert!(message.starts_with("the platform declined the payment: "));
    assert!(message.contains(code), "{message}");
    assert!(message.contains("make a new payment"), "{message}");

    let payment = shop.payment(id).await;
    assert_eq!(
        (&payment["st"], &payment["fail_why"]),
        (&json!("FAIL"), &json!("DECLINED"))
    );
    assert!(payment["close_at"].as_u64().unwrap() > 0);
    assert_eq!(payment["apply_at"], 0, "no callback runs");
    let noted = &payment[platform]["declined"][0];
    assert_eq!(noted["code"], code, "{noted}");
    assert_eq!(noted["trade_no"], id, "{noted}");
    let attempt = &payment["attempts"][0];
    assert_eq!(
        (&attempt["st"], &attempt["fail_why"]),
        (&json!("FAIL"), &json!("DECLINED"))
    );
    let history = shop.history(id).await;
    let last = history.last().unwrap();
    assert_eq!(
        (&last["cause"], &last["to"]),
        (&json!("send"), &json!("FAIL"))
    );
    assert!(
        last["statement"].is_string(),
        "proven by what the platform signed: {last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alipay_declines_a_buyer_who_cannot_pay() {
    let world = World::start().await;
    let shop = &world.shop;
    for (buyer, code) in [
        (Buyer::HasTooLittle, "ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        (
            Buyer::HasTooLittleOnTheCard,
            "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        ),
        (Buyer::IsTheSeller, "ACQ.BUYER_SELLER_EQUAL"),
        (Buyer::CannotPay, "ACQ.PAYMENT_FAIL"),
    ] {
        let id = shop.create(json!({ "callback": RECORD_SALE })).await;
        let answer = scan(shop, "zfb.scan", &id, &world.alipay.show_code(buyer)).await;
        is_declined(shop, "zfb", &id, answer, code).await;
    }
    // What is final is repeated, and nobody is charged for it.
    let id = shop.create(json!({})).await;
    let poor = world.alipay.show_code(Buyer::HasTooLittle);
    let first = scan(shop, "zfb.scan", &id, &poor).await.data();
    let asked = world.alipay.requests().len();
    let rich = world.alipay.show_code(Buyer::Pays);
    let again = scan(shop, "zfb.scan", &id, &rich).await.data();
    assert_eq!(again, first);
    assert_eq!(world.alipay.requests().len(), asked);
    assert!(world.alipay.trades().is_empty(), "nothing was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_declines_a_buyer_who_cannot_pay_in_both_dialects() {
    for more in dialects() {
        let till = Till::open(more).await.recording().await;
        for (buyer, code) in [
            (AtTheTill::NotEnough, "NOTENOUGH"),
            (AtTheTill::CardRefused, "NOTSUPORTCARD"),
        ] {
            let id = till.shop.create(json!({ "callback": RECORD_SALE })).await;
            let shown = till.wechat.show_code(buyer);
            let answer = scan(&till.shop, "wx.scan", &id, &shown).await;
            is_declined(&till.shop, "wx", &id, answer, code).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_no_good_leaves_the_payment_open_for_another() {
    let world = World::start().await;
    let (shop, alipay) = (&world.shop, &world.alipay);
    let id = shop.create(json!({})).await;
    let expired = alipay.show_code(Buyer::Pays);
    alipay.expire_code(&expired);
    for bad in [expired.as_str(), "281234567890123456"] {
        let answer = scan(shop, "zfb.scan", &id, bad).await;
        let message = answer.json()["msg"].as_str().unwrap().to_owned();
        assert_eq!(answer.refusal(), (400, "e.pay.send.invalid".to_owned()));
        assert!(message.contains("scan a new one"), "{message}");
        assert_eq!(shop.payment(&id).await["st"], "WAIT");
    }
    let good = alipay.show_code(Buyer::Pays);
    let paid = scan(shop, "zfb.scan", &id, &good).await.data();
    assert_eq!(paid["status"], "OK");

    for more in dialects() {
        let till = Till::open(more).await;
        let (shop, wechat) = (&till.shop, &till.wechat);
        let id = shop.create(json!({})).await;
        let expired = wechat.show_code(AtTheTill::Expired);
        for bad in [expired.as_str(), "130000000000000000"] {
            let answer = scan(shop, "wx.scan", &id, bad).await;
            let message = answer.json()["msg"].as_str().unwrap().to_owned();
            assert_eq!(answer.refusal(), (400, "e.pay.send.invalid".to_owned()));
            assert!(message.contains("the buyer"), "{message}");
            assert_eq!(shop.payment(&id).await["st"], "WAIT");
        }
        let good = wechat.show_code(AtTheTill::Pays);
        let paid = scan(shop, "wx.scan", &id, &good).await.data();
        assert_eq!(paid["status"], "OK");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_the_platform_did_not_sign_declines_nothing() {
    let world = World::start().await;
    let forged = alipay::Misbehaviour::always(AnswerFault::WronglySigned);
    let forged = forged.for_operation("alipay.trade.pay");
    world.alipay.misbehave(forged);
    let id = world.shop.create(json!({})).await;
    let poor = world.alipay.show_code(Buyer::HasTooLittle);
    let answer = scan(&world.shop, "zfb.scan", &id, &poor).await;
    assert_eq!(answer.refusal(), (502, "e.pay.send.unknown".to_owned()));
    assert_eq!(world.shop.payment(&id).await["st"], "WAIT");

    for (more, operation) in dialects_that_charge() {
        let till = Till::open(more).await;
        let forged = wechat::Misbehaviour::always(wechat::AnswerFault::WronglySigned);
        till.wechat.misbehave(forged.for_operation(operation));
        // Asking would tell the truth: that it was declined.
        let down = wechat::Misbehaviour::always(wechat::AnswerFault::HttpStatus {
            status: 502,
            processed: false,
        });
        for query in [Operation::Query, Operation::V2OrderQuery] {
            till.wechat.misbehave(down.clone().for_operation(query));
        }
        let id = till.shop.create(json!({})).await;
        let poor = till.wechat.show_code(AtTheTill::NotEnough);
        let answer = scan(&till.shop, "wx.scan", &id, &poor).await;
        assert_eq!(answer.refusal(), (502, "e.pay.send.unknown".to_owned()));
        assert_eq!(till.shop.payment(&id).await["st"], "WAIT");
        till.wechat.behave();
        let declined = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(declined["fail_why"], "DECLINED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_of_a_buyer_is_asked_about() {
    for (more, operation) in dialects_that_charge() {
        let till = Till::open(more.clone()).await;
        for (status, code) in [(500, "BANKERROR"), (403, "SOMETHING_NEW")] {
            let refused = wechat::Misbehaviour::once(wechat::AnswerFault::Refused {
                status,
                code: code.to_owned(),
                processed: true,
            });
            till.wechat.misbehave(refused.for_operation(operation));
            let id = till.shop.create(json!({})).await;
            let shown = till.wechat.show_code(AtTheTill::Pays);
            let answer = scan(&till.shop, "wx.scan", &id, &shown).await;
            assert_eq!(answer.refusal(), (502, "e.pay.send.unknown".to_owned()));
            let found = till.shop.until_state(&id, "OK").await;
            assert_eq!(found["wx"]["trade_no"], id, "{code} {more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_sent_at_once_tells_what_became_of_it() {
    let world = World::start().await;
    let (shop, alipay) = (&world.shop, &world.alipay);
    let create = |code: String| {
        let body = json!({ "fee": 2300, "brief": "茶", "pay_tp": "zfb.scan", "args": [code] });
        async move { shop.post("/pay/ajax/create", body).await }
    };
    // Of a malformed code nothing comes at all.
    for bad in ["", "13061234", "28763443825664394x", "fp123"] {
        let answer = create(bad.to_owned()).await;
        let message = answer.json()["msg"].as_str().unwrap().to_owned();
        assert_eq!(answer.refusal(), (400, "e.pay.send.invalid".to_owned()));
        assert!(message.contains("the buyer's Alipay code"), "{message}");
    }
    let listed = shop.get("/pay/ajax/query").await.data();
    assert_eq!(listed, json!([]), "no payment is made");
    assert!(alipay.requests().is_empty());

    // One that the platform does not take leaves the payment, and says what to do.
    let expired = alipay.show_code(Buyer::Pays);
    alipay.expire_code(&expired);
    let open = create(expired).await.data();
    assert_eq!(
        (&open["status"], &open["errCode"]),
        (&json!("WAIT"), &json!("e.pay.send.invalid"))
    );
    assert!(open["errMsg"].as_str().unwrap().contains("scan a new one"));
    let id = open["payObjId"].as_str().unwrap();
    let good = alipay.show_code(Buyer::Pays);
    let paid = scan(shop, "zfb.scan", id, &good).await.data();
    assert_eq!(
        (&paid["status"], &paid["payObjId"]),
        (&json!("OK"), &json!(id))
    );

    // A buyer who cannot pay ends it.
    let declined = create(alipay.show_code(Buyer::HasTooLittle)).await.data();
    assert_eq!(
        (&declined["status"], &declined["errCode"]),
        (&json!("FAIL"), &json!(DECLINED))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_code_leaves_no_attempt() {
    let world = World::start().await;
    let id = world.shop.create(json!({})).await;
    let answer = scan(&world.shop, "zfb.scan", &id, "130612345678901234").await;
    assert_eq!(answer.refusal(), (400, "e.pay.send.invalid".to_owned()));
    let payment = world.shop.payment(&id).await;
    assert_eq!(
        (&payment["st"], &payment["attempts"]),
        (&json!("NEW"), &json!([]))
    );
    // A scanner may end the code with a line.
    let code = format!("{}\r\n", world.alipay.show_code(Buyer::Pays));
    let paid = scan(&world.shop, "zfb.scan", &id, &code).await.data();
    assert_eq!(paid["status"], "OK");
}
