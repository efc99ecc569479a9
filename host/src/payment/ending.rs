//! How an attempt comes to its end without money: expired, closed, superseded by another one, or undone. Rules alone,
//! without any I/O; `close` carries them out.

use serde_json::{Map, json};

use super::model::{
    Ams, Attempt, AttemptState, Case, Change, Changes, EndWhy, Ending, FailWhy, Payment, State,
    TradeNo,
};
use super::schedule::next_ask;
use super::settle::Settled;
use crate::trust::{PayType, Resend};

/// Platforms are told the end of an attempt in whole seconds, and their clocks are not ours.
const GRAIN: Ams = 3_000;

/// What came of asking the platform about an open attempt, as far as the next step depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// No answer, or none that holds.
    Nothing,
    /// The platform does not know the trade (yet).
    NotFound,
    /// The platform knows it, and nobody has paid.
    Waiting,
    /// The buyer agreed; the money has to be captured.
    Approved,
}

impl Heard {
    /// For an attempt that is still open after `settled` was recorded.
    pub(super) fn of(settled: Settled) -> Heard {
        match settled {
            Settled::Approved => Heard::Approved,
            _ => Heard::Waiting,
        }
    }
}

/// What the host does next for an open attempt that it has just asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It waits, and asks again in time.
    Wait,
    /// It sends the same order again.
    Resend,
    /// It takes the money that the buyer approved.
    Capture,
    /// It begins to end the attempt.
    Begin(EndWhy),
    /// It goes on ending it.
    Close,
}

/// Decides that. `way` is the pay type in the manifest that the attempt is pinned to.
pub(super) fn next_step(
    case: &Case,
    attempt: &Attempt,
    way: &PayType,
    heard: Heard,
    now: Ams,
) -> Step {
    let payment = &case.payment;
    if payment.hold.is_some() {
        return Step::Wait;
    }
    if attempt.ending.is_some() {
        return if heard == Heard::Nothing {
            Step::Wait
        } else {
            Step::Close
        };
    }
    if payment.state == State::Ok {
        return Step::Begin(EndWhy::Superseded);
    }
    let in_time = now < attempt.payable_until_ms;
    if !in_time && way.reversible {
        // Till payments are not left open: whatever is known, the buyer is still at the counter.
        return Step::Begin(EndWhy::Reversed);
    }
    match heard {
        // Unknown at the deadline stays WAIT.
        Heard::Nothing => Step::Wait,
        Heard::Approved if in_time => Step::Capture,
        _ if !in_time => Step::Begin(EndWhy::Expired),
        _ if may_send_again(case, attempt, way) && may_be_missing(attempt, heard, payment) => {
            Step::Resend
        }
        _ => Step::Wait,
    }
}

/// Whether the same order again is safe, and of use.
pub(super) fn may_send_again(case: &Case, attempt: &Attempt, way: &PayType) -> bool {
    way.resend == Resend::Same
        && attempt.ending.is_none()
        && attempt.is_open()
        && case.payment.state == State::Wait
        && case.payment.hold.is_none()
}

/// Nobody knows whether the order arrived; or it did, and what the buyer has to be shown was lost with the answer.
fn may_be_missing(attempt: &Attempt, heard: Heard, payment: &Payment) -> bool {
    match attempt.state {
        AttemptState::Intent => heard == Heard::NotFound || payment.presentation.is_none(),
        AttemptState::Wait => payment.presentation.is_none() && is_current(payment, attempt),
        _ => false,
    }
}

fn is_current(payment: &Payment, attempt: &Attempt) -> bool {
    payment.pay_type.as_deref() == Some(&attempt.pay_type)
        && payment.target.as_deref() == Some(&attempt.target.name)
}

