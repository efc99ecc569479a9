//! What calls take, how they end, and what of platforms' messages does not verify.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing::{Span, field};

use super::callback::ForCallback;
use super::error::Who;
use super::limits;
use super::provider::ForProvider;
use crate::logging::SPANS;
use crate::measured::{Kind, seconds};
use crate::trust::{Failure, Origin};

/// Bounds of what memory a call has; a mebibyte to what it may have.
const MEMORY: [f64; 7] = [
    262_144.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    limits::CALL_BYTES as f64,
];

/// Providers that are told apart; more were not approved in the life of one process.
const PROVIDERS: usize = 64;

/// Whose calls are counted together: a provider's by its component, those of all callbacks, those of all scripts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct Plugin {
    /// A provider's name, `callback`, `script`, or `admission` for what is only looked at.
    plugin: Cow<'static, str>,
    /// The first digits of a provider's digest; empty for the others.
    digest: String,
}

impl Plugin {
    fn of_all(plugin: &'static str) -> Plugin {
        Plugin {
            plugin: Cow::Borrowed(plugin),
            digest: String::new(),
        }
    }

    /// A call of it, in what it is made for.
    pub(super) fn span(&self) -> Span {
        let Plugin { plugin, digest } = self;
        tracing::info_span!(
            target: SPANS, "plugin", otel.name = format_args!("call of {plugin}"),
            walnut.plugin = &**plugin, walnut.digest = digest.as_str(), walnut.end = field::Empty,
        )
    }

    /// What is looked at before anybody approved it.
    pub(super) fn in_admission() -> Plugin {
        Plugin::of_all("admission")
    }
}

/// A world, as its calls are counted.
pub(super) trait Counted {
    /// Whose a call is.
    fn plugin(who: &Who) -> Plugin;
}

impl Counted for ForProvider {
    fn plugin(who: &Who) -> Plugin {
        Plugin {
            plugin: Cow::Owned(who.name().to_owned()),
            digest: who.short_digest(),
        }
    }
}

impl Counted for ForCallback {
    fn plugin(who: &Who) -> Plugin {
        Plugin::of_all(if who.is_script() {
            "script"
        } else {
            "callback"
        })
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Ended {
    plugin: Cow<'static, str>,
    digest: String,
    end: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Unverified {
    platform: String,
    message: &'static str,
    reason: &'static str,
}

/// How a call may end.
const ENDS: [&str; 6] = ["ok", "trap", "timeout", "memory", "denied", "guest"];
/// What a message may be, and why it may not verify.
const MESSAGES: [&str; 2] = ["notification", "answer"];
const REASONS: [&str; 5] = [
    "unknown_scheme",
    "unknown_key",
    "stale",
    "bad_signature",
    "malformed",
];

/// Counts of one sandbox.
pub(super) struct Meter {
    ends: Family<Ended, Counter>,
    times: Family<Plugin, Histogram>,
    memory: Family<Plugin, Histogram>,
    busy: Family<Kind, Counter>,
    unverified: Family<Unverified, Counter>,
    known: Mutex<HashSet<Plugin>>,
}

impl Default for Meter {
    fn default() -> Meter {
        let busy = Family::default();
        for kind in ["reading", "asking", "callbacks"] {
            drop(busy.get_or_create(&Kind { kind }));
        }
        Meter {
            ends: Family::default(),
            times: Family::new_with_constructor(seconds),
            memory: Family::new_with_constructor(|| Histogram::new(MEMORY)),
            busy,
            unverified: Family::default(),
            known: Mutex::default(),
        }
    }
}

impl Meter {
    /// A call ended so: `ok`, or the word of what ended it.
    pub(super) fn ended(&self, plugin: Plugin, end: &'static str, took: Duration, memory: u64) {
        let plugin = self.told_apart(plugin);
        self.times
            .get_or_create(&plugin)
            .observe(took.as_secs_f64());
        let bytes = u32::try_from(memory).unwrap_or(u32::MAX);
        self.memory.get_or_create(&plugin).observe(f64::from(bytes));
        let Plugin { plugin, digest } = plugin;
        self.ends
            .get_or_create(&Ended {
                plugin,
                digest,
                end,
            })
            .inc();
    }

    /// However many components an operator approves, what is counted stays bounded.
    fn told_apart(&self, plugin: Plugin) -> Plugin {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&plugin) {
            return plugin;
        }
        if known.len() >= PROVIDERS {
            return Plugin::of_all("other");
        }
        known.insert(plugin.clone());
        plugin
    }

    /// A provider was loaded: what did not happen to it yet is told as 0, so that its first time is seen as a change.
    pub(super) fn expects(&self, who: &Who) {
        let plugin = self.told_apart(ForProvider::plugin(who));
        for end in ENDS {
            let Plugin { plugin, digest } = plugin.clone();
            drop(self.ends.get_or_create(&Ended {
                plugin,
                digest,
                end,
            }));
        }
        for message in MESSAGES {
            for reason in REASONS {
                drop(self.unverified.get_or_create(&Unverified {
                    platform: who.name().to_owned(),
                    message,
                    reason,
                }));
            }
        }
    }

    /// A call of this kind found no place.
    pub(super) fn found_no_place(&self, kind: &'static str) {
        self.busy.get_or_create(&Kind { kind }).inc();
    }

    /// A message to, or an answer of, this platform did not verify.
    pub(super) fn not_verified(&self, platform: &str, origin: &Origin, failure: &Failure) {
        let unverified = Unverified {
            platform: platform.to_owned(),
            message: match origin {
                Origin::Notification => "notification",
                Origin::Answer { .. } => "answer",
            },
            reason: match failure {
                Failure::UnknownScheme(_) => "unknown_scheme",
                Failure::UnknownKey(_) => "unknown_key",
                Failure::Stale => "stale",
                Failure::BadSignature => "bad_signature",
                Failure::Malformed(_) => "malformed",
            },
        };
        self.unverified.get_or_create(&unverified).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "walnut_plugin_calls",
            "Calls of providers and callbacks by how they ended: ok, trap, timeout, memory, denied, guest",
            self.ends.clone(),
        );
        registry.register_with_unit(
            "walnut_plugin_call",
            "What calls took, waiting for the platform included",
            Unit::Seconds,
            self.times.clone(),
        );
        registry.register_with_unit(
            "walnut_plugin_call_memory",
            "The most memory that calls had",
            Unit::Bytes,
            self.memory.clone(),
        );
        registry.register(
            "walnut_plugin_busy",
            "Calls that found no place in the pool of instances",
            self.busy.clone(),
        );
        registry.register(
            "walnut_verify_failures",
            "Signatures of platforms' messages that do not hold, by platform and reason",
            self.unverified.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::model::Digest;

    #[test]
    fn however_many_providers_there_are_what_is_counted_is_bounded() {
        let meter = Meter::default();
        for number in 0..1_000_u32 {
            let who = Who::component("wx", Digest::of(&number.to_be_bytes()));
            meter.ended(ForProvider::plugin(&who), "ok", Duration::ZERO, 1);
        }
        assert_eq!(meter.known.lock().unwrap().len(), PROVIDERS);
        let mut registry = Registry::default();
        meter.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
        let series = text
            .lines()
            .filter(|line| line.starts_with("walnut_plugin_calls_total{"));
        assert_eq!(series.count(), PROVIDERS + 1);
        assert!(
            text.contains("plugin=\"other\",digest=\"\",end=\"ok\"} 936"),
            "{text}"
        );
    }
}
