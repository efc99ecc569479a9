//! `walnut pay …`: the original's verbs.

mod create;
mod query;
mod re;

use std::io::{self, IsTerminal};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::domain::Listing;
use super::error::CliError;
use super::output::Output;
use super::show::{self, Style};
use super::{obj, qr};

/// `walnut pay`
#[derive(Subcommand)]
pub(super) enum Pay {
    /// Make a payment; with a pay type, send it at once
    Create(create::Create),
    /// Send a payment to the platform that the buyer picked
    Send {
        /// The payment
        id: String,
        /// Such as zfb.qrcode
        pay_tp: String,
        /// Which of the domain's targets; its only or default one without it (also '')
        target: Option<String>,
        /// What the pay type needs, such as the code that the till scanned
        args: Vec<String>,
        #[command(flatten)]
        print: Print,
    },
    /// Ask the platform how a payment stands
    Check(One),
    /// Show a payment
    Get(One),
    /// Find payments
    #[command(disable_help_flag = true)]
    Query(query::Query),
    /// Hand in a platform's notification
    Re(re::Re),
    /// Show every change of a payment
    History(One),
    /// Show the newest notifications that did not verify (for root and op)
    Refused(Listing),
    /// End a payment unpaid
    Close(One),
    /// Undo a till payment of unknown end
    Reverse(One),
    /// Give money back
    Refund {
        /// The payment
        id: String,
        /// How much, in minor units, with its currency if need be; all that is left without it (-fee)
        #[arg(long)]
        fee: Option<String>,
        /// Why, for the buyer and the books
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Repeating the call with the same key gives nothing back twice
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        #[command(flatten)]
        print: Print,
    },
    /// Decide about a payment on hold
    Resolve {
        /// The payment
        id: String,
        /// accept what was paid, dismiss it, or refund it
        decision: Decision,
        /// Why; kept in the payment's history
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        print: Print,
    },
}

/// A verb about one payment.
#[derive(Args)]
pub(super) struct One {
    /// The payment
    id: String,
    #[command(flatten)]
    print: Print,
}

/// How a payment is printed.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct Print {
    /// In one line
    #[arg(short = 'c', long)]
    compact: bool,
    /// Keys in quotes: so they are here in any case
    #[arg(short = 'q', long)]
    quote: bool,
    /// Fields that are null too: so it is here in any case
    #[arg(short = 'n', long)]
    nulls: bool,
}

/// What becomes of a payment on hold.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Decision {
    /// It counts as paid
    Accept,
    /// It counts as not paid
    Dismiss,
    /// It is given back
    Refund,
}

impl Pay {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match self {
            Pay::Create(create) => create.run(client).await,
            Pay::Query(query) => query.run(client).await,
            Pay::Re(re) => re.run(client).await,
            Pay::Send {
                id,
                pay_tp,
                target,
                args,
                print,
            } => {
                let call = send_call(&id, &pay_tp, target.as_deref(), &args);
                Ok(print.sent(&client.call(call).await?))
            }
            Pay::Check(one) => Ok(one.print.show(&client.call(check(&one.id)).await?)),
            Pay::Get(one) => Ok(one.print.show(&client.call(obj::get(&one.id)).await?)),
            Pay::History(one) => {
                let call = Call::get(&["pay", "ajax", "history"]).query("id", one.id);
                Ok(one.print.show(&client.call(call).await?))
            }
            Pay::Refused(listing) => {
                let refused = client.call(Call::get(&["pay", "refused"])).await?;
                listing.print(refused, "at:time,trade_no,bytes,why")
            }
            Pay::Close(one) => Ok(one.print.show(&client.call(about("close", &one.id)).await?)),
            Pay::Reverse(one) => Ok(one
                .print
                .show(&client.call(about("reverse", &one.id)).await?)),
            Pay::Refund {
                id,
                fee,
                reason,
                idempotency_key,
                print,
            } => {
                let body = json!({ "id": id, "fee": fee, "reason": reason });
                let mut call = Call::post(&["pay", "ajax", "refund"], body);
                call.headers
                    .extend(idempotency_key.map(|key| ("Idempotency-Key".to_owned(), key)));
                Ok(print.show(&client.call(call).await?))
            }
            Pay::Resolve {
                id,
                decision,
                reason,
                print,
            } => {
                let call = resolve_call(&id, decision, &reason);
                Ok(print.show(&client.call(call).await?))
            }
        }
    }
}

