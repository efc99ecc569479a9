//! `walnut callback …`: what runs after a payment became OK, from its project to its versions and deliveries.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::cat;
use super::client::{Body, Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::input;
use super::output::Output;
use super::workbench;

/// `walnut callback`
#[derive(Subcommand)]
pub(super) enum Callback {
    /// Make a project for a new callback (no host needed)
    New(workbench::New),
    /// Upload a callback
    Put {
        /// Its name, which `-callback` names
        name: String,
        /// JavaScript text, a component, or the module that a compiler made of it; - is standard input
        file: String,
        /// Keep it although its dry run fails
        #[arg(long)]
        insist: bool,
        /// The payment of the dry run as JSON, such as one with fields of your own; without it the host makes one up
        #[arg(long, value_name = "FILE")]
        payment: Option<String>,
        /// What is to be remembered of this version, in one line
        #[arg(long)]
        note: Option<String>,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
    },
    /// Show the callbacks
    List {
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Print a callback as it was put
    Show {
        /// Its name
        name: String,
        /// Which version; without it the one that counts
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// Print a component even to a terminal
        #[arg(long)]
        force: bool,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
    },
    /// Show the versions of a callback, the one that counts first
    Versions {
        /// Its name
        name: String,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Put an earlier version of a callback again, as a new version
    RollBack {
        /// Its name
        name: String,
        /// Which version; without it the last one that has another content
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// What is to be remembered of it, in one line
        #[arg(long)]
        note: Option<String>,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
    },
    /// Run a callback with a sample payment, without any effect: a file here, without a host; an uploaded one there
    Test {
        /// A file (./name for one in this folder), or an uploaded callback's name
        callback: String,
        /// The sample payment as JSON; - is standard input. Without it one is made up
        #[arg(long, value_name = "FILE")]
        payment: Option<String>,
        /// Of an uploaded one: whose; for root
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        local: Box<workbench::LocalOptions>,
    },
    /// Show the runs of callbacks for payments that became OK, the newest first
    Deliveries(Deliveries),
    /// Run a delivery now: a dead one from its first try, a waiting one before its time
    Retry {
        /// The delivery's key
        #[arg(value_name = "KEY", required_unless_present = "all_dead")]
        delivery: Option<String>,
        /// All that are dead
        #[arg(long, conflicts_with = "delivery")]
        all_dead: bool,
        /// With --all-dead, only those of this callback
        #[arg(long, value_name = "NAME", requires = "all_dead")]
        callback: Option<String>,
        /// With --all-dead, whose; for root
        #[arg(long, requires = "all_dead")]
        domain: Option<String>,
    },
    /// Delete a callback with its versions; payments keep what they were bound to
    Delete {
        /// Its name
        name: String,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
    },
}

impl Callback {
    /// Whether it needs no host.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Callback::New(_) => true,
            Callback::Test { callback, .. } => is_file(callback),
            _ => false,
        }
    }

    /// Does what needs no host.
    pub(super) async fn run_local(self) -> Result<Output, CliError> {
        match self {
            Callback::New(new) => new.run(),
            Callback::Test {
                callback,
                payment,
                local,
                ..
            } => workbench::test(callback, payment, *local).await,
            _ => Ok(Output::default()),
        }
    }

    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            local @ Callback::New(_) => local.run_local().await,
            Callback::Put {
                name,
                file,
                insist,
                payment,
                note,
                domain,
            } => {
                let payment = payment.as_deref().map(input::object).transpose()?;
                let call = put_call(&name, workbench::content(&file)?, payment)
                    .query_opt("domain", domain)
                    .query_opt("note", note)
                    .query_opt("insist", insist.then_some(true));
                Ok(kept(&client.call(call).await?))
            }
            Callback::List { domain, listing } => {
                let call = Call::get(&["pay", "callback"]).query_opt("domain", domain);
                listing.print(client.call(call).await?, "name,kind,version,len,sha256")
            }
            Callback::Show {
                name,
                version,
                force,
                domain,
            } => {
                let call = Call::get(&["pay", "callback", &name])
                    .query_opt("version", version)
                    .query_opt("domain", domain);
                cat::print(client.bytes(call).await?, force)
            }
            Callback::Versions {
                name,
                domain,
                listing,
            } => {
                let call = Call::get(&["pay", "callback", &name, "versions"]);
                let data = client.call(call.query_opt("domain", domain)).await?;
                listing.print(data, "version,kind,from,len,ct:time,sha256,note")
            }
            Callback::RollBack {
                name,
                version,
                note,
                domain,
            } => {
                let body = json!({ "version": version, "note": note.unwrap_or_default() });
                let call = Call::post(&["pay", "callback", &name, "roll-back"], body);
                let call = call.query_opt("domain", domain);
                Ok(kept(&client.call(call).await?))
            }
            Callback::Test {
                callback,
                payment,
                domain,
                ..
            } => {
                let payment = payment.as_deref().map(input::object).transpose()?;
                let call = test_call(&callback, payment.map(Value::Object));
                Ok(Output::json(
                    &client.call(call.query_opt("domain", domain)).await?,
                ))
            }
            Callback::Deliveries(deliveries) => deliveries.run(client).await,
            Callback::Retry {
                delivery,
                all_dead,
                callback,
                domain,
            } => {
                let body = match delivery {
                    Some(key) => json!({ "key": key }),
                    None => {
                        json!({ "all_dead": all_dead, "callback": callback, "domain": domain })
                    }
                };
                let call = Call::post(&["pay", "ajax", "replay"], body);
                Ok(Output::json(&client.call(call).await?))
            }
            Callback::Delete { name, domain } => {
                let call = Call::new(Method::DELETE, &["pay", "callback", &name]);
                Ok(Output::json(
                    &client.call(call.query_opt("domain", domain)).await?,
                ))
            }
        }
    }
}