/// Whether the attempt is over once its closing is under way and the platform says `heard`: nobody can pay it any
/// more, or the money moves by the host's own capture alone and none was begun. What was captured and is not settled (an
/// eCheck, a review) comes or does not come, and only the platform says which.
pub(super) fn is_over(attempt: &Attempt, way: &PayType, heard: Heard, now: Ams) -> bool {
    if now < attempt.payable_until_ms {
        return false;
    }
    match heard {
        Heard::NotFound => true,
        Heard::Waiting | Heard::Approved => !way.closable && attempt.transaction_id.is_none(),
        Heard::Nothing => false,
    }
}

/// The attempt with the intent to end it, durable before the platform is told.
pub(super) fn begin(case: &Case, attempt: &Attempt, why: EndWhy, now: Ams) -> Changes {
    let mut begun = attempt.clone();
    begun.ending = Some(Ending { why, since_ms: now });
    begun.ask_at_ms = now;
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(case, &payment, attempt, "end", now);
    line.detail.insert("why".into(), json!(why.as_str()));
    Changes {
        attempts: vec![begun],
        history: vec![line],
        ..Changes::of(payment)
    }
}

/// The attempt goes on as before: it could not be ended, and nothing else was begun in its place.
pub(super) fn give_up(case: &Case, attempt: &Attempt, reason: &str, now: Ams) -> Changes {
    let mut kept = attempt.clone();
    kept.ending = None;
    kept.last_error = Some(reason.to_owned());
    kept.ask_at_ms = next_ask(&kept, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(case, &payment, attempt, "end given up", now);
    line.detail.insert("reason".into(), json!(reason));
    Changes {
        attempts: vec![kept],
        history: vec![line],
        ..Changes::of(payment)
    }
}

/// The attempt is over, and the payment with it where nothing else can pay it.
pub(super) fn finish(
    case: &Case,
    attempt: &Attempt,
    why: EndWhy,
    cause: &str,
    now: Ams,
) -> Changes {
    let (payment, over) = over(
        case,
        attempt,
        why.fail_why(),
        ends_payment(case, why, now),
        now,
    );
    let mut line = line(case, &payment, attempt, cause, now);
    line.detail.insert("ended".into(), json!(why.as_str()));
    Changes {
        attempts: vec![over],
        history: vec![line],
        ..Changes::of(payment)
    }
}

/// Whether the payment is over with its last open attempt: one that was only superseded, or whose own time has run
/// out before the payment's, may be sent again.
fn ends_payment(case: &Case, why: EndWhy, now: Ams) -> bool {
    match why {
        EndWhy::Superseded => false,
        EndWhy::Expired => now >= case.payment.expires_ms,
        EndWhy::Closed | EndWhy::Reversed => true,
    }
}

/// A definite no of the platform: why the attempt is over, and whether the payment is.
pub(super) fn refused_by_platform(
    case: &Case,
    attempt: &Attempt,
    stated: FailWhy,
    now: Ams,
) -> (FailWhy, bool) {
    let closed = stated == FailWhy::Closed;
    match attempt.ending {
        Some(ending) if closed => (ending.why.fail_why(), ends_payment(case, ending.why, now)),
        None if closed && now + GRAIN >= attempt.payable_until_ms => {
            (FailWhy::Expired, ends_payment(case, EndWhy::Expired, now))
        }
        _ => (stated, true),
    }
}

/// The attempt in its end, and the payment as it is then.
pub(super) fn over(
    case: &Case,
    attempt: &Attempt,
    why: FailWhy,
    ends_payment: bool,
    now: Ams,
) -> (Payment, Attempt) {
    let mut over = attempt.clone();
    over.state = AttemptState::Fail;
    over.fail_why = Some(why);
    over.ending = None;
    over.leased_until_ms = 0;
    over.ask_at_ms = next_ask(&over, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    if is_current(&payment, attempt) {
        payment.presentation = None;
    }
    let others_open = others(case, &attempt.trade_no).any(Attempt::is_open);
    if payment.state == State::Wait && payment.hold.is_none() && !others_open && ends_payment {
        payment.state = State::Fail;
        payment.fail_why = Some(match why {
            FailWhy::Closed if now >= payment.expires_ms => FailWhy::Expired,
            other => other,
        });
        payment.closed_ms = now;
        payment.presentation = None;
    }
    (payment, over)
}

/// The other attempts of the payment.
pub(super) fn others<'a>(
    case: &'a Case,
    trade_no: &'a TradeNo,
) -> impl Iterator<Item = &'a Attempt> {
    case.attempts
        .iter()
        .filter(move |other| other.trade_no != *trade_no)
}

