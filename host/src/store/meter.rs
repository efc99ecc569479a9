//! How the store writes: what a commit takes and carries, and how long whoever writes waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Stats;
use crate::measured::seconds;

/// Bounds of what one commit carries; the embedded engine's largest is 256.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counts of one open store.
#[derive(Debug)]
pub(super) struct Meter {
    commits: AtomicU64,
    jobs: AtomicU64,
    commit: Histogram,
    batch: Histogram,
    waited: Histogram,
    failed: Counter,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter {
            commits: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
            commit: seconds(),
            batch: Histogram::new(BATCHES),
            waited: seconds(),
            failed: Counter::default(),
        }
    }
}

impl Meter {
    /// A transaction of so many verbs is durable.
    pub(super) fn committed(&self, jobs: usize, took: Duration) {
        let jobs = u32::try_from(jobs).unwrap_or(u32::MAX);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.jobs.fetch_add(u64::from(jobs), Ordering::Relaxed);
        self.commit.observe(took.as_secs_f64());
        self.batch.observe(f64::from(jobs));
    }

    /// A transaction failed for another reason than its verbs' own, and is not tried again.
    pub(super) fn failed(&self) {
        self.failed.inc();
    }

    /// A caller's verb was answered.
    pub(super) fn answered(&self, waited: Duration) {
        self.waited.observe(waited.as_secs_f64());
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commits: self.commits.load(Ordering::Relaxed),
            jobs: self.jobs.load(Ordering::Relaxed),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let mut times = |name, help, histogram: &Histogram| {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        };
        times(
            "walnut_store_commit",
            "From the beginning of a transaction until it is durable",
            &self.commit,
        );
        times(
            "walnut_store_write",
            "From when something is to be written until whoever wrote it is answered",
            &self.waited,
        );
        registry.register(
            "walnut_store_commit_batch",
            "Verbs that one transaction carried",
            self.batch.clone(),
        );
        registry.register(
            "walnut_store_commit_failures",
            "Transactions that failed and are not tried again",
            self.failed.clone(),
        );
    }
}
