//! What went wrong with a plugin: told to its owner without a secret or the body of a message.

use std::fmt::{self, Write as _};
use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::{limits, stubs};
use crate::payment::model::Digest;

/// What kind of thing happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Kind {
    /// The guest stopped itself or broke a rule of WebAssembly: an assertion, a division by zero, endless recursion.
    Trap,
    /// It took more time than it has.
    Timeout,
    /// It wanted more memory than it has.
    Memory,
    /// It did what a plugin may not do.
    Denied,
    /// It answered something that the contract does not allow.
    Guest,
    /// All instances are in use: try again later.
    Busy,
    /// The host could not do its part: the component is gone, or cannot be made ready.
    Unavailable,
    /// The store does not answer: nothing of it is the plugin's fault, and later it may.
    Down,
}

impl Kind {
    /// The word that logs and owners see.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Trap => "trap",
            Kind::Timeout => "timeout",
            Kind::Memory => "memory",
            Kind::Denied => "denied",
            Kind::Guest => "guest",
            Kind::Busy => "busy",
            Kind::Unavailable => "unavailable",
            Kind::Down => "down",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call that did not come to its end. Shown on one line; [`PluginError::full`] tells everything.
#[derive(Clone, Debug, thiserror::Error)]
#[error("plugin {plugin} ({short}): {kind}: {what}", short = short(.digest))]
pub struct PluginError {
    /// The provider's name, or the name under which the owner uploaded the callback.
    pub plugin: String,
    /// Of the component, or of the text of a script.
    pub digest: Digest,
    /// Of the component that ran the script; none where the plugin is a component itself.
    pub runner: Option<Box<Digest>>,
    /// What kind of thing happened.
    pub kind: Kind,
    /// What happened, in English, on one line.
    pub what: Box<str>,
    /// The end of what the guest logged in this call.
    pub log_tail: Box<str>,
    /// The functions that the guest was in, the innermost first, one a line; empty where it was in none.
    pub backtrace: Box<str>,
}

impl PluginError {
    /// Everything, on several lines.
    pub fn full(&self) -> String {
        let mut text = match &self.runner {
            None => format!("{self}\ncomponent sha256 {}", self.digest),
            Some(runner) => format!(
                "{self}\nscript sha256 {}, run by the component sha256 {runner}",
                self.digest
            ),
        };
        for (title, part) in [("log", &self.log_tail), ("backtrace", &self.backtrace)] {
            if !part.is_empty() {
                let _ = write!(text, "\n{title}:");
                for line in part.lines() {
                    let _ = write!(text, "\n  {line}");
                }
            }
        }
        text
    }
}

/// Twelve digits tell components apart, and fit a line.
fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

/// Why the host ended a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("used its {} ms of CPU time", .0.as_millis())]
    Cpu(Duration),
    #[error("did not end within {} ms", .0.as_millis())]
    Wall(Duration),
    #[error("wanted {wanted} bytes of memory in all; a call may have {limit}", limit = limits::CALL_BYTES)]
    Memory { wanted: usize },
    #[error("wanted a memory or table larger than its own limit or the machine allows")]
    Growth,
    #[error("called the host more than {limit} times", limit = limits::HOST_CALLS)]
    HostCalls,
    #[error("{0}")]
    Contract(String),
    #[error("all instances are in use")]
    Busy,
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Down(String),
}

impl Stop {
    fn kind(&self) -> Kind {
        match self {
            Stop::Cpu(_) | Stop::Wall(_) => Kind::Timeout,
            Stop::Memory { .. } | Stop::Growth => Kind::Memory,
            Stop::HostCalls => Kind::Denied,
            Stop::Contract(_) => Kind::Guest,
            Stop::Busy => Kind::Busy,
            Stop::Unavailable(_) => Kind::Unavailable,
            Stop::Down(_) => Kind::Down,
        }
    }
}

