//! The table of `docs/security.md`: every endpoint against every caller, asked of the real binary, cell by cell.

mod auditing;
mod keys;
mod streams;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, RECORD_SALE, Shop, World};

const PAGE: &str = include_str!("../../docs/security.md");

const HEADING: &str = "## Who may do what";

/// The endpoints of the page with their cells: root, op, owner, server, till, ticket, and without a key.
fn rows() -> Vec<(String, Vec<&'static str>)> {
    let (_, section) = PAGE.split_once(HEADING).expect("the page has the section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 10, "{row}");
        (cells[0].trim_matches('`').to_owned(), cells[2..].to_vec())
    })
    .collect()
}

/// What the requests of the table are about: of one domain.
struct About {
    domain: &'static str,
    id: String,
    key: String,
}

impl About {
    /// The address of an endpoint, and what is sent there. It is refused for its caller before it is looked at more
    /// closely, and otherwise done, or refused for what it says.
    fn request(&self, endpoint: &str) -> (Method, String, Value) {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let method = match method {
            "ANY" => Method::GET,
            other => other.parse().unwrap(),
        };
        let (domain, id) = (self.domain, &self.id);
        let name = match path {
            path if path.starts_with("/pay/domain") => domain,
            path if path.starts_with("/pay/callback") => RECORD_SALE,
            path if path.starts_with("/pay/pages") => "style.css",
            _ => "main",
        };
        let mut address = path
            .replace("{name}", name)
            .replace("{platform}", "zfb")
            .replace(
                "{id}",
                if path.starts_with("/pay/key") {
                    &self.key
                } else {
                    id
                },
            )
            .replace("{trade_no}", id)
            .replace("{token}", "none");
        let of_payment = [
            "get", "check", "watch", "offers", "qrcode", "history", "evidence", "content",
        ];
        if let Some(verb) = path.strip_prefix("/pay/ajax/") {
            if of_payment.contains(&verb) {
                address += &format!("?id={id}");
            } else if verb == "summary" {
                address += "?from=0&until=1000&step=1000";
            }
        }
        if path.starts_with("/pay/callback") || path.starts_with("/pay/target") {
            address += &format!("?domain={domain}");
        }
        if path == "/pay/audit" {
            address += &format!("?domain={domain}");
        }
        if path == "/pay/provider" && method == Method::PUT {
            address += &format!("?digest={}", "0".repeat(64));
        }
        let body = match (method.as_str(), path) {
            // What would undo the others' is asked for in a way that fails.
            ("DELETE", "/pay/callback/{name}" | "/pay/target/{platform}/{name}") => {
                address = address
                    .replace("/main", "/none")
                    .replace(RECORD_SALE, "none");
                Value::Null
            }
            ("GET" | "DELETE", _) => Value::Null,
            (_, "/pay/ajax/create") => json!({ "fee": 1, "seller": domain }),
            (_, "/pay/ajax/send") => json!({ "id": id, "pay_tp": "none.none" }),
            (_, "/pay/ajax/refund") => json!({ "id": id }),
            (_, "/pay/ajax/resolve") => json!({ "id": id, "decision": "accept", "reason": "so" }),
            (_, "/pay/ajax/close" | "/pay/ajax/reverse" | "/pay/ajax/check") => json!({ "id": id }),
            (_, "/pay/ajax/replay") => json!({ "key": "0".repeat(32) }),
            (_, "/pay/ajax/reconcile") => json!({ "day": "none", "domain": domain }),
            (_, "/pay/domain") => json!({ "name": "NO NAME" }),
            (_, "/pay/domain/{name}") => json!({ "web": ["no host"] }),
            (_, "/pay/domain/{name}/key") => json!({ "name": "\n" }),
            (_, "/pay/key") => json!({ "role": "none" }),
            (_, "/pay/key/{id}/rotate") => json!({ "overlap_ms": "none" }),
            _ => json!({}),
        };
        (method, address, body)
    }

    async fn ask(&self, endpoint: &str, caller: Option<&Shop>, anybody: &Shop) -> Answer {
        let (method, path, body) = self.request(endpoint);
        let request = match caller {
            Some(caller) => caller.request(method, &path),
            None => anybody.keyless(method, &path),
        };
        let request = match body {
            Value::Null => request,
            body => request.json(&body),
        };
        if endpoint.ends_with("/watch") {
            // It goes on: what it begins with is the answer.
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let bytes = match status {
                200 => br#"{"ok":true,"data":{}}"#.to_vec(),
                _ => response.bytes().await.unwrap().to_vec(),
            };
            return Answer {
                status,
                headers,
                bytes,
            };
        }
        Shop::answer(request).await
    }
}

