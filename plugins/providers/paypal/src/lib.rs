//! The provider for PayPal: `paypal.page`, an order that the buyer approves on PayPal's page and that the host then
//! has captured.
//!
//! | operation | asks for |
//! |---|---|
//! | `send` | `POST /v2/checkout/orders` |
//! | `check` | `GET /v2/checkout/orders/{order}`, then `GET /v2/payments/captures/{capture}` |
//! | `capture` | `POST /v2/checkout/orders/{order}/capture`, then the same |
//! | `complete` | a webhook, which proves nothing: then the same as `check` |
//! | `refund`, `check_refund` | `POST …/refund`, `GET /v2/payments/refunds/{refund}` |
//! | `find_bill`, `next_page` | `GET /v1/reporting/transactions` |
//!
//! Money has moved when a *capture* is COMPLETED, whatever the order says. PayPal signs no answer: what the host vouches
//! for is an answer over TLS to a request with a token that it fetched itself.

mod api;
mod meaning;
mod order;
mod report;
mod webhook;

use walnut_sdk::serde_json::Value;
use walnut_sdk::{
    Attempt, Bill, BillRow, Fault, Hint, Message, Outcome, Presentation, Provider, RefundOrder,
    Sent, serde_json, settings,
};

/// PayPal.
pub struct PayPal;

#[cfg(feature = "component")]
walnut_sdk::export_provider!(PayPal);

/// The claim of the manifest about an order that was not captured.
pub const ORDER: &str = "order";
/// The claim of the manifest about a capture.
pub const CAPTURE: &str = "capture";
/// The claim of the manifest about a refund.
pub const REFUND: &str = "refund";

/// A number that no order has.
const NO_ORDER: &str = "00000000000000000";

/// PayPal takes an order of the same id for the same order.
const REQUEST_ID: &str = "paypal-request-id";

impl Provider for PayPal {
    fn send(attempt: Attempt, _args: Vec<String>) -> Result<Sent, Fault> {
        let order = order::of(&attempt)?;
        let answer = api::post("/v2/checkout/orders", &order, &attempt.trade_no)?;
        if !answer.is_done() {
            return Err(meaning::of_refusal(&answer));
        }
        let unknown =
            |what: &str| Fault::Unknown(format!("PayPal took the order and gave no {what}"));
        let number = answer
            .text("/id")
            .filter(|id| api::is_number(id))
            .ok_or_else(|| unknown("number"))?;
        let page = answer
            .link("approve")
            .or_else(|| answer.link("payer-action"));
        let mut notes = attempt.notes();
        notes.insert("order".to_owned(), Value::String(number));
        Ok(Sent {
            presentation: Some(Presentation::Link(page.ok_or_else(|| unknown("page"))?)),
            valid_until_ms: Some(attempt.expires_ms),
            outcome: Outcome::Pending,
            notes: Some(notes),
            words: None,
        })
    }

    fn check(attempt: Attempt) -> Result<Outcome, Fault> {
        check(&attempt)
    }

    fn complete(attempt: Attempt, notification: &Message) -> Result<Outcome, Fault> {
        let statement = webhook::verified(notification)?;
        let event: Value = serde_json::from_slice(&statement.text()).unwrap_or_default();
        let kind = event.get("event_type").and_then(Value::as_str);
        match kind.unwrap_or_default() {
            kind if kind.starts_with("CHECKOUT.ORDER.") || kind.starts_with("PAYMENT.CAPTURE.") => {
                check(&attempt)
            }
            _ => Ok(Outcome::Ignored),
        }
    }

    fn identify(notification: &Message) -> Hint {
        webhook::identify(notification)
    }

    fn capture(attempt: Attempt) -> Result<Outcome, Fault> {
        let Some(order) = known_order(&attempt) else {
            return Ok(Outcome::NotFound);
        };
        let path = format!("/v2/checkout/orders/{order}/capture");
        let answer = api::post(&path, &serde_json::json!({}), &attempt.trade_no)?;
        if answer.is_done() {
            return check(&attempt);
        }
        match answer.issue.as_str() {
            // Somebody was first, or the answer was lost: asking tells.
            "ORDER_ALREADY_CAPTURED" | "PREVIOUS_REQUEST_IN_PROGRESS" => check(&attempt),
            // The buyer may approve it again, with something else to pay by.
            "INSTRUMENT_DECLINED" | "ORDER_NOT_APPROVED" | "PAYER_ACTION_REQUIRED" => {
                Ok(Outcome::Pending)
            }
            _ => Err(meaning::of_refusal(&answer)),
        }
    }

