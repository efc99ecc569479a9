//! The provider for WeChat Pay (微信支付).
//!
//! | pay type | ordered by | the buyer gets |
//! |---|---|---|
//! | `wx.qrcode` | `/v3/pay/transactions/native` | a code |
//! | `wx.jsapi` | `/v3/pay/transactions/jsapi` | the parameters for a page within WeChat |
//! | `wx.h5` | `/v3/pay/transactions/h5` | the address of WeChat's page |
//! | `wx.app` | `/v3/pay/transactions/app` | the parameters for an app |
//! | `wx.scan` | v2 `/pay/micropay`, or `/v3/pay/transactions/codepay` | nothing: the till scanned the buyer's code |
//!
//! What is signed and encrypted, by which key, and where an answer or notification states trade, account, amount and
//! state is in `manifest.json`; the host does all of it. Here is what to ask for, and what the platform's words mean.

mod bill;
mod client;
mod declines;
mod meaning;
mod order;
mod refund;
mod till;
mod v2;
mod v3;

use walnut_sdk::serde_json::{self, Value};
use walnut_sdk::{
    Attempt, Bill, BillRow, Fault, Hint, Message, Outcome, Provider, RefundOrder, Reversal, Sent,
    Statement, trust,
};

/// WeChat Pay.
pub struct Wx;

#[cfg(feature = "component")]
walnut_sdk::export_provider!(Wx);

/// The claim of the manifest about a notification.
pub const NOTIFICATION: &str = "notification";
/// The claim of the manifest about a v3 answer.
pub const QUERY: &str = "query";
/// The claim of the manifest about the notification of a refund.
pub const REFUND_NOTIFICATION: &str = "refund-notification";

/// The claim of the manifest about a refusal of `codepay`.
const CODEPAY_DECLINED: &str = "codepay-declined";

/// The pay type at the till.
const SCAN: &str = "wx.scan";

/// A number that no trade has: the host's are UUIDs of version 7.
const NO_TRADE: &str = "00000000000000000000000000000000";

impl Provider for Wx {
    fn send(attempt: Attempt, args: Vec<String>) -> Result<Sent, Fault> {
        match attempt.pay_type.as_str() {
            SCAN => till::send(&attempt, &args),
            _ => order::send(&attempt, &args),
        }
    }

    fn check(attempt: Attempt) -> Result<Outcome, Fault> {
        if attempt.pay_type == SCAN && till::is_v2() {
            return v2::query(&attempt.trade_no);
        }
        query(&attempt.trade_no)
    }

    fn complete(_attempt: Attempt, notification: &Message) -> Result<Outcome, Fault> {
        Ok(match opened(notification)? {
            None => Outcome::Ignored,
            Some((NOTIFICATION, resource)) => Outcome::trade(NOTIFICATION, resource),
            Some((claim, resource)) => Outcome::refund(claim, resource),
        })
    }

    fn trade_of(notification: &Message) -> Result<Option<String>, Fault> {
        let Some((_, resource)) = opened(notification)? else {
            return Ok(None);
        };
        let stated: Value = serde_json::from_slice(&resource.text()).unwrap_or_default();
        let trade_no = stated.get("out_trade_no").and_then(Value::as_str);
        Ok(trade_no.map(str::to_owned))
    }

    /// What it speaks of is encrypted: only the key can be told.
    fn identify(notification: &Message) -> Hint {
        match notification.header(v3::SERIAL) {
            Some(serial) if v3::is_serial(&serial) => Hint::Key(serial),
            _ => Hint::None,
        }
    }

    fn close(attempt: Attempt) -> Result<(), Fault> {
        if attempt.pay_type == SCAN {
            return Err(Fault::Unsupported);
        }
        let path = format!("{}/{}/close", order::BY_NUMBER, attempt.trade_no);
        let answer = v3::post(&path, &serde_json::json!({"mchid": v3::mchid()?}))?;
        // Paid or closed already, or never ordered: asking tells.
        let nothing_to_do = [
            "ORDER_PAID",
            "ORDERPAID",
            "ORDER_CLOSED",
            "ORDERCLOSED",
            "ORDER_NOT_EXIST",
            "ORDERNOTEXIST",
        ];
        if answer.is_done() || nothing_to_do.contains(&answer.code.as_str()) {
            return Ok(());
        }
        Err(meaning::of_refusal(&answer))
    }

    fn reverse(attempt: Attempt) -> Result<Reversal, Fault> {
        if attempt.pay_type != SCAN {
            return Err(Fault::Unsupported);
        }
        till::reverse(&attempt)
    }

    fn refund(attempt: Attempt, order: RefundOrder) -> Result<Outcome, Fault> {
        refund::refund(&attempt, &order)
    }

    fn check_refund(_attempt: Attempt, order: RefundOrder) -> Result<Outcome, Fault> {
        refund::check(&order)
    }

    fn probe() -> Result<String, Fault> {
        match query(NO_TRADE)? {
            Outcome::NotFound => Ok(
                "asked WeChat Pay for an order that does not exist: it knows the merchant, takes its \
                 signature, and signs with a key that is known here"
                    .to_owned(),
            ),
            _ => Err(Fault::Unknown(
                "WeChat Pay knows an order that cannot be".to_owned(),
            )),
        }
    }

    fn find_bill(day: String) -> Result<Option<Bill>, Fault> {
        bill::find(&day)
    }

    fn bill_rows(chunk: Vec<u8>, first: bool) -> Result<Vec<BillRow>, Fault> {
        bill::rows(&chunk, first)
    }
}

/// What a notification states, verified and decrypted, with the claim that reads it; none where it is about neither a
/// trade nor a refund.
fn opened(notification: &Message) -> Result<Option<(&'static str, Statement)>, Fault> {
    let statement = v3::verified(notification, "notify")?;
    let envelope: Value = serde_json::from_slice(&statement.text()).unwrap_or_default();
    let event = envelope.get("event_type").and_then(Value::as_str);
    let claim = match event.and_then(|event| event.split_once('.')) {
        Some(("TRANSACTION", _)) => NOTIFICATION,
        Some(("REFUND", _)) => REFUND_NOTIFICATION,
        _ => return Ok(None),
    };
    Ok(Some((claim, trust::open(&statement, "resource")?)))
}

/// Asks v3 how a trade stands.
pub(crate) fn query(trade_no: &str) -> Result<Outcome, Fault> {
    let path = format!("{}/{trade_no}?mchid={}", order::BY_NUMBER, v3::mchid()?);
    let answer = v3::get(&path)?;
    match answer.code.as_str() {
        "" if answer.is_done() => Ok(Outcome::trade(QUERY, answer.statement)),
        "ORDER_NOT_EXIST" | "ORDERNOTEXIST" => Ok(Outcome::NotFound),
        _ => Err(meaning::of_refusal(&answer)),
    }
}

#[cfg(test)]
mod tests;
