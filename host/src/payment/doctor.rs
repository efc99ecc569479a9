//! Looks a running host over, and says what is wrong with it and what to do: for `walnut doctor`.
//!
//! | file | looks at |
//! |---|---|
//! | `doctor.rs` | the whole, and what a finding is |
//! | `waiting` | what waits in the store for a person, or for too long |
//! | `machine` | the store, the disk, the data root, the clock |
//! | `trusted` | providers, targets with their certificates, the operator's keys |
//!
//! The HTTP room adds what it finds of its own certificate. Looking changes nothing and asks no platform.

mod machine;
mod trusted;
mod waiting;

use serde::Serialize;

use super::error::{PayError, Result};
use super::model::Ams;
use super::{Payments, now_ms};

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// Something does not work, or will not soon, or waits for a person.
    Wrong,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// The stable word for it.
    pub code: &'static str,
    /// How much it matters.
    pub gravity: Gravity,
    /// What is so, in a sentence.
    pub what: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub todo: String,
}

/// What there is to find. Each stands in `docs/operations/doctor.md`, in this order.
pub const CODES: &[&str] = &[
    "d.store.down",
    "d.store.schema",
    "d.disk.room",
    "d.root.permissions",
    "d.root.key",
    "d.clock",
    "d.descriptors",
    "d.address",
    "d.gateways",
    "d.payments.held",
    "d.payments.old",
    "d.questions.late",
    "d.deliveries.dead",
    "d.deliveries.late",
    "d.refunds.stuck",
    "d.refunds.late",
    "d.notifications",
    "d.provider.unsigned",
    "d.provider.unusable",
    "d.target.unusable",
    "d.certificate",
    "d.key",
    "d.tls.certificate",
    "d.tls.files",
    "d.tls.name",
    "d.host.unreachable",
    "d.host.refuses",
    "d.target.test",
];

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn wrong(
        &mut self,
        code: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.add(code, Gravity::Wrong, what.into(), todo.into());
    }

    pub(crate) fn note(
        &mut self,
        code: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.add(code, Gravity::Note, what.into(), todo.into());
    }

    fn add(&mut self, code: &'static str, gravity: Gravity, what: String, todo: String) {
        debug_assert!(CODES.contains(&code), "{code}");
        self.0.push(Finding {
            code,
            gravity,
            what,
            todo,
        });
    }
}

/// What the host is, and what is wrong with it.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Diagnosis {
    /// The release that runs.
    pub version: &'static str,
    /// The host's clock.
    pub at: Ams,
    /// For how long it has been running, milliseconds.
    pub up_ms: u64,
    /// What keeps the payments: `SQLite` or `PostgreSQL`.
    pub store: &'static str,
    /// What was found; empty when all is well.
    pub findings: Vec<Finding>,
}

impl Payments {
    /// Looks everything over. One at a time.
    pub async fn diagnose(&self) -> Result<Diagnosis> {
        let _alone = self.0.diagnosing.try_acquire().map_err(|_| {
            PayError::too_busy("somebody else has the host looked over: try again in a moment")
        })?;
        let mut found = Findings::default();
        let answers = self.look_at_store(&mut found).await;
        self.look_at_machine(&mut found);
        // Everything else stands in the store.
        if answers {
            self.look_at_waiting(&mut found).await?;
            self.look_at_reach(&mut found).await?;
            let told = self.look_at_providers(&mut found).await?;
            self.look_at_targets(&mut found, told).await?;
            self.look_at_keys(&mut found).await?;
        }
        let up = self.0.begun.elapsed();
        Ok(Diagnosis {
            version: env!("CARGO_PKG_VERSION"),
            at: now_ms(),
            up_ms: u64::try_from(up.as_millis()).unwrap_or(u64::MAX),
            store: self.0.store.engine(),
            findings: found.0,
        })
    }
}

/// A span in words, in its largest unit.
pub(crate) fn span(ms: u64) -> String {
    let units = [
        (86_400_000, "days"),
        (3_600_000, "hours"),
        (60_000, "minutes"),
    ];
    let fitting = units.into_iter().find(|(unit, _)| ms >= 2 * unit);
    match fitting {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format!("{} seconds", ms / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/operations/doctor.md");

    #[test]
    fn the_page_has_every_finding() {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        let told: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(told, CODES);
    }

    #[test]
    fn a_span_is_told_in_a_unit_that_fits() {
        for (ms, words) in [
            (0, "0 seconds"),
            (119_999, "119 seconds"),
            (120_000, "2 minutes"),
            (7_300_000, "2 hours"),
            (86_400_000 * 9, "9 days"),
        ] {
            assert_eq!(span(ms), words);
        }
    }
}
