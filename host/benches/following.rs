//! How long it takes from a change to the pages that follow the payment, with a thousand of them open and with ten
//! thousand, and what they cost the host in memory.
//!
//! | process | does |
//! |---|---|
//! | the host | `walnut serve`, the real binary |
//! | this one | holds the pages' connections, changes payments, and notes when each page hears of it |
//!
//! The time is from the request that changes the payment, so that the request itself, its durable commit and the event's way
//! are all inside.
//!
//! `cargo bench -p walnut --bench following`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod alipay;
    pub(crate) mod merchant;
    pub(crate) mod order;
    pub(crate) mod process;
    pub(crate) mod shop;
}

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use stage::alipay::Account;
use stage::process::{Server, cpu};
use stage::shop;

/// Pages of one payment: the most that a host lets follow is 64.
const OF_ONE: usize = 50;

/// A page: its connection, and what it has heard.
struct Page {
    line: TcpStream,
    heard: Vec<u8>,
}

impl Page {
    async fn open(host: SocketAddr, id: &str, ticket: &str) -> Page {
        let mut line = TcpStream::connect(host).await.expect("a connection");
        let request = format!(
            "GET /pay/ajax/watch?id={id}&ticket={ticket} HTTP/1.1\r\nHost: pay.example.com\r\n\r\n"
        );
        line.write_all(request.as_bytes()).await.expect("a request");
        let mut page = Page {
            line,
            heard: Vec::new(),
        };
        page.hears(r#""st":"NEW""#).await;
        page
    }

    /// Reads on until it says this, and gives when.
    async fn hears(&mut self, what: &str) -> Instant {
        self.heard.clear();
        while !String::from_utf8_lossy(&self.heard).contains(what) {
            let read = self.line.read_buf(&mut self.heard).await;
            assert_ne!(read.expect("events"), 0, "the stream goes on");
        }
        Instant::now()
    }
}

/// A payment that is followed.
struct Followed {
    id: String,
    pages: Vec<Page>,
}

async fn follow(http: &reqwest::Client, host: SocketAddr, key: &str) -> Followed {
    let create = http
        .post(format!("http://{host}/pay/ajax/create"))
        .bearer_auth(key)
        .json(&json!({ "brief": "a pot of tea", "fee": 4200 }));
    let made = shop::said(create).await.expect("a payment");
    let text = |name: &str| {
        let text = made.get(name).and_then(Value::as_str);
        text.expect("an answer").to_owned()
    };
    let (id, ticket) = (text("id"), text("ticket"));
    let mut pages = Vec::with_capacity(OF_ONE);
    for _ in 0..OF_ONE {
        pages.push(Page::open(host, &id, &ticket).await);
    }
    Followed { id, pages }
}

/// Changes the payment, and gives the time until each of its pages knew.
async fn change(
    http: &reqwest::Client,
    host: SocketAddr,
    key: &str,
    followed: &mut Followed,
) -> Vec<Duration> {
    let begun = Instant::now();
    let mut listening = JoinSet::new();
    for mut page in followed.pages.drain(..) {
        listening.spawn(async move {
            let at = page.hears(r#""st":"FAIL""#).await;
            (page, at)
        });
    }
    let close = http
        .post(format!("http://{host}/pay/ajax/close"))
        .bearer_auth(key)
        .json(&json!({ "id": followed.id }));
    shop::said(close).await.expect("a closed payment");
    let mut times = Vec::with_capacity(OF_ONE);
    while let Some(heard) = listening.join_next().await {
        let (page, at) = heard.expect("a page");
        times.push(at - begun);
        followed.pages.push(page);
    }
    times
}

fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    kilobytes
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let (root, log) = (dir.path().join("root"), dir.path().join("log"));
    let (server, host) = Server::host(&root, &log).expect("a host");
    let account = Account::open().expect("an account");
    let key = shop::open(host, &root, &account).await.expect("a shop");
    let http = reqwest::Client::builder().no_proxy().build().expect("http");
    // `cargo test` walks through it once.
    let walking = !std::env::args().any(|argument| argument == "--bench");
    let steps: &[usize] = if walking { &[100] } else { &[1_000, 10_000] };
    let before = resident_bytes(server.id());
    let mut all: Vec<Followed> = Vec::new();
    let mut next = 0;
    for pages in steps {
        while all.len() * OF_ONE < *pages {
            all.push(follow(&http, host, &key).await);
        }
        let resident = resident_bytes(server.id());
        let (quiet, quiet_cpu) = (Instant::now(), cpu(server.id()).expect("its time"));
        tokio::time::sleep(Duration::from_secs(if walking { 0 } else { 10 })).await;
        let idle = cpu(server.id()).expect("its time") - quiet_cpu;
        let share = idle.as_secs_f64() / quiet.elapsed().as_secs_f64().max(1e-9) * 100.0;
        let mut times = Vec::new();
        for followed in all.iter_mut().skip(next).take(15) {
            times.extend(change(&http, host, &key, followed).await);
            next += 1;
        }
        times.sort_unstable();
        let at = |part: usize| {
            times
                .get(times.len() * part / 100)
                .copied()
                .unwrap_or_default()
        };
        println!(
            "{pages} pages: a change is on the page after {:?} (median; 99 of 100 within {:?}); {:.1} kB of the host's memory each; \
             {share:.1} % of one processor while nothing happens",
            at(50),
            at(99),
            (resident - before) as f64 / *pages as f64 / 1000.0,
        );
    }
}
