//! Moments as questions write them: `now-1h`, `today`, `2026-11-23`, `2026-11-23T08:30:00`, with `%ms:` before them or not.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// When a question is asked, and where: what `now` and `today` mean.
#[derive(Clone, Debug)]
pub struct Clock {
    now: Zoned,
}

/// A moment, and whether it stands for its whole day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) ms: i64,
    /// The first moment of the day behind it, where only a day was named.
    pub(super) day_ends_ms: Option<i64>,
}

/// What a moment is written like.
const FORMS: &str = "a time is 2026-11-23, 2026-11-23T08:30:00, now, today, yesterday, or one of them and +3d, -12h, +5m, -30s";

impl Clock {
    /// The time `now_ms`, absolute milliseconds, in `zone`; 1970 for a time that no calendar has.
    pub fn at(now_ms: i64, zone: TimeZone) -> Clock {
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        Clock {
            now: now.to_zoned(zone),
        }
    }

    /// Reads a moment.
    ///
    /// # Errors
    /// In words.
    pub(super) fn moment(&self, text: &str) -> Result<Moment, String> {
        let text = text.trim();
        let text = text.strip_prefix("%ms:").unwrap_or(text).trim();
        let wrong = || FORMS.to_owned();
        if let Ok(ms) = text.parse() {
            return Ok(Moment {
                ms,
                day_ends_ms: None,
            });
        }
        let (base, shift) = cut(text);
        let today = || self.start(self.now.date());
        let (base, is_day) = match base {
            "now" => (self.now.clone(), false),
            "today" => (today().ok_or_else(wrong)?, true),
            "yesterday" => (
                day_on(&today().ok_or_else(wrong)?, -1).ok_or_else(wrong)?,
                true,
            ),
            "tomorrow" => (
                day_on(&today().ok_or_else(wrong)?, 1).ok_or_else(wrong)?,
                true,
            ),
            date => match date.parse::<Date>() {
                Ok(date) if text.len() >= 10 && !base.contains([':', 'T', ' ']) => {
                    (self.start(date).ok_or_else(wrong)?, true)
                }
                _ => (self.date_time(date).ok_or_else(wrong)?, false),
            },
        };
        let (moment, is_day) = match shift {
            None => (base, is_day),
            Some(shift) => {
                let (moved, by_days) = moved(&base, shift).ok_or_else(wrong)?;
                (moved, is_day && by_days)
            }
        };
        let day_ends_ms = match is_day {
            true => Some(ms(&day_on(&moment, 1).ok_or_else(wrong)?)),
            false => None,
        };
        Ok(Moment {
            ms: ms(&moment),
            day_ends_ms,
        })
    }

    /// A moment as text, for columns that hold text: `%date:now` is `2026-11-23 08:30:00`.
    pub(super) fn dated(&self, text: &str) -> Result<String, String> {
        let moment = self.moment(text)?;
        let zone = self.now.time_zone().clone();
        let time = Timestamp::from_millisecond(moment.ms).map_err(|_| FORMS.to_owned())?;
        let time = time.to_zoned(zone).datetime();
        Ok(format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        ))
    }

    fn start(&self, date: Date) -> Option<Zoned> {
        date.to_zoned(self.now.time_zone().clone()).ok()
    }

    /// With an offset of its own, or in the clock's zone.
    fn date_time(&self, text: &str) -> Option<Zoned> {
        let zone = self.now.time_zone().clone();
        if let Ok(exact) = text.parse::<Timestamp>() {
            return Some(exact.to_zoned(zone));
        }
        text.parse::<DateTime>().ok()?.to_zoned(zone).ok()
    }
}

fn ms(time: &Zoned) -> i64 {
    time.timestamp().as_millisecond()
}

fn day_on(time: &Zoned, days: i64) -> Option<Zoned> {
    time.checked_add(days.days()).ok()
}

