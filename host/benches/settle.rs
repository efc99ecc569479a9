//! Settled notifications per second through the whole host (HTTP on loopback, the check of the signature, the
//! component, the durable commit) against a native twin of the same way without the component; the goal is 0.8 of
//! the twin's. Besides, the processor time that each takes for one notification.
//!
//! | process | does |
//! |---|---|
//! | the host | `walnut serve`, the real binary |
//! | the twin | this program, started once more ([`stage::twin`]) |
//! | this one | lays in payments that were sent, signs a notification for each, and sends it once |
//!
//! The two take turns of a round each, on stores of the same contents, and who begins alternates. Criterion is
//! given the rounds that were measured so.
//!
//! `cargo bench -p walnut --bench settle`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

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
    pub(crate) mod twin;
}

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group};
use tokio::runtime::Runtime;

use stage::alipay::Account;
use stage::merchant::Merchant as _;
use stage::process::Server;
use stage::rounds::{Plan, Round, Side, each, quartiles, take_turns};
use stage::stock::{Stock, settled};
use stage::twin;

/// The data root that the twin is to serve on; without it, this program is the benchmark.
const TWIN_ROOT: &str = "WALNUT_BENCH_TWIN_ROOT";

/// A round takes a tenth of a second and more.
const PLAN: Plan = Plan {
    round: 1_000,
    rounds: 30,
    before: 3,
};

struct Measured {
    host: Vec<Round>,
    twin: Vec<Round>,
}

async fn measure(plan: &Plan) -> Measured {
    let account = Account::open().expect("an account");
    let count = plan.requests();
    let mut stocks = Vec::new();
    for _ in 0..2 {
        stocks.push(Stock::lay_in(&account, count).await.expect("a stock"));
    }
    let [hosts, twins] = stocks.as_mut_slice() else {
        unreachable!("two of them");
    };
    let server = Server::host(&hosts.root(), &hosts.log()).expect("the host");
    let mut host = Side::new(server, std::mem::take(&mut hosts.requests), Account::taken);
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(TWIN_ROOT, twins.root());
    let server = Server::start(&mut command, &twins.log()).expect("the twin");
    let mut twin = Side::new(server, std::mem::take(&mut twins.requests), Account::taken);
    take_turns(plan, &mut host, &mut twin)
        .await
        .expect("every notification taken");
    let measured = Measured {
        host: host.end(plan),
        twin: twin.end(plan),
    };
    // What was answered has to be there.
    for stock in &stocks {
        let paid = settled(&stock.root()).await.expect("the store");
        assert_eq!(paid, count as u64, "a payment for each");
    }
    measured
}

impl Measured {
    fn print(&self, plan: &Plan) {
        for (name, rounds) in [("host", &self.host), ("twin", &self.twin)] {
            println!(
                "{name}: {:.0} notifications a second; processor time for each: {:?}, and {:?} of whoever notifies",
                each(plan, rounds, |round| round.took).as_secs_f64().recip(),
                each(plan, rounds, |round| round.server),
                each(plan, rounds, |round| round.crowd),
            );
        }
        let pairs = self.host.iter().zip(&self.twin);
        let ratios = pairs.map(|(host, twin)| twin.took.div_duration_f64(host.took));
        let [least, lower, median, upper, most] = quartiles(ratios.collect()).expect("rounds");
        println!(
            "host against twin, pair by pair: median {median:.3}, quartiles {lower:.3} and {upper:.3}, from {least:.3} to {most:.3}",
        );
    }
}

/// Picks the rounds of one side.
type Rounds = fn(&Measured) -> &Vec<Round>;

fn settling(criterion: &mut Criterion) {
    let plan = PLAN.or_walk();
    let runtime = Runtime::new().expect("a runtime");
    let mut measured = None;
    let mut group = criterion.benchmark_group("settled notifications");
    group
        .throughput(Throughput::Elements(plan.round.into()))
        .sampling_mode(SamplingMode::Flat)
        .sample_size(plan.rounds.max(10))
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(Duration::from_secs(1));
    let sides: [(&str, Rounds); 2] = [
        ("host", |measured| &measured.host),
        ("twin", |measured| &measured.twin),
    ];
    for (name, side) in sides {
        let mut next = 0;
        group.bench_function(name, |bencher| {
            let measured = measured.get_or_insert_with(|| {
                let measured = runtime.block_on(measure(&plan));
                measured.print(&plan);
                measured
            });
            let rounds = side(measured);
            // Each sample of criterion's is one round.
            bencher.iter_custom(|times| {
                next += 1;
                let round = rounds.get(next % rounds.len()).expect("a round");
                round.took * u32::try_from(times).expect("a few rounds")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, settling);

fn main() -> anyhow::Result<()> {
    if let Some(root) = std::env::var_os(TWIN_ROOT) {
        return twin::serve(Path::new(&root));
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    Ok(())
}