impl Print {
    /// The answer as JSON, and below it the QR code where a person may scan it from the terminal.
    fn show(self, data: &Value) -> Output {
        let style = Style {
            compact: self.compact,
            ..Style::STRICT
        };
        let mut text = show::json(data, style);
        if io::stdout().is_terminal()
            && let Some(code) = qr_text(data).and_then(|text| qr::draw(text).ok())
        {
            text.push_str("\n\n");
            text.push_str(&code);
        }
        Output::text(text)
    }

    /// The same for what came of sending. The payment is there, and its id is what the caller needs; but where it was not
    /// sent, or the platform declined it, there is no success to report.
    fn sent(self, data: &Value) -> Output {
        let shown = self.show(data);
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        match text("errMsg") {
            None => shown,
            Some(why) => Output {
                code: 1,
                note: Some(format!("{}: {why}", text("errCode").unwrap_or_default())),
                ..shown
            },
        }
    }
}

/// The text of the QR code in what `send` answers, or in a payment, or in what `create` answers.
fn qr_text(data: &Value) -> Option<&str> {
    fn within(value: &Value) -> Option<&str> {
        [("dataType", "data"), ("re_tp", "re_obj")]
            .into_iter()
            .find_map(|(kind, content)| {
                let is_code = value.get(kind)?.as_str()? == "QRCODE";
                value.get(content)?.as_str().filter(|_| is_code)
            })
    }
    within(data).or_else(|| within(data.get("payment")?))
}

fn check(id: &str) -> Call {
    Call::get(&["pay", "ajax", "check"]).query("id", id)
}

fn about(verb: &str, id: &str) -> Call {
    Call::post(&["pay", "ajax", verb], json!({ "id": id }))
}

fn send_call(id: &str, pay_tp: &str, target: Option<&str>, args: &[String]) -> Call {
    let mut body = json!({ "id": id, "pay_tp": pay_tp, "args": args });
    if let (Value::Object(body), Some(target)) = (&mut body, target.filter(|t| !t.is_empty())) {
        body.insert("pay_target".to_owned(), target.into());
    }
    Call::post(&["pay", "ajax", "send"], body)
}

fn resolve_call(id: &str, decision: Decision, reason: &str) -> Call {
    let decision = match decision {
        Decision::Accept => "accept",
        Decision::Dismiss => "dismiss",
        Decision::Refund => "refund",
    };
    let body = json!({ "id": id, "decision": decision, "reason": reason });
    Call::post(&["pay", "ajax", "resolve"], body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::Body;

    fn body(call: Call) -> Value {
        let Body::Json(body) = call.body else {
            unreachable!()
        };
        body
    }

    #[test]
    fn send_names_the_target_only_when_there_is_one() {
        let code = ["13061234".to_owned()];
        assert_eq!(
            body(send_call("0197", "wx.scan", Some("shop"), &code)),
            json!({"id": "0197", "pay_tp": "wx.scan", "pay_target": "shop", "args": ["13061234"]})
        );
        for none in [None, Some("")] {
            assert_eq!(
                body(send_call("0197", "free", none, &[])),
                json!({"id": "0197", "pay_tp": "free", "args": []})
            );
        }
        assert_eq!(
            body(resolve_call("0197", Decision::Dismiss, "twice")),
            json!({"id": "0197", "decision": "dismiss", "reason": "twice"})
        );
    }

    #[test]
    fn the_qr_code_is_found_where_answers_have_it() {
        for data in [
            json!({"payObjId": "0197", "status": "WAIT", "dataType": "QRCODE", "data": "https://q"}),
            json!({"id": "0197", "re_tp": "QRCODE", "re_obj": "https://q"}),
            json!({"payment": {"re_tp": "QRCODE", "re_obj": "https://q"}, "ticket": "wt_"}),
        ] {
            assert_eq!(qr_text(&data), Some("https://q"), "{data}");
        }
        for data in [
            json!({"dataType": "LINK", "data": "https://q"}),
            json!({"re_tp": "QRCODE", "re_obj": null}),
            json!([]),
        ] {
            assert_eq!(qr_text(&data), None, "{data}");
        }
    }
}
