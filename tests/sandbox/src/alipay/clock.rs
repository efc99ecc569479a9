//! Alipay's clock: GMT+8 whatever the machine says, written `yyyy-MM-dd HH:mm:ss`.

use std::time::Duration;

use time::format_description::StaticFormatDescription;
use time::macros::{format_description, offset, time};
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

const FORM: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const EXACT: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
const DAY: StaticFormatDescription = format_description!("[year][month][day]");
const DATE: StaticFormatDescription = format_description!("[year]-[month]-[day]");
const CHINESE: StaticFormatDescription =
    format_description!("[year]年[month]月[day]日 [hour]:[minute]:[second]");
const CHINA: UtcOffset = offset!(+8);

/// The time now, in GMT+8.
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().to_offset(CHINA)
}

/// Absolute milliseconds of a time.
pub(super) fn ms(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// `yyyy-MM-dd HH:mm:ss`.
pub(super) fn text(at: OffsetDateTime) -> String {
    at.to_offset(CHINA).format(FORM).unwrap_or_default()
}

/// `yyyy-MM-dd HH:mm:ss.SSS`, as `gmt_refund` is written.
pub(super) fn exact_text(at: OffsetDateTime) -> String {
    at.to_offset(CHINA).format(EXACT).unwrap_or_default()
}

/// `yyyy年MM月dd日 HH:mm:ss`, as bills write times.
pub(super) fn chinese_text(at: OffsetDateTime) -> String {
    at.to_offset(CHINA).format(CHINESE).unwrap_or_default()
}

/// `yyyyMMdd`, the start of Alipay's own numbers.
pub(super) fn day(at: OffsetDateTime) -> String {
    at.to_offset(CHINA).format(DAY).unwrap_or_default()
}

/// Reads `yyyy-MM-dd HH:mm:ss`, every digit given.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    if text.len() != "yyyy-MM-dd HH:mm:ss".len() {
        return None;
    }
    let local = PrimitiveDateTime::parse(text, FORM).ok()?;
    Some(local.assume_offset(CHINA))
}

/// A day or a month of a bill, from its first moment to the first one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

impl Period {
    /// Reads `yyyy-MM-dd` or `yyyy-MM`.
    pub(super) fn parse(text: &str) -> Option<Period> {
        let midnight = |date: Date| PrimitiveDateTime::new(date, time!(00:00)).assume_offset(CHINA);
        if text.len() == "yyyy-MM-dd".len() {
            let day = Date::parse(text, DATE).ok()?;
            return Some(Period {
                from: midnight(day),
                until: midnight(day.next_day()?),
            });
        }
        if text.len() != "yyyy-MM".len() {
            return None;
        }
        let first = Date::parse(&format!("{text}-01"), DATE).ok()?;
        let days = i64::from(first.month().length(first.year()));
        Some(Period {
            from: midnight(first),
            until: midnight(first.checked_add(time::Duration::days(days))?),
        })
    }

    /// Whether a time is in it.
    pub(super) fn holds(self, at: OffsetDateTime) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// How long something may be paid: `timeout_express` and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// So long from the start.
    For(Duration),
    /// Until the end of the day of the start (`1c`).
    ThatDay,
}

impl Span {
    /// Reads `90m`, `2h`, `15d` or `1c`; from one minute to fifteen days, whole numbers only.
    pub(super) fn parse(text: &str) -> Option<Span> {
        if text == "1c" {
            return Some(Span::ThatDay);
        }
        let unit = text.chars().last()?;
        let number = text.strip_suffix(unit)?;
        let all_digits =
            (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let minutes = match unit {
            _ if !all_digits => return None,
            'm' => number.parse::<u64>().ok()?,
            'h' => number.parse::<u64>().ok()? * 60,
            'd' => number.parse::<u64>().ok()? * 24 * 60,
            _ => return None,
        };
        (1..=15 * 24 * 60)
            .contains(&minutes)
            .then(|| Span::For(Duration::from_secs(minutes * 60)))
    }

    /// When it ends, counted from a start.
    pub(super) fn end(self, start: OffsetDateTime) -> OffsetDateTime {
        match self {
            Span::For(length) => start + length,
            Span::ThatDay => start
                .to_offset(CHINA)
                .replace_time(time!(00:00))
                .saturating_add(time::Duration::DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_gmt_plus_8_and_complete() {
        let at = OffsetDateTime::from_unix_timestamp(1_565_855_784).unwrap();
        assert_eq!(text(at), "2019-08-15 15:56:24");
        assert_eq!(parse("2019-08-15 15:56:24"), Some(at));
        for wrong in [
            "2019-8-15 15:56:24",
            "2019-08-15T15:56:24",
            "2019-08-15 15:56",
            "2019-02-30 00:00:00",
            "",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_period_is_a_day_or_a_month_of_gmt_plus_8() {
        let day = Period::parse("2026-02-28").unwrap();
        assert!(day.holds(parse("2026-02-28 00:00:00").unwrap()));
        assert!(day.holds(parse("2026-02-28 23:59:59").unwrap()));
        assert!(!day.holds(parse("2026-03-01 00:00:00").unwrap()));
        let month = Period::parse("2028-02").unwrap();
        assert_eq!(chinese_text(month.from), "2028年02月01日 00:00:00");
        assert_eq!(chinese_text(month.until), "2028年03月01日 00:00:00");
        for wrong in ["", "2026", "2026-02-30", "2026-13", "20260201", "2026-2-01"] {
            assert_eq!(Period::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_run_from_a_minute_to_fifteen_days() {
        assert_eq!(
            Span::parse("90m"),
            Some(Span::For(Duration::from_secs(5400)))
        );
        assert_eq!(
            Span::parse("15d"),
            Some(Span::For(Duration::from_secs(15 * 86400)))
        );
        for wrong in [
            "", "m", "0m", "16d", "361h", "1.5h", "90", "90s", "-1m", "2c", "１m",
        ] {
            assert_eq!(Span::parse(wrong), None, "{wrong}");
        }
        let evening = parse("2026-01-31 23:59:30").unwrap();
        assert_eq!(text(Span::ThatDay.end(evening)), "2026-02-01 00:00:00");
    }
}
