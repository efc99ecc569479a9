//! A [`Provider`] as the exports of the provider world.

use std::marker::PhantomData;

use super::tell_panics;
use crate::bindings::provider::exports::walnut::pay::provider as contract;
use crate::bindings::provider::walnut::pay::types;
use crate::money::{Currency, Money, MoneyError};
use crate::provider::{
    Attempt, Bill, BillRow, Evidence, Fault, Hint, Outcome, Presentation, Provider, RefundOrder,
    Reversal, Sent,
};
use crate::text;
use crate::trust::Message;

/// The contract's limit for the text of a fault.
const FAULT_BYTES: usize = 1024;

/// A [`Provider`] as the contract's exports.
pub struct ProviderComponent<P>(PhantomData<P>);

impl<P: Provider> contract::Guest for ProviderComponent<P> {
    fn identify(notification: &Message) -> contract::Hint {
        tell_panics();
        match P::identify(notification) {
            Hint::Trade(number) => contract::Hint::Trade(number),
            Hint::Key(serial) => contract::Hint::Key(serial),
            Hint::None => contract::Hint::None,
        }
    }

    fn trade_of(notification: &Message) -> Result<Option<String>, types::Fault> {
        tell_panics();
        P::trade_of(notification).map_err(fault)
    }

    fn send(a: types::Attempt, args: Vec<String>) -> Result<contract::Sent, types::Fault> {
        tell_panics();
        P::send(attempt(a)?, args).map(sent).map_err(fault)
    }

    fn check(a: types::Attempt) -> Result<contract::Outcome, types::Fault> {
        tell_panics();
        P::check(attempt(a)?).map(outcome).map_err(fault)
    }

    fn complete(a: types::Attempt, n: &Message) -> Result<contract::Outcome, types::Fault> {
        tell_panics();
        P::complete(attempt(a)?, n).map(outcome).map_err(fault)
    }

    fn capture(a: types::Attempt) -> Result<contract::Outcome, types::Fault> {
        tell_panics();
        P::capture(attempt(a)?).map(outcome).map_err(fault)
    }

    fn close(a: types::Attempt) -> Result<(), types::Fault> {
        tell_panics();
        P::close(attempt(a)?).map_err(fault)
    }

    fn reverse(a: types::Attempt) -> Result<contract::Reversal, types::Fault> {
        tell_panics();
        let reversal = P::reverse(attempt(a)?).map_err(fault)?;
        Ok(match reversal {
            Reversal::Undone => contract::Reversal::Undone,
            Reversal::AgainInMs(ms) => contract::Reversal::AgainInMs(ms),
            Reversal::Refused(why) => contract::Reversal::Refused(why),
        })
    }

    fn refund(
        a: types::Attempt,
        r: contract::RefundOrder,
    ) -> Result<contract::Outcome, types::Fault> {
        tell_panics();
        P::refund(attempt(a)?, order(r)?)
            .map(outcome)
            .map_err(fault)
    }

    fn check_refund(
        a: types::Attempt,
        r: contract::RefundOrder,
    ) -> Result<contract::Outcome, types::Fault> {
        tell_panics();
        P::check_refund(attempt(a)?, order(r)?)
            .map(outcome)
            .map_err(fault)
    }

    fn probe() -> Result<String, types::Fault> {
        tell_panics();
        P::probe().map_err(fault)
    }

    fn find_bill(day: String) -> Result<Option<contract::Bill>, types::Fault> {
        tell_panics();
        Ok(P::find_bill(day).map_err(fault)?.map(bill))
    }

    fn bill_rows(chunk: Vec<u8>, first: bool) -> Result<Vec<contract::BillRow>, types::Fault> {
        tell_panics();
        let rows = P::bill_rows(chunk, first).map_err(fault)?;
        Ok(rows.into_iter().map(bill_row).collect())
    }

