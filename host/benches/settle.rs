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

mod stage {
    pub(crate) mod alipay;
    pub(crate) mod crowd;
    pub(crate) mod native;
    pub(crate) mod order;
    pub(crate) mod process;
    pub(crate) mod stock;
    pub(crate) mod twin;
}

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group};
use tokio::runtime::Runtime;

use stage::alipay::Account;
use stage::process::{Server, cpu};
use stage::stock::{Stock, settled};
use stage::{crowd, twin};

/// The data root that the twin is to serve on; without it, this program is the benchmark.
const TWIN_ROOT: &str = "WALNUT_BENCH_TWIN_ROOT";

/// How much is measured.
struct Plan {
    /// Notifications of one round.
    round: u32,
    /// Rounds of each side that count.
    rounds: usize,
    /// Rounds before them, in which caches fill.
    before: usize,
}

impl Plan {
    /// A round takes a tenth of a second and more. Where nothing is to be measured, the way is only walked.
    fn asked_for() -> Plan {
        if std::env::args().any(|argument| argument == "--bench") {
            Plan {
                round: 1_000,
                rounds: 30,
                before: 3,
            }
        } else {
            Plan {
                round: 16,
                rounds: 1,
                before: 0,
            }
        }
    }

    fn notifications(&self) -> usize {
        self.round as usize * (self.before + self.rounds)
    }
}

/// One round of one side.
#[derive(Clone, Copy, Default)]
struct Round {
    took: Duration,
    server: Duration,
    crowd: Duration,
}

/// A server with what it will be notified of.
struct Side {
    server: Server,
    address: SocketAddr,
    stock: Stock,
    rounds: Vec<Round>,
}

impl Side {
    fn new((server, address): (Server, SocketAddr), stock: Stock) -> Side {
        Side {
            server,
            address,
            stock,
            rounds: Vec::new(),
        }
    }

    async fn round(&mut self, plan: &Plan) {
        let requests = self.stock.requests.drain(..plan.round as usize).collect();
        let own = std::process::id();
        let processor = || {
            let server = cpu(self.server.id()).expect("the server's time");
            (server, cpu(own).expect("the crowd's time"))
        };
        let before = processor();
        let took = crowd::notify(self.address, requests)
            .await
            .expect("every notification taken");
        let after = processor();
        self.rounds.push(Round {
            took,
            server: after.0 - before.0,
            crowd: after.1 - before.1,
        });
    }

    /// Ends the server and looks into its store: what it answered has to be there.
    async fn end(self, plan: &Plan) -> Vec<Round> {
        drop(self.server);
        let paid = settled(&self.stock.root()).await.expect("the store");
        assert_eq!(paid, plan.notifications() as u64, "a payment for each");
        self.rounds.into_iter().skip(plan.before).collect()
    }
}

struct Measured {
    host: Vec<Round>,
    twin: Vec<Round>,
}

async fn measure(plan: &Plan) -> Measured {
    let account = Account::open().expect("an account");
    let count = plan.notifications();
    let stock = Stock::lay_in(&account, count).await.expect("a stock");
    let server = Server::host(&stock.root(), &stock.log()).expect("the host");
    let mut host = Side::new(server, stock);
    let stock = Stock::lay_in(&account, count).await.expect("a stock");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(TWIN_ROOT, stock.root());
    let server = Server::start(&mut command, &stock.log()).expect("the twin");
    let mut twin = Side::new(server, stock);
    for number in 0..plan.before + plan.rounds {
        if number % 2 == 0 {
            host.round(plan).await;
            twin.round(plan).await;
        } else {
            twin.round(plan).await;
            host.round(plan).await;
        }
    }
    Measured {
        host: host.end(plan).await,
        twin: twin.end(plan).await,
    }
}

impl Measured {
    fn print(&self, plan: &Plan) {
        for (name, rounds) in [("host", &self.host), ("twin", &self.twin)] {
            let sum = |part: fn(&Round) -> Duration| rounds.iter().map(part).sum::<Duration>();
            let notifications = plan.round * u32::try_from(rounds.len()).expect("a few rounds");
            println!(
                "{name}: {:.0} notifications a second; processor time for each: {:?}, and {:?} of whoever notifies",
                f64::from(notifications) / sum(|round| round.took).as_secs_f64(),
                sum(|round| round.server) / notifications,
                sum(|round| round.crowd) / notifications,
            );
        }
        let mut ratios: Vec<f64> = self
            .host
            .iter()
            .zip(&self.twin)
            .map(|(host, twin)| twin.took.div_duration_f64(host.took))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let at = |part: usize| ratios.get((ratios.len() - 1) * part / 4).expect("a ratio");
        println!(
            "host against twin, pair by pair: median {:.3}, quartiles {:.3} and {:.3}, from {:.3} to {:.3}",
            at(2),
            at(1),
            at(3),
            at(0),
            at(4),
        );
    }
}

/// Picks the rounds of one side.
type Rounds = fn(&Measured) -> &Vec<Round>;

fn settling(criterion: &mut Criterion) {
    let plan = Plan::asked_for();
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
