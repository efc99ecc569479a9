//! Settled notifications per second of two hosts on one PostgreSQL server against one host alone on it. Who sends them has
//! one processor, and shares it as anybody who loads a machine does; the hosts and the server have all.
//!
//! Both take turns of a round each, in a database each; with two hosts each is sent one half, both at once. There is no
//! goal: on few processors two hosts share what one had.
//!
//! `cargo bench -p walnut --bench hosts`
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

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use stage::alipay::Account;
use stage::merchant::Merchant as _;
use stage::process::Server;
use stage::rounds::{Plan, Round, Side, each, quartiles};
use stage::stock::{Stock, settled_at};
use tokio::runtime::Runtime;
use walnut_test_postgres::{Durability, Programs, Server as Postgres};

const PLAN: Plan = Plan {
    round: 1_000,
    rounds: 20,
    before: 3,
};

fn main() -> Result<()> {
    let Some(programs) = Programs::find() else {
        println!("there is no PostgreSQL server here (Debian's package postgresql)");
        return Ok(());
    };
    let postgres = Postgres::start(programs, Durability::Full).map_err(|error| anyhow!(error))?;
    Runtime::new()?.block_on(measure(&PLAN.or_walk(), &postgres))
}

async fn measure(plan: &Plan, postgres: &Postgres) -> Result<()> {
    let account = Account::open()?;
    let count = plan.requests();
    let database = || postgres.database().map_err(|error| anyhow!(error));
    let (alone_at, shared_at) = (database()?, database()?);

    let mut stock = Stock::lay_in_at(&account, count, Some(alone_at.url())).await?;
    let alone_root = stock.root();
    let server = Server::host_at(&alone_root, &stock.log(), Some(alone_at.url()))?;
    let mut alone = Side::new(server, std::mem::take(&mut stock.requests), Account::taken);

    let mut shared = Stock::lay_in_at(&account, count, Some(shared_at.url())).await?;
    let second = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let second_root = second.path().join("root");
    std::fs::create_dir(&second_root)?;
    std::fs::copy(
        shared.root().join("master.key"),
        second_root.join("master.key"),
    )?;
    let later = shared.requests.split_off(count / 2);
    let one = Server::host_at(&shared.root(), &shared.log(), Some(shared_at.url()))?;
    let other = Server::host_at(
        &second_root,
        &second.path().join("log"),
        Some(shared_at.url()),
    )?;
    let mut one = Side::new(one, std::mem::take(&mut shared.requests), Account::taken);
    let mut other = Side::new(other, later, Account::taken);

    // Hosts and server run already, on all processors.
    let pinned = Command::new("taskset")
        .args(["-a", "-p", "-c", "0", &std::process::id().to_string()])
        .output()
        .context("taskset")?;
    ensure!(
        pinned.status.success(),
        "this process cannot be given one processor"
    );

    let half = Plan {
        round: plan.round / 2,
        ..*plan
    };
    for number in 0..plan.before + plan.rounds {
        if number % 2 == 0 {
            alone.round(plan).await?;
        }
        let (first, second) = tokio::join!(one.round(&half), other.round(&half));
        first.and(second)?;
        if number % 2 == 1 {
            alone.round(plan).await?;
        }
    }
    let (alone, one, other) = (alone.end(plan), one.end(plan), other.end(plan));
    for (root, address) in [(alone_root, &alone_at), (shared.root(), &shared_at)] {
        let paid = settled_at(&root, Some(address.url())).await?;
        ensure!(paid == count as u64, "{paid} of {count} payments are paid");
    }

    // A round of two ends with the slower one.
    let both: Vec<Round> = one
        .iter()
        .zip(&other)
        .map(|(one, other)| Round {
            took: one.took.max(other.took),
            server: one.server + other.server,
            crowd: Duration::ZERO,
        })
        .collect();
    for (name, rounds) in [("one host", &alone), ("two hosts", &both)] {
        println!(
            "{name}: {:.0} notifications a second; the hosts' processor time for each: {:?}",
            each(plan, rounds, |round| round.took).as_secs_f64().recip(),
            each(plan, rounds, |round| round.server),
        );
    }
    let ratios = alone
        .iter()
        .zip(&both)
        .map(|(alone, both)| alone.took.div_duration_f64(both.took));
    let [least, lower, median, upper, most] = quartiles(ratios.collect()).context("no rounds")?;
    println!(
        "two against one, pair by pair: median {median:.3}, quartiles {lower:.3} and {upper:.3}, from {least:.3} to {most:.3}",
    );
    Ok(())
}
