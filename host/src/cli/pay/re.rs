//! `walnut pay re`: a notification handed in by hand.
//!
//! Raw bytes with their headers go to the notification address and are verified as any other. The
//! original's plain JSON proves nothing, so it only makes the host ask the platform.

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};

use super::{Print, check};
use crate::cli::client::{Call, Client};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::{input, show};
use crate::payment::model::TradeNo;

/// `walnut pay re`
#[derive(Args)]
pub(in crate::cli) struct Re {
    /// The notification as JSON; without it, from standard input
    #[arg(conflicts_with = "file")]
    json: Option<String>,
    /// The field of the JSON that holds the payment's id (-idkey)
    #[arg(
        long,
        value_name = "KEY",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    idkey: Option<String>,
    /// Print `success`, and only when the payment is OK
    #[arg(short = 's', long, conflicts_with = "file")]
    success: bool,
    /// The bytes of a platform's notification; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// The trade number that the notification's address named
    #[arg(long, value_name = "TRADE_NO", requires = "file")]
    trade: Option<String>,
    /// A header that came with the bytes, such as 'Content-Type: application/json'; may be repeated
    #[arg(
        short = 'H',
        long = "header",
        value_name = "NAME: VALUE",
        requires = "file"
    )]
    headers: Vec<String>,
    #[command(flatten)]
    print: Print,
}

impl Re {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        if self.file.is_some() {
            let answer = client.as_platform(self.notification()?).await?;
            let code = u8::from(!answer.status.is_success());
            let note = format!("status {}", answer.status.as_u16());
            return Ok(Output {
                result: answer.body,
                note: Some(note),
                code,
            });
        }
        let id = self.payment_id(|| input::text("-"))?;
        let data = client.call(check(&id)).await?;
        if !self.success {
            return Ok(self.print.show(&data));
        }
        // The original printed `success` whatever had happened, and the platform stopped repeating.
        match state(&data) {
            Some("OK") => Ok(Output::text("success")),
            other => Err(CliError::Refused {
                code: "e.pay.re.notOk".to_owned(),
                message: format!("the payment is {}", other.unwrap_or("in no known state")),
            }),
        }
    }

    /// The call that hands the bytes in.
    pub(in crate::cli) fn notification(&self) -> Result<Call, CliError> {
        let mut path = vec!["pay", "re"];
        if let Some(trade) = &self.trade {
            if TradeNo::parse(trade).is_none() {
                return Err(CliError::usage(format!(
                    "--trade {trade:?} is no trade number: 32 lower-case hex digits"
                )));
            }
            path.push(trade);
        }
        let mut call =
            Call::new(Method::POST, &path).bytes(input::file(self.file.as_deref().unwrap_or("-"))?);
        for header in &self.headers {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                CliError::usage(format!(
                    "-H {header:?} is no header: give it as 'Name: value'"
                ))
            })?;
            call.headers
                .push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(call)
    }

    /// The payment's id in the JSON.
    pub(in crate::cli) fn payment_id(
        &self,
        stdin: impl FnOnce() -> Result<String, CliError>,
    ) -> Result<String, CliError> {
        let text = match &self.json {
            Some(json) => json.clone(),
            None => stdin()?,
        };
        let fields: Map<String, Value> = input::relaxed_object("the notification", &text)?;
        let idkey = self.idkey.as_deref().unwrap_or("id");
        match fields
            .get(idkey)
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
        {
            Some(id) => Ok(id.to_owned()),
            None => Err(CliError::usage(format!(
                "e.cmd.pay.re.noPoId: the notification has no text in the field {}",
                show::on_one_line(idkey)
            ))),
        }
    }
}

/// `st` of a payment, or `status` of what `send` answers.
fn state(data: &Value) -> Option<&str> {
    ["st", "status"]
        .into_iter()
        .find_map(|name| data.get(name)?.as_str())
}
