//! `walnut reconcile`: the platforms' bills of a day against the host's payments.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::{Call, Client};
use super::error::CliError;
use super::output::Output;
use super::table::{self, ListFlags};

/// Longest time for all bills: each may take five minutes to come.
const WITHIN: Duration = Duration::from_secs(3600);

/// Exit code where the sides differ.
const DIFFERENT: u8 = 2;
/// Exit code where a bill could not be had.
const IN_PART: u8 = 1;

/// `walnut reconcile`
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 all agree, 1 a bill could not be had or the host refused, 2 the sides differ or \
                        wrong usage, 3 no host."
)]
pub(super) struct Reconcile {
    /// The day, YYYY-MM-DD; in China's time zone, or UTC for PayPal
    #[arg(long, value_name = "DAY")]
    day: String,
    /// Only this platform, such as wx
    #[arg(long)]
    platform: Option<String>,
    /// Only the target of this name
    #[arg(long)]
    target: Option<String>,
    /// Whose; for root
    #[arg(long)]
    domain: Option<String>,
    /// As JSON, with everything that the host tells
    #[arg(long)]
    json: bool,
}

impl Reconcile {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        let mut body = json!({ "day": self.day });
        let fields = [
            ("platform", self.platform),
            ("target", self.target),
            ("domain", self.domain),
        ];
        for (name, value) in fields {
            if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
                body.insert(name.to_owned(), value.into());
            }
        }
        let call = Call::post(&["pay", "ajax", "reconcile"], body).within(WITHIN);
        let report = client.call(call).await?;
        let output = match self.json {
            true => Output::json(&report),
            false => Output::text(shown(&report)?),
        };
        Ok(Output {
            code: code(&report),
            ..output
        })
    }
}

fn targets(report: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let targets = report.get("targets").and_then(Value::as_array);
    targets.into_iter().flatten().filter_map(Value::as_object)
}

fn differences(target: &Map<String, Value>) -> &[Value] {
    let listed = target.get("differences").and_then(Value::as_array);
    listed.map_or(&[], Vec::as_slice)
}

fn code(report: &Value) -> u8 {
    if targets(report).any(|target| !differences(target).is_empty()) {
        DIFFERENT
    } else if targets(report).any(|target| target.get("status") == Some(&json!("failed"))) {
        IN_PART
    } else {
        0
    }
}

/// The accounts, and below them where they differ.
fn shown(report: &Value) -> Result<String, CliError> {
    let accounts = targets(report).map(|target| {
        let mut account = target.clone();
        account.insert("differences".to_owned(), json!(count(target)));
        account
    });
    let mut text = table(
        accounts.collect(),
        "platform,target,status,rows,agreed,differences,about_midnight,error",
    )?;
    let mut different = Vec::new();
    for target in targets(report) {
        let place = |name: &str| target.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = format!("{}/{}", place("platform"), place("target"));
        for difference in differences(target).iter().filter_map(Value::as_object) {
            let mut row = difference.clone();
            row.insert("target".to_owned(), json!(place));
            different.push(row);
        }
    }
    if !different.is_empty() {
        text.push('\n');
        text.push_str(&table(
            different,
            "target,kind,trade_no,refund_no,here.state,here.fee,there.state,there.fee,there.cur,asked,note",
        )?);
    }
    Ok(text)
}

fn count(target: &Map<String, Value>) -> u64 {
    let left_off = target.get("left_off").and_then(Value::as_u64).unwrap_or(0);
    left_off.saturating_add(u64::try_from(differences(target).len()).unwrap_or(u64::MAX))
}

fn table(items: Vec<Map<String, Value>>, columns: &str) -> Result<String, CliError> {
    let flags = ListFlags {
        table: Some(columns.to_owned()),
        border: true,
        header: true,
        summary: true,
        ..ListFlags::default()
    };
    table::list(&flags, items, None, &jiff::tz::TimeZone::system())
}
