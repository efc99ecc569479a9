//! All payments that match as CSV (RFC 4180), a page at a time, so that neither side holds them all.

use std::io::{self, IsTerminal, Write};

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{Page, odd_list, part};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::table::Column;

/// What the user's document shows of payments.
const USUAL: &str =
    "id,ct:time,lm:time,st,fee,cur,brief,pay_tp,pay_target,buyer_nm,seller_nm,refunded";

/// Payments of one page. The host takes no more, and its answers are bounded in bytes too.
const PAGE: u64 = 500;

/// Writes the payments to standard output, and on standard error how far it is.
pub(super) async fn export(
    client: &Client,
    matching: &Map<String, Value>,
    page: &Page,
    columns: Option<&str>,
) -> Result<Output, CliError> {
    let columns = Column::parse_all(columns.unwrap_or(USUAL))?;
    let mut progress = Progress::default();
    match pages(client, matching, page, &columns, &mut progress).await {
        Ok(()) => Ok(Output::default().with_note(format!(
            "{}{} payments",
            progress.over(),
            progress.rows
        ))),
        // `… --csv | head` is no mistake.
        Err(Stop::NobodyReads) => Ok(Output::default()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Why an export ends early.
enum Stop {
    Failed(CliError),
    NobodyReads,
}

impl From<CliError> for Stop {
    fn from(error: CliError) -> Stop {
        Stop::Failed(error)
    }
}

impl From<csv::Error> for Stop {
    fn from(error: csv::Error) -> Stop {
        match error.kind() {
            csv::ErrorKind::Io(io) if io.kind() == io::ErrorKind::BrokenPipe => Stop::NobodyReads,
            _ => Stop::Failed(CliError::usage(format!("cannot write the result: {error}"))),
        }
    }
}

async fn pages(
    client: &Client,
    matching: &Map<String, Value>,
    page: &Page,
    columns: &[Column],
    progress: &mut Progress,
) -> Result<(), Stop> {
    let zone = TimeZone::system();
    let mut out = csv::Writer::from_writer(io::BufWriter::new(io::stdout().lock()));
    out.write_record(columns.iter().map(|column| column.key.as_str()))?;
    let most = page.limit.unwrap_or(u64::MAX);
    let mut part_of = Page {
        sort: page.sort.clone(),
        skip: page.skip,
        after: Some(String::new()),
        ..Page::default()
    };
    while progress.rows < most {
        part_of.limit = Some(PAGE.min(most - progress.rows));
        let (items, pager) = part(client, matching, &part_of).await?;
        progress.rows += items.len() as u64;
        for item in &items {
            let Value::Object(item) = item else {
                return Err(odd_list().into());
            };
            let cells = columns.iter().map(|column| safe(column.text(item, &zone)));
            out.write_record(cells)?;
        }
        // A page at a time, so that whoever stops reading stops the export.
        out.flush().map_err(csv::Error::from)?;
        let next = pager.as_ref().and_then(|pager| pager.get("next"));
        let Some(next) = next.and_then(Value::as_str) else {
            break;
        };
        part_of.after = Some(next.to_owned());
        part_of.skip = None;
        progress.tell();
    }
    out.flush().map_err(csv::Error::from)?;
    Ok(())
}

/// A text that a spreadsheet would run as a formula stands behind an apostrophe: briefs and names come from strangers.
fn safe(text: String) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.len() > 1 {
        true => format!("'{text}"),
        false => text,
    }
}

#[derive(Default)]
struct Progress {
    rows: u64,
}

impl Progress {
    /// On a terminal in one line that changes; elsewhere only the end is told.
    fn tell(&self) {
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r{} payments …", self.rows);
        }
    }

    /// What makes room for the last word.
    fn over(&self) -> &'static str {
        if io::stderr().is_terminal() {
            "\r\u{1b}[K"
        } else {
            ""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, told) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("@sum", "'@sum"),
            ("-", "-"),
            ("2300", "2300"),
            ("一杯=茶", "一杯=茶"),
        ] {
            assert_eq!(safe(text.to_owned()), told);
        }
    }
}
