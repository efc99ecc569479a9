//! Durable creates over HTTP, 64 connections at once: how many a second, and the host's processor time for each.
//!
//! `cargo bench -p walnut --bench create`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod alipay;
    pub(crate) mod crowd;
    pub(crate) mod merchant;
    pub(crate) mod order;
    pub(crate) mod process;
    pub(crate) mod rounds;
    pub(crate) mod shop;
}

use serde_json::json;
use walnut_sandbox::alipay::signing::SigningKey;

use stage::alipay::Account;
use stage::process::Server;
use stage::rounds::{Plan, Side, each};
use stage::shop;

const PLAN: Plan = Plan {
    round: 6_400,
    rounds: 10,
    before: 2,
};

/// A create as a shop's server sends it.
fn request(key: &str, number: usize) -> Vec<u8> {
    let body = json!({
        "brief": "a pot of tea", "fee": 8_800, "buyer": "2:xiaobai",
        "or": { "id": format!("A-{number}") }, "table": 7,
    });
    let body = body.to_string();
    format!(
        "POST /pay/ajax/create HTTP/1.1\r\nhost: pay.example.com\r\nauthorization: Bearer {key}\r\n\
         idempotency-key: order-{number}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::main]
async fn main() {
    let plan = PLAN.or_walk();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let (root, log) = (dir.path().join("root"), dir.path().join("log"));
    let server = Server::host(&root, &log).expect("a host");
    let key = SigningKey::generate().expect("a key");
    // Nothing is sent: nobody needs to be there.
    let account = Account::at("http://127.0.0.1:9", key).expect("an account");
    let key = shop::open(server.1, &root, &account).await.expect("a shop");
    let requests = (0..plan.requests()).map(|number| request(&key, number));
    let mut side = Side::new(server, requests.collect(), |answer| {
        answer.starts_with(br#"{"ok":true"#)
    });
    for _ in 0..plan.before + plan.rounds {
        side.round(&plan).await.expect("every payment made");
    }
    let rounds = side.end(&plan);
    println!(
        "{:.0} creates a second; the host's processor time for each: {:?}; of whoever sent them: {:?}",
        each(&plan, &rounds, |round| round.took)
            .as_secs_f64()
            .recip(),
        each(&plan, &rounds, |round| round.server),
        each(&plan, &rounds, |round| round.crowd),
    );
}
