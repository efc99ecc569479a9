//! From the host's words to the guest's and back; what a guest says is bounded here.

use serde_json::{Map, Value};
use wasmtime::Store;
use wasmtime::component::Resource;

use super::ForProvider;
use super::exchange::{
    AttemptView, Bill, BillRow, Fault, Hint, Outcome, RefundView, Reversal, Sent,
};
use crate::payment::model::PresentationKind;
use crate::payment::money::{Currency, Money};
use crate::plugin::bindings::provider::exports::walnut::pay::provider as guest;
use crate::plugin::bindings::provider::walnut::pay::types;
use crate::plugin::call::Call;
use crate::plugin::capability::log::cut;
use crate::plugin::error::Stop;
use crate::plugin::{json, limits};
use crate::trust::{Message, Statement};

/// Puts a message into the call's table, for the guest to look at while the call lasts.
pub(super) fn lend(
    store: &mut Store<Call<ForProvider>>,
    message: Message,
) -> wasmtime::Result<Resource<Message>> {
    let kept = store.data_mut().table.push(message)?;
    Ok(Resource::new_borrow(kept.rep()))
}

pub(super) fn given(attempt: AttemptView) -> types::Attempt {
    types::Attempt {
        trade_no: attempt.trade_no,
        brief: attempt.brief,
        total: types::Money {
            minor: attempt.total.minor(),
            currency: attempt.total.currency().code().to_owned(),
        },
        pay_type: attempt.pay_type,
        target: attempt.target,
        client_ip: attempt.client_ip,
        notify_url: attempt.notify_url,
        created_ms: attempt.created_ms,
        expires_ms: attempt.expires_ms,
        meta: Value::Object(attempt.meta).to_string(),
        notes: Value::Object(attempt.notes).to_string(),
        transaction_id: attempt.transaction_id,
    }
}

/// Takes the statement out of the call's table: from here on it is the host's own.
pub(super) fn statement(
    store: &mut Store<Call<ForProvider>>,
    evidence: guest::Evidence,
) -> wasmtime::Result<(String, Statement)> {
    Ok((
        short(evidence.claim),
        store.data_mut().table.delete(evidence.proof)?,
    ))
}

pub(super) fn proven(
    store: &mut Store<Call<ForProvider>>,
    outcome: guest::Outcome,
) -> wasmtime::Result<Outcome> {
    Ok(match outcome {
        guest::Outcome::Trade(evidence) => {
            let (claim, statement) = statement(store, evidence)?;
            Outcome::Trade { claim, statement }
        }
        guest::Outcome::Refund(evidence) => {
            let (claim, statement) = statement(store, evidence)?;
            Outcome::Refund { claim, statement }
        }
        guest::Outcome::Pending => Outcome::Pending,
        guest::Outcome::NotFound => Outcome::NotFound,
        guest::Outcome::Ask => Outcome::Ask,
        guest::Outcome::Ignored => Outcome::Ignored,
    })
}

pub(super) fn taken(
    store: &mut Store<Call<ForProvider>>,
    sent: guest::Sent,
) -> wasmtime::Result<Sent> {
    Ok(Sent {
        presentation: sent.presentation.map(shown).transpose()?,
        valid_until_ms: sent.valid_until_ms,
        notes: sent.notes.map(noted).transpose()?,
        words: sent.words.map(short),
        outcome: proven(store, sent.outcome)?,
    })
}

pub(super) fn shown(presentation: types::Presentation) -> Result<(PresentationKind, String), Stop> {
    let (kind, content) = match presentation {
        types::Presentation::Link(url) => (PresentationKind::Link, url),
        types::Presentation::Iframe(url) => (PresentationKind::Iframe, url),
        types::Presentation::Qrcode(text) => (PresentationKind::Qrcode, text),
        types::Presentation::Json(json) => (PresentationKind::Json, json),
        types::Presentation::Text(text) => (PresentationKind::Text, text),
    };
    if content.len() > limits::PRESENTATION_BYTES {
        return Err(too_large(
            "a presentation",
            content.len(),
            limits::PRESENTATION_BYTES,
        ));
    }
    let opened = matches!(kind, PresentationKind::Link | PresentationKind::Iframe);
    if opened && !is_address(&content) {
        let why = "a link that is no address of a page (https://…)";
        return Err(Stop::Contract(why.to_owned()));
    }
    if kind == PresentationKind::Json {
        json::check(&content)
            .map_err(|why| Stop::Contract(format!("a presentation that is {why}")))?;
    }
    Ok((kind, content))
}

/// What a browser may be sent to: nothing that it would run or read from its own machine.
fn is_address(text: &str) -> bool {
    let known = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start == scheme)
    };
    (known("https://") || known("http://")) && !text.contains(|c: char| c.is_control() || c == ' ')
}

