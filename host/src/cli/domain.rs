//! `walnut domain add|list|show|set|key`: who may use the host.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Body, Call, Client};
use super::error::CliError;
use super::key::shown_once;
use super::output::Output;
use super::table::{self, ListFlags};

/// `walnut domain`
#[derive(Subcommand)]
pub(super) enum Domain {
    /// Make a domain
    Add {
        /// Its name: a-z, 0-9 and -, a letter or digit first, at most 63
        name: String,
    },
    /// Show the domains
    List(Listing),
    /// Show one domain, with the hosts that its callbacks may send requests to
    Show {
        /// The domain
        name: String,
    },
    /// Let a domain's callbacks send requests to these hosts, and to no others
    Set {
        /// The domain
        name: String,
        /// A host, such as api.example.com or api.example.com:8443; several by repeating the option
        #[arg(long, value_name = "HOST[:PORT]", required_unless_present = "no_web")]
        web: Vec<String>,
        /// None at all
        #[arg(long, conflicts_with = "web")]
        no_web: bool,
    },
    /// Make an API key for a domain; it is shown this once
    Key {
        /// The domain
        name: String,
        /// A key that makes test payments only
        #[arg(long)]
        test: bool,
    },
}

/// How the short lists of the host's own things are printed.
#[derive(Args)]
pub(super) struct Listing {
    /// As JSON, with everything that the host tells
    #[arg(long)]
    pub(super) json: bool,
}

impl Listing {
    /// Prints the host's list with these columns.
    pub(super) fn print(&self, data: Value, columns: &str) -> Result<Output, CliError> {
        let Value::Array(items) = &data else {
            return Ok(Output::json(&data));
        };
        if self.json {
            return Ok(Output::json(&data));
        }
        let items = items.iter().filter_map(Value::as_object).cloned().collect();
        let flags = ListFlags {
            table: Some(columns.to_owned()),
            border: true,
            header: true,
            summary: true,
            ..ListFlags::default()
        };
        table::list(&flags, items, None, &jiff::tz::TimeZone::system()).map(Output::text)
    }
}

impl Domain {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Domain::Add { name } => {
                let call = Call::post(&["pay", "domain"], json!({ "name": name }));
                Ok(Output::json(&client.call(call).await?))
            }
            Domain::List(listing) => {
                let data = client.call(Call::get(&["pay", "domain"])).await?;
                listing.print(data, "name,id,ct:time")
            }
            Domain::Show { name } => {
                let call = Call::get(&["pay", "domain", &name]);
                Ok(Output::json(&client.call(call).await?))
            }
            Domain::Set { name, web, .. } => {
                let call = Call {
                    body: Body::Json(json!({ "web": web })),
                    ..Call::new(Method::PUT, &["pay", "domain", &name])
                };
                Ok(Output::json(&client.call(call).await?))
            }
            Domain::Key { name, test } => {
                let call = Call::post(&["pay", "domain", &name, "key"], json!({ "test": test }));
                Ok(shown_once(&client.call(call).await?))
            }
        }
    }
}
