//! Alipay's clock: GMT+8 whatever the machine says, written `yyyy-MM-dd HH:mm:ss`.

use std::time::Duration;

use time::format_description::StaticFormatDescription;
use time::macros::{format_description, offset, time};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const FORM: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const DAY: StaticFormatDescription = format_description!("[year][month][day]");
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
