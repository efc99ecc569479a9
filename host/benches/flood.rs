//! What a flood of notifications that do not verify takes from those that do, and what authorisation takes from a request.
//!
//! Fifty sources on loopback send forged notifications about payments that wait, as fast as one thread can, first by one
//! connection each, then by eight; meanwhile another connection hands in genuine ones, one after the other at a steady pace.
//! Told are the times of the genuine ones, with and without the flood, which begins a second earlier; the goal is that their
//! 99th percentile grows by less than a factor of 3. Besides, a request that needs a key against one of the same address that
//! needs none and has it all the same, on one connection in turn; the goal is less than 5 µs.
//!
//! `cargo bench -p walnut --bench flood`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod alipay;
    pub(crate) mod crowd;
    pub(crate) mod merchant;
    pub(crate) mod native;
    pub(crate) mod order;
    pub(crate) mod process;
    pub(crate) mod rounds;
    pub(crate) mod shop;
    pub(crate) mod stock;
}

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use stage::alipay::Account;
use stage::merchant::Merchant as _;
use stage::process::Server;
use stage::stock::Stock;

/// Where the flood comes from: 127.0.0.2 and so on.
const SOURCES: u8 = 50;
/// Connections of each.
const CONNECTIONS: [usize; 2] = [1, 8];
/// The flood is under way when the first genuine one comes.
const EARLIER: Duration = Duration::from_secs(1);
/// Payments that it is about.
const VICTIMS: usize = 64;
/// Between two genuine notifications.
const PACE: Duration = Duration::from_millis(5);
/// Genuine ones, with and without the flood.
const GENUINE: usize = 1_000;
/// Pairs of requests with and without a key.
const PAIRS: usize = 20_000;

/// The 99th percentile of genuine ones under the flood, against that without it, stays below this.
const GROWTH: f64 = 3.0;
/// What authorisation takes of a request stays below this.
const AUTHORISATION: Duration = Duration::from_micros(5);

