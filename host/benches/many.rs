//! Ten thousand callbacks at one host, no two alike: nine of ten are JavaScript texts, the others components, most in
//! Rust and every tenth of them in JavaScript by componentize-qjs. Each is uploaded to the real binary over HTTP, which
//! compiles it in a process of its own, tries it and keeps it; the latest are then run, each by a payment of its own.
//! What the host holds is looked at throughout.
//!
//! | figure | its bound |
//! |---|---|
//! | the host's memory | what it held when nothing was uploaded, and what `docs/operator.md` says that it may keep |
//! | descriptors and mappings | one descriptor and three mappings for each of 256 components, and what else a host needs |
//! | compiled code on the disk | 512 MiB, and none of a text |
//! | a text in the domain's home | its bytes, and 192 for the list of its versions |
//! | a text in memory | its bytes, and 512 for the place in the list |
//! | a component that nobody used for long, from its compiled form until it has run | 5 ms, in Rust and by componentize-qjs, with its file in memory and read from the disk |
//!
//! It ends with an error where one is broken. It takes a quarter of an hour on two cores; `WALNUT_BENCH_CALLBACKS` names another
//! number. `tests/install` brings componentize-qjs.
//!
//! `cargo bench -p walnut --bench many`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

mod stage {
    pub(crate) mod cold;
    pub(crate) mod distinct;
    pub(crate) mod figures;
    pub(crate) mod held;
    #[allow(dead_code, reason = "its processor time does not matter here")]
    pub(crate) mod process;
}

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use walnut::payment::model::Digest;

use stage::cold;
use stage::distinct::{Kind, Originals};
use stage::figures::Figures;
use stage::held::Held;
use stage::process::Server;

const MIB: f64 = 1_048_576.0;

/// What `docs/operator.md` says: compiled code in memory of callbacks, texts, and the memory of instances that were used.
const KEPT_MIB: f64 = 192.0 + 16.0 + 64.0;
/// For requests on their way, the store's caches and what the allocator does not give back at once.
const BESIDE_MIB: f64 = 64.0;
/// Components in memory.
const LOADED: f64 = 256.0;
/// Descriptors and mappings that come and go: connections, the compiler's pipes, threads, used instances.
const DESCRIPTORS_BESIDE: f64 = 128.0;
const MAPPINGS_BESIDE: f64 = 512.0;
const CACHE_MIB: f64 = 512.0;
/// From the compiled form on the disk until it has run.
const LOADS_WITHIN_MS: f64 = 5.0;

/// Callbacks of one domain; it may have 256.
const OF_ONE: u32 = 250;
/// Who uploads, and who pays, at the same time.
const WORKERS: u32 = 4;

fn kind(number: u32) -> Kind {
    match number % 100 {
        0..90 => Kind::Text,
        90..99 => Kind::Rust,
        _ => Kind::Qjs,
    }
}

/// A host with an operator.
struct Stage {
    http: reqwest::Client,
    host: SocketAddr,
    keys: Vec<String>,
    originals: Originals,
}

