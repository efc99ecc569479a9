//! One trade of a bill against the attempt of its number.
//!
//! | row of the bill | is |
//! |---|---|
//! | with an amount, without a refund's number | money that was paid |
//! | with a refund's number | money that went back by that refund |
//! | with neither, but with something refunded | money that went back without a number, such as a reversal |
//!
//! The platform's word for the state is only shown: whether money moved is told by the amounts.

use std::collections::BTreeMap;

use super::report::{Difference, Kind, Side};
use crate::payment::model::{Attempt, AttemptState, Case, Refund, RefundNo, RefundState};
use crate::payment::money::{Currency, Money};
use crate::payment::refunding::outside;
use crate::plugin::BillRow;

/// What came of comparing one trade.
#[derive(Debug, Default, PartialEq)]
pub(in crate::payment) struct Compared {
    /// None where the sides agree.
    pub(in crate::payment) differences: Vec<Difference>,
    /// The bill shows it as paid and the store does not: the platform is to be asked at once. The first difference is
    /// the one that says so.
    pub(in crate::payment) ask: bool,
    /// Places of the differences about numbered refunds that are none of the host's: the platform is to be asked about
    /// each.
    pub(in crate::payment) ask_refunds: Vec<usize>,
}

/// Compares all rows of a trade with its attempt, where the domain has one.
pub(in crate::payment) fn compare(
    trade_no: &str,
    rows: &[&BillRow],
    found: Option<(&Case, &Attempt)>,
) -> Compared {
    match found {
        Some((case, attempt)) => Trade::new(case, attempt, rows).compare(),
        None => unknown(trade_no, rows),
    }
}

/// A paid attempt that the bill does not have.
pub(in crate::payment) fn missed_payment(case: &Case, attempt: &Attempt) -> Difference {
    Difference {
        here: Some(paid_here(case, attempt)),
        note: "paid here; the bill does not have it".to_owned(),
        ..about(Kind::MissingThere, case, attempt)
    }
}

/// A refund that the bill does not have.
pub(in crate::payment) fn missed_refund(
    case: &Case,
    attempt: &Attempt,
    refund: &Refund,
) -> Difference {
    Difference {
        refund_no: Some(refund.refund_no.to_string()),
        here: Some(refund_here(case, refund)),
        note: "given back here; the bill does not have it".to_owned(),
        ..about(Kind::Refund, case, attempt)
    }
}

/// A trade that is none of the domain's: somebody else uses the account, or a payment was lost.
fn unknown(trade_no: &str, rows: &[&BillRow]) -> Compared {
    let of_row = |row: &&BillRow| {
        let went_back = !is_payment(row);
        let (kind, money, note) = match went_back {
            true => (
                Kind::Refund,
                row.refunded,
                "money went back for a trade that is none of this domain's",
            ),
            false => (
                Kind::MissingHere,
                row.amount,
                "the trade is none of this domain's",
            ),
        };
        Difference {
            kind,
            trade_no: trade_no.to_owned(),
            refund_no: row.refund_no.clone(),
            id: None,
            here: None,
            there: Some(Side::of(&row.state, Some(money))),
            note: note.to_owned(),
            asked: None,
        }
    };
    let moved = |row: &&&BillRow| !(row.amount.is_zero() && row.refunded.is_zero());
    Compared {
        differences: rows.iter().filter(moved).map(of_row).collect(),
        ..Compared::default()
    }
}

fn is_payment(row: &BillRow) -> bool {
    row.refund_no.is_none() && !row.amount.is_zero()
}

struct Trade<'a> {
    case: &'a Case,
    attempt: &'a Attempt,
    payments: Vec<&'a BillRow>,
    /// Money that went back without a refund's number.
    unnumbered: Vec<&'a BillRow>,
    /// By the refund's number.
    refunds: BTreeMap<&'a str, Vec<&'a BillRow>>,
}

