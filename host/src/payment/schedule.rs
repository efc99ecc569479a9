//! When to ask the platform next (查单).

use super::model::{Ams, Attempt, AttemptState};

const SECOND: Ams = 1_000;
const MINUTE: Ams = 60 * SECOND;
const HOUR: Ams = 60 * MINUTE;

/// Between two questions while the buyer is expected: a lost notification heals within 10 s.
const EAGER_EVERY: Ams = 5 * SECOND;
/// How long after the sending the buyer is expected.
const EAGER_FOR: Ams = 5 * MINUTE;
/// Where asking has grown to when the deadline is far.
const SLOWEST: Ams = 10 * MINUTE;
/// After the time until which an attempt stays payable: nothing that was paid is lost.
const AFTERWARDS: [Ams; 4] = [10 * MINUTE, HOUR, 24 * HOUR, 48 * HOUR];

/// When to ask about this attempt next, at `now`; 0 for never.
///
/// Open attempts are asked about every 5 s for five minutes, then after a tenth of their age, at
/// most every 10 min. Past the time until which the platform may take money, and for attempts that
/// ended without money, it is asked 10 min, 1 h, 24 h and 48 h after that time.
pub fn next_ask(attempt: &Attempt, now: Ams) -> Ams {
    let open = match attempt.state {
        AttemptState::Ok => return 0,
        AttemptState::Intent | AttemptState::Wait => true,
        AttemptState::Refused | AttemptState::Fail => false,
    };
    if open && now < attempt.payable_until_ms {
        let age = now.saturating_sub(attempt.created_ms);
        let pause = if age < EAGER_FOR {
            EAGER_EVERY
        } else {
            (age / 10).clamp(EAGER_EVERY, SLOWEST)
        };
        return (now + pause).min(attempt.payable_until_ms + SECOND);
    }
    AFTERWARDS
        .iter()
        .map(|after| attempt.payable_until_ms + after)
        .find(|at| *at > now)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::model::test_attempt;
    use super::*;

    #[test]
    fn asking_is_eager_then_grows_and_goes_on_after_the_end() {
        let mut attempt = test_attempt();
        attempt.created_ms = 1_000_000;
        attempt.payable_until_ms = attempt.created_ms + 2 * HOUR;
        attempt.state = AttemptState::Wait;
        let start = attempt.created_ms;
        assert_eq!(next_ask(&attempt, start), start + 5 * SECOND);
        assert_eq!(
            next_ask(&attempt, start + 4 * MINUTE),
            start + 4 * MINUTE + 5 * SECOND
        );
        assert_eq!(next_ask(&attempt, start + HOUR), start + HOUR + 6 * MINUTE);
        let end = attempt.payable_until_ms;
        assert_eq!(next_ask(&attempt, end - SECOND), end + SECOND);
        assert_eq!(next_ask(&attempt, end + SECOND), end + 10 * MINUTE);
        assert_eq!(next_ask(&attempt, end + 2 * HOUR), end + 24 * HOUR);
        assert_eq!(next_ask(&attempt, end + 49 * HOUR), 0);
    }

    #[test]
    fn a_failed_attempt_is_asked_about_and_a_paid_one_is_not() {
        let mut attempt = test_attempt();
        attempt.state = AttemptState::Fail;
        let end = attempt.payable_until_ms;
        assert_eq!(next_ask(&attempt, attempt.created_ms), end + 10 * MINUTE);
        attempt.state = AttemptState::Ok;
        assert_eq!(next_ask(&attempt, attempt.created_ms), 0);
    }
}