impl Stage {
    async fn said(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let mut answer: Value = request.send().await?.json().await?;
        let data = answer.get_mut("data").map(Value::take);
        data.with_context(|| format!("the host refused: {answer}"))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    async fn open_domains(&mut self, root: &Path, callbacks: u32) -> anyhow::Result<()> {
        let root_key = fs::read_to_string(root.join("root.key"))?;
        let root_key = root_key.trim();
        for number in 0..callbacks.div_ceil(OF_ONE) {
            let name = domain(number);
            let made = self.http.post(self.url("/pay/domain"));
            let made = made.bearer_auth(root_key).json(&json!({ "name": name }));
            self.said(made).await?;
            let key = self.http.post(self.url(&format!("/pay/domain/{name}/key")));
            let key = self
                .said(key.bearer_auth(root_key).json(&json!({})))
                .await?;
            let key = key.get("key").and_then(Value::as_str).context("no key")?;
            self.keys.push(key.to_owned());
        }
        Ok(())
    }

    fn key(&self, number: u32) -> &str {
        let place = usize::try_from(number / OF_ONE).unwrap_or(usize::MAX);
        self.keys.get(place).map_or("", String::as_str)
    }

    async fn upload(&self, number: u32) -> anyhow::Result<()> {
        let url = self.url(&format!("/pay/callback/{}", name(number)));
        let content = self.originals.callback(kind(number), number);
        let put = self
            .http
            .put(url)
            .bearer_auth(self.key(number))
            .body(content);
        self.said(put).await.map(drop)
    }

    /// Makes a payment that is paid at once, and waits until its callback was applied.
    async fn pay(&self, number: u32) -> anyhow::Result<()> {
        let key = self.key(number);
        let made = self
            .http
            .post(self.url("/pay/ajax/create"))
            .bearer_auth(key);
        let gift = json!({ "brief": "a pot of tea", "fee": 0, "callback": name(number) });
        let made = self.said(made.json(&gift)).await?;
        let id = made.get("payObjId").and_then(Value::as_str);
        let id = id.with_context(|| format!("no payment: {made}"))?;
        let look = self.url(&format!("/pay/ajax/get?id={id}"));
        let begun = Instant::now();
        loop {
            let payment = self.said(self.http.get(&look).bearer_auth(key)).await?;
            let applied = payment.get("apply_at").and_then(Value::as_u64);
            if applied.is_some_and(|at| at > 0) {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("{} was not applied: {payment}", name(number));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn domain(number: u32) -> String {
    format!("shop-{number:03}")
}

fn name(number: u32) -> String {
    format!("{:?}-{number:05}", kind(number)).to_lowercase()
}

/// What is done with each callback.
#[derive(Clone, Copy)]
enum Step {
    Upload,
    Pay,
}

/// Does it with these numbers, several at a time, and gives the most that the host held at any time.
async fn all(
    stage: &Arc<Stage>,
    server: &Server,
    step: Step,
    numbers: std::ops::Range<u32>,
) -> anyhow::Result<Held> {
    let next = Arc::new(AtomicU32::new(numbers.start));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (stage, next, end) = (stage.clone(), next.clone(), numbers.end);
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return anyhow::Ok(());
                }
                if !stage.originals.has(kind(number)) {
                    continue;
                }
                match step {
                    Step::Upload => stage.upload(number).await?,
                    Step::Pay => stage.pay(number).await?,
                }
            }
        });
    }
    let mut most = Held::default();
    let mut told = Instant::now();
    loop {
        let look = tokio::time::sleep(Duration::from_millis(200));
        tokio::select! {
            done = workers.join_next() => match done {
                Some(done) => done??,
                None => return Ok(most.or_more(Held::by(server.id())?)),
            },
            () = look => {}
        }
        let held = Held::by(server.id())?;
        most = most.or_more(held);
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            println!("  at {}: {held:?}", next.load(Ordering::Relaxed));
        }
    }
}

/// Bytes of the files below this folder whose path has this in it, and how many there are.
fn files(dir: &Path, part: &str) -> anyhow::Result<(u64, u64)> {
    let (mut bytes, mut number) = (0, 0);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        if found.is_dir() {
            let below = files(&entry.path(), part)?;
            bytes += below.0;
            number += below.1;
        } else if entry.path().to_string_lossy().contains(part) {
            bytes += found.len();
            number += 1;
        }
    }
    Ok((bytes, number))
}

