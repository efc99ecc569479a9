//! `zfb.scan`: the till reads the code that the buyer's phone shows, or makes of the buyer's face.

use serde::Serialize;
use walnut_sdk::{Attempt, Fault, Outcome, Reversal, Sent, time};

use crate::gateway::{Answer, call};
use crate::order::Order;
use crate::{PAY, PAY_DECLINED, Trade, declines, meaning};

/// How long Alipay wants a canceller to wait before asking once more.
const AGAIN_MS: u32 = 2_000;

/// How much later than the host undoes it Alipay closes an order by itself: one that closes at the same moment leaves
/// nothing to undo, and nobody could tell from it that the undoing was asked for.
const CLOSES_LATER_MS: u64 = 60_000;

/// `biz_content` of `alipay.trade.pay`.
#[derive(Serialize)]
struct TillOrder<'a> {
    out_trade_no: &'a str,
    total_amount: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seller_id: Option<&'a str>,
    auth_code: &'a str,
    scene: &'static str,
    product_code: &'static str,
    time_expire: &'a str,
}

/// Takes the money of the buyer whose code it is.
pub(crate) fn pay(attempt: &Attempt, args: &[String]) -> Result<Sent, Fault> {
    let code = args.first().map(|code| code.trim()).unwrap_or_default();
    let scene = scene(code)?;
    let order = Order::of(attempt)?;
    let closes = time::china(attempt.expires_ms.saturating_add(CLOSES_LATER_MS));
    let order = TillOrder {
        out_trade_no: &order.out_trade_no,
        total_amount: &order.total_amount,
        subject: &order.subject,
        seller_id: order.seller_id.as_deref(),
        auth_code: code,
        scene,
        product_code: "FACE_TO_FACE_PAYMENT",
        time_expire: &closes,
    };
    let answer = call("alipay.trade.pay", &order, Some(&attempt.notify_url))?;
    match answer.code.as_str() {
        // Paid; or the buyer is asked for the password.
        "10000" | "10003" => Ok(Sent::of(Outcome::trade(PAY, answer.statement))),
        "40004" => refused(answer),
        _ => Err(meaning::of_refusal(&answer)),
    }
}

/// A refusal of the business. Where Alipay declines the buyer it names no trade: the host knows for which it asked.
fn refused(answer: Answer) -> Result<Sent, Fault> {
    match declines::in_words(&answer.sub_code, &answer.in_words()) {
        Some(words) => Ok(Sent {
            words: Some(words),
            ..Sent::of(Outcome::trade(PAY_DECLINED, answer.statement))
        }),
        None => meaning::of_refused_order(&answer).map(Sent::of),
    }
}

/// What kind of code it is: 16 to 24 digits that begin with 25 to 30, or a face, `fp` and 33 characters.
fn scene(code: &str) -> Result<&'static str, Fault> {
    let digits = code.bytes().all(|b| b.is_ascii_digit());
    let prefix = matches!(code.get(..2), Some("25" | "26" | "27" | "28" | "29" | "30"));
    if digits && prefix && (16..=24).contains(&code.len()) {
        return Ok("bar_code");
    }
    let face = code.starts_with("fp") && code.len() == 35;
    if face && code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok("security_code");
    }
    Err(Fault::Invalid(
        "scan the buyer's Alipay code: 16 to 24 digits that begin with 25 to 30".to_owned(),
    ))
}

/// Undoes a till payment: an unpaid one is closed, a paid one is given back.
pub(crate) fn cancel(attempt: &Attempt) -> Result<Reversal, Fault> {
    let answer = call("alipay.trade.cancel", &Trade::of(attempt), None)?;
    if answer.is_done() {
        return Ok(match answer.retry_flag.as_deref() {
            Some("Y") => Reversal::AgainInMs(AGAIN_MS),
            _ => Reversal::Undone,
        });
    }
    let refused = [
        "ACQ.CANCEL_NOT_ALLOWED",
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        "ACQ.REASON_TRADE_BEEN_FREEZEN",
    ];
    match refused.iter().any(|code| answer.says(code)) {
        true => Ok(Reversal::Refused(answer.in_words())),
        false => Err(meaning::of_refusal(&answer)),
    }
}
