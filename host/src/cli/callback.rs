//! `walnut callback put|list|test|delete`: what runs after a payment became OK.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Body, Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::input;
use super::output::Output;

/// `walnut callback`
#[derive(Subcommand)]
pub(super) enum Callback {
    /// Upload a callback
    Put {
        /// Its name, which `-callback` names
        name: String,
        /// The component; - is standard input
        file: String,
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
    /// Run a callback with a sample payment, without any effect
    Test {
        /// An uploaded callback's name, or a file that is not uploaded yet (./name for a file in this
        /// folder)
        callback: String,
        /// The sample payment as JSON; - is standard input. Without it the host makes one up
        #[arg(long, value_name = "FILE")]
        payment: Option<String>,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
    },
    /// Delete a callback; payments keep what they were bound to
    Delete {
        /// Its name
        name: String,
        /// Whose; for root
        #[arg(long)]
        domain: Option<String>,
    },
}

impl Callback {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Callback::Put { name, file, domain } => {
                let call = Call::new(Method::PUT, &["pay", "callback", &name])
                    .query_opt("domain", domain)
                    .bytes(input::file(&file)?);
                Ok(Output::json(&client.call(call).await?))
            }
            Callback::List { domain, listing } => {
                let call = Call::get(&["pay", "callback"]).query_opt("domain", domain);
                listing.print(client.call(call).await?, "name,len,sha256")
            }
            Callback::Test {
                callback,
                payment,
                domain,
            } => {
                let payment = payment.as_deref().map(input::object).transpose()?;
                let call = test_call(&callback, payment.map(Value::Object))?;
                Ok(Output::json(
                    &client.call(call.query_opt("domain", domain)).await?,
                ))
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

fn test_call(callback: &str, payment: Option<Value>) -> Result<Call, CliError> {
    if callback.contains('/') || Path::new(callback).is_file() {
        let content = STANDARD.encode(input::file(callback)?);
        let mut body = json!({ "content_base64": content });
        if let (Value::Object(body), Some(payment)) = (&mut body, payment) {
            body.insert("payment".to_owned(), payment);
        }
        return Ok(Call::post(&["pay", "callback", "test"], body));
    }
    let call = Call::new(Method::POST, &["pay", "callback", callback, "test"]);
    Ok(Call {
        body: payment.map_or(Body::Nothing, Body::Json),
        ..call
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sent_along_and_a_name_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("sale.wasm");
        std::fs::write(&file, b"\0asm").unwrap();
        let call = test_call(file.to_str().unwrap(), Some(json!({"fee": 1}))).unwrap();
        assert_eq!(call.path, ["pay", "callback", "test"]);
        let Body::Json(body) = call.body else {
            unreachable!()
        };
        assert_eq!(
            body,
            json!({"content_base64": "AGFzbQ==", "payment": {"fee": 1}})
        );

        let call = test_call("record-sale", None).unwrap();
        assert_eq!(call.path, ["pay", "callback", "record-sale", "test"]);
        assert!(matches!(call.body, Body::Nothing));
        assert!(test_call("./missing.wasm", None).is_err());
    }
}