    fn next_page(
        page: contract::Bill,
        end: Vec<u8>,
    ) -> Result<Option<contract::Bill>, types::Fault> {
        tell_panics();
        let contract::Bill { url, sha1 } = page;
        let next = P::next_page(Bill { url, sha1 }, end).map_err(fault)?;
        Ok(next.map(bill))
    }
}

fn bill(Bill { url, sha1 }: Bill) -> contract::Bill {
    contract::Bill { url, sha1 }
}

fn attempt(a: types::Attempt) -> Result<Attempt, types::Fault> {
    Ok(Attempt {
        trade_no: a.trade_no,
        brief: a.brief,
        total: money(a.total)?,
        pay_type: a.pay_type,
        target: a.target,
        client_ip: a.client_ip,
        notify_url: a.notify_url,
        created_ms: a.created_ms,
        expires_ms: a.expires_ms,
        meta_json: a.meta,
        notes_json: a.notes,
        transaction_id: a.transaction_id,
    })
}

fn order(r: contract::RefundOrder) -> Result<RefundOrder, types::Fault> {
    Ok(RefundOrder {
        refund_no: r.refund_no,
        amount: money(r.amount)?,
        reason: r.reason,
        paid: money(r.paid)?,
        transaction_id: r.transaction_id,
    })
}

fn money(theirs: types::Money) -> Result<Money, types::Fault> {
    let read = |money: &types::Money| Money::new(money.minor, Currency::parse(&money.currency)?);
    read(&theirs).map_err(|error: MoneyError| types::Fault::Invalid(error.to_string()))
}

fn contract_money(ours: Money) -> types::Money {
    types::Money {
        minor: ours.minor(),
        currency: ours.currency().code().to_owned(),
    }
}

fn sent(ours: Sent) -> contract::Sent {
    contract::Sent {
        presentation: ours.presentation.map(presentation),
        valid_until_ms: ours.valid_until_ms,
        outcome: outcome(ours.outcome),
        notes: ours
            .notes
            .map(|notes| serde_json::Value::Object(notes).to_string()),
        words: ours.words,
    }
}

fn presentation(ours: Presentation) -> types::Presentation {
    match ours {
        Presentation::Link(address) => types::Presentation::Link(address),
        Presentation::Iframe(address) => types::Presentation::Iframe(address),
        Presentation::Qrcode(code) => types::Presentation::Qrcode(code),
        Presentation::Json(parameters) => types::Presentation::Json(parameters),
        Presentation::Text(words) => types::Presentation::Text(words),
    }
}

fn outcome(ours: Outcome) -> contract::Outcome {
    let evidence = |Evidence { claim, proof }| contract::Evidence { claim, proof };
    match ours {
        Outcome::Trade(ours) => contract::Outcome::Trade(evidence(ours)),
        Outcome::Refund(ours) => contract::Outcome::Refund(evidence(ours)),
        Outcome::Pending => contract::Outcome::Pending,
        Outcome::NotFound => contract::Outcome::NotFound,
        Outcome::Ask => contract::Outcome::Ask,
        Outcome::Ignored => contract::Outcome::Ignored,
    }
}

fn fault(ours: Fault) -> types::Fault {
    let cut = |why: String| text::first_bytes(&why, FAULT_BYTES).to_owned();
    match ours {
        Fault::Invalid(why) => types::Fault::Invalid(cut(why)),
        Fault::Unknown(why) => types::Fault::Unknown(cut(why)),
        Fault::Unverified(why) => types::Fault::Unverified(cut(why)),
        Fault::Misconfigured(why) => types::Fault::Misconfigured(cut(why)),
        Fault::Unsupported => types::Fault::Unsupported,
    }
}

fn bill_row(ours: BillRow) -> contract::BillRow {
    contract::BillRow {
        trade_no: ours.trade_no,
        transaction_id: ours.transaction_id,
        state: ours.state,
        amount: contract_money(ours.amount),
        refunded: contract_money(ours.refunded),
        refund_no: ours.refund_no,
    }
}
