//! The life of a payment besides being paid at once: closed, expired, switched, undone at the till, refunded.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{
    AnswerFault, Buyer, Fen, Misbehaviour, Notice, NotificationFault, TradeStatus,
};

use crate::world::{Answer, RECORD_SALE, Shop, World, milliseconds_from_now};

async fn close(shop: &Shop, id: &str) -> Answer {
    shop.post("/pay/ajax/close", json!({ "id": id })).await
}

async fn refund(shop: &Shop, body: Value) -> Answer {
    shop.post("/pay/ajax/refund", body).await
}

/// What the shop's till sends: the buyer's code.
async fn scan(shop: &Shop, id: &str, code: &str) -> Answer {
    let body = json!({ "id": id, "pay_tp": "zfb.scan", "args": [code] });
    shop.post("/pay/ajax/send", body).await
}

/// The requests for this operation about this trade.
fn asked(world: &World, operation: &str, trade_no: &str) -> usize {
    let requests = world.alipay.requests();
    let about = requests.iter().filter(|request| {
        request.operation.as_deref() == Some(operation)
            && request.out_trade_no.as_deref() == Some(trade_no)
    });
    about.count()
}

async fn paid(world: &World, more: Value) -> String {
    let (id, code) = world.sent_with(more).await;
    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&id, "OK").await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_closed_where_it_stands() {
    let world = World::start().await;
    let shop = &world.shop;
    let unsent = shop.create(json!({})).await;
    let closed = close(shop, &unsent).await.data();
    assert_eq!(
        (&closed["st"], &closed["fail_why"]),
        (&json!("FAIL"), &json!("CLOSED"))
    );
    assert_eq!(
        close(shop, &unsent).await.data()["st"],
        "FAIL",
        "closing again changes nothing"
    );

    let (scanned, code) = world.sent().await;
    world.alipay.scan(&code).await.unwrap();
    let closed = close(shop, &scanned).await.data();
    assert_eq!(
        (&closed["st"], &closed["fail_why"]),
        (&json!("FAIL"), &json!("CLOSED"))
    );
    assert_eq!(
        world.alipay.trade(&scanned).unwrap().status,
        Some(TradeStatus::TradeClosed)
    );

    let paid = paid(&world, json!({})).await;
    assert_eq!(
        close(shop, &paid).await.refusal(),
        (409, "e.pay.close.paid".to_owned())
    );
    let buyer = world.shop.with_key("wk_test_0000000000000000_x");
    assert_eq!(close(&buyer, &paid).await.refusal().0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_nobody_scanned_is_closed_as_soon_as_somebody_does() {
    let world = World::start().await;
    let (id, code) = world.sent().await;
    let waiting = close(&world.shop, &id).await.data();
    assert_eq!(waiting["st"], "WAIT", "Alipay knows no such trade yet");
    assert_eq!(
        world.shop.payment(&id).await["attempts"][0]["ending"],
        "CLOSED"
    );
    world.alipay.scan(&code).await.unwrap();
    let closed = world.shop.until_state(&id, "FAIL").await;
    assert_eq!(closed["fail_why"], "CLOSED");
    assert_eq!(
        world.alipay.trade(&id).unwrap().status,
        Some(TradeStatus::TradeClosed)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finds_what_was_paid_meanwhile() {
    let world = World::start().await;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.pay(&code).await.unwrap();
    let found = close(&world.shop, &id).await.data();
    assert_eq!(found["st"], "OK");
    world.shop.until_applied(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_pays_in_time_expires() {
    let world = World::start().await;
    let shop = &world.shop;
    let expi = milliseconds_from_now(8_000);
    let (unscanned, _) = world.sent_with(json!({ "expi": expi })).await;
    let (scanned, code) = world.sent_with(json!({ "expi": expi })).await;
    world.alipay.scan(&code).await.unwrap();
    for id in [&unscanned, &scanned] {
        let expired = shop.until_state(id, "FAIL").await;
        assert_eq!(expired["fail_why"], "EXPIRED");
        assert_eq!(expired["re_obj"], json!(null));
    }
    let asked_about = asked(&world, "alipay.trade.query", &unscanned);
    assert!(
        asked_about >= 2,
        "asked before and after closing: {asked_about}"
    );
    assert!(asked(&world, "alipay.trade.close", &unscanned) >= 1);
    assert_eq!(
        world.alipay.trade(&scanned).unwrap().status,
        Some(TradeStatus::TradeClosed)
    );
    let refusal = shop.send(&scanned).await.data();
    assert_eq!(refusal["status"], "FAIL", "what is done is repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_at_the_deadline_is_not_failed() {
    let world = World::start().await;
    let expi = milliseconds_from_now(6_000);
    let (id, code) = world
        .sent_with(json!({ "expi": expi, "callback": RECORD_SALE }))
        .await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.misbehave(
        Misbehaviour::always(AnswerFault::Busy { processed: false })
            .for_operation("alipay.trade.query"),
    );
    world.alipay.pay(&code).await.unwrap();
    let overdue = world
        .shop
        .until(&id, "overdue", |payment| payment["overdue"] == true)
        .await;
    assert_eq!(overdue["st"], "WAIT");
    // The platform can be asked again: what was paid in time is paid.
    world.alipay.behave();
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(
        (&applied["st"], &applied["late"]),
        (&json!("OK"), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_target_closes_the_earlier_attempt_first() {
    let world = World::start().await;
    let shop = &world.shop;
    shop.put_target("zfb", "second", &world.alipay, &world.account)
        .await;
    let by = |id: &str, target: &str| {
        let body = json!({ "id": id, "pay_tp": "zfb.qrcode", "pay_target": target });
        let shop = shop.clone();
        async move { shop.post("/pay/ajax/send", body).await }
    };
    let id = shop.create(json!({})).await;
    let first = by(&id, "main").await.data();
    world
        .alipay
        .scan(first["data"].as_str().unwrap())
        .await
        .unwrap();
    let second = by(&id, "second").await.data();
    assert_ne!(second["data"], first["data"]);
    let payment = shop.payment(&id).await;
    assert_eq!(payment["pay_target"], "second");
    assert_eq!(payment["attempts"][0]["st"], "FAIL");
    assert_eq!(payment["attempts"][1]["st"], "WAIT");
    let number = payment["attempts"][1]["trade_no"].as_str().unwrap();
    assert_ne!(number, id, "an attempt of its own has a number of its own");
    world
        .alipay
        .pay(second["data"].as_str().unwrap())
        .await
        .unwrap();
    let paid = shop.until_state(&id, "OK").await;
    assert_eq!(paid["zfb"]["trade_no"], number);

    // Where the earlier one turns out to be paid, it wins.
    let id = shop.create(json!({})).await;
    let first = by(&id, "main").await.data();
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world
        .alipay
        .pay(first["data"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(by(&id, "second").await.data()["status"], "OK");
    assert_eq!(shop.payment(&id).await["pay_target"], "main");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_payments_for_one_the_second_goes_back() {
    let world = World::with(1, &["--overlap"]).await;
    let shop = &world.shop;
    shop.put_target("zfb", "second", &world.alipay, &world.account)
        .await;
    let id = shop.create(json!({ "callback": RECORD_SALE })).await;
    let by = |target: &str| json!({ "id": id, "pay_tp": "zfb.qrcode", "pay_target": target });
    let first = shop.post("/pay/ajax/send", by("main")).await.data();
    let second = shop.post("/pay/ajax/send", by("second")).await.data();
    let (first, second) = (
        first["data"].as_str().unwrap(),
        second["data"].as_str().unwrap(),
    );
    assert_ne!(first, second, "the operator lets them overlap");
    // The host's questions would close the first code once it is scanned: it is paid unheard.
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.misbehave(
        Misbehaviour::always(AnswerFault::Busy { processed: false })
            .for_operation("alipay.trade.query"),
    );
    world.alipay.pay(first).await.unwrap();
    world.alipay.pay(second).await.unwrap();
    shop.until_applied(&id).await;
    world.alipay.behave();
    let back = shop
        .until(&id, "given back", |payment| {
            payment["refunds"][0]["st"] == "OK"
        })
        .await;
    assert_eq!(back["st"], "OK");
    assert_eq!(back["refunds"][0]["cause"], "EXTRA");
    assert_eq!(back["refunds"][0]["fee"], 2300);
    assert!(
        world.host.log().contains("extra payment"),
        "the operator is told"
    );
    let causes = shop.causes(&id).await;
    assert_eq!(causes.iter().filter(|cause| *cause == "apply").count(), 1);
    let refunded: Vec<_> = world
        .alipay
        .trades()
        .into_iter()
        .filter(|t| t.refunds.len() == 1)
        .collect();
    assert_eq!(refunded.len(), 1, "one of both went back");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_in_parts_and_never_more_than_was_paid() {
    let world = World::start().await;
    let shop = &world.shop;
    let waiting = shop.create(json!({})).await;
    let refusal = refund(shop, json!({ "id": waiting })).await.refusal();
    assert_eq!(refusal, (409, "e.pay.refund.notPaid".to_owned()));

    let id = paid(&world, json!({})).await;
    let once = |key: &'static str, body: Value| {
        let request = shop.request(reqwest::Method::POST, "/pay/ajax/refund");
        Shop::answer(request.header("Idempotency-Key", key).json(&body))
    };
    let first = once("r1", json!({ "id": id, "fee": 500, "reason": "one cup" }))
        .await
        .data();
    assert_eq!(
        (&first["fee"], &first["reason"]),
        (&json!(500), &json!("one cup"))
    );
    let again = once("r1", json!({ "id": id, "fee": 500, "reason": "one cup" }))
        .await
        .data();
    assert_eq!(
        again["refund_no"], first["refund_no"],
        "a repeated request gives nothing back twice"
    );
    let other = once("r1", json!({ "id": id, "fee": 600 })).await.refusal();
    assert_eq!(other, (422, "e.pay.idempotency.reused".to_owned()));
    let much = refund(shop, json!({ "id": id, "fee": 1801 }))
        .await
        .refusal();
    assert_eq!(much, (422, "e.pay.refund.tooMuch".to_owned()));
    for bad in [json!(0), json!(-1), json!("5USD"), json!("1.5")] {
        let refusal = refund(shop, json!({ "id": id, "fee": bad }))
            .await
            .refusal();
        assert!((400..=422).contains(&refusal.0), "{bad}: {refusal:?}");
    }
    let rest = refund(shop, json!({ "id": id })).await.data();
    assert_eq!(rest["fee"], 1800, "all that is left");
    let nothing = refund(shop, json!({ "id": id })).await.refusal();
    assert_eq!(nothing, (409, "e.pay.refund.nothingLeft".to_owned()));

    let back = shop
        .until(&id, "given back", |payment| payment["refunded"] == 2300)
        .await;
    assert_eq!(back["st"], "OK", "a payment that was paid stays so");
    for refund in back["refunds"].as_array().unwrap() {
        assert_eq!(refund["st"], "OK");
    }
    let trade = world.alipay.trade(&id).unwrap();
    assert_eq!(trade.refunds.len(), 2);
    let causes = shop.causes(&id).await;
    assert_eq!(
        causes.iter().filter(|cause| *cause == "refund").count(),
        4,
        "{causes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refunds_at_once_give_back_what_was_paid_and_no_more() {
    let world = World::start().await;
    let id = paid(&world, json!({})).await;
    let answers = crate::world::at_once(10, |_| {
        let (shop, id) = (world.shop.clone(), id.clone());
        async move { refund(&shop, json!({ "id": id, "fee": 500 })).await.status }
    })
    .await;
    assert_eq!(
        answers.iter().filter(|status| **status == 200).count(),
        4,
        "{answers:?}"
    );
    let back = world
        .shop
        .until(&id, "given back", |payment| payment["refunded"] == 2000)
        .await;
    assert_eq!(back["refunds"].as_array().unwrap().len(), 4);
    assert_eq!(world.alipay.trade(&id).unwrap().refunds.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_was_lost_is_made_once() {
    let world = World::start().await;
    let id = paid(&world, json!({})).await;
    world.alipay.misbehave(
        Misbehaviour::once(AnswerFault::Busy { processed: true })
            .for_operation("alipay.trade.refund"),
    );
    let unknown = refund(&world.shop, json!({ "id": id, "fee": 700 }))
        .await
        .data();
    assert_eq!(unknown["st"], "INTENT", "nobody knows yet");
    world
        .shop
        .until(&id, "given back", |payment| payment["refunded"] == 700)
        .await;
    assert_eq!(world.alipay.trade(&id).unwrap().refunds.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_platform_refuses_leaves_the_money_refundable() {
    let world = World::start().await;
    let id = paid(&world, json!({})).await;
    let app_id = world.account.app_id().to_owned();
    world
        .alipay
        .set_seller_balance(&app_id, Some(Fen::new(0)))
        .unwrap();
    let refused = refund(&world.shop, json!({ "id": id })).await.data();
    assert_eq!(refused["st"], "FAIL");
    assert!(
        refused["error"].as_str().unwrap().contains("balance"),
        "{refused}"
    );
    world.alipay.set_seller_balance(&app_id, None).unwrap();
    let second = refund(&world.shop, json!({ "id": id })).await.data();
    assert_eq!(second["fee"], 2300);
    world
        .shop
        .until(&id, "given back", |payment| payment["refunded"] == 2300)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_payment_is_given_back_by_decision() {
    let world = World::start().await;
    let (id, code) = world.sent().await;
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost).for_trade(&id));
    world.alipay.misbehave(
        Misbehaviour::always(AnswerFault::Busy { processed: false })
            .for_operation("alipay.trade.query"),
    );
    world.alipay.pay(&code).await.unwrap();
    world
        .alipay
        .notify(&id, &Notice::amount(Fen::new(2200)))
        .await
        .unwrap();
    assert_eq!(world.shop.payment(&id).await["held"]["paid_minor"], 2200);
    let body = json!({ "id": id, "decision": "refund", "reason": "too little" });
    let resolved = world.shop.post("/pay/ajax/resolve", body).await.data();
    assert_eq!(
        (&resolved["st"], &resolved["held"]),
        (&json!("WAIT"), &json!(null))
    );
    let back = world
        .shop
        .until(&id, "given back", |payment| {
            payment["refunds"][0]["st"] == "OK"
        })
        .await;
    assert_eq!(back["refunds"][0]["cause"], "RESOLVED");
    assert_eq!(back["refunds"][0]["fee"], 2200);
    assert_eq!(back["st"], "WAIT", "it may be sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_till_takes_the_money_at_once() {
    let world = World::start().await;
    let shop = &world.shop;
    let id = shop.create(json!({ "callback": RECORD_SALE })).await;
    for bad in ["", "13061234", "12345678901234567", "28763443825664394x"] {
        let refusal = scan(shop, &id, bad).await.refusal();
        assert_eq!(refusal, (400, "e.pay.send.invalid".to_owned()), "{bad}");
    }
    assert!(
        world.alipay.requests().is_empty(),
        "a malformed code reaches nobody"
    );
    let code = world.alipay.show_code(Buyer::Pays);
    let sent = scan(shop, &id, &code).await.data();
    assert_eq!(
        (&sent["status"], &sent["data"]),
        (&json!("OK"), &json!(null))
    );
    let applied = shop.until_applied(&id).await;
    assert_eq!(applied["pay_tp"], "zfb.scan");
    let stored = std::fs::read(world.host.data_root().join("var/payment/payments.db")).unwrap();
    assert!(
        !stored
            .windows(code.len())
            .any(|part| part == code.as_bytes()),
        "the code is not kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_till_waits_for_the_buyers_password() {
    let world = World::start().await;
    let shop = &world.shop;
    let id = shop.create(json!({})).await;
    let sent = scan(shop, &id, &world.alipay.show_code(Buyer::IsAsked))
        .await
        .data();
    assert_eq!(sent["status"], "WAIT");
    let again = scan(shop, &id, &world.alipay.show_code(Buyer::Pays))
        .await
        .data();
    assert_eq!(
        again["status"], "WAIT",
        "a second code takes no second payment"
    );
    assert_eq!(world.alipay.trades().len(), 1);
    let trade_no = shop.payment(&id).await["attempts"][0]["trade_no"].clone();
    world.alipay.confirm(trade_no.as_str().unwrap()).unwrap();
    shop.until_state(&id, "OK").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_payment_of_unknown_end_is_undone() {
    let world = World::start().await;
    let shop = &world.shop;
    // By hand, as soon as somebody wants it.
    let by_hand = shop.create(json!({})).await;
    scan(shop, &by_hand, &world.alipay.show_code(Buyer::IsAsked))
        .await
        .data();
    let undone = shop
        .post("/pay/ajax/reverse", json!({ "id": by_hand }))
        .await
        .data();
    assert_eq!(
        (&undone["st"], &undone["fail_why"]),
        (&json!("FAIL"), &json!("REVERSED"))
    );
    // By itself after half a minute, whatever the platform did with the order whose answer was lost.
    let by_itself = shop.create(json!({})).await;
    world.alipay.misbehave(
        Misbehaviour::once(AnswerFault::Busy { processed: true }).for_operation("alipay.trade.pay"),
    );
    world
        .alipay
        .misbehave(Misbehaviour::always(NotificationFault::Lost));
    world.alipay.misbehave(
        Misbehaviour::always(AnswerFault::Busy { processed: false })
            .for_operation("alipay.trade.query"),
    );
    let code = world.alipay.show_code(Buyer::Pays);
    let refusal = scan(shop, &by_itself, &code).await.refusal();
    assert_eq!(refusal, (502, "e.pay.send.unknown".to_owned()));
    world
        .alipay
        .misbehave(Misbehaviour::once(AnswerFault::CancelAgain {
            processed: false,
        }));
    let undone = shop.until_state(&by_itself, "FAIL").await;
    assert_eq!(undone["fail_why"], "REVERSED");
    let trade = world.alipay.trade(&by_itself).unwrap();
    assert_eq!(
        trade.status,
        Some(TradeStatus::TradeClosed),
        "what was paid went back"
    );
    let refusal = shop
        .post(
            "/pay/ajax/reverse",
            json!({ "id": shop.create(json!({})).await }),
        )
        .await;
    assert_eq!(
        refusal.refusal(),
        (409, "e.pay.reverse.unavailable".to_owned())
    );
}