/// Which component or script a call is about.
#[derive(Clone, Debug)]
pub(super) struct Who {
    plugin: String,
    digest: Digest,
    runner: Option<Digest>,
}

impl Who {
    /// A component, by the name that its owner knows.
    pub(super) fn component(plugin: impl Into<String>, digest: Digest) -> Who {
        Who {
            plugin: plugin.into(),
            digest,
            runner: None,
        }
    }

    /// A script, and the component that runs it.
    pub(super) fn script(plugin: impl Into<String>, digest: Digest, runner: Digest) -> Who {
        Who {
            runner: Some(runner),
            ..Who::component(plugin, digest)
        }
    }

    /// The name that its owner knows.
    pub(super) fn name(&self) -> &str {
        &self.plugin
    }

    /// The first digits of its digest.
    pub(super) fn short_digest(&self) -> String {
        short(&self.digest)
    }

    /// Whether it is a script.
    pub(super) fn is_script(&self) -> bool {
        self.runner.is_some()
    }

    /// An error before there was an instance.
    pub(super) fn stopped(&self, stop: &Stop) -> PluginError {
        PluginError {
            plugin: self.plugin.clone(),
            digest: self.digest,
            runner: self.runner.map(Box::new),
            kind: stop.kind(),
            what: stop.to_string().into(),
            log_tail: Box::default(),
            backtrace: Box::default(),
        }
    }

    /// An error out of an instance.
    pub(super) fn failed(&self, error: &wasmtime::Error, log_tail: String) -> PluginError {
        let (kind, mut what) = if let Some(stop) = error.downcast_ref::<Stop>() {
            (stop.kind(), stop.to_string())
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            (Kind::Trap, self.trapped(*trap))
        } else if error.is::<PoolConcurrencyLimitError>() {
            (Kind::Busy, error.to_string())
        } else {
            (Kind::Trap, one_line(error.root_cause()))
        };
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        if let Some(Trap::UnreachableCodeReached) = error.downcast_ref::<Trap>()
            && let Some(hint) = backtrace.and_then(explained)
        {
            let _ = write!(what, ": {hint}");
        }
        // Of a script it would show the engine's functions, which are not its owner's.
        let backtrace = backtrace
            .filter(|_| self.runner.is_none())
            .map(frames)
            .unwrap_or_default();
        PluginError {
            plugin: self.plugin.clone(),
            digest: self.digest,
            runner: self.runner.map(Box::new),
            kind,
            what: what.into(),
            log_tail: log_tail.into(),
            backtrace: backtrace.into(),
        }
    }

    /// The engine of scripts has its stack at the start of its memory: when one of the two ends, so does the other soon.
    fn trapped(&self, trap: Trap) -> String {
        match trap {
            Trap::StackOverflow | Trap::MemoryOutOfBounds if self.runner.is_some() => {
                "the script is nested too deeply, or calls itself without end".to_owned()
            }
            _ => trap
                .to_string()
                .trim_start_matches("wasm trap: ")
                .to_owned(),
        }
    }
}

/// The text of an error without the lines that a backtrace adds.
pub(super) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let text = error.to_string();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

/// An error with its causes, on one line.
pub(super) fn with_causes(error: &wasmtime::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = one_line(cause);
        if !text.is_empty() && parts.last() != Some(&text) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// What a guest did that stopped itself, where that is known.
fn explained(backtrace: &WasmBacktrace) -> Option<String> {
    let functions: Vec<_> = backtrace
        .frames()
        .iter()
        .map(|frame| frame.func_name())
        .collect();
    stubs::hint(&functions)
}

fn frames(backtrace: &WasmBacktrace) -> String {
    let mut text = String::new();
    for (at, frame) in backtrace.frames().iter().enumerate() {
        let _ = match frame.func_name() {
            Some(name) => writeln!(text, "{at}: {name}"),
            None => writeln!(text, "{at}: function {}", frame.func_index()),
        };
    }
    text
}