/// `now-1h` as `now` and `-1h`. A date has signs of its own: what is cut off ends in a unit.
fn cut(text: &str) -> (&str, Option<&str>) {
    let sign = text.rfind(['+', '-']).filter(|at| *at > 0);
    match sign.map(|at| text.split_at(at)) {
        Some((base, shift)) if shift.ends_with(['d', 'h', 'm', 's', 'w']) => {
            (base.trim(), Some(shift))
        }
        _ => (text, None),
    }
}

/// Moved by `+3d` and the like, and whether by whole days. A day is one of the calendar, an hour one of the clock.
fn moved(base: &Zoned, shift: &str) -> Option<(Zoned, bool)> {
    let unit_at = shift.len().checked_sub(1)?;
    let (count, unit) = shift.split_at_checked(unit_at)?;
    // Ten thousand years of seconds, and no more.
    let count: i64 = count
        .parse()
        .ok()
        .filter(|count: &i64| count.abs() < 400_000_000_000)?;
    let by = |seconds: i64| {
        let seconds = count.checked_mul(seconds)?;
        base.checked_add(SignedDuration::from_secs(seconds)).ok()
    };
    let days = |each: i64| {
        let span = jiff::Span::new().try_days(count.checked_mul(each)?).ok()?;
        base.checked_add(span).ok()
    };
    match unit {
        "w" => Some((days(7)?, true)),
        "d" => Some((days(1)?, true)),
        "h" => Some((by(3600)?, false)),
        "m" => Some((by(60)?, false)),
        "s" => Some((by(1)?, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 08:30:00 in Shanghai.
    const NOW: i64 = 1_795_393_800_000;
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    const MIDNIGHT: i64 = NOW - 8 * HOUR - HOUR / 2;

    fn clock() -> Clock {
        Clock::at(NOW, TimeZone::fixed(jiff::tz::offset(8)))
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        for (text, expected, day) in [
            ("now", NOW, false),
            ("%ms:now", NOW, false),
            ("%ms:now-1h", NOW - HOUR, false),
            ("now+3d", NOW + 3 * DAY, false),
            ("now-12h", NOW - 12 * HOUR, false),
            ("now+5m", NOW + 300_000, false),
            ("now+12s", NOW + 12_000, false),
            ("today", MIDNIGHT, true),
            ("yesterday", MIDNIGHT - DAY, true),
            ("tomorrow", MIDNIGHT + DAY, true),
            ("today-1w", MIDNIGHT - 7 * DAY, true),
            ("today+8h", MIDNIGHT + 8 * HOUR, false),
            ("2026-11-23", MIDNIGHT, true),
            ("%ms:2026-11-22", MIDNIGHT - DAY, true),
            ("2026-11-23+1d", MIDNIGHT + DAY, true),
            ("2026-11-23T08:30:00", NOW, false),
            ("2026-11-23 08:30:00", NOW, false),
            ("2026-11-23T00:30:00Z", NOW, false),
            ("1795393800000", NOW, false),
            ("0", 0, false),
        ] {
            let moment = clock().moment(text).unwrap();
            assert_eq!(moment.ms, expected, "{text}");
            let ends = day.then_some(expected + DAY);
            assert_eq!(moment.day_ends_ms, ends, "{text}");
        }
        assert_eq!(clock().dated("now").unwrap(), "2026-11-23 08:30:00");
        assert_eq!(clock().dated("2026-11-01").unwrap(), "2026-11-01 00:00:00");
    }

    #[test]
    fn a_day_is_the_calendars() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // The clocks go back on this day: it has 25 hours.
        let clock = Clock::at(NOW, berlin);
        let day = clock.moment("2026-10-25").unwrap();
        assert_eq!(day.day_ends_ms.unwrap() - day.ms, 25 * HOUR);
    }

    #[test]
    fn what_is_no_moment_is_told() {
        for text in [
            "",
            "soon",
            "now+",
            "now+d",
            "now+5x",
            "now+99999999999999d",
            "2026-13-01",
            "2026-11-31",
            "today+1y",
            "11/23",
            "20261",
            "2026",
        ] {
            let read = clock().moment(text);
            // A bare number is absolute milliseconds.
            assert!(
                read.is_err() || text.parse::<i64>().is_ok(),
                "{text}: {read:?}"
            );
        }
    }
}
