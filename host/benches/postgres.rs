//! Durable creates per second in PostgreSQL: the store with 64 callers against `pgbench` with as many clients, which writes
//! the same rows by one prepared statement, each in a transaction of its own; the goal is at least 0.6 of it. The server is
//! one of its own that waits for the disk. The two take turns of a round each, in a database each.
//!
//! `cargo bench -p walnut --bench postgres`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod crowd;
    pub(crate) mod made;
    pub(crate) mod process;
    pub(crate) mod rounds;
}

use std::io::Write as _;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use stage::made::create;
use stage::rounds::{Plan, quartiles};
use tokio::runtime::Runtime;
use walnut::store::{Address, Store};
use walnut_test_postgres::{Database, Durability, Programs, Server};

const PLAN: Plan = Plan {
    round: 19_200,
    rounds: 12,
    before: 2,
};

/// Callers of the store, clients of pgbench.
const CALLERS: u32 = 64;

/// How much of pgbench's creates the store has to do.
const GOAL: f64 = 0.6;

/// What pgbench does for each create. Ids are in the order of time, as the host makes them.
const SCRIPT: &str = r#"\set n :n + 1
\set a ((1790000000000 + :n) << 16) | :client_id
\set b random(1, 4611686018427387904)
WITH made AS (
  INSERT INTO payment (id, domain, domain_id, test, brief, fee_minor, currency, price_minor, state, fail_why, hold, late,
    refunded_minor, created_ms, changed_ms, sent_ms, closed_ms, expires_ms, pay_type, target, presentation,
    presentation_content, presentation_until_ms, buyer_tp, buyer_id, buyer_name, callback_name, callback_kind,
    callback_digest, callback_len, applied_ms, applied_result, offers, platforms, meta, revision, ends_ms)
  VALUES (lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0'), 'shop',
    '0198f0c0000070008000000000000001', FALSE, 'a pot of tea', 8800, 'CNY', NULL, 'NEW', NULL, NULL, FALSE, 0,
    1790000000000, 1790000000000, 0, 0, 1790000900000, NULL, NULL, NULL, NULL, NULL, 2,
    lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0'), 'xiaobai', NULL, NULL, NULL, NULL, 0, NULL,
    '[]', '{}', '{"or":{"id":"A-' || :b::bigint || '"},"table":7}', 0, 1790000900000)
  RETURNING seq
), line AS (
  INSERT INTO history (payment, line, at_ms, cause, from_state, to_state, trade_no, statement, detail)
  SELECT seq, 1, 1790000000000, 'create', NULL, 'NEW', NULL, NULL, '{}' FROM made
)
INSERT INTO field_key (key, payment) SELECT key, seq FROM made, (VALUES (:b::bigint), (7::bigint)) AS keys (key);
"#;

fn main() -> Result<ExitCode> {
    let plan = PLAN.or_walk();
    let Some(programs) = Programs::find() else {
        println!("there is no PostgreSQL server here (Debian's package postgresql)");
        return Ok(ExitCode::SUCCESS);
    };
    let server = Server::start(programs, Durability::Full).map_err(|error| anyhow!(error))?;
    let database = || server.database().map_err(|error| anyhow!(error));
    let (own, plain) = (database()?, database()?);
    let store = Store::connect(&Address::parse(own.url())?)?;
    // The same tables and indexes.
    drop(Store::connect(&Address::parse(plain.url())?)?);
    let runtime = Runtime::new()?;

    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..plan.before + plan.rounds {
        let own = || {
            let begun = Instant::now();
            runtime.block_on(create(&store, plan.round, CALLERS));
            f64::from(plan.round) / begun.elapsed().as_secs_f64()
        };
        let plain = || pgbench(&server, &plain, plan.round, number);
        // Who begins alternates.
        let (one, other) = if number % 2 == 0 {
            let one = own();
            (one, plain()?)
        } else {
            let other = plain()?;
            (own(), other)
        };
        if number >= plan.before {
            ours.push(one);
            theirs.push(other);
            ratios.push(one / other);
        }
    }
    let stats = store.stats();
    let median =
        |figures: Vec<f64>| quartiles(figures).map_or(f64::NAN, |[.., median, _, _]| median);
    println!(
        "the store: {:.0} creates a second, {:.1} in one commit; pgbench: {:.0}",
        median(ours),
        stats.jobs as f64 / stats.commits.max(1) as f64,
        median(theirs),
    );
    let [least, lower, middle, upper, most] = quartiles(ratios).context("no rounds")?;
    println!(
        "the store against pgbench, round by round: median {middle:.3}, quartiles {lower:.3} and {upper:.3}, from {least:.3} to {most:.3}; goal: at least {GOAL}",
    );
    runtime.block_on(store.close());
    Ok(if middle >= GOAL {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Transactions a second of one round, without the time to connect.
fn pgbench(server: &Server, database: &Database, round: u32, number: usize) -> Result<f64> {
    let each = round / CALLERS;
    let mut command = server.programs().command("pgbench");
    command.args(["-n", "-M", "prepared", "-f", "-", "-j", "2"]);
    command.args(["-c", &CALLERS.to_string(), "-t", &each.max(1).to_string()]);
    // Each round's ids are after those of the last.
    command.args(["-D", &format!("n={}", number * round as usize)]);
    command.arg(database.url());
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("pgbench")?;
    running
        .stdin
        .take()
        .context("no input")?
        .write_all(SCRIPT.as_bytes())?;
    let said = running.wait_with_output()?;
    let text = String::from_utf8_lossy(&said.stdout);
    ensure!(
        said.status.success(),
        "pgbench: {text}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let found = text.lines().find_map(|line| {
        let (figure, _) = line.strip_prefix("tps = ")?.split_once(' ')?;
        figure.parse().ok()
    });
    found.with_context(|| format!("pgbench said nothing of its speed: {text}"))
}