fn main() -> anyhow::Result<ExitCode> {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let (genuine, pairs) = if measuring {
        (GENUINE, PAIRS)
    } else {
        (16, 16)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let missed = runtime.block_on(measure(genuine, pairs))?;
    for goal in &missed {
        println!("missed: {goal}");
    }
    // So few say nothing of a percentile.
    Ok(if missed.is_empty() || !measuring {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The goals that were missed.
async fn measure(genuine: usize, pairs: usize) -> anyhow::Result<Vec<String>> {
    let mut missed = Vec::new();
    let account = Account::open()?;
    let wanted = (1 + CONNECTIONS.len()) * genuine + VICTIMS;
    let stock = Stock::lay_in(&account, wanted).await?;
    let root_key = std::fs::read_to_string(stock.root().join("root.key"))?;
    let (_server, address) = Server::host(&stock.root(), &stock.log())?;
    let (victims, rest) = stock.requests.split_at(VICTIMS);
    let mut genuine = rest.chunks(genuine);
    let mut next = || genuine.next().context("there are as many as that");

    let calm = hand_in(address, next()?).await?;
    tell("without a flood", &calm);
    for connections in CONNECTIONS {
        let flood = Flood::begin(address, victims, connections)?;
        tokio::time::sleep(EARLIER).await;
        let under = hand_in(address, next()?).await?;
        let (sent, time) = flood.end();
        println!(
            "the flood: {sent} notifications of {SOURCES} sources with {connections} connections each, {:.0} a second",
            sent as f64 / time.as_secs_f64()
        );
        tell("under it", &under);
        let growth = at(&under, 99).div_duration_f64(at(&calm, 99));
        println!("the 99th percentile under it against without: {growth:.2}");
        if growth >= GROWTH {
            missed.push(format!(
                "{growth:.2} times, with {connections} connections of each source"
            ));
        }
    }

    let mut connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    let with = format!(
        "GET /pay/session HTTP/1.1\r\nHost: x\r\nX-Walnut-Page: 1\r\nAuthorization: Bearer {}\r\n\r\n",
        root_key.trim()
    );
    // The same way through the host, on which nobody looks at the key: signing out needs none.
    let without = with.replace("GET", "DELETE");
    let (mut keyed, mut open) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        for (request, times) in [(&with, &mut keyed), (&without, &mut open)] {
            let (took, answer) = ask(&mut connection, request.as_bytes()).await?;
            anyhow::ensure!(
                answer.starts_with(br#"{"ok":true"#),
                "one of them was refused"
            );
            times.push(took);
        }
    }
    keyed.sort_unstable();
    open.sort_unstable();
    println!(
        "a request with a key: median {:?}; one without: {:?}",
        at(&keyed, 50),
        at(&open, 50)
    );
    let authorisation = at(&keyed, 50).saturating_sub(at(&open, 50));
    if authorisation >= AUTHORISATION {
        missed.push(format!("{authorisation:?} for authorisation"));
    }
    Ok(missed)
}

fn tell(name: &str, times: &[Duration]) {
    println!(
        "genuine ones {name}: median {:?}, 99th percentile {:?}, longest {:?}",
        at(times, 50),
        at(times, 99),
        at(times, 100)
    );
}

/// Hands in genuine notifications at a steady pace; the times until each was taken, the shortest first.
async fn hand_in(address: SocketAddr, requests: &[Vec<u8>]) -> anyhow::Result<Vec<Duration>> {
    let mut connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    let mut pace = tokio::time::interval(PACE);
    let mut times = Vec::with_capacity(requests.len());
    for request in requests {
        pace.tick().await;
        let (took, answer) = ask(&mut connection, request).await?;
        anyhow::ensure!(Account::taken(&answer), "a genuine one was not taken");
        times.push(took);
    }
    times.sort_unstable();
    Ok(times)
}

/// So many in a hundred took no longer.
fn at(times: &[Duration], percent: usize) -> Duration {
    let last = times.len().saturating_sub(1);
    times.get(last * percent / 100).copied().unwrap_or_default()
}

/// Sends a request and reads the body of its answer.
async fn ask(connection: &mut TcpStream, request: &[u8]) -> anyhow::Result<(Duration, Vec<u8>)> {
    let begun = Instant::now();
    connection.write_all(request).await?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        let read = connection.read_buf(&mut answer).await?;
        anyhow::ensure!(read > 0, "the host hung up");
        if let Some(body) = stage::crowd::body(&answer)? {
            return Ok((begun.elapsed(), body.to_vec()));
        }
    }
}

/// Forged notifications from all sources, by one thread.
struct Flood {
    thread: std::thread::JoinHandle<()>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    begun: Instant,
}

impl Flood {
    /// Begins with so many connections of each source.
    fn begin(
        address: SocketAddr,
        victims: &[Vec<u8>],
        connections: usize,
    ) -> anyhow::Result<Flood> {
        let forged: Vec<Vec<u8>> = victims
            .iter()
            .map(|one| forge(one))
            .collect::<Result<_, _>>()?;
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ended, counted) = (stop.clone(), sent.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let forged = &forged;
                let sources = (2..2 + SOURCES)
                    .cycle()
                    .take(usize::from(SOURCES) * connections);
                let sources = sources.map(|host| {
                    flood_from(
                        Ipv4Addr::new(127, 0, 0, host),
                        address,
                        forged,
                        &ended,
                        &counted,
                    )
                });
                futures_util::future::try_join_all(sources)
                    .await
                    .expect("the flood goes on");
            });
        });
        let begun = Instant::now();
        Ok(Flood {
            thread,
            stop,
            sent,
            begun,
        })
    }

    /// How many were sent, and in what time.
    fn end(self) -> (u64, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let took = self.begun.elapsed();
        self.thread.join().expect("the flood ends");
        (self.sent.load(Ordering::Relaxed), took)
    }
}

async fn flood_from(
    source: Ipv4Addr,
    address: SocketAddr,
    forged: &[Vec<u8>],
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let mut connection = socket.connect(address).await?;
    connection.set_nodelay(true)?;
    for request in forged.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        ask(&mut connection, request).await?;
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A notification about the same trade that nobody signed.
fn forge(genuine: &[u8]) -> anyhow::Result<Vec<u8>> {
    let head = std::str::from_utf8(genuine)?;
    let path = head.split(' ').nth(1).context("a request has an address")?;
    let trade_no = path.rsplit('/').next().unwrap_or_default();
    let body =
        format!("out_trade_no={trade_no}&trade_status=TRADE_SUCCESS&sign=AAAA&sign_type=RSA2");
    let length = body.len();
    Ok(format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes())
}
