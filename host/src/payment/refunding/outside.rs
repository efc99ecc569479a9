//! Money that went back at the platform's own console: no refund of the host's, but less that can be given back.
//!
//! Some platforms state how much of a trade went back in all, others tell of one refund at a time by its number. Both
//! are noted with the payment, in its history of the platform:
//!
//! | note | is |
//! |---|---|
//! | `refunded_outside` | by attempt, how much went back outside, in minor units |
//! | `refunds_outside` | by attempt and the refund's number, what a statement said of that one |

use serde_json::{Map, Value, json};

use super::{RefundSettled, line_of};
use crate::payment::model::{Ams, Attempt, AttemptState, Case, Changes, Payment, StoredStatement};
use crate::payment::settle::edit_platform;
use crate::trust::{RefundReading, RefundStated};

const TOTAL: &str = "refunded_outside";
const BY_NUMBER: &str = "refunds_outside";

/// The longest number of a refund that is noted, in characters; WeChat Pay and Alipay take 64.
const NUMBER_CHARS: usize = 64;

/// What was given back of an attempt at the platform's own console, as far as statements said so. Minor units.
pub(in crate::payment) fn total_minor(payment: &Payment, attempt: &Attempt) -> i64 {
    let noted = noted(payment, attempt, TOTAL);
    noted.and_then(Value::as_i64).unwrap_or(0)
}

/// Notes that.
pub(in crate::payment) fn note_total(payment: &mut Payment, attempt: &Attempt, minor: i64) {
    note(payment, attempt, TOTAL, json!(minor));
}

/// What a statement said of the console's refund of this number. Minor units.
pub(in crate::payment) fn of_number(
    payment: &Payment,
    attempt: &Attempt,
    number: &str,
) -> Option<i64> {
    noted(payment, attempt, BY_NUMBER)?.get(number)?.as_i64()
}

/// What all statements about single refunds say together. Minor units.
pub(in crate::payment) fn of_all_numbers(payment: &Payment, attempt: &Attempt) -> i64 {
    let noted = noted(payment, attempt, BY_NUMBER).and_then(Value::as_object);
    let known = noted.into_iter().flat_map(Map::values);
    known.filter_map(Value::as_i64).fold(0, i64::saturating_add)
}

/// Decides what a verified statement changes about a refund that is none of the host's. It was read for this attempt
/// and target.
pub(super) fn settle(
    case: &Case,
    attempt: &Attempt,
    reading: &RefundReading,
    statement: StoredStatement,
    cause: &str,
    now: Ams,
) -> (Option<Changes>, RefundSettled) {
    match reading.state {
        RefundStated::Done => {}
        RefundStated::Failed => return (None, RefundSettled::Repeated),
        _ => return (None, RefundSettled::Waiting),
    }
    // Of what nobody knows to be paid, the trade's own state tells that it was given back.
    if attempt.state != AttemptState::Ok {
        return (None, RefundSettled::Repeated);
    }
    let currency = case.payment.total.currency();
    let stated = reading
        .amount
        .filter(|amount| amount.currency() == currency);
    let Some(amount) = stated else {
        return (None, RefundSettled::Contradiction);
    };
    let number: String = reading.refund.chars().take(NUMBER_CHARS).collect();
    let mut payment = case.payment.clone();
    if of_number(&payment, attempt, &number).is_some() {
        return (None, RefundSettled::Repeated);
    }
    payment.changed_ms = now;
    note_number(&mut payment, attempt, &number, amount.minor());
    // A total that was stated before may have this one in it.
    let before = total_minor(&payment, attempt);
    let total = of_all_numbers(&payment, attempt).max(before);
    note_total(&mut payment, attempt, total);
    payment.refunded_minor = payment.refunded_minor.saturating_add(total - before);
    let mut line = line_of(&case.payment, &attempt.trade_no, &number, cause, now);
    line.statement = Some(statement.digest.to_string());
    line.detail.insert("refunded".into(), json!(amount.minor()));
    let changes = Changes {
        history: vec![line],
        statement: Some(statement),
        ..Changes::of(payment)
    };
    (Some(changes), RefundSettled::Outside)
}

fn noted<'a>(payment: &'a Payment, attempt: &Attempt, what: &str) -> Option<&'a Value> {
    let notes = payment.platforms.get(&attempt.target.platform)?;
    notes.get(what)?.get(attempt.trade_no.as_str())
}

