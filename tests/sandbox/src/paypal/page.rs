//! The page on which a person approves an order.

use super::status::{Funding, OrderStatus};
use super::view::OrderView;

/// What a payer may pay with, and what it does.
const FUNDINGS: [(Funding, &str, &str); 5] = [
    (Funding::Balance, "balance", "PayPal balance"),
    (Funding::Echeck, "echeck", "eCheck: the payment waits"),
    (
        Funding::Review,
        "review",
        "a payment that is reviewed first",
    ),
    (
        Funding::DeclinedInstrument,
        "declined_instrument",
        "a card that the bank declines",
    ),
    (Funding::Refused, "refused", "a payment that is refused"),
];

/// The funding of a form's word.
pub(super) fn funding(word: &str) -> Option<Funding> {
    let known = FUNDINGS.iter().find(|(_, known, _)| *known == word);
    known.map(|(funding, _, _)| *funding)
}

/// The page of an order.
pub(super) fn order(view: &OrderView) -> String {
    let (amount, id) = (view.amount, escaped(&view.id));
    let number = view.invoice_id.as_ref().or(view.custom_id.as_ref());
    let number = escaped(number.unwrap_or(&view.reference_id));
    let open = !view.gone && view.status != OrderStatus::Completed;
    let below = if open {
        let choices: String = FUNDINGS
            .iter()
            .map(|(_, word, text)| format!("<option value=\"{word}\">{text}</option>"))
            .collect();
        format!(
            "<form method=\"post\" action=\"/buyer/approve\"><input type=\"hidden\" \
             name=\"token\" value=\"{id}\"><label>Pay with <select name=\"funding\">{choices}\
             </select></label> <button>Pay {amount}</button></form><form method=\"post\" \
             action=\"/buyer/cancel\"><input type=\"hidden\" name=\"token\" value=\"{id}\">\
             <button>Cancel and return</button></form>"
        )
    } else {
        String::new()
    };
    let state = match view.status {
        _ if view.gone => "This order has expired.",
        OrderStatus::Created | OrderStatus::PayerActionRequired => "Waiting for you.",
        OrderStatus::Approved => "Approved; the merchant has not captured it yet.",
        OrderStatus::Completed => "Completed.",
    };
    frame(&format!(
        "<h1>{number}</h1><p>{amount}</p><p><strong>{state}</strong></p>{below}"
    ))
}

/// A page that says one thing.
pub(super) fn says(text: &str) -> String {
    frame(&format!("<p>{}</p>", escaped(text)))
}

fn frame(content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Simulated PayPal</title></head><body><p>Simulated \
         PayPal, no real money</p>{content}</body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
