//! `walnut pay query`: the original's filters, each of which becomes a part of what the host matches by.

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
    /// A word of the brief; ^… is a regular expression
    brief: Option<String>,
    /// Who pays: TYPE:ID:NAME, each part may be empty (-bu)
    #[arg(long, value_name = "T:ID:NAME")]
    buyer: Option<String>,
    /// Who is paid: ID:NAME, or a domain's name (-se)
    #[arg(long, value_name = "ID:NAME")]
    seller: Option<String>,
    /// The amount: 2300, 2300RMB, several by comma, or an interval such as [100,200] (-fee)
    #[arg(long, value_name = "FEE")]
    fee: Option<String>,
    /// The currency (-cur)
    #[arg(long, value_name = "CODE")]
    cur: Option<String>,
    /// When it was sent: an interval such as [now-1h,], a day, or 0 for not yet (-s_at)
    #[arg(long, value_name = "INTERVAL", allow_hyphen_values = true)]
    send_at: Option<String>,
    /// When its state became final: as -s_at (-c_at)
    #[arg(long, value_name = "INTERVAL", allow_hyphen_values = true)]
    close_at: Option<String>,
    /// NEW, WAIT, OK or FAIL; several as WAIT|OK; ^… is a regular expression (-st)
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
            put(&mut matching, "brief", keyword(brief).into())?;
        }
        if let Some(buyer) = &self.buyer {
            add_buyer(&mut matching, buyer)?;
        }
        if let Some(seller) = &self.seller {
            match seller.split_once(':') {
                Some((id, name)) => {
                    put_part(&mut matching, "seller_id", id)?;
                    put_part(&mut matching, "seller_nm", name)?;
                }
                None => put_part(&mut matching, "seller_nm", seller)?,
            }
        }
        if let Some(fee) = &self.fee {
            add_fee(&mut matching, fee.trim())?;
        }
        if let Some(cur) = &self.cur {
            put(&mut matching, "cur", cur.to_uppercase().into())?;
        }
        for (key, value) in [("send_at", &self.send_at), ("close_at", &self.close_at)] {
            if let Some(text) = value {
                // What is no number the host reads: it knows the time.
                let value = text
                    .parse::<u64>()
                    .map_or_else(|_| text.as_str().into(), Value::from);
                put(&mut matching, key, value)?;
            }
        }
        if let Some(state) = &self.state {
            put(&mut matching, "st", states(state)?)?;
        }
        Ok(matching)
    }
}

/// A word that stands anywhere in a text, as in the original.
fn keyword(text: &str) -> String {
    match text.starts_with('^') {
        true => text.to_owned(),
        false => format!("^.*{}", regex::escape(text)),
    }
}

fn put(matching: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), CliError> {
    match matching.insert(key.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(CliError::usage(format!(
            "{key} is asked for twice: give it once"
        ))),
    }
}

/// `45..d2` is what begins and ends like this.
fn put_part(matching: &mut Map<String, Value>, key: &str, text: &str) -> Result<(), CliError> {
    let value = match text.split_once("..") {
        _ if text.is_empty() => return Ok(()),
        Some((begins, ends)) if !text.starts_with('^') => {
            format!("^{}.*{}$", regex::escape(begins), regex::escape(ends))
        }
        _ => text.to_owned(),
    };
    put(matching, key, value.into())
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
    put_part(matching, "buyer_id", id)?;
    put_part(matching, "buyer_nm", name)
}

fn add_fee(matching: &mut Map<String, Value>, text: &str) -> Result<(), CliError> {
    let mut fees = Vec::new();
    let interval = text.starts_with(['[', '(']) && text.ends_with([']', ')']);
    let inner = text.trim_matches(['[', '(', ']', ')']);
    for part in inner.split(',').map(str::trim) {
        let wrong = |why: String| CliError::usage(format!("-fee {text:?}: {why}"));
        if interval && part.is_empty() {
            fees.push(Value::Null);
            continue;
        }
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
    if interval {
        let ends = fees.iter().map(|end| match end {
            Value::Null => String::new(),
            end => end.to_string(),
        });
        let ends = ends.collect::<Vec<_>>().join(",");
        let (open, close) = (text.get(..1), text.get(text.len() - 1..));
        let text = format!("{}{ends}{}", open.unwrap_or("["), close.unwrap_or("]"));
        return put(matching, "fee", text.into());
    }
    put(matching, "fee", one_or_any(fees))
}

/// `OK`, `WAIT|OK`, `WAIT,OK`, or a regular expression.
fn states(text: &str) -> Result<Value, CliError> {
    if text.starts_with(['^', '!']) {
        return Ok(text.into());
    }
    let mut states = Vec::new();
    for word in text.split(['|', ',']) {
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