fn note(payment: &mut Payment, attempt: &Attempt, what: &str, value: Value) {
    edit_platform(payment, &attempt.target.platform, |notes| {
        let known = notes.entry(what).or_insert_with(|| json!({}));
        if let Value::Object(known) = known {
            known.insert(attempt.trade_no.to_string(), value);
        }
    });
}

fn note_number(payment: &mut Payment, attempt: &Attempt, number: &str, minor: i64) {
    let known = noted(payment, attempt, BY_NUMBER).and_then(Value::as_object);
    let mut known = known.cloned().unwrap_or_default();
    known.insert(number.to_owned(), json!(minor));
    note(payment, attempt, BY_NUMBER, Value::Object(known));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::model::{Digest, State, test_attempt, test_payment};
    use crate::payment::money::{Currency, Money};

    fn paid() -> Case {
        let mut attempt = test_attempt();
        attempt.state = AttemptState::Ok;
        attempt.paid_minor = Some(2300);
        let mut payment = test_payment();
        payment.state = State::Ok;
        Case {
            payment,
            attempts: vec![attempt],
            refunds: Vec::new(),
        }
    }

    fn said(number: &str, state: RefundStated, minor: Option<i64>) -> RefundReading {
        RefundReading {
            refund: number.to_owned(),
            transaction: None,
            state,
            amount: minor.map(|minor| Money::new(minor, Currency::CNY).unwrap()),
            scheme: "resource".to_owned(),
            claim: "refund-notification".to_owned(),
        }
    }

    /// Lets the statement change the case, and gives what came of it.
    fn hear(case: &mut Case, reading: &RefundReading) -> RefundSettled {
        let attempt = case.attempts[0].clone();
        let statement = StoredStatement {
            digest: Digest::of(b"statement"),
            trade_no: attempt.trade_no.clone(),
            scheme: reading.scheme.clone(),
            claim: reading.claim.clone(),
            text: b"statement".to_vec(),
            at: 1,
        };
        let (changes, settled) = settle(case, &attempt, reading, statement, "notification", 1);
        if let Some(changes) = changes {
            assert_eq!(changes.history.len(), 1);
            assert!(changes.statement.is_some());
            case.payment = changes.payment;
        }
        settled
    }

    #[test]
    fn each_refund_of_the_console_counts_once() {
        let mut case = paid();
        let first = said("console-1", RefundStated::Done, Some(500));
        assert_eq!(hear(&mut case, &first), RefundSettled::Outside);
        assert_eq!(hear(&mut case, &first), RefundSettled::Repeated);
        let second = said("console-2", RefundStated::Done, Some(300));
        assert_eq!(hear(&mut case, &second), RefundSettled::Outside);
        let (payment, attempt) = (&case.payment, &case.attempts[0]);
        assert_eq!(payment.refunded_minor, 800);
        assert_eq!(total_minor(payment, attempt), 800);
        assert_eq!(of_number(payment, attempt, "console-2"), Some(300));
        assert_eq!(super::super::left_minor(&case, attempt), 1500);
    }

    #[test]
    fn a_total_that_was_stated_before_is_not_counted_again() {
        let mut case = paid();
        let attempt = case.attempts[0].clone();
        note_total(&mut case.payment, &attempt, 800);
        case.payment.refunded_minor = 800;
        for (number, minor) in [("console-1", 500), ("console-2", 300)] {
            let reading = said(number, RefundStated::Done, Some(minor));
            assert_eq!(hear(&mut case, &reading), RefundSettled::Outside);
            assert_eq!(case.payment.refunded_minor, 800);
        }
        hear(&mut case, &said("console-3", RefundStated::Done, Some(1)));
        assert_eq!(case.payment.refunded_minor, 801);
    }

    #[test]
    fn what_is_not_made_or_not_readable_is_not_counted() {
        let mut case = paid();
        for (reading, settled) in [
            (
                said("c", RefundStated::Waiting, Some(5)),
                RefundSettled::Waiting,
            ),
            (
                said("c", RefundStated::Stuck, Some(5)),
                RefundSettled::Waiting,
            ),
            (
                said("c", RefundStated::Failed, Some(5)),
                RefundSettled::Repeated,
            ),
            (
                said("c", RefundStated::Done, None),
                RefundSettled::Contradiction,
            ),
        ] {
            assert_eq!(hear(&mut case, &reading), settled, "{reading:?}");
        }
        case.attempts[0].state = AttemptState::Wait;
        let done = said("c", RefundStated::Done, Some(5));
        assert_eq!(hear(&mut case, &done), RefundSettled::Repeated);
        assert_eq!(case.payment.refunded_minor, 0);
    }
}
