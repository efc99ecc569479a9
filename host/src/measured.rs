//! What rooms count with. Each counts its own, in values that belong to the host and not to the process; `/metrics` tells all.
//!
//! Labels are words of this program, platforms that the operator approved, or digests of those: never an id, and nothing
//! that a caller chose.

pub(crate) mod process;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds of times in seconds: from what a commit takes to what a platform is waited for.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Times in seconds.
pub(crate) fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// One label.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
}

/// A gauge as it stands now.
pub(crate) fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    use prometheus_client::metrics::gauge::ConstGauge;
    registry.register(name, help, ConstGauge::new(value));
}

/// The same for several kinds.
pub(crate) fn gauges(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (&'static str, usize)>,
) {
    let family = Family::<Kind, Gauge>::default();
    for (kind, value) in values {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        family.get_or_create(&Kind { kind }).set(value);
    }
    registry.register(name, help, family);
}
