//! Two domains that call everything the same: what one of them asks, runs and keeps is what it would be were the other
//! not there. What is foreign reads as what does not exist: `api::access`. Idempotency keys: `api::repeating`. Tickets:
//! `api::access`. Whoever follows: `domain_following`. Notifications at an account's own address: `notifications`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Host, Shop};

const COUNTS: &str = r#"
const before = kv.get("seen");
const number = kv.increment("n");
kv.set("seen", payment.seller_nm);
events.emit("counted", { number });
const asked = (id) => { try { return payments.get(id) } catch (error) { return String(error) } };
const ids = payments.query({ brief: "the same" }).map((one) => one.id);
return { before, number, ids, foreign: asked(payment.foreign), nobody: asked("0190a5b1c2d37e4f8a9b0c1d2e3f4a5b") };
"#;

/// A payment without a price, so that it is OK at once and its callback runs.
async fn counted(shop: &Shop, number: u32, foreign: &str) -> Value {
    let body = json!({
        "brief": "the same", "fee": 0, "callback": "counts", "foreign": foreign, "or": { "id": format!("A-{number}") },
        "buyer": "2:b-7", "buyer_nm": "xiaobai",
    });
    let made = shop
        .request(Method::POST, "/pay/ajax/create")
        .header("Idempotency-Key", format!("order-{number}"))
        .json(&body);
    let made = Shop::answer(made).await.data();
    let id = made["payObjId"].as_str().or(made["id"].as_str()).unwrap();
    shop.until_applied(id).await
}

fn asked(path: &str, asked: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(asked)
        .finish();
    format!("{path}?{query}")
}

/// Everything that a domain can ask of many payments at once.
fn questions() -> Vec<String> {
    let matches = [
        "{}",
        "{seller_nm:'shop'}",
        "{seller_nm:'^.*'}",
        "{brief:'the same'}",
        "{brief:'^the'}",
        "{'or.id':'A-1'}",
        "{foreign:''}",
        "{buyer_nm:'xiaobai'}",
        "{buyer_id:'b-7'}",
        "{st:'^(OK|FAIL)$'}",
        "{fee:'[0,100]'}",
        "{ct:'[%ms:now-1h,]'}",
        "{'%or':[{st:'OK'},{seller_nm:'shop'},{seller_nm:'rival'}]}",
        "{st:'!FAIL'}",
    ];
    let of_matches = matches.map(|text| {
        asked(
            "/pay/ajax/query",
            &[("match", text), ("pager", "true"), ("limit", "100")],
        )
    });
    let of_sorts = ["ct:1", "lm:-1", "fee:1", "st:1", "brief:1", "buyer_nm:-1"]
        .map(|sort| asked("/pay/ajax/query", &[("sort", sort), ("pager", "true")]));
    of_matches.into_iter().chain(of_sorts).collect()
}

/// The answers, in the words of the host. What cannot be asked is an answer too.
async fn answers(shop: &Shop) -> Vec<(String, Answer)> {
    let mut all = Vec::new();
    for question in questions() {
        let answer = shop.get(&question).await;
        all.push((question, answer));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_domain_asks_and_runs_knows_nothing_of_anothers() {
    let host = Host::start().await;
    let (shop, rival) = (host.domain("shop").await, host.domain("rival").await);
    for domain in [&shop, &rival] {
        domain.put_callback("counts", COUNTS.as_bytes()).await;
    }
    let first = counted(&shop, 1, "").await;
    let theirs = first["id"].as_str().unwrap().to_owned();

    // The same order, by the same key, for the same buyer, at another domain.
    let own = counted(&rival, 1, &theirs).await;
    assert_ne!(own["id"], first["id"]);
    let said = &own["apply_re"];
    assert_eq!(
        (&said["before"], &said["number"], &said["ids"]),
        (&Value::Null, &json!(1), &json!([own["id"]])),
        "{said}"
    );
    assert_eq!(said["foreign"], said["nobody"], "in the same words");

    let before = answers(&rival).await;
    let found = |(question, answer): &(String, Answer)| {
        let json = answer.json();
        let list = json["data"]["list"].as_array();
        let foreign = |one: &Value| one["id"] == theirs.as_str() || one["seller_nm"] != "rival";
        assert!(
            !list.is_some_and(|list| list.iter().any(foreign)),
            "{question}: {json}"
        );
        list.is_some_and(|list| list.len() == 1)
    };
    let fruitful = before.iter().filter(|answer| found(answer)).count();
    assert!(fruitful > 12, "only {fruitful} questions have an answer");
    let span = "/pay/ajax/summary?from=1700000000000&until=4000000000000&step=2300000000000";
    let sums = rival.get(span).await.bytes;

    // Much happens there: as many payments more, one that is closed, and another version of the callback.
    for number in 2..=3 {
        let next = counted(&shop, number, own["id"].as_str().unwrap()).await;
        let said = &next["apply_re"];
        assert_eq!(said["number"], json!(number));
        assert_eq!(said["ids"].as_array().map(Vec::len), Some(number as usize));
        assert_eq!(said["before"], "shop");
        assert_eq!(said["foreign"], said["nobody"]);
    }
    let open = shop.create(json!({ "brief": "the same", "fee": 7 })).await;
    shop.post("/pay/ajax/close", json!({ "id": open }))
        .await
        .data();
    shop.put_callback("counts", b"return 'another'").await;

    for ((question, before), (_, after)) in before.iter().zip(answers(&rival).await) {
        assert_eq!(before.status, after.status, "{question}");
        let (before, after) = (before.json(), after.json());
        assert_eq!(before["data"], after["data"], "{question}");
    }
    assert_eq!(rival.get(span).await.bytes, sums);
    let versions = rival.get("/pay/callback/counts/versions").await.data();
    assert_eq!(versions.as_array().map(Vec::len), Some(1), "{versions}");

    // Where a foreign page ended is a place in a list, and leads to nothing of it.
    let page = asked("/pay/ajax/query", &[("limit", "1"), ("after", "")]);
    let page = shop.get(&page).await.data();
    let next = page["pager"]["next"].as_str().unwrap();
    let beyond = rival
        .get(&asked(
            "/pay/ajax/query",
            &[("limit", "10"), ("after", next)],
        ))
        .await;
    let beyond = beyond.json();
    let list = beyond["data"]["list"].as_array();
    let foreign = |one: &Value| one["seller_nm"] != "rival";
    assert!(
        !list.is_some_and(|list| list.iter().any(foreign)),
        "{beyond}"
    );

    // A callback that goes away there stays here.
    shop.delete("/pay/callback/counts").await.data();
    let again = counted(&rival, 2, &theirs).await;
    assert_eq!(again["apply_re"]["number"], 2);
}
