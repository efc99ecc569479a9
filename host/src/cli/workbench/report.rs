//! What a run did and cost, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::domain::shown;
use super::trial::{Outcome, Trial};
use super::web::Asked;
use crate::cli::output::Output;
use crate::cli::show;
use crate::plugin::{Observed, PluginError, Spent};

/// The report; its code is 0 when the callback answered what was wanted, else 1.
pub(super) fn of(trial: &Trial, json: bool) -> Output {
    let output = if json {
        Output::json(&for_programs(trial))
    } else {
        Output::text(for_people(trial))
    };
    Output {
        code: u8::from(!trial.succeeded()),
        ..output
    }
}

/// What is counted, by its name in JSON and its words.
fn counted(spent: &Spent) -> [(&'static str, &'static str, Unit, u64); 11] {
    use Unit::{Bytes, Count, Micros};
    [
        ("micros", "time", Micros, spent.micros),
        ("cpu_micros", "CPU time", Micros, spent.cpu_micros),
        ("memory_bytes", "memory", Bytes, spent.memory_bytes),
        ("host_calls", "calls to the host", Count, spent.host_calls),
        ("kv_reads", "kv keys read", Count, spent.kv_reads),
        ("kv_read_bytes", "kv bytes read", Bytes, spent.kv_read_bytes),
        ("kv_writes", "kv keys written", Count, spent.kv_writes),
        (
            "kv_write_bytes",
            "kv bytes written",
            Bytes,
            spent.kv_write_bytes,
        ),
        ("events", "events", Count, spent.events),
        ("requests", "requests", Count, spent.requests),
        ("answer_bytes", "answer", Bytes, spent.answer_bytes),
    ]
}

#[derive(Clone, Copy)]
enum Unit {
    Micros,
    Bytes,
    Count,
}

fn for_programs(trial: &Trial) -> Value {
    let mut report = Map::new();
    let mut put = |name: &str, value: Value| report.insert(name.to_owned(), value);
    put("sha256", json!(trial.digest.to_string()));
    put("len", json!(trial.len));
    put("answer", trial.answer().unwrap_or_default());
    put("error", json!(error(trial)));
    if let Some(expected) = &trial.expected {
        put("expected", expected.clone());
    }
    if let Outcome::Ran(seen) = &trial.outcome {
        let writes = seen.effects.writes.iter();
        let writes: Vec<Value> = writes
            .map(|(key, value)| json!({ "key": key, "value": value.as_deref().map(shown) }))
            .collect();
        let events = seen.effects.events.iter();
        let events: Vec<Value> = events
            .map(|(name, data)| json!({ "name": name, "data": parsed(data) }))
            .collect();
        put("kv", writes.into());
        put("events", events.into());
        let requests = trial
            .domain
            .answers
            .asked(|asked| asked.iter().map(Asked::to_json).collect::<Vec<_>>());
        put("requests", requests.into());
        put("log", json!(seen.log.lines().collect::<Vec<_>>()));
        let mut used = Map::new();
        for ((name, _, _, spent), (_, _, _, limit)) in both(&seen.spent) {
            used.insert(name.to_owned(), json!({ "used": spent, "limit": limit }));
        }
        put("used", used.into());
    }
    Value::Object(report)
}

type Counted = (&'static str, &'static str, Unit, u64);

fn both(spent: &Spent) -> impl Iterator<Item = (Counted, Counted)> {
    counted(spent).into_iter().zip(counted(&Spent::LIMITS))
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json!(json))
}

/// Why there is no answer, in full.
fn error(trial: &Trial) -> Option<String> {
    match &trial.outcome {
        Outcome::Refused(refusal) => Some(format!("a host refuses this callback: {refusal}")),
        Outcome::NotBegun(error) => Some(error.full()),
        Outcome::Ran(seen) => match &seen.end {
            Ok(Ok(_)) => None,
            Ok(Err(text)) => Some(text.clone()),
            Err(error) => Some(without_log(error)),
        },
    }
}

/// The log is shown whole already.
fn without_log(error: &PluginError) -> String {
    let error = PluginError {
        log_tail: Box::default(),
        ..error.clone()
    };
    error.full()
}

