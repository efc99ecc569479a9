//! `walnut key add|list|rotate|revoke`: the API keys of the operator and of domains.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::output::Output;

/// `walnut key`
#[derive(Subcommand)]
pub(super) enum Key {
    /// Make a key; it is shown this once
    #[command(visible_alias = "create")]
    Add(Add),
    /// Show the keys by their ids: the operator's, or a domain's
    List {
        /// The domain
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Make a key that takes over from another one, which stays good for a while; it is shown this once
    Rotate {
        /// The id of the earlier one
        id: String,
        /// How much longer that one is good, in hours
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        overlap: u64,
    },
    /// End a key at once
    Revoke {
        /// Its id: the third part of wk_<kind>_<id>_<secret>, of which the rest stays here
        id: String,
    },
}

/// `walnut key add`
#[derive(Args)]
pub(super) struct Add {
    /// What it is for
    role: Role,
    /// Whose it is: for owner, server and till
    #[arg(long, required_if_eq_any([("role", "owner"), ("role", "server"), ("role", "till")]))]
    domain: Option<String>,
    /// What to call it
    #[arg(long, default_value = "")]
    name: String,
    /// It ends after so many days
    #[arg(long)]
    days: Option<u64>,
    /// It makes test payments only
    #[arg(long, requires = "domain")]
    test: bool,
    /// It may give money back, which an owner's may in any case
    #[arg(long, requires = "domain")]
    refund: bool,
}

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// The operator's: reads everything and changes nothing
    Op,
    /// The operator's: everything
    Root,
    /// A domain's: everything of that domain
    Owner,
    /// A domain's: its payments
    Server,
    /// A domain's: taking money at a counter
    Till,
}

impl Add {
    fn call(self, now_ms: u64) -> Result<Call, CliError> {
        let expi = self.days.map_or(0, |days| {
            now_ms.saturating_add(days.saturating_mul(86_400_000))
        });
        let role = match self.role {
            Role::Op => "op",
            Role::Root => "root",
            Role::Owner => "owner",
            Role::Server => "server",
            Role::Till => "till",
        };
        match self.domain {
            None => {
                let body = json!({ "role": role, "name": self.name, "expi": expi });
                Ok(Call::post(&["pay", "key"], body))
            }
            Some(_) if matches!(self.role, Role::Op | Role::Root) => Err(CliError::usage(
                "a key of the operator's belongs to no domain: leave --domain out",
            )),
            Some(domain) => {
                let body = json!({
                    "scope": role, "name": self.name, "expi": expi, "test": self.test, "refund": self.refund,
                });
                Ok(Call::post(&["pay", "domain", &domain, "key"], body))
            }
        }
    }
}

impl Key {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Key::Add(add) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = since.unwrap_or_default().as_millis();
                let call = add.call(u64::try_from(now).unwrap_or(u64::MAX))?;
                Ok(shown_once(&client.call(call).await?))
            }
            Key::List { domain, listing } => match domain {
                None => {
                    let data = client.call(Call::get(&["pay", "key"])).await?;
                    listing.print(data, "id,name,role,ct:time,used:time,expi:time")
                }
                Some(domain) => {
                    let call = Call::get(&["pay", "domain", &domain, "key"]);
                    let data = client.call(call).await?;
                    listing.print(data, "id,name,role,test,refund,ct:time,used:time,expi:time")
                }
            },
            Key::Rotate { id, overlap } => {
                let body = json!({ "overlap_ms": overlap.saturating_mul(3_600_000) });
                let call = Call::post(&["pay", "key", id_of(&id)?, "rotate"], body);
                Ok(shown_once(&client.call(call).await?))
            }
            Key::Revoke { id } => {
                let call = Call::new(Method::DELETE, &["pay", "key", id_of(&id)?]);
                Ok(Output::json(&client.call(call).await?))
            }
        }
    }
}

/// The id of a key that is given by it, or as a whole: then the secret is sent nowhere.
fn id_of(given: &str) -> Result<&str, CliError> {
    match given.strip_prefix("wk_") {
        None => Ok(given),
        Some(parts) => parts
            .split('_')
            .nth(1)
            .filter(|id| !id.is_empty())
            .ok_or_else(|| {
                CliError::usage("give the key's id, the third part of wk_<kind>_<id>_<secret>")
            }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_whole_key_the_id_is_taken() {
        assert_eq!(id_of("0123456789abcdef").unwrap(), "0123456789abcdef");
        assert_eq!(
            id_of("wk_live_0123456789abcdef_s_s").unwrap(),
            "0123456789abcdef"
        );
        assert_eq!(
            id_of("wk_live_0123456789abcdef").unwrap(),
            "0123456789abcdef"
        );
        for cut in ["wk_", "wk_live", "wk_live_", "wk_live__secret"] {
            assert!(id_of(cut).is_err(), "{cut}");
        }
    }
}
