//! When to ask the platform next (查单).

use super::model::{Ams, Attempt, AttemptState};

const SECOND: Ams = 1_000;
const MINUTE: Ams = 60 * SECOND;
const HOUR: Ams = 60 * MINUTE;

/// Between two questions while the buyer is expected or somebody watches: with the question's own time, a lost
/// notification heals within 10 s.
pub(super) const EAGER_EVERY: Ams = 5 * SECOND;
/// How long after the sending the buyer is expected.
const EAGER_FOR: Ams = 5 * MINUTE;
/// Where asking has grown to when the deadline is far.
const SLOWEST: Ams = 10 * MINUTE;
/// Where asking has grown to when an attempt is to be ended and the platform does not say how it stands.
const SLOWEST_ENDING: Ams = HOUR;
/// After the time until which an attempt stays payable: nothing that was paid is lost.
const AFTERWARDS: [Ams; 4] = [10 * MINUTE, HOUR, 24 * HOUR, 48 * HOUR];

/// When to ask about this attempt next, at `now`; 0 for never.
///
/// Open attempts are asked about every 5 s for five minutes, then after a tenth of their age, at
/// most every 10 min. An attempt that is being ended, or whose end is not known when its time has run out, is asked
/// about at growing pauses of at most an hour, until the platform says how it ended. Attempts that ended without money
/// are asked about 10 min, 1 h, 24 h and 48 h after the time until which the platform may take money.
pub fn next_ask(attempt: &Attempt, now: Ams) -> Ams {
    let open = match attempt.state {
        AttemptState::Ok => return 0,
        AttemptState::Intent | AttemptState::Wait => true,
        AttemptState::Refused | AttemptState::Fail => false,
    };
    if let Some(ending) = attempt.ending.filter(|_| open) {
        let pause = (now.saturating_sub(ending.since_ms) / 4).clamp(EAGER_EVERY, SLOWEST_ENDING);
        let soon = now + pause;
        // What could not be closed before somebody uses it is over when its time has run out.
        let over = attempt.payable_until_ms + SECOND;
        return if now < over { soon.min(over) } else { soon };
    }
    if open && now >= attempt.payable_until_ms {
        let late = now.saturating_sub(attempt.payable_until_ms);
        return now + (late / 4).clamp(EAGER_EVERY, SLOWEST_ENDING);
    }
    if open {
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

/// When to ask about an open attempt that somebody watches, at `now`: at the pace of the first minutes, and never later
/// than the schedule says. However often somebody looks, this pace is not passed.
pub fn next_ask_watched(attempt: &Attempt, now: Ams) -> Ams {
    let last = attempt.asked_ms.max(attempt.created_ms);
    attempt.ask_at_ms.min(now.max(last + EAGER_EVERY))
}

#[cfg(test)]
mod tests {
    use super::super::model::{EndWhy, Ending, test_attempt};
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
        // Unknown at the deadline: it is asked about until the platform says how it ended.
        assert_eq!(next_ask(&attempt, end + SECOND), end + 6 * SECOND);
        assert_eq!(next_ask(&attempt, end + HOUR), end + HOUR + 15 * MINUTE);
        assert_eq!(
            next_ask(&attempt, end + 90 * 24 * HOUR),
            end + (90 * 24 + 1) * HOUR
        );
    }

    #[test]
    fn in_the_first_five_minutes_a_lost_notification_heals_within_ten_seconds() {
        let mut attempt = test_attempt();
        attempt.payable_until_ms = attempt.created_ms + 2 * HOUR;
        let start = attempt.created_ms;
        for state in [AttemptState::Intent, AttemptState::Wait] {
            attempt.state = state;
            // The platform answers at once, or takes some seconds for it.
            for answer in [0, 4 * SECOND] {
                let mut last = start;
                while last < start + EAGER_FOR {
                    let next = next_ask(&attempt, last) + answer;
                    assert!(next > last && next - last <= 10 * SECOND, "{last}");
                    last = next;
                }
            }
        }
    }

    #[test]
    fn who_watches_brings_the_next_question_forward_and_no_faster_than_the_pace() {
        let mut attempt = test_attempt();
        let asked = attempt.created_ms + HOUR;
        attempt.asked_ms = asked;
        attempt.ask_at_ms = next_ask(&attempt, asked);
        assert_eq!(attempt.ask_at_ms, asked + 6 * MINUTE);
        let watched = |attempt: &Attempt, at| next_ask_watched(attempt, asked + at);
        assert_eq!(watched(&attempt, SECOND), asked + 5 * SECOND);
        assert_eq!(watched(&attempt, MINUTE), asked + MINUTE);
        // A thousand looks are no more than one.
        attempt.ask_at_ms = asked + 5 * SECOND;
        for at in 0..5 * SECOND {
            assert_eq!(watched(&attempt, at), asked + 5 * SECOND);
        }
        assert_eq!(watched(&attempt, 9 * SECOND), asked + 5 * SECOND);
    }

    #[test]
    fn what_is_being_ended_is_asked_about_at_the_latest_when_its_time_has_run_out() {
        let mut attempt = test_attempt();
        attempt.ending = Some(Ending {
            why: EndWhy::Closed,
            since_ms: attempt.created_ms,
        });
        let (start, end) = (attempt.created_ms, attempt.payable_until_ms);
        assert_eq!(next_ask(&attempt, start), start + 5 * SECOND);
        assert_eq!(next_ask(&attempt, end - SECOND), end + SECOND);
        assert!(next_ask(&attempt, end + SECOND) > end + SECOND);
    }

    #[test]
    fn what_ended_without_money_is_asked_about_four_times_more() {
        let mut attempt = test_attempt();
        attempt.state = AttemptState::Fail;
        let end = attempt.payable_until_ms;
        let (mut asked, mut at) = (Vec::new(), attempt.created_ms);
        while next_ask(&attempt, at) > 0 {
            at = next_ask(&attempt, at);
            asked.push(at - end);
        }
        assert_eq!(asked, [10 * MINUTE, HOUR, 24 * HOUR, 48 * HOUR]);
        // Whoever was down meanwhile goes on where the time is.
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
