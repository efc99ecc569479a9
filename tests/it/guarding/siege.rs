//! One domain attacks with everything at once, and another's payments go on.

use serde_json::json;
use walnut_test_guests::SCRIPTED as COMPONENT;

use super::compiling::{compilers, greedy, tedious, until};
use crate::world::{RECORD_SALE, Receiver, SCRIPTED, Shop, World};

/// Callbacks that never come to their end: what they are called, and their text.
const ATTACKS: &[(&str, &str)] = &[
    ("loops", "for (;;) {}"),
    ("backtracks", "/(a+)+$/.test('a'.repeat(40) + '!')"),
    (
        "grows",
        "const all = []; for (;;) all.push('x'.repeat(1000) + all.length);",
    ),
    ("recurs", "function f() { return f() + 1 }\nreturn f();"),
    ("floods", "for (;;) log.info('x'.repeat(4000))"),
    (
        "hoards",
        "for (let i = 0; ; i++) kv.set(`key ${i}`, 'x'.repeat(60000));",
    ),
    ("giant", "return 'x'.repeat(2 ** 25);"),
    ("deep", "return JSON.parse('['.repeat(100000));"),
    (
        "waits",
        "web.fetch({ step: 'tell', url: `${payment.receiver}/silent` }); throw new Error('and again');",
    ),
    (
        "drips",
        "web.fetch({ step: 'tell', url: `${payment.receiver}/drip` }); throw new Error('and again');",
    ),
];

/// How often each attack is begun.
const TIMES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_one_domain_runs_the_payments_of_another_settle() {
    let world = World::start().await;
    let (host, shop) = (&world.host, &world.shop);
    let rival = host.domain("rival").await;
    let receiver = Receiver::start().await;
    let web = json!({ "web": [receiver.url()] });
    let root = host.root();
    root.put("/pay/domain/rival", web).await.data();
    for (name, text) in ATTACKS {
        let path = format!("/pay/callback/{name}?insist=true");
        rival.put_bytes(&path, text.as_bytes()).await.data();
    }
    rival.put_callback(SCRIPTED, COMPONENT).await;

    // Components that the compiler cannot bear, one behind the other, as long as the test lasts.
    let bombs = tokio::spawn({
        let rival = rival.clone();
        async move {
            for number in 0.. {
                let bomb = if number % 2 == 0 { tedious() } else { greedy() };
                rival.put_bytes("/pay/callback/bomb", &bomb).await;
            }
        }
    });
    until("the compiler runs", || !compilers(host).is_empty()).await;
    let mut attacks = Vec::new();
    for _ in 0..TIMES {
        for (name, _) in ATTACKS {
            let body = json!({ "fee": 0, "callback": name, "receiver": receiver.url() });
            attacks.push(rival.create(body).await);
        }
        for way in ["loop", "memory", "panic"] {
            let body = json!({ "fee": 0, "callback": SCRIPTED, "script": { way: true } });
            attacks.push(rival.create(body).await);
        }
    }
    receiver.until_asked(1).await;

    let mut number = 0;
    while number < 12 {
        number += 1;
        settles(&world, number).await;
    }
    // Not one of the attacks is over: each is running, or waits for its next try.
    for id in &attacks {
        let payment = rival.payment(id).await;
        assert_eq!(
            (&payment["st"], &payment["apply_at"]),
            (&json!("OK"), &json!(0))
        );
        let delivery = rival.delivery(id).await;
        let state = delivery["state"].as_str().unwrap();
        assert!(!matches!(state, "DONE" | "DEAD"), "{delivery}");
    }
    assert!(!bombs.is_finished());
    bombs.abort();
    assert_eq!(shop.get("/healthz").await.data()["status"], "alive");
    assert_eq!(rival.get("/pay/callback/bomb").await.status, 404);
}

/// A payment is created, sent, paid and notified, and its callback is applied.
async fn settles(world: &World, number: u64) {
    let shop: &Shop = &world.shop;
    let (id, code) = world.sent_with(json!({ "callback": RECORD_SALE })).await;
    world.alipay.pay(&code).await.unwrap();
    shop.until_state(&id, "OK").await;
    let applied = shop.until_applied(&id).await;
    let answer = &applied["apply_re"];
    assert_eq!(
        (&answer["recorded"], &answer["number"]),
        (&json!(true), &json!(number))
    );
}
