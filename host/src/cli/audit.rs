//! `walnut audit`: what was refused, and what was changed beside payments.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::client::{Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::output::Output;
use super::times;

/// `walnut audit`
#[derive(Args)]
pub(super) struct Audit {
    /// Only what is this domain's affair; an owner's key sees nothing else
    #[arg(long)]
    domain: Option<String>,
    /// Only what this caller asked for: root, op, a domain's name, buyer, nobody
    #[arg(long)]
    who: Option<String>,
    /// Only what was refused
    #[arg(long, conflicts_with = "done")]
    refused: bool,
    /// Only what was done
    #[arg(long)]
    done: bool,
    /// Only what was refused with this code, such as e.pay.nopvg
    #[arg(long, value_name = "ERRCODE")]
    code: Option<String>,
    /// Only from this time on: absolute milliseconds, now-1d (with d, h, m or s), or 2026-11-23T08:30:00
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only from before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only lines that are older than the one with this seq
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
    /// So many lines, the newest ones
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    listing: Listing,
}

impl Audit {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        let (now_ms, zone) = (Timestamp::now().as_millisecond(), TimeZone::system());
        let time = |given: Option<String>| {
            given
                .map(|text| times::moment(&text, now_ms, &zone))
                .transpose()
        };
        let (since, until) = (time(self.since)?, time(self.until)?);
        let refused = (self.refused || self.done).then(|| self.refused.to_string());
        let fields = [
            ("domain", self.domain),
            ("who", self.who),
            ("errCode", self.code),
            ("refused", refused),
            ("since", since.map(|ms| ms.to_string())),
            ("until", until.map(|ms| ms.to_string())),
            ("before", self.before.map(|seq| seq.to_string())),
            ("limit", Some(self.limit.to_string())),
        ];
        let mut call = Call::get(&["pay", "audit"]);
        for (name, value) in fields {
            if let Some(value) = value {
                call = call.query(name, value);
            }
        }
        let lines = client.call(call).await?;
        self.listing.print(
            lines,
            "seq,at:time,who,key,source,status,errCode,times,what,about",
        )
    }
}
