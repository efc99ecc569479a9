//! The examples of requests are such that a host takes them: each is sent as it stands, and what it names is there.

use reqwest::Method;
use serde_json::{Value, json};

use super::document;
use crate::world::{SCRIPTED, Shop, World};

/// Parameters that say the same as others, or the contrary, and so are given without them.
const ALONE: [(&str, &str); 2] = [("/pay/ajax/query", "after"), ("/pay/ajax/watch", "domain")];

/// Answers that say that a request is wrong by itself, that nobody may send it, or that what it names is not there.
const WRONG: [u16; 6] = [400, 401, 403, 404, 415, 422];

/// What the document names, and what it is in this story.
struct Names(Vec<(&'static str, String)>);

impl Names {
    fn in_text(&self, text: &str) -> String {
        let replace = |text: String, (from, to): &(&str, String)| text.replace(from, to);
        self.0.iter().fold(text.to_owned(), replace)
    }

    fn of(&self, example: &Value) -> Value {
        serde_json::from_str(&self.in_text(&example.to_string())).unwrap()
    }
}

/// A shop with everything that the examples name, and the names.
async fn teashop(world: &World) -> (Shop, Names) {
    let (host, root) = (&world.host, world.host.root());
    let shop = host.domain("teashop").await;
    shop.put_target("zfb", "main", &world.alipay, &world.account)
        .await;
    shop.put_callback("ship", walnut_bundle::RECORD_SALE).await;
    // A delivery that waits for its next try.
    shop.put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
        .await;
    let gift = json!({ "fee": 0, "callback": SCRIPTED, "script": { "fail": "no" } });
    let gift = shop.create(gift).await;
    let failed = |delivery: &Value| delivery["error"].is_string();
    let delivery = shop.until_delivery(&gift, "failed", failed).await;
    let id = shop.create(json!({})).await;
    let other = root.post("/pay/key", json!({ "role": "op" })).await.data();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = Names(vec![
        // As a whole before its parts.
        ("wk_live_0123456789abcdef_…", shop.key().to_owned()),
        ("0123456789abcdef", text(&other["id"])),
        (
            "{\"key\":\"019a5b1c2d377e4f8a9b0c1d2e3f4a5b\"}",
            json!({ "key": delivery["key"] }).to_string(),
        ),
        ("019a5b1c2d377e4f8a9b0c1d2e3f4a5b", id),
    ]);
    (shop, names)
}

fn text_of(example: &Value) -> String {
    let text = example.as_str().map(str::to_owned);
    text.unwrap_or_else(|| example.to_string())
}

fn given<'a>(parameters: impl Iterator<Item = &'a Value>, names: &Names) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        query.append_pair(name, &names.in_text(&text_of(&parameter["example"])));
    }
    query.finish()
}

/// Every request that an operation's examples make: address and query, and a body with its kind.
fn requests(
    path: &str,
    operation: &Value,
    names: &Names,
) -> Vec<(String, Option<(String, Value)>)> {
    let parameters = operation["parameters"].as_array();
    let parameters: Vec<&Value> = parameters.into_iter().flatten().collect();
    let mut address = path.to_owned();
    for part in parameters.iter().filter(|one| one["in"] == "path") {
        let hole = format!("{{{}}}", part["name"].as_str().unwrap());
        address = address.replace(&hole, &names.in_text(&text_of(&part["example"])));
    }
    let is_alone = |one: &&&Value| ALONE.contains(&(path, one["name"].as_str().unwrap()));
    let asked: Vec<&&Value> = parameters
        .iter()
        .filter(|one| one["in"] == "query")
        .collect();
    let together = asked.iter().filter(|one| !is_alone(one)).map(|one| **one);
    let mut addresses = vec![format!("{address}?{}", given(together, names))];
    for one in asked.iter().filter(|one| is_alone(one)) {
        addresses.push(format!("{address}?{}", given([**one].into_iter(), names)));
    }
    let content = operation["requestBody"]["content"].as_object();
    let bodies: Vec<_> = content
        .into_iter()
        .flatten()
        .filter_map(|(kind, media)| Some((kind.clone(), names.of(media.get("example")?))))
        .collect();
    if bodies.is_empty() {
        return addresses
            .into_iter()
            .map(|address| (address, None))
            .collect();
    }
    let with_each = |address: &String| {
        let bodies = bodies.iter().cloned();
        let address = address.clone();
        bodies
            .map(move |body| (address.clone(), Some(body)))
            .collect::<Vec<_>>()
    };
    addresses.iter().flat_map(with_each).collect()
}