fn for_people(trial: &Trial) -> String {
    let mut out = String::new();
    match (trial.answer(), error(trial)) {
        (Some(answer), _) => part(&mut out, "answer", [inline(&answer)]),
        (None, error) => {
            let error = error.unwrap_or_default();
            part(&mut out, "error", error.lines().map(str::to_owned));
        }
    }
    if let Some(expected) = &trial.expected
        && !trial.succeeded()
    {
        part(&mut out, "expected", [inline(expected)]);
    }
    if let Outcome::Ran(seen) = &trial.outcome {
        effects(&mut out, seen);
        let requests = trial
            .domain
            .answers
            .asked(|asked| asked.iter().map(request).collect::<Vec<_>>());
        part(&mut out, "requests (none is sent)", requests);
        part(&mut out, "log", seen.log.lines().map(str::to_owned));
        part(&mut out, "used", used(&seen.spent));
    }
    out
}

fn effects(out: &mut String, seen: &Observed) {
    let kept = matches!(seen.end, Ok(Ok(_)));
    let title = |name: &str| match kept {
        true => name.to_owned(),
        false => format!("{name} (not kept, since the run failed)"),
    };
    let writes = seen.effects.writes.iter().map(|(key, value)| match value {
        Some(value) => format!("{key} = {}", inline(&shown(value))),
        None => format!("{key} deleted"),
    });
    part(out, &title("kv"), writes);
    let events = seen.effects.events.iter();
    part(
        out,
        &title("events"),
        events.map(|(name, data)| format!("{name} {data}")),
    );
}

fn request(asked: &Asked) -> String {
    let request = &asked.request;
    format!(
        "{} {} (step {}): {}",
        request.method,
        request.url,
        request.step,
        asked.told()
    )
}

/// A title and its lines; nothing where there are none.
fn part(out: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    for (number, line) in lines.into_iter().enumerate() {
        if number == 0 {
            let _ = writeln!(out, "{title}:");
        }
        let _ = writeln!(out, "  {line}");
    }
}

fn inline(value: &Value) -> String {
    let style = show::Style {
        compact: true,
        ..show::Style::STRICT
    };
    show::json(value, style)
}

/// A line for each limit: what was used, the limit, and the share of it.
fn used(spent: &Spent) -> Vec<String> {
    both(spent)
        .map(|((_, words, unit, used), (_, _, _, limit))| {
            let (used_text, limit_text) = (unit.shown(used), unit.shown(limit));
            format!(
                "{words:<18} {used_text:>10} of {limit_text:>10} {:>7}",
                share(used, limit)
            )
        })
        .collect()
}

impl Unit {
    fn shown(self, amount: u64) -> String {
        match self {
            Unit::Micros if amount < 10_000 => {
                format!("{}.{:02} ms", amount / 1_000, amount % 1_000 / 10)
            }
            Unit::Micros => format!("{} ms", amount / 1_000),
            Unit::Bytes if amount < 10_240 => format!("{amount} B"),
            Unit::Bytes if amount < 10_240 << 10 => format!("{} KiB", amount >> 10),
            Unit::Bytes => format!("{} MiB", amount >> 20),
            Unit::Count => amount.to_string(),
        }
    }
}

/// In tenths of a percent, rounded up, so that whatever was used shows.
fn share(used: u64, limit: u64) -> String {
    let tenths = used.saturating_mul(1_000).div_ceil(limit.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_up_and_units_fit_their_size() {
        assert_eq!(share(0, 256), "0.0 %");
        assert_eq!(share(1, 10_000), "0.1 %");
        assert_eq!(share(128, 256), "50.0 %");
        assert_eq!(share(40 << 20, 40 << 20), "100.0 %");
        assert_eq!(Unit::Micros.shown(1_234), "1.23 ms");
        assert_eq!(Unit::Micros.shown(3_000_000), "3000 ms");
        assert_eq!(Unit::Bytes.shown(2_300), "2300 B");
        assert_eq!(Unit::Bytes.shown(1 << 20), "1024 KiB");
        assert_eq!(Unit::Bytes.shown(40 << 20), "40 MiB");
    }

    #[test]
    fn every_limit_has_a_line() {
        let lines = used(&Spent {
            memory_bytes: 20 << 20,
            ..Spent::default()
        });
        assert_eq!(lines.len(), 11);
        let memory = lines
            .iter()
            .find(|line| line.starts_with("memory"))
            .unwrap();
        assert!(memory.contains("20 MiB of     40 MiB"), "{memory}");
        assert!(memory.ends_with("50.0 %"), "{memory}");
    }
}
