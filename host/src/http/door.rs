//! What is counted of connections before there is a request that could be.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Why somebody was turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// The host holds as many connections as it may.
    Connections,
    /// Their source has as many as it may.
    Source,
    /// The system gave none, as when all descriptors are in use.
    System,
    /// There was no TLS handshake, or none that both agree on.
    Handshake,
    /// The handshake did not come to its end in time.
    SlowHandshake,
    /// The head of a request did not come to its end in time.
    SlowHead,
    /// The head was too large, or had too many headers.
    LargeHead,
    /// What came is no HTTP, or is forbidden by it.
    Malformed,
    /// Nobody read the answer.
    SlowReader,
}

const REASONS: [Why; 9] = [
    Why::Connections,
    Why::Source,
    Why::System,
    Why::Handshake,
    Why::SlowHandshake,
    Why::SlowHead,
    Why::LargeHead,
    Why::Malformed,
    Why::SlowReader,
];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Turned {
    reason: &'static str,
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Why::Connections => "connections",
            Why::Source => "source",
            Why::System => "system",
            Why::Handshake => "handshake",
            Why::SlowHandshake => "slow_handshake",
            Why::SlowHead => "slow_head",
            Why::LargeHead => "large_head",
            Why::Malformed => "malformed",
            Why::SlowReader => "slow_reader",
        }
    }
}

/// Where connections are counted. Copies are the same.
#[derive(Clone)]
pub(crate) struct Door {
    open: Gauge,
    turned: Family<Turned, Counter>,
}

/// An open connection, until this is dropped.
pub(super) struct Inside(Gauge);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Door {
    fn default() -> Door {
        let turned = Family::<Turned, Counter>::default();
        // What never happened is told too, so that the first of its kind is seen to be one more.
        for why in REASONS {
            drop(turned.get_or_create(&Turned { reason: why.word() }));
        }
        Door {
            open: Gauge::default(),
            turned,
        }
    }
}

impl Door {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Connections that are open";
        registry.register("walnut_connections_open", help, self.open.clone());
        let help = "Connections that were refused or cut, by the reason";
        registry.register("walnut_connections_turned_away", help, self.turned.clone());
    }

    pub(super) fn enter(&self) -> Inside {
        self.open.inc();
        Inside(self.open.clone())
    }

    pub(super) fn turn_away(&self, why: Why) {
        let reason = why.word();
        self.turned.get_or_create(&Turned { reason }).inc();
    }

    /// A connection that ended before its end, if that is anybody's doing but theirs who hang up.
    pub(super) fn ended(&self, error: &hyper::Error) {
        if let Some(why) = Why::of(error) {
            self.turn_away(why);
        }
    }
}

impl Why {
    fn of(error: &hyper::Error) -> Option<Why> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            let late = error
                .downcast_ref::<std::io::Error>()
                .and_then(|error| error.get_ref()?.downcast_ref::<super::pace::Late>());
            if let Some(late) = late {
                return Some(late.why());
            }
            cause = error.source();
        }
        match error {
            error if error.is_parse_too_large() => Some(Why::LargeHead),
            error if error.is_parse() => Some(Why::Malformed),
            _ => None,
        }
    }
}