    fn refund(attempt: Attempt, refund: RefundOrder) -> Result<Outcome, Fault> {
        let Some(capture) = attempt
            .transaction_id
            .as_deref()
            .filter(|id| api::is_number(id))
        else {
            return Err(Fault::Unknown(
                "the capture's number is not known yet: it is asked for first".to_owned(),
            ));
        };
        let path = format!("/v2/payments/captures/{capture}/refund");
        let body = order::refund_of(&attempt, &refund)?;
        let answer = api::post(&path, &body, &refund.refund_no)?;
        if answer.is_done() {
            return Ok(Outcome::refund(REFUND, answer.statement));
        }
        Err(meaning::of_refusal(&answer))
    }

    fn check_refund(attempt: Attempt, refund: RefundOrder) -> Result<Outcome, Fault> {
        let known = refund
            .transaction_id
            .clone()
            .filter(|id| api::is_number(id));
        let number = match known {
            Some(number) => number,
            None => match find_refund(&attempt, &refund.refund_no)? {
                Some(number) => number,
                None => return Ok(Outcome::NotFound),
            },
        };
        let answer = api::get(&format!("/v2/payments/refunds/{number}"))?;
        match answer.status {
            _ if answer.is_done() => Ok(Outcome::refund(REFUND, answer.statement)),
            404 => Ok(Outcome::NotFound),
            _ => Err(meaning::of_refusal(&answer)),
        }
    }

    fn find_bill(day: String) -> Result<Option<Bill>, Fault> {
        report::find(&day)
    }

    fn bill_rows(page: Vec<u8>, _first: bool) -> Result<Vec<BillRow>, Fault> {
        report::rows(&page)
    }

    fn next_page(page: Bill, end: Vec<u8>) -> Result<Option<Bill>, Fault> {
        report::next(&page, &end)
    }

    fn probe() -> Result<String, Fault> {
        let answer = api::get(&format!("/v2/checkout/orders/{NO_ORDER}"))?;
        if answer.status == 404 {
            return Ok(
                "asked PayPal for an order that does not exist: it knows the app and its secret"
                    .to_owned(),
            );
        }
        Err(meaning::of_refusal(&answer))
    }
}

/// Asks how the trade stands: by its capture where there is one, else by its order.
fn check(attempt: &Attempt) -> Result<Outcome, Fault> {
    // Nobody got the page of an order whose answer was lost, so that nobody can have approved it.
    let Some(order) = known_order(attempt) else {
        return Ok(Outcome::NotFound);
    };
    let answer = api::get(&format!("/v2/checkout/orders/{order}"))?;
    if answer.status == 404 {
        return Ok(Outcome::NotFound);
    }
    if !answer.is_done() {
        return Err(meaning::of_refusal(&answer));
    }
    let Some(capture) = deciding_capture(&answer.body) else {
        return Ok(Outcome::trade(ORDER, answer.statement));
    };
    let answer = api::get(&format!("/v2/payments/captures/{capture}"))?;
    if answer.is_done() {
        Ok(Outcome::trade(CAPTURE, answer.statement))
    } else {
        Err(meaning::of_refusal(&answer))
    }
}

/// The capture that was paid; where none was, the one that may still be, or else the last that was not.
fn deciding_capture(order: &Value) -> Option<String> {
    let captures = order
        .pointer("/purchase_units/0/payments/captures")?
        .as_array()?;
    let with = |wanted: &[&str]| {
        captures.iter().rev().find(|capture| {
            let status = capture.get("status").and_then(Value::as_str);
            wanted.contains(&status.unwrap_or_default())
        })
    };
    let found = with(&["COMPLETED", "REFUNDED", "PARTIALLY_REFUNDED"])
        .or_else(|| with(&["PENDING"]))
        .or_else(|| captures.last())?;
    let number = found.get("id")?.as_str()?;
    api::is_number(number).then(|| number.to_owned())
}

fn known_order(attempt: &Attempt) -> Option<String> {
    let notes = attempt.notes();
    let order = notes.get("order")?.as_str()?;
    api::is_number(order).then(|| order.to_owned())
}

/// PayPal's number of a refund whose answer was lost.
fn find_refund(attempt: &Attempt, refund_no: &str) -> Result<Option<String>, Fault> {
    let Some(order) = known_order(attempt) else {
        return Ok(None);
    };
    let answer = api::get(&format!("/v2/checkout/orders/{order}"))?;
    if !answer.is_done() {
        return Err(meaning::of_refusal(&answer));
    }
    let refunds = answer.body.pointer("/purchase_units/0/payments/refunds");
    let refunds = refunds.and_then(Value::as_array);
    let found = refunds
        .into_iter()
        .flatten()
        .find(|refund| refund.get("invoice_id").and_then(Value::as_str) == Some(refund_no));
    let number = found.and_then(|refund| refund.get("id")?.as_str());
    Ok(number.filter(|id| api::is_number(id)).map(str::to_owned))
}

/// A setting that is not empty.
fn setting(name: &str) -> Option<String> {
    settings::get(name).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
