//! What happens often and is told now and then: a flood of it is a line in ten seconds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds between two times that it is told.
const EVERY_MS: u64 = 10_000;

/// One such thing.
#[derive(Default)]
pub(crate) struct Seldom {
    told_ms: AtomicU64,
    since_told: AtomicU64,
}

impl Seldom {
    /// It happened so many times more, at this time in milliseconds. Where it is to be told now: how many times it happened
    /// since it was told last.
    pub(crate) fn happened(&self, times: u64, now: u64) -> Option<u64> {
        let times = times.saturating_add(self.since_told.fetch_add(times, Ordering::Relaxed));
        let told = self.told_ms.load(Ordering::Relaxed);
        let is_mine = now.saturating_sub(told) >= EVERY_MS
            && self
                .told_ms
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        is_mine.then(|| {
            self.since_told.store(0, Ordering::Relaxed);
            times
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_at_once_and_then_by_its_number() {
        let seldom = Seldom::default();
        assert_eq!(seldom.happened(1, EVERY_MS), Some(1));
        for _ in 0..5 {
            assert_eq!(seldom.happened(2, EVERY_MS + 1), None);
        }
        assert_eq!(seldom.happened(1, 2 * EVERY_MS), Some(11));
        assert_eq!(seldom.happened(1, 3 * EVERY_MS), Some(1));
    }
}