/// For whom an endpoint is.
fn is_the_operators(path: &str) -> bool {
    [
        "/pay/domain",
        "/pay/key",
        "/pay/provider",
        "/pay/doctor",
        "/pay/refused",
        "/metrics",
    ]
    .iter()
    .any(|begins| path.starts_with(begins))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_takes_what_its_examples_show() {
    let world = World::start().await;
    let (shop, names) = teashop(&world).await;
    let root = world.host.root();
    let document = document(&shop).await;
    let mut operations: Vec<(&str, &str, &Value)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((path, method, operation));
        }
    }
    // What is there is deleted in the end.
    operations.sort_by_key(|(_, method, _)| *method == "delete");
    let (mut sent, mut without_body, mut wrong) = (0, Vec::new(), Vec::new());
    for (path, method, operation) in operations {
        // Those have no form of ours, and the last wants a page's cookie.
        let is_foreign = path == "/pay/re" || path.starts_with("/pay/re/") || path == "/websocket";
        if is_foreign || (path, method) == ("/pay/session", "delete") {
            continue;
        }
        let needs_body = operation["requestBody"]["required"] == true;
        for (address, body) in requests(path, operation, &names) {
            if needs_body && body.is_none() {
                without_body.push(format!("{method} {path}"));
                continue;
            }
            if path == "/pay/target/{platform}/{name}/test" {
                // The platform itself is asked by nobody here.
                let nowhere = json!({ "test": true, "settings": {
                    "client_id": "AY1zTdJ0Pq3vXoK5s8Wc", "client_secret": "EN7pXb2mQk4RtV9yLz0H",
                    "gateway": "http://127.0.0.1:9",
                } });
                shop.put("/pay/target/paypal/main", nowhere).await.data();
            }
            let caller = if is_the_operators(path) { &root } else { &shop };
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // As the pages of the host ask.
            let mut request = caller.request(verb, &address).header("X-Walnut-Page", "1");
            if let Some((kind, example)) = &body {
                let text = match kind.as_str() {
                    "application/json" => example.to_string(),
                    _ => text_of(example),
                };
                request = request.header("content-type", kind).body(text);
            }
            let (status, said) = match path {
                // It goes on until the caller leaves.
                "/pay/ajax/watch" => {
                    let answer = request.send().await.unwrap();
                    (answer.status().as_u16(), String::new())
                }
                _ => {
                    let answer = Shop::answer(request).await;
                    let said = String::from_utf8_lossy(&answer.bytes).into_owned();
                    (answer.status, said)
                }
            };
            sent += 1;
            if WRONG.contains(&status) || status == 500 {
                wrong.push(format!("{method} {address} {body:?}: {status} {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sent > 60, "{sent}");
    // Components are no example of anything that could be read.
    assert_eq!(
        without_body,
        ["put /pay/provider", "post /pay/provider/inspect"]
    );
}

/// Every text of a value.
fn texts<'a>(of: &'a Value, found: &mut Vec<&'a str>) {
    match of {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

#[tokio::test]
async fn its_examples_say_something() {
    let world = World::start().await;
    let document = document(&world.shop).await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(
                    parameter.get("example").is_some(),
                    "{method} {path}: {} has no example",
                    parameter["name"]
                );
            }
            let contents = [
                &operation["requestBody"]["content"],
                &operation["responses"]["200"]["content"],
            ];
            for content in contents {
                for media in content.as_object().into_iter().flat_map(|all| all.values()) {
                    let mut all = Vec::new();
                    if let Some(example) = media.get("example") {
                        texts(example, &mut all);
                    }
                    // A secret is cut off; nothing else is left out.
                    let empty = all.iter().find(|text| **text == "…");
                    assert_eq!(empty, None, "{method} {path}: {media}");
                }
            }
        }
    }
}
