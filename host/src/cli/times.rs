//! Absolute milliseconds as a person reads and writes them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::error::CliError;

/// What `:time` alone means.
pub(super) const DEFAULT_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

/// A pattern in the letters that the original took: `y M d H m s S`, repeated for the width, and
/// text in single quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Field(Field, usize),
    Text(char),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Milli,
}

impl Pattern {
    /// Reads a pattern such as `yyyy-MM-dd`.
    pub(super) fn parse(text: &str) -> Result<Pattern, CliError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut quoted = false;
        for c in text.chars() {
            if c == '\'' {
                quoted = !quoted;
                continue;
            }
            if quoted || !c.is_ascii_alphabetic() {
                parts.push(Part::Text(c));
                continue;
            }
            let field = match c {
                'y' => Field::Year,
                'M' => Field::Month,
                'd' => Field::Day,
                'H' => Field::Hour,
                'm' => Field::Minute,
                's' => Field::Second,
                'S' => Field::Milli,
                other => {
                    return Err(CliError::usage(format!(
                        "the time format {text:?} has the letter {other:?}: use y M d H m s S, and \
                         single quotes around text"
                    )));
                }
            };
            match parts.last_mut() {
                Some(Part::Field(last, width)) if *last == field => *width += 1,
                _ => parts.push(Part::Field(field, 1)),
            }
        }
        Ok(Pattern(parts))
    }

    /// `ams` in the time zone `zone`; `None` when it is no time that a calendar has.
    pub(super) fn format(&self, ams: i64, zone: &TimeZone) -> Option<String> {
        let time: Zoned = Timestamp::from_millisecond(ams)
            .ok()?
            .to_zoned(zone.clone());
        let mut out = String::new();
        for part in &self.0 {
            let (field, width) = match part {
                Part::Text(c) => {
                    out.push(*c);
                    continue;
                }
                Part::Field(field, width) => (*field, *width),
            };
            let value = i64::from(match field {
                Field::Year if width == 2 => time.year() % 100,
                Field::Year => time.year(),
                Field::Month => time.month().into(),
                Field::Day => time.day().into(),
                Field::Hour => time.hour().into(),
                Field::Minute => time.minute().into(),
                Field::Second => time.second().into(),
                Field::Milli => time.millisecond(),
            });
            out.push_str(&format!("{value:0width$}"));
        }
        Some(out)
    }
}

/// Reads a deadline: absolute milliseconds, or `now+30m` with `d`, `h`, `m` or `s`.
pub(super) fn deadline(text: &str, now_ms: i64) -> Result<i64, CliError> {
    let wrong = || {
        CliError::usage(format!(
            "{text:?} is not a deadline: give absolute milliseconds, or now+ with d, h, m or s, \
             such as now+30m"
        ))
    };
    let read = match text.strip_prefix("now+") {
        Some(after) => span(after).and_then(|ms| ms.checked_add(now_ms)),
        None => text.parse().ok(),
    };
    read.ok_or_else(wrong)
}

/// Reads a time that has passed: absolute milliseconds, `now`, `now-1d`, or a day or a time as lists show it, in `zone`.
pub(super) fn moment(text: &str, now_ms: i64, zone: &TimeZone) -> Result<i64, CliError> {
    let read = match text.strip_prefix("now") {
        Some("") => Some(now_ms),
        Some(shift) => shift
            .strip_prefix('-')
            .and_then(span)
            .and_then(|ms| now_ms.checked_sub(ms)),
        None => text.parse().ok().or_else(|| {
            let time: DateTime = text.parse().ok()?;
            let time = time.to_zoned(zone.clone()).ok()?;
            Some(time.timestamp().as_millisecond())
        }),
    };
    read.filter(|ms| *ms >= 0).ok_or_else(|| {
        CliError::usage(format!(
            "{text:?} is no time: give absolute milliseconds, now- with d, h, m or s, such as now-1d, or such as \
             2026-11-23 or 2026-11-23T08:30:00"
        ))
    })
}

/// Milliseconds of such as `30m`.
fn span(text: &str) -> Option<i64> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_ms: i64 = match unit {
        "d" => 86_400_000,
        "h" => 3_600_000,
        "m" => 60_000,
        "s" => 1_000,
        _ => return None,
    };
    let count: u32 = count.parse().ok()?;
    i64::from(count).checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pattern: &str, ams: i64) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        Pattern::parse(pattern).unwrap().format(ams, &zone).unwrap()
    }

    #[test]
    fn milliseconds_are_shown_as_the_pattern_says() {
        let ams = 1_550_072_052_007; // 2019-02-13T23:34:12.007+08:00
        assert_eq!(shown(DEFAULT_PATTERN, ams), "2019-02-13 23:34:12");
        assert_eq!(shown("yyyy-MM-dd", ams), "2019-02-13");
        assert_eq!(shown("yy/M/d H:m:s.SSS", ams), "19/2/13 23:34:12.007");
        assert_eq!(shown("yyyy年MM月dd日", ams), "2019年02月13日");
        assert_eq!(shown("yyyyMMdd'T'HHmmss", ams), "20190213T233412");
        assert!(Pattern::parse("yyyy-ww").is_err());
        let pattern = Pattern::parse("yyyy").unwrap();
        assert_eq!(pattern.format(i64::MAX, &TimeZone::UTC), None);
    }

    #[test]
    fn a_moment_is_absolute_or_counted_back_or_as_lists_show_it() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let now = 1_550_072_052_007;
        for (text, ms) in [
            ("1550072052007", now),
            ("now", now),
            ("now-30m", now - 1_800_000),
            ("now-1d", now - 86_400_000),
            ("2019-02-13", 1_549_987_200_000),
            ("2019-02-13 23:34:12", 1_550_072_052_000),
            ("2019-02-13T23:34:12", 1_550_072_052_000),
        ] {
            assert_eq!(moment(text, now, &zone).unwrap(), ms, "{text}");
        }
        for wrong in [
            "",
            "-1",
            "now-",
            "now+1h",
            "now-1w",
            "now-99999999d",
            "yesterday",
            "2019-02-30",
        ] {
            assert!(moment(wrong, now, &zone).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_deadline_is_absolute_or_counted_from_now() {
        assert_eq!(deadline("1550072052007", 5).unwrap(), 1_550_072_052_007);
        assert_eq!(deadline("now+30m", 5).unwrap(), 1_800_005);
        assert_eq!(deadline("now+3d", 5).unwrap(), 259_200_005);
        assert_eq!(deadline("now+12h", 0).unwrap(), 43_200_000);
        for wrong in [
            "", "tomorrow", "now+", "now+m", "now+5", "now+5x", "now+-5m", "now+5分",
        ] {
            assert!(deadline(wrong, 0).is_err(), "{wrong}");
        }
    }
}
