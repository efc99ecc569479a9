//! The order that `alipay.trade.precreate` is asked for. The same attempt gives the same words on
//! every resend: nothing in it comes from the clock.

use serde::Serialize;
use walnut_sdk::{Attempt, Currency, Fault, settings, text, time};

/// The longest subject, in characters.
const SUBJECT_CHARS: usize = 256;

/// The smallest and the largest amount: 0.01 to 100,000,000.00 yuan.
const FEN: std::ops::RangeInclusive<i64> = 1..=10_000_000_000;

/// Alipay's codes are valid for two hours at most.
const CODE_MINUTES: u64 = 120;

const MINUTE_MS: u64 = 60_000;

/// Alipay knows whole seconds: one that has begun is let come to its end.
const MILLISECONDS_UP: u64 = 999;

/// `biz_content`
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct Order {
    /// The attempt's number.
    pub out_trade_no: String,
    /// Yuan with two decimals.
    pub total_amount: String,
    /// What the buyer pays for.
    pub subject: String,
    /// The account that the money goes to, where it is not the application's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seller_id: Option<String>,
    /// The latest moment for paying, in China's time.
    pub time_expire: String,
    /// How long the code can be scanned: `90m`.
    pub qr_code_timeout_express: String,
}

impl Order {
    /// The order of an attempt.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what Alipay cannot express.
    pub fn of(attempt: &Attempt) -> Result<Order, Fault> {
        let currency = attempt.total.currency();
        if currency != Currency::CNY {
            return Err(Fault::Invalid(format!(
                "Alipay takes yuan here, and this is {currency:?}"
            )));
        }
        if !FEN.contains(&attempt.total.minor()) {
            return Err(Fault::Invalid(
                "Alipay takes 0.01 to 100000000.00 yuan in one payment".to_owned(),
            ));
        }
        Ok(Order {
            out_trade_no: attempt.trade_no.clone(),
            total_amount: attempt.total.to_decimal(),
            subject: subject(&attempt.brief, &attempt.trade_no),
            seller_id: settings::get("seller_id").filter(|id| !id.is_empty()),
            time_expire: time::china(attempt.expires_ms.saturating_add(MILLISECONDS_UP)),
            qr_code_timeout_express: format!("{}m", code_minutes(attempt)),
        })
    }
}

/// The brief as Alipay takes it: without `/`, `=`, `&` and control characters, at most 256
/// characters. A brief that has nothing else is replaced by the trade's number.
fn subject(brief: &str, trade_no: &str) -> String {
    let cleaned: String = brief
        .chars()
        .map(|c| {
            if matches!(c, '/' | '=' | '&') || c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    match text::first_chars(cleaned.trim(), SUBJECT_CHARS).trim_end() {
        "" => trade_no.to_owned(),
        subject => subject.to_owned(),
    }
}

/// Whole minutes that the code is valid, counted from the order: not longer than the attempt may
/// be paid, but at least the one minute that Alipay allows.
fn code_minutes(attempt: &Attempt) -> u64 {
    let payable_ms = attempt.expires_ms.saturating_sub(attempt.created_ms);
    (payable_ms / MINUTE_MS).clamp(1, CODE_MINUTES)
}

/// Until when the code is of use, counted from when the attempt was made: a code of a resend is
/// valid a little longer, which nobody has to rely on.
pub(crate) fn code_valid_until_ms(attempt: &Attempt) -> u64 {
    attempt
        .expires_ms
        .min(attempt.created_ms + CODE_MINUTES * MINUTE_MS)
}
