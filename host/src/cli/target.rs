//! `walnut target put|show|list|test`: a domain's merchant settings at a platform.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Body, Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::input;
use super::output::Output;

/// `walnut target`
#[derive(Subcommand)]
pub(super) enum Target {
    /// Keep settings as a target's next version; secrets that are left out stay as they are
    Put(Put),
    /// Make a harmless signed request with the settings, and say what is wrong
    Test(Named),
    /// Show a target's settings without secrets, and the address that its platform may notify
    Show(Named),
    /// Show the targets, each with the address that its platform may notify
    List {
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
}

/// One target.
#[derive(Args)]
pub(super) struct Named {
    /// Such as zfb
    platform: String,
    /// The target's name
    name: String,
    /// Whose; for root
    #[arg(long)]
    domain: Option<String>,
}

#[derive(Args)]
pub(super) struct Put {
    /// Such as zfb
    platform: String,
    /// The target's name, which `-ta` names
    name: String,
    /// The file with the settings as a JSON object; - is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: String,
    /// For test payments only
    #[arg(long)]
    test: bool,
    /// What a `send` without a target takes
    #[arg(long)]
    default: bool,
    /// Whose; for root
    #[arg(long)]
    domain: Option<String>,
}

impl Target {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Target::Put(put) => Ok(Output::json(&client.call(put.call()?).await?)),
            Target::Test(named) => {
                let path = ["pay", "target", &named.platform, &named.name, "test"];
                let call = Call::new(Method::POST, &path).query_opt("domain", named.domain);
                let data = client.call(call).await?;
                let said = data
                    .get("said")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                match data.get("works").and_then(Value::as_bool) {
                    Some(true) => Ok(Output::text(said)),
                    _ => Err(CliError::Refused {
                        code: "e.pay.target.misconfigured".to_owned(),
                        message: said,
                    }),
                }
            }
            Target::Show(named) => {
                let path = ["pay", "target", &named.platform, &named.name];
                let call = Call::get(&path).query_opt("domain", named.domain);
                Ok(Output::json(&client.call(call).await?))
            }
            Target::List { domain, listing } => {
                let call = Call::get(&["pay", "target"]).query_opt("domain", domain);
                listing.print(
                    client.call(call).await?,
                    "platform,name,version,test,default,retired,notify_url",
                )
            }
        }
    }
}

impl Put {
    fn call(self) -> Result<Call, CliError> {
        let settings = input::object(&self.file)?;
        let body = json!({ "test": self.test, "default": self.default, "settings": settings });
        let call = Call::new(Method::PUT, &["pay", "target", &self.platform, &self.name]);
        Ok(Call {
            body: Body::Json(body),
            ..call
        }
        .query_opt("domain", self.domain))
    }
}
