//! Looking at a store of many payments against a small one: one payment by its id, and the ten newest of one domain in
//! one state. The median may grow by less than 2 from the smallest to the largest.
//!
//! The largest has a million payments; `WALNUT_BENCH_PAYMENTS=10000000` adds another, which takes its time and some 8 GB
//! below the target directory.
//!
//! `cargo bench -p walnut --bench store_size`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod bare;
}

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use walnut::payment::model::State;
use walnut::store::{Find, Store};

use stage::bare::{Bare, Row, id, meta, scattered};

/// Payments of the stores that are always made.
const SIZES: [u64; 2] = [10_000, 1_000_000];
/// Domains that share them.
const DOMAINS: u64 = 50;
/// Payments of one transaction while a store is filled.
const AT_ONCE: u64 = 50_000;
/// Questions of each kind in one turn, and turns of each store.
const QUESTIONS: u64 = 500;
const TURNS: u64 = 40;

/// A store with so many payments.
struct Stock {
    payments: u64,
    store: Store,
    dir: TempDir,
    got: Vec<Duration>,
    found: Vec<Duration>,
}

fn domain(place: u64) -> String {
    format!("shop-{}", scattered(place) % DOMAINS)
}

/// Seven of ten are paid.
fn state(place: u64) -> &'static str {
    match scattered(place ^ 0x5f5f) % 100 {
        0..70 => "OK",
        70..90 => "FAIL",
        90..99 => "WAIT",
        _ => "NEW",
    }
}

impl Stock {
    fn fill(payments: u64) -> Stock {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let begun = Instant::now();
        let bare = Bare::make(dir.path()).hastily();
        let domains: Vec<String> = (0..payments.min(AT_ONCE)).map(domain).collect();
        for first in (0..payments).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
            let places = first..(first + AT_ONCE).min(payments);
            bare.commit(places.map(|place| {
                Row {
                    id: id(place).to_string(),
                    domain: domains
                        .get(usize::try_from(place % AT_ONCE).unwrap_or(0))
                        .expect("a domain"),
                    state: state(place),
                    created_ms: 1_790_000_000_000 + i64::try_from(place).unwrap_or(0),
                    meta: meta(place),
                    keys: [scattered(place).cast_signed(), 7],
                }
            }));
        }
        drop(bare);
        println!("{payments} payments in {:?}", begun.elapsed());
        Stock {
            payments,
            store: Store::open(dir.path()).expect("a store"),
            dir,
            got: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Has the system read the file once, which it then keeps as far as it has memory.
    fn bring_into_memory(&self) {
        let file = File::open(self.dir.path().join("payments.db"));
        io::copy(&mut file.expect("its file"), &mut io::sink()).expect("all of it");
    }

    /// Asks each question so many times, of payments and domains without an order.
    async fn asked(&mut self, turn: u64) {
        for number in 0..QUESTIONS {
            let random = scattered(turn * QUESTIONS + number);
            let begun = Instant::now();
            let case = self.store.case(id(random % self.payments)).await;
            self.got.push(begun.elapsed());
            assert!(black_box(case).expect("an answer").is_some());
            let mut find = Find::new(Some(format!("shop-{}", random % DOMAINS)));
            find.states = vec![State::Ok];
            find.limit = 10;
            let begun = Instant::now();
            let found = self.store.find(find).await;
            self.found.push(begun.elapsed());
            assert_eq!(black_box(found).expect("an answer").len(), 10);
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() {
    let walking = !std::env::args().any(|argument| argument == "--bench");
    let more = std::env::var("WALNUT_BENCH_PAYMENTS").ok();
    let more = more.and_then(|payments| payments.parse().ok());
    let (sizes, turns) = if walking {
        (vec![2_000, 4_000], 1)
    } else {
        (SIZES.into_iter().chain(more).collect(), TURNS)
    };
    let mut stocks: Vec<Stock> = sizes.into_iter().map(Stock::fill).collect();
    // As on a machine that serves them for a while: what is asked is the store, and not the disk.
    for stock in &stocks {
        stock.bring_into_memory();
    }
    // They take turns; the first ones bring pages into the stores' own caches.
    for turn in 0..turns + turns.div_ceil(4) {
        for stock in &mut stocks {
            if turn == turns.div_ceil(4) {
                stock.got.clear();
                stock.found.clear();
            }
            stock.asked(turn).await;
        }
    }
    let mut least = None;
    for stock in &mut stocks {
        let (got, found) = (median(&mut stock.got), median(&mut stock.found));
        let (least_got, least_found) = *least.get_or_insert((got, found));
        println!(
            "{} payments: by id {got:?} ({:.2} of the smallest), the ten newest of a domain that are OK {found:?} ({:.2})",
            stock.payments,
            got.div_duration_f64(least_got),
            found.div_duration_f64(least_found),
        );
    }
}
