//! Every endpoint, with what it takes and with what it has to refuse: a refusal has a name, a status
//! that fits and words that say what to do, and leaves nothing behind.

mod access;
mod addresses;
mod callbacks;
mod creating;
mod finding;
mod operating;
mod repeating;
mod secrets;
mod sending;
mod targets;

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, RECORD_SALE, Shop};

/// One request of a table.
#[derive(Clone, Debug)]
struct Ask {
    method: Method,
    path: String,
    body: Value,
}

impl Ask {
    fn new(method: Method, path: impl Into<String>, body: Value) -> Ask {
        let path = path.into();
        Ask { method, path, body }
    }

    fn get(path: impl Into<String>) -> Ask {
        Ask::new(Method::GET, path, Value::Null)
    }

    fn request(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.body {
            Value::Null => request,
            body => request.json(body),
        }
    }

    async fn by(&self, caller: &Shop) -> Answer {
        let request = caller.request(self.method.clone(), &self.path);
        Shop::answer(self.request(request)).await
    }
}

/// Everything that can be looked at about the payment `id` of the domain `shop` and about the host.
fn looks(id: &str) -> Vec<Ask> {
    let of_the_payment = ["get", "history", "content", "deliveries"]
        .map(|verb| Ask::get(format!("/pay/ajax/{verb}?id={id}")));
    let of_the_shop = [
        "/pay/ajax/query",
        "/pay/ajax/deliveries",
        "/pay/callback?domain=shop",
        "/pay/callback/record-sale?domain=shop",
        "/pay/target?domain=shop",
        "/pay/target/zfb/main?domain=shop",
    ];
    let of_the_host = [
        "/pay/provider",
        "/pay/domain",
        "/pay/domain/shop/key",
        "/pay/key",
    ];
    let others = of_the_shop.into_iter().chain(of_the_host).map(Ask::get);
    of_the_payment.into_iter().chain(others).collect()
}

/// Everything that would change something, were it allowed.
fn changes(id: &str) -> Vec<Ask> {
    let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
    let digest = "0".repeat(64);
    let settings = json!({ "test": true, "settings": {} });
    [
        (&post, "/pay/ajax/create".to_owned(), json!({ "fee": 1 })),
        (
            &post,
            "/pay/ajax/send".to_owned(),
            json!({ "id": id, "pay_tp": "zfb.qrcode" }),
        ),
        (
            &post,
            "/pay/ajax/resolve".to_owned(),
            json!({ "id": id, "decision": "accept", "reason": "so" }),
        ),
        (
            &post,
            "/pay/ajax/replay".to_owned(),
            json!({ "key": "0".repeat(32) }),
        ),
        (&put, "/pay/callback/new?domain=shop".to_owned(), json!({})),
        (
            &delete,
            format!("/pay/callback/{RECORD_SALE}?domain=shop"),
            Value::Null,
        ),
        (
            &post,
            format!("/pay/callback/{RECORD_SALE}/test?domain=shop"),
            json!({}),
        ),
        (
            &post,
            "/pay/callback/new".to_owned(),
            json!({ "content_base64": "" }),
        ),
        (
            &put,
            "/pay/target/zfb/main?domain=shop".to_owned(),
            settings,
        ),
        (
            &delete,
            "/pay/target/zfb/main?domain=shop".to_owned(),
            Value::Null,
        ),
        (&put, format!("/pay/provider?digest={digest}"), json!({})),
        (&post, "/pay/provider/inspect".to_owned(), json!({})),
        (&post, "/pay/domain".to_owned(), json!({ "name": "more" })),
        (&post, "/pay/domain/shop/key".to_owned(), json!({})),
        (&post, "/pay/key".to_owned(), json!({ "role": "op" })),
        (&delete, "/pay/key/0000000000000000".to_owned(), Value::Null),
    ]
    .into_iter()
    .map(|(method, path, body)| Ask::new(method.clone(), path, body))
    .collect()
}

/// Creates with a deadline that comes soon, and with a later one where the machine was too slow for
/// it. Gives the deadline too.
async fn create_until_soon(create: impl AsyncFn(u64) -> Answer) -> (u64, Answer) {
    for seconds in [1, 5, 25, 125] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let deadline = u64::try_from(now.as_millis()).unwrap() + seconds * 1_000;
        let answer = create(deadline).await;
        if answer.status == 200 {
            return (deadline, answer);
        }
    }
    panic!("every deadline had passed before the payment was made");
}

/// How many payments the caller finds.
async fn how_many(caller: &Shop) -> u64 {
    let found = caller.get("/pay/ajax/query?pager=true").await.data();
    found["pager"]["total"].as_u64().unwrap()
}

/// The answer to a query with these filters.
async fn query(caller: &Shop, query: &[(&str, &str)]) -> Answer {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    caller.get(&format!("/pay/ajax/query?{query}")).await
}
