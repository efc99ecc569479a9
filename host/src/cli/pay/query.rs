//! `walnut pay query`: the original's filters, as far as this release matches: by equality, and by
//! any of several values.

use clap::{ArgAction, Args};
use serde_json::{Map, Value};

use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::obj::{self, Page};
use crate::cli::output::Output;
use crate::cli::table::ListFlags;
use crate::payment::model::State;
use crate::payment::money::Money;

/// `walnut pay query`
#[derive(Args)]
pub(in crate::cli) struct Query {
    /// The whole brief
    brief: Option<String>,
    /// Who pays: TYPE:ID:NAME, each part may be empty (-bu)
    #[arg(long, value_name = "T:ID:NAME")]
    buyer: Option<String>,
    /// Who is paid: ID:NAME, or a domain's name (-se)
    #[arg(long, value_name = "ID:NAME")]
    seller: Option<String>,
    /// The amount: 2300, 2300RMB, or several by comma (-fee)
    #[arg(long, value_name = "FEE")]
    fee: Option<String>,
    /// The currency (-cur)
    #[arg(long, value_name = "CODE")]
    cur: Option<String>,
    /// When it was sent, absolute milliseconds; 0 for not yet (-s_at)
    #[arg(long, value_name = "AMS")]
    send_at: Option<String>,
    /// When its state became final, absolute milliseconds; 0 for not yet (-c_at)
    #[arg(long, value_name = "AMS")]
    close_at: Option<String>,
    /// NEW, WAIT, OK or FAIL; several as WAIT|OK (-st)
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    list: ListFlags,
    /// Explain the command
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Query {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        obj::query(client, self.matching()?, &self.page, &self.list).await
    }

    /// The filters as the host takes them.
    pub(in crate::cli) fn matching(&self) -> Result<Map<String, Value>, CliError> {
        let mut matching = Map::new();
        if let Some(brief) = &self.brief {
            put(&mut matching, "brief", plain("BRIEF", brief)?.into())?;
        }
        if let Some(buyer) = &self.buyer {
            add_buyer(&mut matching, buyer)?;
        }
        if let Some(seller) = &self.seller {
            match seller.split_once(':') {
                Some((id, name)) => {
                    put_part(&mut matching, "seller_id", "-se", id)?;
                    put_part(&mut matching, "seller_nm", "-se", name)?;
                }
                None => put_part(&mut matching, "seller_nm", "-se", seller)?,
            }
        }
        if let Some(fee) = &self.fee {
            add_fee(&mut matching, plain("-fee", fee)?)?;
        }
        if let Some(cur) = &self.cur {
            put(
                &mut matching,
                "cur",
                plain("-cur", cur)?.to_uppercase().into(),
            )?;
        }
        for (key, option, value) in [
            ("send_at", "-s_at", &self.send_at),
            ("close_at", "-c_at", &self.close_at),
        ] {
            if let Some(text) = value {
                let ams: u64 = plain(option, text)?.parse().map_err(|_| {
                    CliError::usage(format!(
                        "{option} {text:?} is no time in absolute milliseconds"
                    ))
                })?;
                put(&mut matching, key, ams.into())?;
            }
        }
        if let Some(state) = &self.state {
            put(&mut matching, "st", states(state)?)?;
        }
        Ok(matching)
    }
}

/// Refuses what the original reads as a pattern: taken literally, it would find nothing and look
/// like an answer.
fn plain<'a>(option: &str, text: &'a str) -> Result<&'a str, CliError> {
    if text.starts_with(['^', '[', '(']) || text.contains("%ms:") || text.contains("%date:") {
        return Err(CliError::usage(format!(
            "{option} {text:?}: this release finds payments by equal values, or any of several by \
             comma, not by patterns and intervals"
        )));
    }
    Ok(text)
}

fn put(matching: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), CliError> {
    match matching.insert(key.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(CliError::usage(format!(
            "{key} is asked for twice: give it once"
        ))),
    }
}

fn put_part(
    matching: &mut Map<String, Value>,
    key: &str,
    option: &str,
    text: &str,
) -> Result<(), CliError> {
    match text {
        "" => Ok(()),
        _ if text.contains("..") => Err(CliError::usage(format!(
            "{option} {text:?}: this release needs the whole id, not its ends"
        ))),
        _ => put(matching, key, plain(option, text)?.into()),
    }
}

fn add_buyer(matching: &mut Map<String, Value>, buyer: &str) -> Result<(), CliError> {
    let mut parts = buyer.splitn(3, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (kind, id, name) = (next(), next(), next());
    match kind {
        "" => {}
        // The document's words: 0 not known, 1 a Walnut user, 2 a user of the domain.
        "0" | "1" | "2" => put(
            matching,
            "buyer_tp",
            kind.parse::<u8>().unwrap_or_default().into(),
        )?,
        "walnut" => put(matching, "buyer_tp", 1.into())?,
        _ if buyer.contains(':') => put(matching, "buyer_tp", 2.into())?,
        _ => {
            return Err(CliError::usage(format!(
                "-bu {buyer:?} is not TYPE:ID:NAME: by id it is :{buyer}, by name ::{buyer}"
            )));
        }
    }
    put_part(matching, "buyer_id", "-bu", id)?;
    put_part(matching, "buyer_nm", "-bu", name)
}

fn add_fee(matching: &mut Map<String, Value>, text: &str) -> Result<(), CliError> {
    let mut fees = Vec::new();
    for part in text.split(',') {
        let wrong = |why: String| CliError::usage(format!("-fee {text:?}: {why}"));
        let money = Money::parse(part, None).map_err(|error| wrong(error.to_string()))?;
        fees.push(Value::from(money.minor()));
        if part.contains(|c: char| c.is_ascii_alphabetic()) {
            let code = Value::from(money.currency().caller_code());
            if matching.get("cur").is_some_and(|other| *other != code) {
                return Err(wrong("one query has one currency".to_owned()));
            }
            matching.insert("cur".to_owned(), code);
        }
    }
    put(matching, "fee", one_or_any(fees))
}

/// `OK`, `WAIT|OK`, `WAIT,OK`, and the same as the regular expressions that it is in the original:
/// `^(WAIT|OK)$`.
fn states(text: &str) -> Result<Value, CliError> {
    let inner = text.trim_start_matches('^').trim_end_matches('$');
    let inner = inner
        .strip_prefix('(')
        .and_then(|i| i.strip_suffix(')'))
        .unwrap_or(inner);
    let mut states = Vec::new();
    for word in inner.split(['|', ',']) {
        let state = State::parse(word.trim()).ok_or_else(|| {
            CliError::usage(format!(
                "-st {text:?}: states are NEW, WAIT, OK and FAIL, as WAIT|OK"
            ))
        })?;
        states.push(Value::from(state.as_str()));
    }
    Ok(one_or_any(states))
}

fn one_or_any(mut values: Vec<Value>) -> Value {
    match values.len() {
        1 => values.pop().unwrap_or_default(),
        _ => Value::Array(values),
    }
}
