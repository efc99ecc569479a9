//! `create`: what it makes of good input, and what of bad.

use serde_json::{Value, json};

use super::{create_until_soon, how_many, query};
use crate::world::{Answer, Host, RECORD_SALE, Shop, World};

const NOT_READ: (u16, &str) = (400, "e.pay.invalid");
const BAD_FEE: (u16, &str) = (400, "e.pay.invalid.fee");
const RESERVED: (u16, &str) = (400, "e.pay.meta.reserved");

/// Posts these very bytes to `create`.
async fn create(shop: &Shop, body: &str) -> Answer {
    shop.post_bytes("/pay/ajax/create", body.as_bytes()).await
}

#[track_caller]
fn assert_refused(answer: &Answer, expected: (u16, &str), word: &str, body: &str) {
    let shown: String = body.chars().take(80).collect();
    let (status, code) = answer.refusal();
    assert_eq!((status, code.as_str()), expected, "{shown}");
    let msg = answer.json()["msg"].as_str().unwrap().to_owned();
    assert!(msg.contains(word), "{shown}: {msg}");
    assert!(!msg.contains("struct"), "{shown}: {msg}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_is_whole_minor_units_with_one_currency() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    for (fields, minor, cur) in [
        (r#""fee":2300"#, 2300_i64, "RMB"),
        (r#""fee":"2300""#, 2300, "RMB"),
        (r#""fee":"2300RMB""#, 2300, "RMB"),
        (r#""fee":"2300 rmb""#, 2300, "RMB"),
        (r#""fee":"2300CNY""#, 2300, "RMB"),
        (r#""fee":2300,"cur":"RMB""#, 2300, "RMB"),
        (r#""fee":2300,"cur":"""#, 2300, "RMB"),
        (r#""fee":"99USD""#, 99, "USD"),
        (r#""fee":"99USD","cur":"usd""#, 99, "USD"),
        (r#""fee":99,"cur":"USD""#, 99, "USD"),
        (r#""fee":"500JPY""#, 500, "JPY"),
        (r#""fee":1"#, 1, "RMB"),
        (r#""fee":1000000000000"#, 1_000_000_000_000, "RMB"),
    ] {
        let made = create(&shop, &format!("{{{fields}}}")).await.data();
        assert_eq!(
            (&made["fee"], &made["cur"]),
            (&json!(minor), &json!(cur)),
            "{fields}"
        );
        let kept = shop.payment(made["id"].as_str().unwrap()).await;
        assert_eq!(
            (&kept["fee"], &kept["cur"], &kept["st"]),
            (&json!(minor), &json!(cur), &json!("NEW")),
            "{fields}"
        );
    }
    let made = how_many(&shop).await;
    for (fields, word) in [
        (r#""brief":"tea""#, "2300"),
        (r#""fee":null"#, "2300"),
        (r#""fee":"""#, "2300"),
        (r#""fee":"RMB""#, "2300"),
        (r#""fee":0.01"#, "whole minor units"),
        (r#""fee":"0.01""#, "whole minor units"),
        (r#""fee":23.00"#, "whole minor units"),
        (r#""fee":"23.00RMB""#, "whole minor units"),
        (r#""fee":1e3"#, "whole minor units"),
        (r#""fee":"1e3""#, "whole minor units"),
        (r#""fee":"1,000""#, "whole minor units"),
        (r#""fee":"0x10""#, "whole minor units"),
        (r#""fee":"２３""#, "whole minor units"),
        (r#""fee":"¥23""#, "whole minor units"),
        (r#""fee":true"#, "whole minor units"),
        (r#""fee":[1]"#, "whole minor units"),
        (r#""fee":{"minor":1}"#, "whole minor units"),
        (r#""fee":-1"#, "out of range"),
        (r#""fee":"-1RMB""#, "out of range"),
        (r#""fee":-0.5"#, "whole minor units"),
        (r#""fee":1000000000001"#, "out of range"),
        (r#""fee":9223372036854775808"#, "out of range"),
        (r#""fee":"99999999999999999999999""#, "out of range"),
        (r#""fee":99999999999999999999999"#, "minor units"),
        (r#""fee":"99XYZ""#, "ISO 4217"),
        (r#""fee":99,"cur":"YUAN""#, "ISO 4217"),
        (r#""fee":99,"cur":"¥""#, "ISO 4217"),
        (r#""fee":"99USD","cur":"RMB""#, "give one of them"),
        (r#""fee":99,"price":-1"#, "price"),
        (r#""fee":99,"price":1000000000001"#, "price"),
    ] {
        let body = format!("{{{fields}}}");
        assert_refused(&create(&shop, &body).await, BAD_FEE, word, &body);
    }
    assert_eq!(
        how_many(&shop).await,
        made,
        "a refusal leaves nothing behind"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_create_cannot_take_leaves_nothing_behind() {
    let world = World::start().await;
    let shop = &world.shop;
    let deep = format!(r#"{{"fee":1,"x":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    let large = |bytes: usize| format!(r#"{{"fee":1,"note":"{}"}}"#, "x".repeat(bytes));
    let long =
        |field: &str, bytes: usize| format!(r#"{{"fee":1,"{field}":"{}"}}"#, "x".repeat(bytes));
    let table = [
        ("", NOT_READ, "JSON object"),
        ("{", NOT_READ, "JSON object"),
        ("[]", NOT_READ, "an object"),
        ("null", NOT_READ, "an object"),
        ("\"fee\"", NOT_READ, "an object"),
        ("fee=1", NOT_READ, "JSON object"),
        (r#"{"fee":1} x"#, NOT_READ, "trailing"),
        (r#"{"fee":1,"fee":2}"#, NOT_READ, "fee"),
        (
            r#"{"fee":1,"table":1,"table":2}"#,
            NOT_READ,
            "\"table\" stands twice",
        ),
        (
            r#"{"fee":1,"a":{"b":1,"b":2}}"#,
            NOT_READ,
            "\"b\" stands twice",
        ),
        (r#"{"fee":1,"brief":5}"#, NOT_READ, "a string"),
        (r#"{"fee":1,"args":"x"}"#, NOT_READ, "list of texts"),
        (r#"{"fee":1,"test":"yes"}"#, NOT_READ, "boolean"),
        (r#"{"fee":1,"expi":"soon"}"#, NOT_READ, "soon"),
        (r#"{"fee":1,"expi":1}"#, NOT_READ, "past"),
        (r#"{"fee":1,"expi":99999999999999}"#, NOT_READ, "15 days"),
        (&deep, NOT_READ, "recursion"),
        (&long("brief", 513), NOT_READ, "512 bytes"),
        (&large(64 * 1024), (413, "e.pay.meta.tooLarge"), "64 KiB"),
        (&large(256 * 1024), (413, "e.http.tooLarge"), "larger"),
        // Names of the payment's own, whatever they would say.
        (r#"{"fee":1,"st":"OK"}"#, RESERVED, "\"st\""),
        (
            r#"{"fee":1,"id":"0190a5b1c2d37e4f8a9b0c1d2e3f4a5b"}"#,
            RESERVED,
            "another name",
        ),
        (r#"{"fee":1,"tp":"wn_payment"}"#, RESERVED, "\"tp\""),
        (r#"{"fee":1,"ct":1}"#, RESERVED, "\"ct\""),
        (r#"{"fee":1,"len":0}"#, RESERVED, "\"len\""),
        (r#"{"fee":1,"re_obj":"x"}"#, RESERVED, "\"re_obj\""),
        (r#"{"fee":1,"apply_at":1}"#, RESERVED, "\"apply_at\""),
        (r#"{"fee":1,"close_at":1}"#, RESERVED, "\"close_at\""),
        (r#"{"fee":1,"held":null}"#, RESERVED, "\"held\""),
        (r#"{"fee":1,"late":true}"#, RESERVED, "\"late\""),
        (r#"{"fee":1,"seller_id":"x"}"#, RESERVED, "\"seller_id\""),
        (r#"{"fee":1,"ticket":"x"}"#, RESERVED, "\"ticket\""),
        (r#"{"fee":1,"meta":{}}"#, RESERVED, "\"meta\""),
        (r#"{"fee":1,"pay_st":"OK"}"#, RESERVED, "\"pay_st\""),
        (
            r#"{"fee":1,"pay_whatever":1}"#,
            RESERVED,
            "\"pay_whatever\"",
        ),
        (r#"{"fee":1,"_id":1}"#, RESERVED, "\"_id\""),
        (r#"{"fee":1,"zfb":{"trade_no":"1"}}"#, RESERVED, "\"zfb\""),
        (r#"{"fee":1,"free":1}"#, RESERVED, "\"free\""),
        (r#"{"fee":1,"":1}"#, RESERVED, "1 to 128"),
        (r#"{"fee":1,"a\u0000b":1}"#, RESERVED, "control"),
        (&long(&"n".repeat(129), 1), RESERVED, "1 to 128"),
        // Who buys.
        (
            r#"{"fee":1,"buyer":"xiaobai"}"#,
            (400, "e.pay.invalid.buyer"),
            "TYPE:ID",
        ),
        (
            r#"{"fee":1,"buyer":"walnut:"}"#,
            (400, "e.pay.buyer.imperfect"),
            "TYPE:ID",
        ),
        (
            r#"{"fee":1,"buyer":":45"}"#,
            (400, "e.pay.buyer.imperfect"),
            "TYPE:ID",
        ),
        (
            r#"{"fee":1,"buyer_tp":1}"#,
            (400, "e.pay.buyer.imperfect"),
            "id nor name",
        ),
        (
            r#"{"fee":1,"buyer_tp":3,"buyer_id":"x"}"#,
            (400, "e.pay.invalid.buyer"),
            "0, 1 or 2",
        ),
        (
            &long("buyer_nm", 257),
            (400, "e.pay.invalid.buyer"),
            "256 bytes",
        ),
        // What runs afterwards.
        (
            r#"{"fee":1,"callback":"nowhere"}"#,
            (404, "e.pay.callback.noexists"),
            "upload it first",
        ),
        (
            r#"{"fee":1,"callback":"../../master.key"}"#,
            (400, "e.pay.invalid.name"),
            "A-Z",
        ),
        (
            r#"{"fee":1,"callback":".hidden"}"#,
            (400, "e.pay.invalid.name"),
            "letter or digit first",
        ),
        // How it is to be sent at once.
        (
            r#"{"fee":1,"pay_tp":"zfb.nothing"}"#,
            (400, "e.pay.no3x"),
            "zfb.nothing",
        ),
        (
            r#"{"fee":1,"pay_tp":"free"}"#,
            (409, "e.pay.send.notOffered"),
            "zfb.qrcode main",
        ),
        (
            r#"{"fee":1,"pay_tp":"zfb.qrcode","pay_target":"other"}"#,
            (409, "e.pay.send.notOffered"),
            "zfb.qrcode main",
        ),
        (r#"{"fee":1,"pay_target":"main"}"#, NOT_READ, "pay_tp"),
        (r#"{"fee":1,"args":["2812345"]}"#, NOT_READ, "pay_tp"),
    ];
    for (body, expected, word) in table {
        assert_refused(&create(shop, body).await, expected, word, body);
    }
    let answer = shop.post_bytes("/pay/ajax/create", b"{\"fee\":1,\"brief\":\"\xff\"}");
    assert_refused(&answer.await, NOT_READ, "utf-8", "no UTF-8");
    assert_eq!(how_many(shop).await, 0, "a refusal leaves nothing behind");
    assert!(world.alipay.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_create_takes_is_what_is_kept() {
    let world = World::start().await;
    let shop = &world.shop;
    let brief = "茶".repeat(170);
    let meta = json!({
        "table": 7,
        "订单": { "号": "2026-1", "lines": [{ "sku": "a", "n": 2 }, null, true] },
        "rate": 0.1,
        "status": "open",
        "payload": "",
    });
    let mut body = json!({
        "brief": format!("  {brief} "),
        "fee": 2300,
        "price": 2500,
        "buyer": "members:a1:小白:x",
        "callback": RECORD_SALE,
    });
    for (name, value) in meta.as_object().unwrap() {
        body[name] = value.clone();
    }
    let id = shop.create(body).await;
    let kept = shop.payment(&id).await;
    let expected = json!({
        "id": id, "nm": id, "tp": "wn_payment", "st": "NEW", "brief": brief, "fee": 2300,
        "cur": "RMB", "price": 2500, "test": true, "pay_tp": null, "pay_target": null,
        "re_tp": null, "re_obj": null, "buyer_tp": 2, "buyer_id": "a1", "buyer_nm": "小白:x",
        "buyer_lib": "members", "seller_nm": "shop", "send_at": 0, "close_at": 0, "apply_at": 0,
        "apply_re": null, "late": false, "overdue": false, "len": walnut_bundle::RECORD_SALE.len(),
    });
    for (name, value) in expected
        .as_object()
        .unwrap()
        .iter()
        .chain(meta.as_object().unwrap())
    {
        assert_eq!(kept[name], *value, "{name}");
    }
    assert_eq!(kept["ct"], kept["lm"]);
    assert_eq!(kept["callback"]["name"], RECORD_SALE);
    let two_hours = 2 * 60 * 60 * 1000;
    let deadline = kept["ct"].as_u64().unwrap() + two_hours;
    assert_eq!(kept["expi"], deadline, "as long as a QR code is valid");

    let walnut = shop.create(json!({ "buyer": "walnut:45" })).await;
    let walnut = shop.payment(&walnut).await;
    assert_eq!(
        (
            &walnut["buyer_tp"],
            &walnut["buyer_id"],
            &walnut["buyer_lib"]
        ),
        (&json!(1), &json!("45"), &Value::Null)
    );
    let apart = json!({ "buyer_tp": 2, "buyer_id": "a1", "buyer_nm": "小白" });
    let apart = shop.create(apart).await;
    let found = query(shop, &[("match", r#"{"buyer_nm":"小白"}"#)])
        .await
        .data();
    assert_eq!(found[0]["id"], apart);
}

#[tokio::test(flavor = "multi_thread")]
async fn create_sends_at_once_when_it_names_a_pay_type() {
    let world = World::start().await;
    let body = json!({ "fee": 2300, "brief": "茶", "pay_tp": "zfb.qrcode", "pay_target": "main" });
    let sent = world.shop.post("/pay/ajax/create", body).await.data();
    let id = sent["payObjId"].as_str().unwrap();
    for (name, value) in [
        ("status", json!("WAIT")),
        ("dataType", json!("QRCODE")),
        ("type", json!("QRCODE")),
        ("errMsg", json!(null)),
    ] {
        assert_eq!(sent[name], value, "{name}");
    }
    assert_eq!(sent["data"], world.shop.payment(id).await["re_obj"]);
    assert!(sent["ticket"].as_str().unwrap().starts_with("wt_"));
    let order = world.alipay.trade(id).unwrap();
    assert_eq!((order.subject.as_str(), order.total.get()), ("茶", 2300));

    // When the platform cannot be asked, the payment is there all the same, and says so.
    use walnut_sandbox::alipay::{AnswerFault, Misbehaviour};
    world.alipay.misbehave(
        Misbehaviour::once(AnswerFault::HangUp { processed: false })
            .for_operation("alipay.trade.precreate"),
    );
    let body = json!({ "fee": 1, "pay_tp": "zfb.qrcode" });
    let unsent = world.shop.post("/pay/ajax/create", body).await.data();
    assert_eq!(unsent["errCode"], "e.pay.send.unknown");
    assert!(unsent["errMsg"].as_str().unwrap().contains("send it again"));
    let id = unsent["payObjId"].as_str().unwrap();
    assert_eq!(world.shop.payment(id).await["st"], "WAIT");

    // Nothing to pay is free, whatever else was asked for.
    let body = json!({ "fee": 0, "pay_tp": "zfb.qrcode" });
    let free = world.shop.post("/pay/ajax/create", body).await.data();
    assert_eq!(
        (&free["status"], &free["errMsg"]),
        (&json!("OK"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_nobody_sent_expires() {
    let world = World::start().await;
    let shop = &world.shop;
    let (soon, created) = create_until_soon(async |expi| {
        let body = json!({ "fee": 1, "expi": expi });
        shop.post("/pay/ajax/create", body).await
    })
    .await;
    let created = created.data();
    assert_eq!(created["expi"], soon);
    let id = created["id"].as_str().unwrap();
    let expired = shop.until_state(id, "FAIL").await;
    assert_eq!(expired["fail_why"], "EXPIRED");
    assert!(expired["close_at"].as_u64().unwrap() >= soon);
    let sent = shop.send(id).await.data();
    assert_eq!(
        (&sent["status"], &sent["data"]),
        (&json!("FAIL"), &Value::Null)
    );
    assert_eq!(shop.causes(id).await, ["create", "expire"]);
    assert!(world.alipay.requests().is_empty(), "nobody was asked");
}