/// The `errCode` of a refusal; nothing for what is no refusal in the envelope.
fn code(answer: &Answer) -> String {
    let json: Value = serde_json::from_slice(&answer.bytes).unwrap_or_default();
    json["errCode"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_the_table_holds() {
    let world = World::start().await;
    let (host, owner) = (&world.host, &world.shop);
    let created = owner
        .post("/pay/ajax/create", json!({ "fee": 100 }))
        .await
        .data();
    let id = created["id"].as_str().unwrap().to_owned();
    let ticket = owner.with_key(created["ticket"].as_str().unwrap());
    let issue = async |body: Value| {
        let path = "/pay/domain/shop/key";
        let issued = owner.post(path, body).await.data();
        owner.with_key(issued["key"].as_str().unwrap())
    };
    let server = issue(json!({ "scope": "server", "test": true, "name": "shop" })).await;
    let till = issue(json!({ "scope": "till", "test": true })).await;
    let refunding = issue(json!({ "scope": "till", "test": true, "refund": true })).await;
    let spare = issue(json!({ "scope": "till", "test": true })).await;
    let key_id = |shop: &Shop| shop.key().split('_').nth(2).unwrap().to_owned();
    let root = host.root();
    let op = root.post("/pay/key", json!({ "role": "op" })).await.data();
    let op = root.with_key(op["key"].as_str().unwrap());
    let own = About {
        domain: "shop",
        id,
        key: key_id(&spare),
    };

    // Another domain, with the same things.
    let rival = host.domain("rival").await;
    rival
        .put_target("zfb", "main", &world.alipay, &world.account)
        .await;
    rival
        .put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
        .await;
    let theirs = About {
        domain: "rival",
        id: rival.create(json!({})).await,
        key: key_id(&rival),
    };

    let callers = [&root, &op, owner, &server, &till, &ticket];
    let mut seen = BTreeSet::new();
    for (endpoint, cells) in rows() {
        assert!(
            seen.insert(endpoint.clone()),
            "{endpoint} stands there twice"
        );
        let open = cells[6] == "yes";
        let answer = own.ask(&endpoint, None, owner).await;
        let refused = (answer.status, code(&answer)) == (401, "e.auth.required".into());
        // Signing in is for whoever has no key yet, and says so by the same code.
        let signs_in = endpoint.ends_with("/pay/session");
        assert!(
            refused != open || signs_in,
            "{endpoint} without a key: {answer:?}"
        );
        for (caller, (cell, role)) in callers.iter().zip(cells.iter().zip(ROLES)) {
            let why = format!("{endpoint} by {role} ({cell})");
            let answer = own.ask(&endpoint, Some(caller), owner).await;
            let denied = code(&answer) == "e.pay.nopvg";
            assert_ne!(answer.status, 405, "{why}");
            assert!(answer.status < 500, "{why}: {answer:?}");
            if !open {
                assert_ne!(answer.status, 401, "{why}: {answer:?}");
                let said = String::from_utf8_lossy(&answer.bytes);
                assert!(!said.contains("nothing at this address"), "{why}");
            }
            match *cell {
                "–" => assert!(denied, "{why}: {answer:?}"),
                "own, with `refund`" => {
                    assert!(denied, "{why}: {answer:?}");
                    let with = own.ask(&endpoint, Some(&refunding), owner).await;
                    assert_ne!(code(&with), "e.pay.nopvg", "{why}: {with:?}");
                    foreign(&theirs, &endpoint, &refunding, &why).await;
                }
                "yes" => assert!(!denied || signs_in, "{why}: {answer:?}"),
                "own" | "its payment" => {
                    assert!(!denied, "{why}: {answer:?}");
                    foreign(&theirs, &endpoint, caller, &why).await;
                }
                other => panic!("{why}: {other} is no cell"),
            }
        }
    }
    assert!(seen.len() > 50, "{}", seen.len());
    // Nothing of the other domain's was touched.
    assert_eq!(rival.causes(&theirs.id).await, ["create"]);
    assert_eq!(
        rival
            .get("/pay/callback")
            .await
            .data()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        rival
            .get("/pay/target")
            .await
            .data()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

const ROLES: [&str; 6] = ["root", "op", "owner", "server", "till", "ticket"];

/// Endpoints that say of themselves whose things they are about: the caller's.
const OF_THE_CALLER: [&str; 6] = [
    "GET /pay/ajax/query",
    "GET /pay/ajax/summary",
    "GET /pay/ajax/deliveries",
    "POST /pay/ajax/replay",
    "GET /pay/session",
    "POST /pay/callback/{name}",
];

/// What is another domain's is not to be had.
async fn foreign(theirs: &About, endpoint: &str, caller: &Shop, why: &str) {
    let answer = theirs.ask(endpoint, Some(caller), caller).await;
    if OF_THE_CALLER.contains(&endpoint) {
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        let told = text.contains("rival") || text.contains(&theirs.id);
        assert!(!told, "{why}: {text}");
    } else {
        let refused = [
            "e.pay.noexists",
            "e.pay.nopvg",
            "e.pay.notFound",
            "e.pay.noMatchSeller",
        ];
        let code = code(&answer);
        assert!(
            refused.contains(&code.as_str()),
            "{why}, of another domain: {answer:?}"
        );
    }
}
