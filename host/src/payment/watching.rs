//! Somebody watches: whoever looks at a waiting payment brings its next question forward, so that a lost notification
//! heals within seconds for as long as the buyer's page or the till waits, however old the payment is.

use super::caller::Caller;
use super::error::PayError;
use super::model::{Ams, Attempt, Case, Changes, State};
use super::schedule::{EAGER_EVERY, next_ask_watched};
use super::{Payments, now_ms};

impl Payments {
    /// Somebody looked at this payment. Looking does not fail by it: what cannot be written is left to the schedule.
    pub(super) async fn watched(&self, caller: &Caller, case: &Case) {
        let now = now_ms();
        // `op` only looks, and changes nothing.
        if matches!(caller, Caller::Op) || sooner(case, now).is_none() {
            return;
        }
        let id = case.payment.id;
        let rule = move |case: &Case| Ok::<_, PayError>((sooner(case, now), ()));
        match self.0.store.change(id, rule).await {
            Ok(_) => self.ring(),
            Err(error) => tracing::error!(%id, %error, "store"),
        }
    }
}

/// The attempts whose next question comes sooner by that. While they are asked about at that pace anyway nothing is
/// written, so that a page which looks every second costs one write a question.
fn sooner(case: &Case, now: Ams) -> Option<Changes> {
    if case.payment.state != State::Wait {
        return None;
    }
    let brought: Vec<Attempt> = case
        .attempts
        .iter()
        .filter(|attempt| attempt.is_open() && attempt.leased_until_ms <= now)
        .filter(|attempt| attempt.ask_at_ms > now + EAGER_EVERY)
        .map(|attempt| Attempt {
            ask_at_ms: next_ask_watched(attempt, now),
            ..attempt.clone()
        })
        .collect();
    let changes = |attempts| Changes {
        attempts,
        ..Changes::of(case.payment.clone())
    };
    (!brought.is_empty()).then(|| changes(brought))
}

#[cfg(test)]
mod tests {
    use super::super::model::{AttemptState, Payment, test_attempt, test_payment};
    use super::*;

    const HOUR: Ams = 3_600_000;

    fn test_case(attempts: Vec<Attempt>) -> Case {
        Case {
            payment: Payment {
                state: State::Wait,
                ..test_payment()
            },
            attempts,
            refunds: Vec::new(),
        }
    }

    fn brought(case: &Case, now: Ams) -> Vec<Ams> {
        let changes = sooner(case, now);
        let attempts = changes.map(|changes| changes.attempts).unwrap_or_default();
        attempts.iter().map(|attempt| attempt.ask_at_ms).collect()
    }

    #[test]
    fn a_look_brings_the_next_question_forward_once() {
        let mut attempt = test_attempt();
        attempt.asked_ms = HOUR;
        attempt.ask_at_ms = HOUR + 360_000;
        let mut case = test_case(vec![attempt]);
        let changes = sooner(&case, HOUR + 1_000).unwrap();
        assert_eq!(changes.attempts[0].ask_at_ms, HOUR + 5_000);
        assert!(
            changes.history.is_empty(),
            "it is no news about the payment"
        );
        case.attempts = changes.attempts;
        for later in 0..5_000 {
            assert!(brought(&case, HOUR + later).is_empty());
        }
        // Whoever comes back to a page after a while waits no longer for it.
        case.attempts[0].ask_at_ms = HOUR + 360_000;
        assert_eq!(brought(&case, HOUR + 60_000), [HOUR + 60_000]);
    }

    #[test]
    fn nothing_is_brought_forward_that_is_over_or_being_asked_about() {
        let now = 2 * HOUR;
        let waiting = || Attempt {
            asked_ms: now,
            ask_at_ms: now + HOUR,
            ..test_attempt()
        };
        let one = |attempt| test_case(vec![attempt]);
        assert_eq!(brought(&one(waiting()), now).len(), 1);
        let leased = Attempt {
            leased_until_ms: now + 1,
            ..waiting()
        };
        let over = Attempt {
            state: AttemptState::Fail,
            ..waiting()
        };
        for attempt in [leased, over] {
            assert!(brought(&one(attempt), now).is_empty());
        }
        let mut failed = one(waiting());
        failed.payment.state = State::Fail;
        assert!(brought(&failed, now).is_empty());
    }
}