pub(super) fn noted(notes: String) -> Result<Map<String, Value>, Stop> {
    if notes.len() > limits::NOTES_BYTES {
        return Err(too_large("notes", notes.len(), limits::NOTES_BYTES));
    }
    json::check(&notes).map_err(|why| Stop::Contract(format!("notes whose text is {why}")))?;
    serde_json::from_str(&notes)
        .map_err(|error| Stop::Contract(format!("notes that are not a JSON object: {error}")))
}

/// Takes what a guest answered, or its fault; only the taking can fail the call.
pub(super) fn fallible<T, U>(
    answer: Result<T, types::Fault>,
    take: impl FnOnce(T) -> wasmtime::Result<U>,
) -> wasmtime::Result<Result<U, Fault>> {
    match answer {
        Ok(answer) => take(answer).map(Ok),
        Err(text) => Ok(Err(fault(text))),
    }
}

pub(super) fn too_large(what: &str, is: usize, most: usize) -> Stop {
    Stop::Contract(format!("{what} of {is} bytes; at most {most} are allowed"))
}

/// One line of bounded length: it goes into logs and to terminals.
pub(super) fn short(text: String) -> String {
    cut(&text, limits::TEXT_BYTES).replace(char::is_control, " ")
}

pub(super) fn fault(fault: types::Fault) -> Fault {
    match fault {
        types::Fault::Invalid(text) => Fault::Invalid(short(text)),
        types::Fault::Unknown(text) => Fault::Unknown(short(text)),
        types::Fault::Unverified(text) => Fault::Unverified(short(text)),
        types::Fault::Misconfigured(text) => Fault::Misconfigured(short(text)),
        types::Fault::Unsupported => Fault::Unsupported,
    }
}

pub(super) fn hinted(hint: guest::Hint) -> Hint {
    match hint {
        guest::Hint::Trade(trade) => Hint::Trade(short(trade)),
        guest::Hint::Key(key) => Hint::Key(short(key)),
        guest::Hint::None => Hint::None,
    }
}

pub(super) fn reversed(reversal: guest::Reversal) -> Reversal {
    match reversal {
        guest::Reversal::Undone => Reversal::Undone,
        guest::Reversal::AgainInMs(ms) => Reversal::AgainInMs(ms),
        guest::Reversal::Refused(why) => Reversal::Refused(short(why)),
    }
}

pub(super) fn refund_order(refund: RefundView) -> guest::RefundOrder {
    guest::RefundOrder {
        refund_no: refund.refund_no,
        amount: given_money(refund.amount),
        reason: refund.reason,
        paid: given_money(refund.paid),
        transaction_id: refund.transaction_id,
    }
}

fn given_money(money: Money) -> types::Money {
    types::Money {
        minor: money.minor(),
        currency: money.currency().code().to_owned(),
    }
}

pub(super) fn found_bill(bill: Option<guest::Bill>) -> wasmtime::Result<Option<Bill>> {
    let Some(guest::Bill { url, sha1 }) = bill else {
        return Ok(None);
    };
    if url.len() > limits::URL_BYTES {
        return Err(too_large("the address of a bill", url.len(), limits::URL_BYTES).into());
    }
    Ok(Some(Bill {
        url,
        sha1: sha1.map(short),
    }))
}

pub(super) fn told_bill(bill: &Bill) -> guest::Bill {
    guest::Bill {
        url: bill.url.clone(),
        sha1: bill.sha1.clone(),
    }
}

pub(super) fn bill_rows(rows: Vec<guest::BillRow>) -> wasmtime::Result<Vec<BillRow>> {
    rows.into_iter().map(bill_row).collect()
}

fn bill_row(row: guest::BillRow) -> wasmtime::Result<BillRow> {
    Ok(BillRow {
        trade_no: short(row.trade_no),
        transaction_id: short(row.transaction_id),
        state: short(row.state),
        amount: told_money(&row.amount)?,
        refunded: told_money(&row.refunded)?,
        refund_no: row.refund_no.map(short),
    })
}

fn told_money(money: &types::Money) -> wasmtime::Result<Money> {
    let read =
        Currency::parse(&money.currency).and_then(|currency| Money::new(money.minor, currency));
    Ok(read.map_err(|error| Stop::Contract(format!("an amount in a bill: {error}")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deeply_is_not_kept() {
        let notes =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        let most = limits::JSON_LEVELS - 1;
        assert!(noted(notes(most)).is_ok());
        assert!(shown(types::Presentation::Json(notes(most))).is_ok());
        let told = noted(notes(most + 1)).unwrap_err().to_string();
        assert!(told.contains("levels deep"), "{told}");
        let told = shown(types::Presentation::Json(notes(most + 1)));
        let told = told.map(drop).unwrap_err().to_string();
        assert!(told.contains("levels deep"), "{told}");
        assert!(noted("[]".to_owned()).is_err());
    }
}
