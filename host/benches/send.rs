//! The processor time that the host takes to send a payment to a platform (HTTP on loopback, the component, the
//! signed request, the check of the signed answer, and a durable commit before and after), against one RSA-2048
//! signature by the same library in the same run; the goal is at most 1.3 of it.
//!
//! | process | does |
//! |---|---|
//! | the host | `walnut serve`, the real binary |
//! | the platform | this program, started once more: it takes every order at once ([`stage::instant`]) |
//! | this one | creates payments, sends each once, and signs by itself between the rounds |
//!
//! Nobody is asked about a payment before five seconds have passed, so that a round of a second holds nothing but
//! sends. Each round has a host of its own.
//!
//! `cargo bench -p walnut --bench send`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod alipay;
    pub(crate) mod crowd;
    pub(crate) mod instant;
    pub(crate) mod merchant;
    pub(crate) mod order;
    pub(crate) mod process;
    pub(crate) mod rounds;
    pub(crate) mod shop;
}

use std::hint::black_box;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use walnut_sandbox::alipay::signing::SigningKey;

use stage::alipay::Account;
use stage::merchant::Merchant as _;
use stage::order::FEE_FEN;
use stage::process::{Server, cpu};
use stage::rounds::{Plan, Round, Side, each, quartiles};
use stage::{instant, shop};

/// The key by which the platform is to sign; without it, this program is the benchmark.
const PLATFORM_KEY: &str = "WALNUT_BENCH_PLATFORM_KEY";

/// The first round is for the connections to the platform, and does not count.
const PLAN: Plan = Plan {
    round: 1_000,
    rounds: 2,
    before: 1,
};

/// Hosts, one after another.
const HOSTS: usize = 8;

/// Signatures between two hosts.
const SIGNATURES: u32 = 2_000;

/// Payments that are created at the same time.
const AT_ONCE: usize = 64;

/// A host of its own: its rounds of sends.
async fn sends(platform: SocketAddr, key: &str, plan: &Plan) -> Vec<Round> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let (root, log) = (dir.path().join("root"), dir.path().join("log"));
    let server = Server::host(&root, &log).expect("a host");
    let key = SigningKey::from_pkcs8_base64(key).expect("the platform's key");
    let account = Account::at(&format!("http://{platform}"), key).expect("an account");
    let key = shop::open(server.1, &root, &account).await.expect("a shop");
    let requests = requests(server.1, &key, plan.requests()).await;
    let mut side = Side::new(server, requests, |answer| {
        answer.starts_with(br#"{"ok":true"#)
    });
    for _ in 0..plan.before + plan.rounds {
        side.round(plan).await.expect("every payment sent");
    }
    side.end(plan)
}

/// Creates payments, and gives the request that sends each.
async fn requests(host: SocketAddr, key: &str, count: usize) -> Vec<Vec<u8>> {
    let http = reqwest::Client::builder().no_proxy().build().expect("http");
    let mut creating = JoinSet::new();
    let mut requests = Vec::with_capacity(count);
    let take = |done: Option<Result<Vec<u8>, _>>| done.expect("one of them").expect("a payment");
    for _ in 0..count {
        if creating.len() == AT_ONCE {
            requests.push(take(creating.join_next().await));
        }
        let (http, key) = (http.clone(), key.to_owned());
        creating.spawn(async move { created(&http, host, &key).await });
    }
    while !creating.is_empty() {
        requests.push(take(creating.join_next().await));
    }
    requests
}

async fn created(http: &reqwest::Client, host: SocketAddr, key: &str) -> Vec<u8> {
    let create = http
        .post(format!("http://{host}/pay/ajax/create"))
        .bearer_auth(key)
        .json(&json!({ "brief": "a pot of tea", "fee": FEE_FEN }));
    let made = shop::said(create).await.expect("a payment");
    let id = made.get("id").and_then(Value::as_str).expect("its id");
    let body = json!({ "id": id, "pay_tp": Account::PAY_TYPE }).to_string();
    format!(
        "POST /pay/ajax/send HTTP/1.1\r\nhost: pay.example.com\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The processor time of one signature.
fn signature(key: &RsaKeyPair, signatures: u32) -> Duration {
    let random = SystemRandom::new();
    let mut signed = vec![0; key.public_key().modulus_len()];
    let own = std::process::id();
    let before = cpu(own).expect("its time");
    for number in 0..signatures {
        let text = number.to_be_bytes();
        key.sign(&RSA_PKCS1_SHA256, &random, &text, &mut signed)
            .expect("a signature");
        black_box(&signed);
    }
    (cpu(own).expect("its time") - before) / signatures
}

fn main() -> anyhow::Result<()> {
    if let Ok(key) = std::env::var(PLATFORM_KEY) {
        return instant::serve(&key);
    }
    measure();
    Ok(())
}

#[tokio::main]
async fn measure() {
    let plan = PLAN.or_walk();
    let walking = plan.requests() < PLAN.requests();
    let (hosts, signatures) = if walking {
        (1, 64)
    } else {
        (HOSTS, SIGNATURES)
    };
    let key = SigningKey::generate()
        .and_then(|key| key.pkcs8_base64())
        .expect("a key");
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(PLATFORM_KEY, &key);
    let (_platform, address) =
        Server::start(&mut command, &dir.path().join("log")).expect("the platform");
    let own = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let (mut rounds, mut signed, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..hosts {
        let before = signature(&own, signatures);
        let sent = sends(address, &key, &plan).await;
        let after = signature(&own, signatures);
        let one = (before + after) / 2;
        ratios.push(each(&plan, &sent, |round| round.server).div_duration_f64(one));
        signed.push(one);
        rounds.extend(sent);
    }
    println!(
        "{:.0} sends a second; the host's processor time for each: {:?}; one signature: {:?}",
        each(&plan, &rounds, |round| round.took)
            .as_secs_f64()
            .recip(),
        each(&plan, &rounds, |round| round.server),
        signed.iter().sum::<Duration>() / u32::try_from(signed.len()).unwrap_or(1),
    );
    let [least, lower, median, upper, most] = quartiles(ratios).expect("rounds");
    println!(
        "a send against a signature, host by host: median {median:.3}, quartiles {lower:.3} and {upper:.3}, from {least:.3} to {most:.3}",
    );
}