/// The callbacks at a host.
async fn at_a_host(
    dir: &Path,
    originals: Originals,
    callbacks: u32,
    figures: &mut Figures,
) -> anyhow::Result<Originals> {
    let root = dir.join("root");
    let (server, host) = Server::host(&root, &dir.join("log"))?;
    let mut stage = Stage {
        http: reqwest::Client::builder().no_proxy().build()?,
        host,
        keys: Vec::new(),
        originals,
    };
    stage.open_domains(&root, callbacks).await?;
    let stage = Arc::new(stage);
    let idle = Held::by(server.id())?;
    println!("nothing uploaded: {idle:?}");
    let begun = Instant::now();
    let uploading = all(&stage, &server, Step::Upload, 0..callbacks).await?;
    println!(
        "{callbacks} uploaded in {:?}: at most {uploading:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    let latest = callbacks - callbacks * 3 / 10..callbacks;
    let paid = latest.len();
    let running = all(&stage, &server, Step::Pay, latest).await?;
    println!(
        "{paid} of them run in {:?}: at most {running:?}",
        begun.elapsed()
    );

    let most = uploading.or_more(running);
    let bound = idle.bytes as f64 / MIB + KEPT_MIB + BESIDE_MIB;
    figures.at_most("the host's memory", most.bytes as f64 / MIB, bound, "MiB");
    let bound = idle.descriptors as f64 + LOADED + DESCRIPTORS_BESIDE;
    figures.at_most("its descriptors", most.descriptors as f64, bound, "");
    let bound = idle.mappings as f64 + 3.0 * LOADED + MAPPINGS_BESIDE;
    figures.at_most("its mappings", most.mappings as f64, bound, "");

    let cache = root.join("var/cache");
    let (bytes, _) = files(&cache, "")?;
    figures.at_most(
        "compiled code on the disk",
        bytes as f64 / MIB,
        CACHE_MIB,
        "MiB",
    );
    let compiled: String = fs::read_dir(&cache)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()?;
    let texts: Vec<Digest> = (0..callbacks)
        .filter(|number| kind(*number) == Kind::Text)
        .map(|number| Digest::of(&stage.originals.callback(Kind::Text, number)))
        .collect();
    let of_texts = texts
        .iter()
        .filter(|text| compiled.contains(&text.to_string()));
    let (of_texts, texts) = (of_texts.count(), texts.len());
    figures.at_most("compiled texts on the disk", of_texts as f64, 0.0, "");
    let (bytes, _) = files(&root.join("home"), "text-")?;
    let length = stage.originals.callback(Kind::Text, 0).len();
    println!("{texts} texts of {length} bytes take {bytes} in the homes");
    figures.at_most(
        "a text in the home",
        bytes as f64 / texts.max(1) as f64,
        (length + 192) as f64,
        "bytes",
    );
    drop(server);
    let stage = Arc::into_inner(stage).context("nobody works any more")?;
    Ok(stage.originals)
}

fn milliseconds(times: &[Duration], part: usize) -> f64 {
    let at = times.get((times.len() - 1) * part / 100);
    at.copied().unwrap_or_default().as_secs_f64() * 1e3
}

async fn from_disk(
    dir: &Path,
    originals: &Originals,
    number: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for kind in [Kind::Rust, Kind::Qjs] {
        if !originals.has(kind) {
            continue;
        }
        let loads = cold::load(dir, originals, kind, number).await?;
        ensure!(!loads.read.is_empty(), "nothing was run");
        println!("compiled {kind:?}: {} bytes", loads.bytes);
        for (from, times) in [
            (
                "until it has run, its file in the system's memory",
                &loads.cached,
            ),
            ("until it has run, its file on the disk", &loads.read),
            ("the disk alone", &loads.disk_alone),
        ] {
            println!(
                "{kind:?}, {from}: median {:.2} ms, 90 of 100 within {:.2} ms",
                milliseconds(times, 50),
                milliseconds(times, 90)
            );
        }
        let what = format!("{kind:?} from its compiled form until it has run");
        let median = milliseconds(&loads.cached, 50);
        figures.at_most(&what, median, LOADS_WITHIN_MS, "ms");
        let what = format!("{kind:?} from the disk until it has run");
        let median = milliseconds(&loads.read, 50);
        figures.at_most(&what, median, LOADS_WITHIN_MS, "ms");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test` walks through it once.
    let walking = !std::env::args().any(|argument| argument == "--bench");
    let asked = std::env::var("WALNUT_BENCH_CALLBACKS").ok();
    let asked = asked.and_then(|number| number.parse().ok());
    let callbacks = asked.unwrap_or(if walking { 100 } else { 10_000 });
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut figures = Figures::default();
    let originals = Originals::make(dir.path(), walking).expect("callbacks");
    let number = if walking { 2 } else { 40 };
    from_disk(dir.path(), &originals, number, &mut figures)
        .await
        .expect("callbacks from the disk");
    let (number, bytes) = if walking { (64, 4_000) } else { (4_000, 4_000) };
    let memory = cold::texts(dir.path(), &originals, number, bytes).await;
    let each = memory.expect("texts in memory") as f64 / f64::from(number);
    figures.at_most("a text of 4000 bytes in memory", each, 4_512.0, "bytes");
    at_a_host(dir.path(), originals, callbacks, &mut figures)
        .await
        .expect("callbacks at a host");
    match figures.broken() {
        0 => ExitCode::SUCCESS,
        // What is only walked through is not measured.
        _ if walking => ExitCode::SUCCESS,
        broken => {
            eprintln!("{broken} bounds are broken");
            ExitCode::FAILURE
        }
    }
}
