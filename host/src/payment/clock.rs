//! The machine's clock may be set while the host runs, or have been wrong before it was started. What waits for its time
//! then must not wait for as much longer, and a deadline is not over because the clock says so for a moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::Result;
use super::model::Ams;
use super::{Payments, now_ms};

/// Clocks are set by less than this all the time, and nothing minds.
const NOTICED: Ams = 60_000;
/// How long a clock that was set ahead is not believed where it would end payments: whatever sets clocks sets a wrong one
/// right within minutes.
const BELIEVED_AFTER: Duration = Duration::from_secs(10 * 60);

/// How a clock was set, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Set {
    Back(Ams),
    Ahead(Ams),
}

/// The machine's clock beside one that nobody sets.
pub(super) struct Watch(Mutex<Looked>);

struct Looked {
    wall: Ams,
    steady: Instant,
    /// So much of what the clock says is not believed, since then.
    doubted: Option<(Ams, Instant)>,
}

impl Looked {
    /// What the clock says at this time, if nobody set it.
    fn expected(&self, steady: Instant) -> Ams {
        let passed = steady.saturating_duration_since(self.steady);
        self.wall + u64::try_from(passed.as_millis()).unwrap_or(0)
    }
}

impl Watch {
    pub(super) fn begin() -> Watch {
        Watch(Mutex::new(Looked {
            wall: now_ms(),
            steady: Instant::now(),
            doubted: None,
        }))
    }

    fn look(&self, wall: Ams, steady: Instant) -> Option<Set> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = last.expected(steady);
        (last.wall, last.steady) = (wall, steady);
        let doubted = last
            .doubted
            .filter(|(_, since)| steady.saturating_duration_since(*since) < BELIEVED_AFTER);
        let doubted_ms = doubted.map_or(0, |(ms, _)| ms);
        let (set, doubted) = if wall > expected + NOTICED {
            let ahead = wall - expected;
            (Some(Set::Ahead(ahead)), Some((doubted_ms + ahead, steady)))
        } else if wall + NOTICED < expected {
            let back = expected - wall;
            let left = doubted_ms.saturating_sub(back);
            let left = doubted
                .filter(|_| left > NOTICED)
                .map(|(_, since)| (left, since));
            (Some(Set::Back(back)), left)
        } else {
            (None, doubted)
        };
        last.doubted = doubted;
        set
    }

    /// How much of what the clock says now is not believed. Whoever asks may come before the next look.
    fn doubted(&self, wall: Ams, steady: Instant) -> Ams {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = wall.saturating_sub(last.expected(steady));
        let unseen = if ahead > NOTICED { ahead } else { 0 };
        last.doubted.map_or(0, |(ms, _)| ms) + unseen
    }
}

impl Payments {
    /// Looks whether the clock was set since the last look, and lets nothing wait for longer because of it. To be called
    /// by whoever waits for something to become due.
    pub async fn look_at_clock(&self) -> Result<()> {
        match self.0.watch.look(now_ms(), Instant::now()) {
            None => Ok(()),
            Some(Set::Ahead(ms)) => {
                tracing::error!(target: "audit", ahead_s = ms / 1000, "ALERT: the clock was set ahead; no payment ends by its deadline for {} minutes", BELIEVED_AFTER.as_secs() / 60);
                Ok(())
            }
            Some(Set::Back(ms)) => self.clock_is_behind(ms).await,
        }
    }

    /// The same for the time in which no host ran: the store knows until when its clock had come.
    pub(super) async fn look_at_clock_since_last_host(&self) -> Result<()> {
        let newest = self.0.store.newest_change().await?;
        match newest.map(|newest| newest.saturating_sub(now_ms())) {
            Some(behind) if behind > NOTICED => self.clock_is_behind(behind).await,
            _ => Ok(()),
        }
    }

    async fn clock_is_behind(&self, by: Ams) -> Result<()> {
        tracing::error!(target: "audit", back_s = by / 1000, "ALERT: the clock was set back; what waits for its time is brought forward");
        self.0.store.bring_forward(now_ms(), by).await?;
        self.ring();
        Ok(())
    }

    /// The time by which a deadline is over: what the clock says, unless it was set ahead a moment ago.
    pub fn deadline_now(&self) -> Ams {
        let now = now_ms();
        now.saturating_sub(self.0.watch.doubted(now, Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_ahead_is_believed_after_a_while_and_not_when_it_returns() {
        const HOUR: Ams = 3_600_000;
        let begun = Instant::now();
        let at = |s: u64| begun + Duration::from_secs(s);
        let watch = || {
            Watch(Mutex::new(Looked {
                wall: 0,
                steady: begun,
                doubted: None,
            }))
        };
        let clock = watch();
        assert_eq!(clock.look(30_000, at(1)), None, "small steps are nothing");
        assert_eq!(clock.doubted(31_000, at(2)), 0);
        // Before anybody has looked.
        assert_eq!(clock.doubted(HOUR + 31_000, at(2)), HOUR);
        assert_eq!(clock.look(HOUR + 31_000, at(2)), Some(Set::Ahead(HOUR)));
        assert_eq!(clock.doubted(HOUR + 32_000, at(3)), HOUR);
        assert_eq!(clock.look(HOUR + 60_000, at(31)), None);
        assert_eq!(clock.doubted(HOUR + 60_000, at(31)), HOUR);
        assert_eq!(clock.look(61_000, at(32)), Some(Set::Back(HOUR)));
        assert_eq!(clock.doubted(61_000, at(32)), 0);

        let clock = watch();
        assert_eq!(clock.look(HOUR, at(0)), Some(Set::Ahead(HOUR)));
        assert_eq!(clock.look(HOUR + 599_000, at(599)), None);
        assert_eq!(clock.doubted(HOUR + 599_000, at(599)), HOUR);
        assert_eq!(clock.look(HOUR + 600_000, at(600)), None);
        let doubted = clock.doubted(HOUR + 600_000, at(600));
        assert_eq!(doubted, 0, "it is the clock that counts");
    }
}
