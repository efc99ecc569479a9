//! `walnut provider list|add`: the components that speak with the platforms, and what each may do.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::{Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::input;
use super::output::Output;
use super::show;
use crate::payment::model::Digest;

/// `walnut provider`
#[derive(Subcommand)]
pub(super) enum Provider {
    /// Show each provider with its manifest in words
    List(Listing),
    /// Add a component: first read what it may do, then approve exactly that component
    Add {
        /// The component; - is standard input
        file: String,
        /// The digest that was shown without this option
        #[arg(long, value_name = "DIGEST")]
        approve: Option<String>,
    },
}

impl Provider {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Provider::List(listing) => {
                let data = client.call(Call::get(&["pay", "provider"])).await?;
                match data.as_array().filter(|_| !listing.json) {
                    Some(providers) => {
                        let told: Vec<String> = providers.iter().map(in_words).collect();
                        Ok(Output::text(told.join("\n")))
                    }
                    None => Ok(Output::json(&data)),
                }
            }
            Provider::Add {
                file,
                approve: None,
            } => inspect(client, &file).await,
            Provider::Add {
                file,
                approve: Some(digest),
            } => {
                let digest = Digest::parse(digest.trim()).ok_or_else(|| {
                    CliError::usage(format!("{digest:?} is no digest: give its 64 hex digits"))
                })?;
                let call = Call::new(Method::PUT, &["pay", "provider"])
                    .query("digest", digest.to_string())
                    .bytes(input::file(&file)?);
                Ok(Output::json(&client.call(call).await?))
            }
        }
    }
}

async fn inspect(client: &Client, file: &str) -> Result<Output, CliError> {
    let component = input::file(file)?;
    let call = Call::new(Method::POST, &["pay", "provider", "inspect"]).bytes(component);
    let data = client.call(call).await?;
    let digest = data
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or("DIGEST");
    let how = format!(
        "Nothing is added yet. Read the above; if that is what it may do:\n  \
         walnut provider add {file} --approve {digest}"
    );
    Ok(Output {
        code: 2,
        ..Output::text(in_words(&data)).with_note(how)
    })
}

/// A provider's name, version and digest, and below them the sentences of its manifest.
fn in_words(provider: &Value) -> String {
    let text =
        |name: &str| show::on_one_line(provider.get(name).and_then(Value::as_str).unwrap_or("?"));
    let mut out = format!(
        "{} {}  sha256 {}\n",
        text("name"),
        text("version"),
        text("digest")
    );
    // The words come from the component's author: they may not draw over what stands above them.
    for words in provider
        .get("words")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        out.push_str("  ");
        out.push_str(&show::on_one_line(words.as_str().unwrap_or_default()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_is_told_in_words() {
        let provider = json!({
            "name": "zfb", "version": "0.1.0", "digest": "ab12",
            "words": ["pay types: zfb.qrcode", "reaches openapi.alipay.com"],
        });
        assert_eq!(
            in_words(&provider),
            "zfb 0.1.0  sha256 ab12\n  pay types: zfb.qrcode\n  reaches openapi.alipay.com\n"
        );
    }
}
