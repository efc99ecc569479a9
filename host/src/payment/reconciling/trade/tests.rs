use super::*;
use crate::payment::model::{FailWhy, RefundCause, State, test_attempt, test_payment};

fn money(minor: i64) -> Money {
    Money::new(minor, Currency::CNY).unwrap()
}

fn row(amount: i64, refunded: i64, refund_no: Option<&str>) -> BillRow {
    BillRow {
        trade_no: "t".into(),
        transaction_id: "4200".into(),
        state: if amount > 0 { "SUCCESS" } else { "REFUND" }.into(),
        amount: money(amount),
        refunded: money(refunded),
        refund_no: refund_no.map(str::to_owned),
    }
}

/// A payment of 23.00 yuan with one attempt, as the store has it when it was paid.
fn paid_case() -> Case {
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

fn refund(case: &Case, amount_minor: i64, state: RefundState) -> Refund {
    Refund {
        refund_no: RefundNo::generate(),
        payment: case.payment.id,
        trade_no: case.attempts[0].trade_no.clone(),
        amount_minor,
        reason: String::new(),
        cause: RefundCause::Asked,
        state,
        created_ms: 1,
        ended_ms: 2,
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms: 0,
        asks: 1,
        last_error: None,
    }
}

/// The kinds of the differences, and whether the platform is to be asked.
fn found(case: &Case, rows: &[BillRow]) -> (Vec<Kind>, bool) {
    let rows: Vec<&BillRow> = rows.iter().collect();
    let attempt = &case.attempts[0];
    let compared = compare(attempt.trade_no.as_str(), &rows, Some((case, attempt)));
    let differences = compared.differences.iter();
    assert!(
        differences
            .clone()
            .all(|one| one.id.is_some() && !one.note.is_empty())
    );
    (differences.map(|one| one.kind).collect(), compared.ask)
}

#[test]
fn what_both_sides_have_alike_is_no_difference() {
    let mut case = paid_case();
    assert_eq!(found(&case, &[row(2300, 0, None)]), (vec![], false));
    let back = refund(&case, 500, RefundState::Ok);
    let number = back.refund_no.to_string();
    case.payment.refunded_minor = 500;
    case.refunds.push(back);
    let rows = [row(2300, 0, None), row(0, 500, Some(&number))];
    assert_eq!(found(&case, &rows), (vec![], false));
    // A day may have the refund alone, and a row may say nothing of money.
    assert_eq!(found(&case, &rows[1..]), (vec![], false));
    assert_eq!(found(&case, &[row(0, 0, None)]), (vec![], false));
}

#[test]
fn another_amount_or_currency_or_a_second_row_is_told() {
    let case = paid_case();
    assert_eq!(found(&case, &[row(2301, 0, None)]).0, [Kind::Amount]);
    let dollars = BillRow {
        amount: Money::new(2300, Currency::parse("USD").unwrap()).unwrap(),
        ..row(2300, 0, None)
    };
    assert_eq!(found(&case, &[dollars]).0, [Kind::Amount]);
    let twice = [row(2300, 0, None), row(2300, 0, None)];
    assert_eq!(found(&case, &twice), (vec![Kind::Amount], false));
}

#[test]
fn what_the_bill_has_as_paid_and_the_store_has_not_is_asked_about() {
    let mut case = paid_case();
    for (state, why) in [
        (AttemptState::Wait, None),
        (AttemptState::Intent, None),
        (AttemptState::Fail, Some(FailWhy::Expired)),
        (AttemptState::Fail, Some(FailWhy::Declined)),
    ] {
        case.attempts[0].paid_minor = None;
        (case.attempts[0].state, case.attempts[0].fail_why) = (state, why);
        assert_eq!(
            found(&case, &[row(2300, 0, None)]),
            (vec![Kind::State], true)
        );
    }
}

#[test]
fn what_was_paid_and_undone_agrees_with_an_attempt_that_failed() {
    let mut case = paid_case();
    case.attempts[0].paid_minor = None;
    case.attempts[0].state = AttemptState::Fail;
    case.attempts[0].fail_why = Some(FailWhy::Reversed);
    let undone = [row(2300, 0, None), row(0, 2300, None)];
    assert_eq!(found(&case, &undone), (vec![], false));
    // The money came back on the day after.
    assert_eq!(found(&case, &undone[1..]), (vec![], false));
    let half = [row(2300, 0, None), row(0, 1000, None)];
    assert_eq!(found(&case, &half), (vec![Kind::State], true));
    case.attempts[0].state = AttemptState::Wait;
    assert_eq!(found(&case, &undone), (vec![Kind::State], true));
}

#[test]
fn refunds_are_compared_by_their_number() {
    let mut case = paid_case();
    let failed = refund(&case, 500, RefundState::Fail);
    let open = refund(&case, 700, RefundState::Wait);
    let (failed_no, open_no) = (failed.refund_no.to_string(), open.refund_no.to_string());
    case.refunds = vec![failed, open];
    assert_eq!(
        found(&case, &[row(0, 500, Some(&failed_no))]).0,
        [Kind::Refund]
    );
    assert_eq!(found(&case, &[row(0, 700, Some(&open_no))]).0, []);
    assert_eq!(
        found(&case, &[row(0, 701, Some(&open_no))]).0,
        [Kind::Refund]
    );
    let split = [row(0, 300, Some(&open_no)), row(0, 400, Some(&open_no))];
    assert_eq!(found(&case, &split).0, []);
    case.refunds[1].trade_no = test_attempt().trade_no;
    assert_eq!(
        found(&case, &[row(0, 700, Some(&open_no))]).0,
        [Kind::Refund]
    );
}

#[test]
fn a_refund_of_the_platforms_console_agrees_once_it_is_recorded() {
    let mut case = paid_case();
    let console = [row(2300, 0, None), row(0, 500, Some("console-1"))];
    assert_eq!(found(&case, &console).0, [Kind::Refund]);
    case.payment.refunded_minor = 500;
    assert_eq!(found(&case, &console).0, []);
    // What the host itself gave back does not stand for it.
    let own = refund(&case, 500, RefundState::Ok);
    case.refunds.push(own);
    assert_eq!(found(&case, &console).0, [Kind::Refund]);
    // Money of a paid trade that went back without any number.
    case.refunds.clear();
    assert_eq!(found(&case, &[row(0, 500, None)]).0, []);
    assert_eq!(found(&case, &[row(0, 501, None)]).0, [Kind::Refund]);
}

#[test]
fn a_trade_of_somebody_else_is_missing_here() {
    let rows = [row(2300, 0, None), row(0, 500, Some("r")), row(0, 0, None)];
    let rows: Vec<&BillRow> = rows.iter().collect();
    let compared = compare("shop-17", &rows, None);
    let kinds: Vec<Kind> = compared.differences.iter().map(|one| one.kind).collect();
    assert_eq!(
        (kinds, compared.ask),
        (vec![Kind::MissingHere, Kind::Refund], false)
    );
    assert_eq!(
        compared.differences[0].there,
        Some(Side::of("SUCCESS", Some(money(2300))))
    );
    assert_eq!(compared.differences[0].id, None);
}

#[test]
fn a_refund_is_known_by_the_platforms_number_too() {
    let mut case = paid_case();
    let mut own = refund(&case, 500, RefundState::Ok);
    own.transaction_id = Some("3C679366HH908993F".into());
    case.refunds.push(own);
    let rows = [row(2300, 0, None), row(0, 500, Some("3C679366HH908993F"))];
    assert_eq!(found(&case, &rows), (vec![], false));
    let other = [row(2300, 0, None), row(0, 500, Some("9C679366HH908993F"))];
    assert_eq!(found(&case, &other), (vec![Kind::Refund], false));
}
