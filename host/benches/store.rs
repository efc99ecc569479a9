//! Durable creates per second: 64 callers against one, and against SQLite alone, which writes the same rows in
//! transactions of the mean size that the store came to; the goal is at least 0.7 of it. Every create is answered after
//! its commit reached the disk; the difference between the callers is group commit.
//!
//! `cargo bench -p walnut --bench store`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod bare;
    pub(crate) mod crowd;
    pub(crate) mod made;
    pub(crate) mod process;
    pub(crate) mod rounds;
}

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stage::bare::{Bare, Row, meta, scattered};
use stage::made::{create, create_some};
use stage::rounds::quartiles;
use walnut::payment::model::PaymentId;
use walnut::store::{Stats, Store};

fn creates(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("durable creates");
    group.throughput(Throughput::Elements(1));
    for (callers, added) in [(1_u64, true), (64, true), (64, false)] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        group.bench_function(
            BenchmarkId::new(if added { "callers" } else { "nothing added" }, callers),
            |bencher| {
                bencher.to_async(&runtime).iter_custom(async |creates| {
                    let begun = Instant::now();
                    let tasks: Vec<_> = (0..callers)
                        .map(|caller| {
                            // The rest of the division goes to the first callers.
                            let times = creates / callers + u64::from(caller < creates % callers);
                            tokio::spawn(create_some(store.clone(), times, added))
                        })
                        .collect();
                    for task in tasks {
                        task.await.expect("a caller");
                    }
                    begun.elapsed()
                });
            },
        );
        let Stats { commits, jobs } = store.stats();
        println!("{callers} callers: {jobs} creates in {commits} commits");
    }
    group.finish();
}

/// Creates of one round.
const ROUND: u32 = 19_200;
/// Rounds of each side that count, and those before them.
const ROUNDS: (usize, usize) = (12, 2);
const CALLERS: u32 = 64;

/// The store and SQLite alone take turns of a round each.
fn against_bare(_: &mut Criterion) {
    let walking = !std::env::args().any(|argument| argument == "--bench");
    let (round, (rounds, before)) = if walking {
        (64, (1, 0))
    } else {
        (ROUND, ROUNDS)
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let alone = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let store = Store::open(own.path()).expect("a store");
    let bare = Bare::make(alone.path());
    let (mut ratios, mut batches, mut times) = (Vec::new(), Vec::new(), [Duration::ZERO; 2]);
    for number in 0..before + rounds {
        let earlier = store.stats();
        let begun = Instant::now();
        runtime.block_on(create(&store, round, CALLERS));
        let took = begun.elapsed();
        let now = store.stats();
        let batch = (now.jobs - earlier.jobs).div_ceil(now.commits - earlier.commits);
        let bare_took = alone_writes(&bare, round.into(), batch);
        if number >= before {
            ratios.push(bare_took.div_duration_f64(took));
            batches.push(batch);
            times[0] += took;
            times[1] += bare_took;
        }
    }
    let a_second = |took: Duration| f64::from(round) * rounds as f64 / took.as_secs_f64();
    println!(
        "{CALLERS} callers: {:.0} creates a second, in transactions of {} on the average; SQLite alone with those: {:.0}",
        a_second(times[0]),
        batches.iter().sum::<u64>() / batches.len() as u64,
        a_second(times[1]),
    );
    let [least, lower, median, upper, most] = quartiles(ratios).expect("rounds");
    println!(
        "the store against SQLite alone, round by round: median {median:.3}, quartiles {lower:.3} and {upper:.3}, from {least:.3} to {most:.3}",
    );
}

/// The time in which SQLite alone writes so many payments, so many in each transaction.
fn alone_writes(bare: &Bare, payments: u64, batch: u64) -> Duration {
    let ids: Vec<String> = (0..payments)
        .map(|_| PaymentId::generate().to_string())
        .collect();
    let begun = Instant::now();
    for some in ids.chunks(usize::try_from(batch).unwrap_or(1)) {
        bare.commit(some.iter().map(|id| {
            let number = u64::from_str_radix(id.get(16..).unwrap_or_default(), 16).unwrap_or(0);
            Row {
                id: id.clone(),
                domain: "shop",
                state: "NEW",
                created_ms: 1_790_000_000_000,
                meta: meta(number),
                keys: [scattered(number).cast_signed(), 7],
            }
        }));
    }
    begun.elapsed()
}

criterion_group!(benches, creates, against_bare);
criterion_main!(benches);
