//! Callbacks as a few lines of JavaScript: uploaded as text, bound as text, run after a real payment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::world::{Host, Moment, RECORD_SALE, Shop, World};

/// The example that comes with walnut.
const BOOKS: &str = include_str!("../../plugins/examples/record-sale.js");

async fn upload(shop: &Shop, name: &str, text: &str) {
    let kept = shop
        .put_bytes(
            &format!("/pay/callback/{name}?insist=true"),
            text.as_bytes(),
        )
        .await
        .data();
    assert_eq!(kept["kind"], "javascript");
    assert_eq!(kept["len"], text.len());
}

/// A payment of nothing, which is OK at once.
async fn gift(shop: &Shop, callback: &str) -> String {
    shop.create(json!({ "fee": 0, "callback": callback })).await
}

/// The error of the first try.
async fn failure(shop: &Shop, id: &str) -> (String, String) {
    let failing = |delivery: &Value| delivery["error"].is_string();
    let delivery = shop.until_delivery(id, "failing", failing).await;
    let text = |name: &str| delivery[name].as_str().unwrap().to_owned();
    (text("error"), text("log"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_lines_of_javascript_take_part_in_a_payment() {
    let world = World::start().await;
    let shop = &world.shop;
    upload(shop, "books", BOOKS).await;
    let (id, code) = world.sent_with(json!({ "callback": "books" })).await;
    let created = shop.payment(&id).await;
    assert_eq!(created["len"], BOOKS.len());
    assert_eq!(created["callback"]["kind"], "javascript");

    // What is uploaded later, or deleted, changes no payment that is there.
    upload(shop, "books", "throw new Error('the later one ran')").await;
    shop.delete("/pay/callback/books").await.data();
    world.alipay.pay(&code).await.unwrap();
    let applied = shop.until_applied(&id).await;
    let recorded = json!({ "recorded": true, "number": 1, "sold_minor": 2300 });
    assert_eq!(applied["apply_re"], recorded);
    let moment = Moment::of(&world.host.data_root());
    let left = &moment.left[&id];
    assert_eq!((left.tries, left.told, left.events), (1, 1, 1), "{left:?}");
    assert_eq!(moment.kept("sales/RMB/minor"), Some("2300"));
    let sale = moment.kept(&format!("sale/{id}")).unwrap();
    let sale: Value = serde_json::from_str(sale).unwrap();
    assert_eq!(
        (&sale["brief"], &sale["late"]),
        (&json!("两杯茶"), &json!(false))
    );
    assert_eq!(shop.delivery(&id).await["log"], "info: sale 1: 2300 RMB\n");

    // A payment is a file, and its content is the text that ran.
    let content = shop.get(&format!("/pay/ajax/content?id={id}")).await;
    assert_eq!(content.bytes, BOOKS.as_bytes());
    assert_eq!(
        content.headers["content-type"],
        "text/javascript; charset=utf-8"
    );
    let cat = ["cat", &format!("/var/payment/{id}")];
    assert_eq!(world.host.walnut(shop.key(), &cat).await.out, BOOKS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_script_is_refused_with_line_and_column() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    for (text, words) in [
        ("let sold = ;\n", "line 1, column 12"),
        (
            "if (payment.fee > 0) {\n  kv.increment('sold');\n",
            "line 3, column 1",
        ),
        ("return {\n  a: 1\n  b: 2\n}", "line 3, column 3"),
        (&"(".repeat(100_000), "the script "),
    ] {
        let answer = shop.put_bytes("/pay/callback/sale", text.as_bytes()).await;
        let refusal = answer.refusal();
        assert_eq!(refusal, (422, "e.pay.callback.refused".to_owned()));
        let msg = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(msg.contains(words), "{text:.40}: {msg}");
        let upload = json!({ "content_base64": STANDARD.encode(text) });
        let tried = shop.post("/pay/callback/test", upload).await;
        assert_eq!(tried.refusal(), refusal, "{text:.40}");
    }
    assert_eq!(shop.get("/pay/callback").await.data(), json!([]));

    // And one that is, is tried without being kept.
    let upload = json!({ "content_base64": STANDARD.encode(BOOKS) });
    let tried = shop.post("/pay/callback/test", upload).await.data();
    assert_eq!(tried["error"], Value::Null);
    assert_eq!(tried["log"], "info: sale 1: 2300 RMB\n");
    assert_eq!(shop.get("/pay/callback").await.data(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_reads_where_a_script_failed_and_others_go_on() {
    let world = World::start().await;
    let rival = world.host.domain("rival").await;
    let table = [
        (
            "throws",
            "kv.set('lost', 1);\nconst stock = kv.get('stock');\nstock.left;",
            &["guest error: TypeError: ", "(throws:3:"][..],
        ),
        (
            "loops",
            "log.warn('round and round');\nfor (;;) {}",
            &[
                "timeout: used its 3000 ms of CPU time",
                "run by the component sha256 ",
            ],
        ),
        (
            "grows",
            "const all = [];\nfor (;;) all.push('x'.repeat(1000) + all.length);",
            &["memory: "],
        ),
        (
            "recurs",
            "function f() { return f() + 1 }\nreturn f();",
            &["guest error: ", "recursive calls"],
        ),
        (
            "nests",
            "let a = [];\nfor (let i = 0; i < 100000; i++) a = [a];\nreturn a;",
            &[""],
        ),
        ("giant", "return 'x'.repeat(2 ** 25);", &["memory: "]),
        (
            "promises",
            "async function tell() {}\nreturn tell();",
            &["guest error: a script runs to its end at once"],
        ),
    ];
    let mut broken = Vec::new();
    for (name, text, words) in table {
        upload(&rival, name, text).await;
        broken.push((gift(&rival, name).await, name, words));
    }
    // Meanwhile another domain's payment settles and its callback runs.
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    let applied = world.shop.until_applied(&id).await;
    assert_eq!(applied["apply_re"]["recorded"], true);

    for (id, name, words) in &broken {
        let (error, log) = failure(&rival, id).await;
        for word in *words {
            assert!(error.contains(word), "{name}: {error}");
        }
        assert_eq!(log.contains("round and round"), *name == "loops", "{log}");
        let payment = rival.payment(id).await;
        assert_eq!(
            (&payment["st"], &payment["apply_at"]),
            (&json!("OK"), &json!(0))
        );
    }
    let lost = ("rival".to_owned(), "lost".to_owned());
    let moment = Moment::of(&world.host.data_root());
    assert_eq!(
        moment.kv.get(&lost),
        None,
        "nothing of a failed try remains"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_many_payments_count_exactly() {
    const PAYMENTS: u64 = 30;
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    upload(&shop, "count", "return kv.increment('sold');").await;
    let mut ids = Vec::new();
    for _ in 0..PAYMENTS {
        ids.push(gift(&shop, "count").await);
    }
    let mut sums = std::collections::BTreeSet::new();
    for id in &ids {
        let applied = shop.until_applied(id).await;
        sums.insert(applied["apply_re"].as_u64().unwrap());
    }
    assert_eq!(sums, (1..=PAYMENTS).collect());
}
