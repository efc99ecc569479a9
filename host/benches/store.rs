//! Durable creates per second: 64 callers against one. Every create is answered after its commit reached
//! the disk; the difference is group commit. The mean batch is printed after each figure.
//!
//! `cargo bench -p walnut --bench store`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Map;
use walnut::payment::model::{Buyer, Change, Payment, PaymentId, State};
use walnut::payment::money::{Currency, Money};
use walnut::store::{Created, NewPayment, Stats, Store};

/// A payment as a shop's page makes it.
fn request() -> NewPayment {
    let id = PaymentId::generate();
    let payment = Payment {
        id,
        domain: "shop".to_owned(),
        domain_id: "0198f0c0000070008000000000000001".to_owned(),
        test: false,
        brief: "a pot of tea".to_owned(),
        total: Money::new(8_800, Currency::CNY).expect("an amount"),
        price_minor: None,
        state: State::New,
        fail_why: None,
        hold: None,
        late: false,
        refunded_minor: 0,
        created_ms: 1_790_000_000_000,
        changed_ms: 1_790_000_000_000,
        sent_ms: 0,
        closed_ms: 0,
        expires_ms: 1_790_000_900_000,
        pay_type: None,
        target: None,
        presentation: None,
        buyer: Buyer {
            tp: 2,
            id: id.to_string(),
            name: "xiaobai".to_owned(),
        },
        callback: None,
        applied_ms: 0,
        applied_result: None,
        offers: Vec::new(),
        platforms: Map::new(),
        meta: Map::from_iter([("table".to_owned(), 7.into())]),
        revision: 0,
    };
    let line = Change {
        at: payment.created_ms,
        cause: "create".to_owned(),
        from: None,
        to: State::New,
        trade_no: None,
        statement: None,
        detail: Map::new(),
    };
    NewPayment {
        payment,
        attempts: Vec::new(),
        history: vec![line],
        callback_content: None,
        deliver: false,
        idempotency: None,
    }
}

async fn create(store: Store, times: u64) {
    for _ in 0..times {
        assert_eq!(
            store.create(request()).await.expect("a durable create"),
            Created::Made
        );
    }
}

fn creates(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("durable creates");
    group.throughput(Throughput::Elements(1));
    for callers in [1_u64, 64] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        group.bench_function(BenchmarkId::new("callers", callers), |bencher| {
            bencher.to_async(&runtime).iter_custom(async |creates| {
                let begun = Instant::now();
                let tasks: Vec<_> = (0..callers)
                    .map(|caller| {
                        // The rest of the division goes to the first callers.
                        let times = creates / callers + u64::from(caller < creates % callers);
                        tokio::spawn(create(store.clone(), times))
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("a caller");
                }
                begun.elapsed()
            });
        });
        let Stats { commits, jobs } = store.stats();
        println!("{callers} callers: {jobs} creates in {commits} commits");
    }
    group.finish();
}

criterion_group!(benches, creates);
criterion_main!(benches);
