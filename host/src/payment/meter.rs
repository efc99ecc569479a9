//! What becomes of platforms' words: how soon they settle, and what of them was not taken.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Payments;
use crate::measured::{Kind, seconds};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Settlement {
    cause: &'static str,
    came_to: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Statement {
    platform: String,
    cause: &'static str,
}

/// What became of a notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notified {
    /// It was taken.
    Taken,
    /// It was about a trade or an account of this host, and did not hold or proves nothing.
    Refused,
    /// It was about nothing of this host.
    Unknown,
    /// The platform tried whether signatures are verified.
    Probe,
    /// It was too much of what does not verify, and not looked at.
    Unseen,
    /// The host could not do its part.
    Ours,
    /// It was not handled in time.
    Late,
}

impl Notified {
    const ALL: [Notified; 7] = [
        Notified::Taken,
        Notified::Refused,
        Notified::Unknown,
        Notified::Probe,
        Notified::Unseen,
        Notified::Ours,
        Notified::Late,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Notified::Taken => "taken",
            Notified::Refused => "refused",
            Notified::Unknown => "unknown",
            Notified::Probe => "probe",
            Notified::Unseen => "unseen",
            Notified::Ours => "ours",
            Notified::Late => "late",
        }
    }
}

/// How a try of a delivery may end.
const TRIES: [&str; 5] = ["applied", "failed", "dead", "busy", "conflict"];

/// Counts of one host's verbs.
pub(super) struct Meter {
    settled: Family<Settlement, Counter>,
    times: Family<Cause, Histogram>,
    refused: Family<Statement, Counter>,
    notified: Family<Kind, Counter>,
    delivered: Family<Kind, Counter>,
    not_kept: Counter,
}

impl Default for Meter {
    fn default() -> Meter {
        // What did not happen yet is told as 0, so that its first time is seen as a change.
        let (notified, delivered) = (Family::default(), Family::default());
        for kind in Notified::ALL.map(Notified::as_str) {
            drop(notified.get_or_create(&Kind { kind }));
        }
        for kind in TRIES {
            drop(delivered.get_or_create(&Kind { kind }));
        }
        Meter {
            settled: Family::default(),
            times: Family::new_with_constructor(seconds),
            refused: Family::default(),
            notified,
            delivered,
            not_kept: Counter::default(),
        }
    }
}

impl Meter {
    /// A statement that came then was acted upon, and what follows is durable.
    pub(super) fn settled(&self, cause: &'static str, came_to: &'static str, came: Instant) {
        self.settled
            .get_or_create(&Settlement { cause, came_to })
            .inc();
        let took = came.elapsed().as_secs_f64();
        self.times.get_or_create(&Cause { cause }).observe(took);
    }

    /// A verified statement is about another trade or account, or does not state what its claim needs.
    pub(super) fn statement_refused(&self, platform: &str, cause: &'static str) {
        let platform = platform.to_owned();
        self.refused
            .get_or_create(&Statement { platform, cause })
            .inc();
    }

    pub(super) fn notified(&self, what: Notified) {
        let kind = what.as_str();
        self.notified.get_or_create(&Kind { kind }).inc();
    }

    /// A try of a delivery ended: one of [`TRIES`].
    pub(super) fn delivered(&self, kind: &'static str) {
        self.delivered.get_or_create(&Kind { kind }).inc();
    }

    /// Refusals that the audit log does not have, as the store was behind.
    pub(super) fn refusals_not_kept(&self, times: u32) {
        self.not_kept.inc_by(times.into());
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "walnut_statements",
            "Verified statements that were acted upon, by how they came and what they came to",
            self.settled.clone(),
        );
        registry.register_with_unit(
            "walnut_settle",
            "From when a platform's notification or answer came until what it states is durable",
            Unit::Seconds,
            self.times.clone(),
        );
        registry.register(
            "walnut_statements_refused",
            "Verified statements that are about another trade or account, or do not state enough",
            self.refused.clone(),
        );
        registry.register(
            "walnut_notifications",
            "Notifications by what became of them: taken, refused, unknown, probe, unseen, ours, late",
            self.notified.clone(),
        );
        registry.register(
            "walnut_delivery_tries",
            "Tries of callback deliveries by how they ended: applied, failed, dead, busy, conflict",
            self.delivered.clone(),
        );
        registry.register(
            "walnut_refusals_not_kept",
            "Refusals that are not in the audit log, as the store was behind",
            self.not_kept.clone(),
        );
    }
}

impl Payments {
    pub(super) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Has everything told that this room and those below it count.
    pub(crate) fn measure(&self, registry: &mut Registry) {
        self.0.meter.register(registry);
        self.0.plugins.measure(registry);
        self.0.store.measure(registry);
    }

    /// Tells what is in use now.
    pub(crate) fn measure_now(&self, registry: &mut Registry) {
        self.0.plugins.measure_now(registry);
    }
}
