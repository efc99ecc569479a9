//! The provider for Alipay (支付宝).
//!
//! | pay type | ordered by | the buyer gets |
//! |---|---|---|
//! | `zfb.qrcode` | `alipay.trade.precreate` | a code |
//! | `zfb.page` | `alipay.trade.page.pay` in the buyer's browser | the address of Alipay's page, or a frame of it |
//! | `zfb.wap` | `alipay.trade.wap.pay` in the browser of the buyer's phone | the address of Alipay's page |
//! | `zfb.scan` | `alipay.trade.pay` | nothing: the till scanned the buyer's code |
//!
//! | operation | asks for |
//! |---|---|
//! | `check` | `alipay.trade.query` |
//! | `close` | `alipay.trade.close` |
//! | `reverse` | `alipay.trade.cancel` |
//! | `refund`, `check_refund` | `alipay.trade.refund`, `alipay.trade.fastpay.refund.query` |
//! | `find_bill` | `alipay.data.dataservice.bill.downloadurl.query` |
//! | `complete` | the asynchronous notification (异步通知) |
//!
//! What is signed, by which key, and where an answer or notification states trade, account, amount
//! and state is in `manifest.json`; the host does all of it. Here is what to ask for, and what the
//! gateway's words mean.

mod bill;
mod declines;
mod gateway;
mod meaning;
mod order;
mod page;
mod refund;
mod renewal;
mod till;

use walnut_sdk::{
    Attempt, Bill, BillRow, Fault, Hint, Message, Outcome, Presentation, Provider, RefundOrder,
    Reversal, Sent, form,
};

pub use gateway::{Answer, call};
pub use order::Order;

/// Alipay.
pub struct Zfb;

#[cfg(feature = "component")]
walnut_sdk::export_provider!(Zfb);

/// The claim of the manifest about a notification.
pub const NOTIFICATION: &str = "notification";
/// The claim of the manifest about an answer to `alipay.trade.query`.
pub const QUERY: &str = "query";

/// The claim of the manifest about an answer to `alipay.trade.pay`.
pub const PAY: &str = "pay";
/// The claim of the manifest about a refusal of `alipay.trade.pay`.
const PAY_DECLINED: &str = "pay-declined";
/// The claim of the manifest about an answer to `alipay.trade.fastpay.refund.query`.
pub const REFUND: &str = "refund";

/// A number that no trade has: the host's are UUIDs of version 7.
const NO_TRADE: &str = "00000000000000000000000000000000";

impl Provider for Zfb {
    fn send(attempt: Attempt, args: Vec<String>) -> Result<Sent, Fault> {
        match attempt.pay_type.as_str() {
            "zfb.scan" => till::pay(&attempt, &args),
            "zfb.page" => Ok(shown(page::page(&attempt, &args)?, attempt.expires_ms)),
            "zfb.wap" => Ok(shown(page::wap(&attempt, &args)?, attempt.expires_ms)),
            _ => precreate(&attempt),
        }
    }

    fn check(attempt: Attempt) -> Result<Outcome, Fault> {
        let answer = call("alipay.trade.query", &Trade::of(&attempt), None)?;
        if answer.is_done() {
            return Ok(Outcome::trade(QUERY, answer.statement));
        }
        // Before the buyer scans the code, or signs in on the page, there is no trade at Alipay.
        if answer.says("ACQ.TRADE_NOT_EXIST") {
            return Ok(Outcome::NotFound);
        }
        Err(meaning::of_refusal(&answer))
    }

    fn complete(_attempt: Attempt, notification: &Message) -> Result<Outcome, Fault> {
        let statement = renewal::verified(notification, "notify")?;
        let text = statement.text();
        match form::field(&text, "notify_type").as_deref() {
            Some("trade_status_sync") => Ok(Outcome::trade(NOTIFICATION, statement)),
            _ => Ok(Outcome::Ignored),
        }
    }

    fn identify(notification: &Message) -> Hint {
        let body = notification.body();
        match form::field(&body, "out_trade_no") {
            Some(number) if is_trade_no(&number) => Hint::Trade(number.into_owned()),
            _ => Hint::None,
        }
    }

    fn close(attempt: Attempt) -> Result<(), Fault> {
        let answer = call("alipay.trade.close", &Trade::of(&attempt), None)?;
        // Nobody scanned yet: nothing to close. Paid or closed already: asking tells.
        let nothing_to_do = [
            "ACQ.TRADE_NOT_EXIST",
            "ACQ.TRADE_STATUS_ERROR",
            "ACQ.TRADE_HAS_CLOSE",
        ];
        if answer.is_done() || nothing_to_do.iter().any(|code| answer.says(code)) {
            return Ok(());
        }
        Err(meaning::of_refusal(&answer))
    }

    fn reverse(attempt: Attempt) -> Result<Reversal, Fault> {
        till::cancel(&attempt)
    }

    fn refund(attempt: Attempt, order: RefundOrder) -> Result<Outcome, Fault> {
        refund::order(&attempt, &order)
    }

    fn check_refund(attempt: Attempt, order: RefundOrder) -> Result<Outcome, Fault> {
        refund::ask(&attempt, &order)
    }

    fn probe() -> Result<String, Fault> {
        let answer = call(
            "alipay.trade.query",
            &Trade {
                out_trade_no: NO_TRADE,
            },
            None,
        )?;
        if answer.says("ACQ.TRADE_NOT_EXIST") {
            return Ok(
                "asked Alipay for a trade that does not exist: it knows the application, \
                       takes its signature, and signs with the key in the settings"
                    .to_owned(),
            );
        }
        Err(meaning::of_refusal(&answer))
    }

    fn find_bill(day: String) -> Result<Option<Bill>, Fault> {
        bill::find(&day)
    }

    fn bill_rows(chunk: Vec<u8>, first: bool) -> Result<Vec<BillRow>, Fault> {
        bill::rows(&chunk, first)
    }
}

/// Something for the buyer, who has not come yet.
fn shown(presentation: Presentation, valid_until_ms: u64) -> Sent {
    Sent {
        presentation: Some(presentation),
        valid_until_ms: Some(valid_until_ms),
        ..Sent::of(Outcome::Pending)
    }
}

/// Orders a code.
fn precreate(attempt: &Attempt) -> Result<Sent, Fault> {
    let order = Order::of(attempt)?;
    let answer = call("alipay.trade.precreate", &order, Some(&attempt.notify_url))?;
    if !answer.is_done() {
        return meaning::of_refused_order(&answer).map(Sent::of);
    }
    match answer.qr_code {
        Some(code) if answer.out_trade_no.as_deref() == Some(attempt.trade_no.as_str()) => {
            let until_ms = order::code_valid_until_ms(attempt);
            Ok(shown(Presentation::Qrcode(code), until_ms))
        }
        // The order may stand all the same.
        Some(_) => Err(Fault::Unknown(
            "Alipay answered about another trade".to_owned(),
        )),
        None => Err(Fault::Unknown(
            "Alipay took the order and gave no code".to_owned(),
        )),
    }
}

/// What `query` and `close` are asked about.
#[derive(serde::Serialize)]
struct Trade<'a> {
    out_trade_no: &'a str,
}

impl<'a> Trade<'a> {
    fn of(attempt: &'a Attempt) -> Trade<'a> {
        Trade {
            out_trade_no: &attempt.trade_no,
        }
    }
}

/// The form of the host's trade numbers.
fn is_trade_no(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
