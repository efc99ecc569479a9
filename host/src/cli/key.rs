//! `walnut key add|list|revoke`: the operator's own keys, and the end of anybody's.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::output::Output;

/// `walnut key`
#[derive(Subcommand)]
pub(super) enum Key {
    /// Make a key for the operator; it is shown this once
    Add {
        /// What it is for
        role: Role,
    },
    /// Show the keys by their ids: the operator's, or a domain's
    List {
        /// The domain
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// End a key at once
    Revoke {
        /// Its id: the third part of wk_<kind>_<id>_<secret>
        id: String,
    },
}

/// What a key of the operator is for.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Role {
    /// Reads everything and changes nothing
    Op,
    /// Everything
    Root,
}

impl Key {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Key::Add { role } => {
                let role = match role {
                    Role::Op => "op",
                    Role::Root => "root",
                };
                let call = Call::post(&["pay", "key"], json!({ "role": role }));
                Ok(shown_once(&client.call(call).await?))
            }
            Key::List { domain, listing } => match domain {
                None => {
                    let data = client.call(Call::get(&["pay", "key"])).await?;
                    listing.print(data, "id,role,ct:time")
                }
                Some(domain) => {
                    let call = Call::get(&["pay", "domain", &domain, "key"]);
                    listing.print(client.call(call).await?, "id,test,ct:time")
                }
            },
            Key::Revoke { id } => {
                let call = Call::new(Method::DELETE, &["pay", "key", &id]);
                Ok(Output::json(&client.call(call).await?))
            }
        }
    }
}

/// The key alone, so that `export WALNUT_KEY=$(walnut domain key shop)` works.
pub(super) fn shown_once(issued: &Value) -> Output {
    match issued.get("key").and_then(Value::as_str) {
        Some(key) => Output::text(key)
            .with_note("Keep this key: the host has only its hash and cannot show it again."),
        None => Output::json(issued),
    }
}
