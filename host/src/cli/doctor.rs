//! `walnut doctor`: looks over a running host, and says what is wrong and what to do.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::CliError;
use super::output::Output;

/// A difference of clocks that callers notice: times in answers, ends of keys.
const CLOCK_MS: u64 = 5_000;

/// `walnut doctor`
#[derive(Args)]
pub(super) struct Doctor {
    /// Make a harmless signed request with each target too, as walnut target test does; needs a root key
    #[arg(long)]
    targets: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What was found, here and there.
struct Seen {
    host: Value,
    findings: Vec<Value>,
}

impl Doctor {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        let begun = now_ms();
        let mut seen = match client.call(Call::get(&["pay", "doctor"])).await {
            Ok(mut host) => {
                let findings = host
                    .as_object_mut()
                    .and_then(|host| host.remove("findings"));
                let findings = match findings {
                    Some(Value::Array(findings)) => findings,
                    _ => Vec::new(),
                };
                Seen { host, findings }
            }
            Err(error) => Seen {
                host: Value::Null,
                findings: vec![unreached(error)?],
            },
        };
        seen.compare_clocks(begun, now_ms());
        if self.targets && !seen.host.is_null() {
            seen.try_targets(client).await?;
        }
        let code = u8::from(seen.findings.iter().any(is_wrong));
        let output = match self.json {
            true => Output::json(&json!({
                "ok": code == 0, "host": seen.host, "findings": seen.findings,
            })),
            false => Output::text(seen.in_words()),
        };
        Ok(Output { code, ..output })
    }
}

fn finding(code: &str, gravity: &str, what: impl Into<String>, todo: &str) -> Value {
    json!({ "code": code, "gravity": gravity, "what": what.into(), "do": todo })
}

fn is_wrong(finding: &Value) -> bool {
    finding.get("gravity").and_then(Value::as_str) == Some("wrong")
}

/// A host that cannot be looked over is what is wrong; a command line that cannot be used is another matter.
fn unreached(error: CliError) -> Result<Value, CliError> {
    let (code, todo) = match &error {
        CliError::Unreachable { .. } | CliError::NotWalnut { .. } => (
            "d.host.unreachable",
            "look whether the host runs and what its log said last, and whether --url or WALNUT_URL is right",
        ),
        CliError::Refused { .. } => (
            "d.host.refuses",
            "give a key of root or op by WALNUT_KEY, and look at the host's log",
        ),
        CliError::Usage(_) => return Err(error),
    };
    Ok(finding(code, "wrong", error.to_string(), todo))
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Seen {
    /// The host answered between these times.
    fn compare_clocks(&mut self, begun: u64, ended: u64) {
        let Some(there) = self.host.get("at").and_then(Value::as_u64) else {
            return;
        };
        let apart = begun.saturating_sub(there).max(there.saturating_sub(ended));
        if apart > CLOCK_MS {
            self.findings.push(finding(
                "d.clock",
                "note",
                format!(
                    "this machine's clock and the host's are {} seconds apart",
                    apart / 1_000
                ),
                "see which of them is wrong (timedatectl, chronyc tracking)",
            ));
        }
    }

    async fn try_targets(&mut self, client: &Client) -> Result<(), CliError> {
        let text = |of: &Value, name: &str| {
            of.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let list = |found: Value| match found {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        for domain in list(client.call(Call::get(&["pay", "domain"])).await?) {
            let domain = text(&domain, "name");
            let call = Call::get(&["pay", "target"]).query("domain", &domain);
            for target in list(client.call(call).await?) {
                if target.get("retired") == Some(&Value::Bool(true)) {
                    continue;
                }
                let (platform, name) = (text(&target, "platform"), text(&target, "name"));
                let call = Call::new(Method::POST, &["pay", "target", &platform, &name, "test"]);
                let said = match client.call(call.query("domain", &domain)).await {
                    Ok(data) if data.get("works") == Some(&Value::Bool(true)) => continue,
                    Ok(data) => text(&data, "said"),
                    Err(error @ (CliError::Unreachable { .. } | CliError::NotWalnut { .. })) => {
                        return Err(error);
                    }
                    Err(error) => error.to_string(),
                };
                self.findings.push(finding(
                    "d.target.test",
                    "wrong",
                    format!("the target {domain}: {platform}/{name} does not work: {said}"),
                    "let its owner compare its settings with the platform's console, and put them anew",
                ));
            }
        }
        Ok(())
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        // Writing into a text never fails.
        let host = |name: &str| self.host.get(name).and_then(Value::as_str).unwrap_or("?");
        if !self.host.is_null() {
            let up_ms = self.host.get("up_ms").and_then(Value::as_u64).unwrap_or(0);
            let _ = writeln!(
                text,
                "walnut {}, up for {} minutes, payments in {}",
                host("version"),
                up_ms / 60_000,
                host("store"),
            );
        }
        for finding in &self.findings {
            let part = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or("?");
            let mark = if is_wrong(finding) { "WRONG" } else { "note " };
            let _ = writeln!(
                text,
                "{mark}  {} ({})\n       {}",
                part("what"),
                part("code"),
                part("do")
            );
        }
        let wrong = self.findings.iter().filter(|found| is_wrong(found)).count();
        let notes = self.findings.len() - wrong;
        let _ = match (wrong, notes) {
            (0, 0) => writeln!(text, "all is well"),
            (0, notes) => writeln!(text, "nothing is wrong; to know: {notes}"),
            (wrong, notes) => writeln!(text, "wrong: {wrong}; to know: {notes}"),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_what_an_answer_takes() {
        for (there, told) in [(1_000, false), (9_000, false), (20_000, true), (0, false)] {
            let mut seen = Seen {
                host: json!({ "at": there }),
                findings: Vec::new(),
            };
            seen.compare_clocks(5_000, 8_000);
            assert_eq!(!seen.findings.is_empty(), told, "{there}");
        }
    }

    #[test]
    fn what_is_wrong_stands_with_what_to_do() {
        let mut seen = Seen {
            host: Value::Null,
            findings: Vec::new(),
        };
        assert_eq!(seen.in_words(), "all is well\n");
        seen.findings
            .push(finding("d.key", "note", "a key ends", "rotate it"));
        assert_eq!(
            seen.in_words(),
            "note   a key ends (d.key)\n       rotate it\nnothing is wrong; to know: 1\n"
        );
        seen.findings
            .push(finding("d.clock", "wrong", "late", "mend it"));
        assert!(
            seen.in_words()
                .ends_with("WRONG  late (d.clock)\n       mend it\nwrong: 1; to know: 1\n")
        );
    }
}
