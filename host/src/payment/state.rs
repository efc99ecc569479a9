//! Which state may follow which.

use super::model::State;

/// Whether a payment in `from` may be in `to` after one change (design: NEW → WAIT → OK | FAIL, NEW → OK | FAIL,
/// and FAIL → OK alone, for a payment that was paid late or whose hold was resolved).
pub fn may_follow(from: State, to: State) -> bool {
    use State::{Fail, New, Ok, Wait};
    matches!(
        (from, to),
        (New, _) | (Wait, Wait | Ok | Fail) | (Fail, Fail | Ok) | (Ok, Ok)
    )
}

/// Whether nothing but a late statement changes `state` any more.
pub fn is_final(state: State) -> bool {
    matches!(state, State::Ok | State::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Fail, New, Ok, Wait};

    #[test]
    fn paid_is_never_taken_back() {
        for to in [New, Wait, Fail] {
            assert!(!may_follow(Ok, to), "OK to {to:?}");
        }
        for from in [Wait, Ok, Fail] {
            assert!(!may_follow(from, New), "{from:?} to NEW");
        }
        assert!(!may_follow(Fail, Wait));
        assert!(may_follow(Fail, Ok));
    }
}