/// A payment that nobody can pay any more: never sent, or with no attempt that is still open.
pub(super) fn fail(payment: &Payment, why: FailWhy, cause: &str, now: Ams) -> Changes {
    let mut changed = payment.clone();
    changed.state = State::Fail;
    changed.fail_why = Some(why);
    changed.changed_ms = now;
    changed.closed_ms = now;
    changed.presentation = None;
    let line = Change {
        at: now,
        cause: cause.to_owned(),
        from: Some(payment.state),
        to: State::Fail,
        trade_no: None,
        statement: None,
        detail: Map::new(),
    };
    Changes {
        history: vec![line],
        ..Changes::of(changed)
    }
}

fn line(case: &Case, after: &Payment, attempt: &Attempt, cause: &str, now: Ams) -> Change {
    Change {
        at: now,
        cause: cause.to_owned(),
        from: Some(case.payment.state),
        to: after.state,
        trade_no: Some(attempt.trade_no.to_string()),
        statement: None,
        detail: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{test_attempt, test_payment};
    use super::*;

    fn way(resend: Resend, reversible: bool) -> PayType {
        PayType {
            title: [("en".to_owned(), "a way".to_owned())].into(),
            notifies: true,
            closable: !reversible,
            reversible,
            resend,
            valid_s: 60,
            args: Vec::new(),
        }
    }

    fn waiting() -> (Case, Attempt) {
        let attempt = test_attempt();
        let payment = Payment {
            id: attempt.payment,
            state: State::Wait,
            pay_type: Some(attempt.pay_type.clone()),
            target: Some(attempt.target.name.clone()),
            ..test_payment()
        };
        let case = Case {
            payment,
            attempts: vec![attempt.clone()],
            refunds: Vec::new(),
        };
        (case, attempt)
    }

    fn ending(why: EndWhy) -> Option<Ending> {
        Some(Ending { why, since_ms: 1 })
    }

    #[test]
    fn what_follows_from_an_answer() {
        let (case, attempt) = waiting();
        let (early, late) = (attempt.created_ms + 1, attempt.payable_until_ms);
        let code = way(Resend::Same, false);
        let till = way(Resend::Never, true);
        let intent = Attempt {
            state: AttemptState::Intent,
            ..attempt.clone()
        };
        let closing = Attempt {
            ending: ending(EndWhy::Closed),
            ..attempt.clone()
        };
        for (attempt, way, heard, now, step) in [
            // Nothing was shown to the buyer yet: the order is sent again.
            (&attempt, &code, Heard::Waiting, early, Step::Resend),
            (&intent, &code, Heard::NotFound, early, Step::Resend),
            // What could take the money twice is not.
            (&intent, &till, Heard::NotFound, early, Step::Wait),
            // Unknown is not failed; at the till it is undone.
            (&attempt, &code, Heard::Nothing, early, Step::Wait),
            (&attempt, &code, Heard::Nothing, late, Step::Wait),
            (
                &attempt,
                &till,
                Heard::Nothing,
                late,
                Step::Begin(EndWhy::Reversed),
            ),
            (
                &attempt,
                &till,
                Heard::Waiting,
                late,
                Step::Begin(EndWhy::Reversed),
            ),
            (
                &attempt,
                &code,
                Heard::NotFound,
                late,
                Step::Begin(EndWhy::Expired),
            ),
            (
                &attempt,
                &code,
                Heard::Waiting,
                late,
                Step::Begin(EndWhy::Expired),
            ),
            // Approved money is taken in time only.
            (&attempt, &code, Heard::Approved, early, Step::Capture),
            (
                &attempt,
                &code,
                Heard::Approved,
                late,
                Step::Begin(EndWhy::Expired),
            ),
            // What is being ended is ended, once the platform answers.
            (&closing, &code, Heard::Waiting, early, Step::Close),
            (&closing, &code, Heard::Nothing, early, Step::Wait),
        ] {
            let found = next_step(&case, attempt, way, heard, now);
            assert_eq!(found, step, "{:?} {heard:?} {}", attempt.state, now - early);
        }
    }

    #[test]
    fn a_held_payment_is_only_asked_about_and_a_paid_one_needs_no_other_attempt() {
        let (mut case, attempt) = waiting();
        let code = way(Resend::Same, false);
        let late = attempt.payable_until_ms;
        case.payment.state = State::Ok;
        let step = next_step(&case, &attempt, &code, Heard::Waiting, late);
        assert_eq!(step, Step::Begin(EndWhy::Superseded));
        case.payment.hold = Some(super::super::model::Hold {
            why: "another amount".into(),
            trade_no: attempt.trade_no.to_string(),
            paid_minor: Some(1),
            paid_text: "0.01".into(),
            paid_currency: "CNY".into(),
            statement: String::new(),
            at: 1,
            state: State::Wait,
        });
        assert_eq!(
            next_step(&case, &attempt, &code, Heard::NotFound, late),
            Step::Wait
        );
    }

    #[test]
    fn an_attempt_is_over_when_nobody_can_pay_it_any_more() {
        let (_, attempt) = waiting();
        let (in_time, late) = (attempt.payable_until_ms - 1, attempt.payable_until_ms);
        let code = way(Resend::Same, false);
        assert!(!is_over(&attempt, &code, Heard::NotFound, in_time));
        assert!(is_over(&attempt, &code, Heard::NotFound, late));
        assert!(
            !is_over(&attempt, &code, Heard::Waiting, late),
            "the platform can close it"
        );
        assert!(!is_over(&attempt, &code, Heard::Nothing, late));
        let captured = PayType {
            closable: false,
            ..code
        };
        assert!(is_over(&attempt, &captured, Heard::Waiting, late));
        let settling = Attempt {
            transaction_id: Some("3C679366HH908993F".into()),
            ..attempt
        };
        assert!(!is_over(&settling, &captured, Heard::Waiting, late));
    }

    #[test]
    fn the_payment_ends_with_its_last_attempt_and_for_its_own_reason() {
        let (case, attempt) = waiting();
        let (early, late) = (attempt.created_ms + 1, case.payment.expires_ms);
        for (why, now, state, fail_why) in [
            (EndWhy::Closed, early, State::Fail, Some(FailWhy::Closed)),
            (EndWhy::Closed, late, State::Fail, Some(FailWhy::Expired)),
            (EndWhy::Expired, late, State::Fail, Some(FailWhy::Expired)),
            (EndWhy::Expired, early, State::Wait, None),
            (EndWhy::Superseded, early, State::Wait, None),
            (
                EndWhy::Reversed,
                early,
                State::Fail,
                Some(FailWhy::Reversed),
            ),
        ] {
            let changes = finish(&case, &attempt, why, "expire", now);
            let after = (changes.payment.state, changes.payment.fail_why);
            assert_eq!(after, (state, fail_why), "{why:?}");
            assert_eq!(changes.attempts[0].state, AttemptState::Fail);
        }
        let mut both = case.clone();
        let second = TradeNo::generate();
        both.attempts.push(Attempt {
            trade_no: second,
            number: 2,
            ..attempt.clone()
        });
        let changes = finish(&both, &attempt, EndWhy::Closed, "close", early);
        assert_eq!(
            changes.payment.state,
            State::Wait,
            "the other one may still be paid"
        );
    }
}