impl<'a> Trade<'a> {
    fn new(case: &'a Case, attempt: &'a Attempt, rows: &[&'a BillRow]) -> Trade<'a> {
        let mut refunds: BTreeMap<&str, Vec<&BillRow>> = BTreeMap::new();
        for row in rows {
            if let Some(number) = &row.refund_no {
                refunds.entry(number.as_str()).or_default().push(row);
            }
        }
        let without_number = |row: &&&BillRow| row.refund_no.is_none();
        let of = |fits: fn(&BillRow) -> bool| {
            let fitting = rows.iter().filter(without_number).filter(|row| fits(row));
            fitting.copied().collect()
        };
        Trade {
            case,
            attempt,
            payments: of(|row| !row.amount.is_zero()),
            unnumbered: of(|row| !row.refunded.is_zero()),
            refunds,
        }
    }

    fn compare(&self) -> Compared {
        let (payment, ask) = self.payment();
        let mut differences: Vec<Difference> = payment.into_iter().collect();
        differences.extend(self.money_back());
        let is_new = |one: &Difference| {
            one.kind == Kind::Refund && one.refund_no.is_some() && one.here.is_none()
        };
        let numbered = differences.iter().enumerate();
        let ask_refunds = numbered.filter(|(_, one)| is_new(one)).map(|(at, _)| at);
        Compared {
            ask_refunds: ask_refunds.collect(),
            differences,
            ask,
        }
    }

    fn payment(&self) -> (Option<Difference>, bool) {
        let Some((first, more)) = self.payments.split_first() else {
            return (None, false);
        };
        let there = Side::of(&first.state, Some(first.amount));
        let differs = |kind, note: &str| {
            let difference = Difference {
                here: Some(paid_here(self.case, self.attempt)),
                there: Some(there.clone()),
                note: note.to_owned(),
                ..about(kind, self.case, self.attempt)
            };
            Some(difference)
        };
        let Some(paid) = paid(self.case, self.attempt) else {
            if self.is_over()
                && sum(&self.unnumbered, first.amount.currency()) >= first.amount.minor()
            {
                // It was paid and undone.
                return (None, false);
            }
            return (
                differs(Kind::State, "the bill has it as paid; here it is not"),
                true,
            );
        };
        if !more.is_empty() {
            let note = format!("the bill has it {} times", self.payments.len());
            return (differs(Kind::Amount, &note), false);
        }
        if paid != first.amount {
            return (
                differs(Kind::Amount, "the bill has another amount or currency"),
                false,
            );
        }
        (None, false)
    }

    /// Whether the attempt ended without money.
    fn is_over(&self) -> bool {
        self.attempt.state == AttemptState::Fail
    }

    fn money_back(&self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut unknown: Vec<&BillRow> = Vec::new();
        for (number, rows) in &self.refunds {
            match self.known_refund(number) {
                Some(refund) => differences.extend(self.refund(refund, rows)),
                None if self.is_recorded(number, rows) => {}
                None => unknown.extend(rows),
            }
        }
        if paid(self.case, self.attempt).is_some() {
            unknown.extend(&self.unnumbered);
        }
        // Of refunds made at the platform's own console some are only known by their sum.
        let currency = self.case.payment.total.currency();
        let other_currency = unknown
            .iter()
            .any(|row| row.refunded.currency() != currency);
        if other_currency || sum(&unknown, currency) > self.refunded_elsewhere() {
            differences.extend(unknown.iter().map(|row| Difference {
                refund_no: row.refund_no.clone(),
                there: Some(Side::of(&row.state, Some(row.refunded))),
                note: "the bill has money given back that is not known here".to_owned(),
                ..about(Kind::Refund, self.case, self.attempt)
            }));
        }
        differences
    }

    /// The host's refund of a number: its own, or the platform's.
    fn known_refund(&self, number: &str) -> Option<&Refund> {
        let own = RefundNo::parse(number).and_then(|number| self.case.refund(&number));
        let theirs = |refund: &&Refund| refund.transaction_id.as_deref() == Some(number);
        own.or_else(|| self.case.refunds.iter().find(theirs))
    }

    fn refund(&self, refund: &Refund, rows: &[&BillRow]) -> Option<Difference> {
        let currency = self.case.payment.total.currency();
        let there = sum(rows, currency);
        let same_currency = rows.iter().all(|row| row.refunded.currency() == currency);
        let note = if refund.trade_no != self.attempt.trade_no {
            "the bill has this refund for another trade"
        } else if !same_currency || there != refund.amount_minor {
            "the bill has another amount or currency"
        } else if refund.state == RefundState::Fail {
            "the bill has it as given back; here it failed"
        } else {
            return None;
        };
        let first = rows.first()?;
        let money = Money::new(there, first.refunded.currency()).ok();
        Some(Difference {
            refund_no: Some(refund.refund_no.to_string()),
            here: Some(refund_here(self.case, refund)),
            there: Some(Side::of(&first.state, money)),
            note: note.to_owned(),
            ..about(Kind::Refund, self.case, self.attempt)
        })
    }

    /// Whether a statement said the same of a refund that was made at the platform's own console.
    fn is_recorded(&self, number: &str, rows: &[&BillRow]) -> bool {
        let currency = self.case.payment.total.currency();
        let recorded = outside::of_number(&self.case.payment, self.attempt, number);
        recorded == Some(sum(rows, currency))
            && rows.iter().all(|row| row.refunded.currency() == currency)
    }

    /// What is recorded as given back without a refund of the host's, and without a number.
    fn refunded_elsewhere(&self) -> i64 {
        let own = self.case.refunds.iter();
        let own = own.filter(|refund| refund.state == RefundState::Ok);
        let elsewhere = own.fold(self.case.payment.refunded_minor, |left, refund| {
            left.saturating_sub(refund.amount_minor)
        });
        elsewhere.saturating_sub(outside::of_all_numbers(&self.case.payment, self.attempt))
    }
}

fn about(kind: Kind, case: &Case, attempt: &Attempt) -> Difference {
    Difference {
        kind,
        trade_no: attempt.trade_no.to_string(),
        refund_no: None,
        id: Some(case.payment.id.to_string()),
        here: None,
        there: None,
        note: String::new(),
        asked: None,
    }
}

/// What the platform took for the attempt, as the store has it.
fn paid(case: &Case, attempt: &Attempt) -> Option<Money> {
    let currency = case.payment.total.currency();
    attempt
        .paid_minor
        .and_then(|minor| Money::new(minor, currency).ok())
}

fn paid_here(case: &Case, attempt: &Attempt) -> Side {
    let money = paid(case, attempt).unwrap_or(case.payment.total);
    Side::of(attempt.state.as_str(), Some(money))
}

fn refund_here(case: &Case, refund: &Refund) -> Side {
    let money = Money::new(refund.amount_minor, case.payment.total.currency());
    Side::of(refund.state.as_str(), money.ok())
}

/// What went back in this currency, minor units.
fn sum(rows: &[&BillRow], currency: Currency) -> i64 {
    let of_currency = rows
        .iter()
        .filter(|row| row.refunded.currency() == currency);
    of_currency.fold(0, |sum, row| sum.saturating_add(row.refunded.minor()))
}

#[cfg(test)]
mod tests;
