//! `walnut pay create|send|check|get|re` and `walnut cat`, with the original's flags.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{AnswerFault, Buyer, Fen, Misbehaviour, Notice};

use super::Terminal;
use crate::world::{RECORD_SALE, World};

fn shop(world: &World) -> Terminal<'_> {
    Terminal {
        host: &world.host,
        key: world.shop.key(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_goes_through_by_commands_alone() {
    let world = World::start().await;
    let shop = shop(&world);
    let created = shop
        .json(
            "pay create -br '两杯茶' -bu walnut:45:小白 -fee 99RMB -cur RMB -sl shop -callback record-sale \
             -meta \"{table:7,note:'少 糖',tags:[a,b]}\"",
        )
        .await;
    for (name, value) in [
        ("tp", json!("wn_payment")),
        ("st", json!("NEW")),
        ("brief", json!("两杯茶")),
        ("fee", json!(99)),
        ("cur", json!("RMB")),
        ("buyer_tp", json!(1)),
        ("buyer_id", json!("45")),
        ("buyer_nm", json!("小白")),
        ("seller_nm", json!("shop")),
        ("len", json!(walnut_bundle::RECORD_SALE.len())),
        ("table", json!(7)),
        ("note", json!("少 糖")),
        ("tags", json!(["a", "b"])),
    ] {
        assert_eq!(created[name], value, "{name}");
    }
    let id = created["id"].as_str().unwrap();
    let sent = shop.json(&format!("pay send {id} zfb.qrcode main")).await;
    assert_eq!(sent["payObjId"], id);
    assert_eq!(
        (&sent["dataType"], &sent["status"]),
        (&json!("QRCODE"), &json!("WAIT"))
    );
    assert_eq!(
        shop.json(&format!("pay send {id} zfb.qrcode")).await,
        sent,
        "a repeated send repeats the answer"
    );
    let shown = shop.json(&format!("pay get {id}")).await;
    assert_eq!(
        (&shown["re_tp"], &shown["re_obj"]),
        (&sent["type"], &sent["data"])
    );
    assert_eq!(shop.json(&format!("pay check {id}")).await["st"], "WAIT");

    world
        .alipay
        .pay(sent["data"].as_str().unwrap())
        .await
        .unwrap();
    world.shop.until_applied(id).await;
    let paid = shop.json(&format!("pay check {id}")).await;
    assert_eq!((&paid["st"], &paid["re_obj"]), (&json!("OK"), &Value::Null));
    assert_eq!(paid, shop.json(&format!("pay get {id}")).await);
    let line = shop.prints(&format!("pay get {id} -c")).await;
    assert_eq!(line.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), paid);
    let history = shop.json(&format!("pay history {id}")).await;
    assert_eq!(
        history.as_array().unwrap().last().unwrap()["cause"],
        "apply"
    );

    // A payment is a file, and its content is what ran.
    let content = shop.prints(&format!("cat /var/payment/{id}")).await;
    assert!(content == String::from_utf8_lossy(walnut_bundle::RECORD_SALE));
    assert_eq!(
        shop.json(&format!("obj /var/payment/{id} -q -n")).await,
        paid
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn create_with_a_pay_type_prints_what_send_prints() {
    let world = World::start().await;
    let shop = shop(&world);
    let sent = shop
        .json("pay create -fee 2300 -br 茶 -se shop -pt zfb.qrcode -ta main")
        .await;
    let id = sent["payObjId"].as_str().unwrap();
    let again = shop.json(&format!("pay send {id} zfb.qrcode main")).await;
    for field in ["payObjId", "status", "dataType", "type", "data", "errMsg"] {
        assert!(again.get(field).is_some(), "{field}");
        assert_eq!(sent[field], again[field], "{field}");
    }
    assert_eq!(world.alipay.trade(id).unwrap().total.get(), 2300);

    // Fee 0 is sent by `free`, and is complete at once.
    let free = shop
        .json("pay create -fee 0 -br 赠品 -callback record-sale")
        .await;
    assert_eq!(
        (&free["status"], &free["data"]),
        (&json!("OK"), &Value::Null)
    );
    world
        .shop
        .until_applied(free["payObjId"].as_str().unwrap())
        .await;

    // GNU's long options mean the same.
    let gnu = shop
        .json("pay create --fee=1 --brief '-5% today' --pay-tp zfb.qrcode --target main")
        .await;
    let gnu = world.shop.payment(gnu["payObjId"].as_str().unwrap()).await;
    assert_eq!(
        (&gnu["brief"], &gnu["fee"]),
        (&json!("-5% today"), &json!(1))
    );

    // What the platform did not answer is told on standard error; the payment is there.
    let silence = AnswerFault::HangUp { processed: false };
    world
        .alipay
        .misbehave(Misbehaviour::once(silence).for_operation("alipay.trade.precreate"));
    let unsent = shop.run("pay create -fee 1 -pt zfb.qrcode").await;
    assert_eq!(unsent.code, 1, "{unsent:?}");
    assert!(unsent.err.starts_with("e.pay.send.unknown: "), "{unsent:?}");
    let unsent: Value = serde_json::from_str(&unsent.out).unwrap();
    let id = unsent["payObjId"].as_str().unwrap();
    assert_eq!(world.shop.payment(id).await["st"], "WAIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_till_is_told_that_the_buyer_cannot_pay() {
    let world = World::start().await;
    let shop = shop(&world);
    let id = world.shop.create(json!({})).await;
    let poor = || world.alipay.show_code(Buyer::HasTooLittle);
    for line in [
        format!("pay send {id} zfb.scan main {}", poor()),
        format!("pay create -fee 1 -pt zfb.scan -ta main {}", poor()),
    ] {
        let ran = shop.run(&line).await;
        assert_eq!(ran.code, 1, "{line}: {ran:?}");
        assert!(ran.err.starts_with("e.pay.declined: "), "{line}: {ran:?}");
        assert!(ran.err.contains("make a new payment"), "{line}: {ran:?}");
        let declined: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(declined["status"], "FAIL", "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_comes_from_standard_input_and_a_repeat_makes_no_second_payment() {
    let world = World::start().await;
    let shop = shop(&world);
    let order = "{ table: 7, note: '茶' }";
    for line in [
        "pay create -fee 1 -meta",
        "pay create -meta -fee 1",
        "pay create -fee 1 -meta ''",
    ] {
        let ran = shop.given(order, line).await;
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        let created: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (&created["table"], &created["note"]),
            (&json!(7), &json!("茶"))
        );
    }
    let line = "pay create -fee 2 -idempotency-key order-1";
    let first = shop.json(line).await;
    assert_eq!(shop.json(line).await["id"], first["id"]);
    let other = shop.run("pay create -fee 3 -idempotency-key order-1").await;
    assert_eq!(other.code, 1);
    assert!(
        other.err.starts_with("e.pay.idempotency.reused: "),
        "{other:?}"
    );
    let deadline = shop.json("pay create -fee 1 -expi now+30m").await;
    let life = deadline["expi"].as_u64().unwrap() - deadline["ct"].as_u64().unwrap();
    assert!(life <= 30 * 60 * 1000, "{life}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_handed_in_as_json_only_makes_the_host_ask() {
    let world = World::start().await;
    let shop = shop(&world);
    let (id, code) = world.sent().await;
    let claim =
        format!("{{out_trade_no:'{id}',trade_status:'TRADE_SUCCESS',total_amount:'23.00'}}");
    let line = format!("pay re \"{claim}\" -idkey out_trade_no");
    assert_eq!(shop.json(&line).await["st"], "WAIT", "it proves nothing");
    let asked = world.alipay.requests();
    assert_eq!(
        asked.last().unwrap().operation.as_deref(),
        Some("alipay.trade.query")
    );
    let ran = shop.run(&format!("{line} -s")).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(
        ran.err.starts_with("e.pay.re.notOk: the payment is WAIT"),
        "{ran:?}"
    );

    world.alipay.pay(&code).await.unwrap();
    world.shop.until_state(&id, "OK").await;
    let said = shop.given(&claim, "pay re -idkey out_trade_no -s").await;
    assert_eq!((said.code, said.out.as_str()), (0, "success\n"), "{said:?}");
    assert_eq!(shop.json(&line).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_handed_in_as_bytes_is_verified_as_any_other() {
    let world = World::start().await;
    let shop = shop(&world);
    let id = world.paid_unheard(json!({ "callback": RECORD_SALE })).await;
    // It goes astray; its bytes are what somebody hands in.
    let astray = Notice::genuine().to(format!("{}/astray", world.alipay.url()));
    let lost = world.alipay.notify(&id, &astray).await.unwrap();
    shop.write("notify.txt", lost.body.as_bytes());
    shop.write("forged.txt", lost.body.replace("23.00", "0.01").as_bytes());
    let kind = "-H 'Content-Type: application/x-www-form-urlencoded; charset=utf-8'";
    let forged = shop
        .run(&format!("pay re -file forged.txt -trade {id} {kind}"))
        .await;
    assert_eq!(forged.out.trim_end(), "fail", "{forged:?}");
    assert_eq!(world.shop.payment(&id).await["st"], "WAIT");
    let nobody = shop.run("pay re -file notify.txt -trade 0190a5b1c2d37e4f8a9b0c1d2e3f4a5b");
    let nobody = nobody.await;
    assert_eq!(
        (nobody.code, nobody.out.trim_end()),
        (1, "fail"),
        "{nobody:?}"
    );

    let taken = shop
        .run(&format!("pay re -file notify.txt -trade {id} {kind}"))
        .await;
    assert_eq!(
        (taken.code, taken.out.trim_end()),
        (0, "success"),
        "{taken:?}"
    );
    assert_eq!(world.shop.until_applied(&id).await["st"], "OK");
    // Without the trade's number the bytes themselves name it.
    let again = shop
        .given(&lost.body, &format!("pay re -file - {kind}"))
        .await;
    assert_eq!(
        (again.code, again.out.trim_end()),
        (0, "success"),
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_payment_is_resolved_by_hand() {
    let world = World::start().await;
    let shop = shop(&world);
    let id = world.paid_unheard(json!({})).await;
    let cheap = Notice::amount(Fen::new(1));
    world.alipay.notify(&id, &cheap).await.unwrap();
    let ran = shop.run(&format!("pay send {id} zfb.qrcode")).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("e.pay.held: "), "{ran:?}");
    let line = format!("pay resolve {id} accept --reason 'the buyer had a coupon'");
    assert_eq!(shop.json(&line).await["st"], "OK");
    let ran = shop.run(&line).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("e.pay.resolve.notHeld: "), "{ran:?}");
}