/// `walnut callback deliveries`
#[derive(Args)]
pub(super) struct Deliveries {
    /// Only those of this callback
    #[arg(long, value_name = "NAME")]
    callback: Option<String>,
    /// Only those that are waiting, running, done or dead
    #[arg(long)]
    state: Option<String>,
    /// Only that of this payment, with its whole error and the log of its last try
    #[arg(long, value_name = "ID")]
    payment: Option<String>,
    /// Leave out so many at the start
    #[arg(long, value_name = "N")]
    skip: Option<u32>,
    /// At most so many, 100 at the most; 10 where it is not said
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Whose; for root
    #[arg(long)]
    domain: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

impl Deliveries {
    async fn run(self, client: &Client) -> Result<Output, CliError> {
        let one = self.payment.is_some() && !self.listing.json;
        let call = Call::get(&["pay", "ajax", "deliveries"])
            .query_opt("id", self.payment)
            .query_opt("callback", self.callback)
            .query_opt("state", self.state)
            .query_opt("skip", self.skip)
            .query_opt("limit", self.limit)
            .query_opt("domain", self.domain);
        let mut data = client.call(call).await?;
        match data.as_array_mut() {
            Some(listed) if one && listed.len() == 1 => Ok(Output::text(whole(&listed.remove(0)))),
            Some(listed) => {
                if !self.listing.json {
                    listed.iter_mut().for_each(cut_error);
                }
                self.listing
                    .print(data, "key,payment,callback,state,tries,due:time,error")
            }
            None => Ok(Output::json(&data)),
        }
    }
}

/// One delivery as text: its error and its log have several lines.
fn whole(delivery: &Value) -> String {
    let mut text = String::new();
    for name in ["key", "payment", "callback", "state", "tries"] {
        let value = delivery.get(name).unwrap_or(&Value::Null);
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let _ = writeln!(text, "{name}: {value}");
    }
    for name in ["error", "log"] {
        let lines = delivery
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !lines.is_empty() {
            let _ = writeln!(text, "{name}:");
        }
        for line in lines.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// A table has one line for each.
fn cut_error(delivery: &mut Value) {
    if let Some(Value::String(error)) = delivery.get_mut("error") {
        let first = error.lines().next().unwrap_or_default();
        *error = first.chars().take(80).collect();
    }
}

/// What was kept; a person should know too where its dry run did not come to an answer.
fn kept(put: &Value) -> Output {
    let output = Output::json(put);
    match put.pointer("/dry_run/why").and_then(Value::as_str) {
        Some(why) => output.with_note(format!("It is kept, and its dry run says: {why}.")),
        None => output,
    }
}

fn put_call(name: &str, content: Vec<u8>, payment: Option<Map<String, Value>>) -> Call {
    let call = Call::new(Method::PUT, &["pay", "callback", name]);
    match payment {
        None => call.bytes(content),
        Some(payment) => Call {
            body: Body::Json(
                json!({ "content_base64": STANDARD.encode(content), "payment": payment }),
            ),
            ..call
        },
    }
}

/// What has a slash, or is there, is a file.
fn is_file(callback: &str) -> bool {
    callback.contains('/') || Path::new(callback).is_file()
}

fn test_call(callback: &str, payment: Option<Value>) -> Call {
    let call = Call::new(Method::POST, &["pay", "callback", callback, "test"]);
    Call {
        body: payment.map_or(Body::Nothing, Body::Json),
        ..call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_run_here_and_a_name_by_the_host() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("sale.wasm");
        assert!(is_file("./missing.wasm") && is_file(file.to_str().unwrap()));
        assert!(!is_file("record-sale"));
        let call = test_call("record-sale", Some(json!({"fee": 1})));
        assert_eq!(call.path, ["pay", "callback", "record-sale", "test"]);
        assert!(matches!(call.body, Body::Json(_)));
    }
}
