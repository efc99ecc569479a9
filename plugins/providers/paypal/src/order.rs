//! What PayPal is asked for. The same attempt gives the same words on every resend.

use walnut_sdk::serde_json::{Map, Value, json};
use walnut_sdk::{Attempt, Fault, Money, RefundOrder, text};

use crate::setting;

/// The longest description, and the longest note to the payer, in characters.
const DESCRIPTION_CHARS: usize = 127;
const NOTE_CHARS: usize = 255;

/// Currencies of which PayPal takes no decimals, whatever ISO 4217 says of them.
const WHOLE: [&str; 3] = ["HUF", "JPY", "TWD"];

/// The order of an attempt.
///
/// # Errors
/// [`Fault::Invalid`] for what PayPal cannot express.
pub(crate) fn of(attempt: &Attempt) -> Result<Value, Fault> {
    let line = attempt.brief.replace(char::is_control, " ");
    let description = match text::first_chars(line.trim(), DESCRIPTION_CHARS).trim_end() {
        "" => attempt.trade_no.as_str(),
        description => description,
    };
    let mut context = Map::new();
    context.insert("user_action".to_owned(), json!("PAY_NOW"));
    context.insert("shipping_preference".to_owned(), json!("NO_SHIPPING"));
    for name in ["brand_name", "return_url", "cancel_url"] {
        if let Some(text) = setting(name) {
            context.insert(name.to_owned(), Value::String(text));
        }
    }
    Ok(json!({
        "intent": "CAPTURE",
        "purchase_units": [{
            "amount": amount(attempt.total)?,
            "description": description,
            "custom_id": attempt.trade_no,
            "invoice_id": attempt.trade_no,
        }],
        "application_context": context,
    }))
}

/// A refund of an attempt. It names the trade and itself, so that its answer can be told apart.
pub(crate) fn refund_of(attempt: &Attempt, refund: &RefundOrder) -> Result<Value, Fault> {
    let note = refund.reason.replace(char::is_control, " ");
    let mut body = json!({
        "amount": amount(refund.amount)?,
        "custom_id": attempt.trade_no,
        "invoice_id": refund.refund_no,
    });
    let note = text::first_chars(note.trim(), NOTE_CHARS).trim_end();
    if let (false, Some(body)) = (note.is_empty(), body.as_object_mut()) {
        body.insert("note_to_payer".to_owned(), json!(note));
    }
    Ok(body)
}

/// An amount in the decimals that PayPal takes.
fn amount(money: Money) -> Result<Value, Fault> {
    let code = money.currency().code().to_owned();
    let invalid = |why: &str| Err(Fault::Invalid(format!("{why} ({code})")));
    if money.minor() < 1 {
        return invalid("PayPal takes no payment of nothing");
    }
    let decimal = money.to_decimal();
    let value = match decimal.split_once('.') {
        Some((whole, fraction)) if WHOLE.contains(&code.as_str()) => {
            if fraction.bytes().any(|digit| digit != b'0') {
                return invalid("PayPal takes no decimals in this currency");
            }
            whole.to_owned()
        }
        Some((_, fraction)) if fraction.len() > 2 => {
            return invalid("PayPal does not take this currency");
        }
        _ => decimal,
    };
    Ok(json!({"currency_code": code, "value": value}))
}
